//! [`Turns`]: which stream sends next. Deficit round robin with two lists, as fq_codel has them.
//!
//! A stream that had nothing to say goes to the *fresh* list and is served before the *busy* ones: a SYN, a query, a keystroke.
//! Its credit is one turn's; once that is used up it is a busy one itself, and those share by turns, whatever the size of their
//! frames. A fresh stream that falls silent waits out a round in the busy list before it counts as fresh again, so that nobody gains
//! by sending in small pieces. And however many fresh streams there are, a fifth is left to the busy ones: nobody starves.

use std::collections::{BTreeMap, VecDeque};

use super::stream::Stream;
use crate::event::StreamId;

/// Data bytes of a turn. At the 600 kB/s of a session each busy stream costs the others 3 ms a round; frame headers cost 0.4 %.
pub(super) const TURN: usize = 2 * 1024;

/// Bytes of fresh streams for each byte of busy ones, if there are so many fresh ones.
const FAVOUR_RATIO: usize = 4;

/// By so many bytes fresh streams may be ahead of that.
const FAVOUR: usize = FAVOUR_RATIO * TURN;

#[derive(Debug, Default)]
pub(super) struct Turns {
    fresh: VecDeque<StreamId>,
    busy: VecDeque<StreamId>,
    /// Bytes by which fresh streams are ahead.
    favoured: usize,
}

impl Turns {
    /// Has `stream` take part if it has something to say.
    pub(super) fn join(&mut self, id: StreamId, stream: &mut Stream) {
        if !stream.in_turns && stream.has_output() {
            stream.in_turns = true;
            stream.credit = TURN;
            self.fresh.push_back(id);
        }
    }

    /// The stream whose turn it is; it has something to say, and credit.
    pub(super) fn next(&mut self, streams: &mut BTreeMap<StreamId, Stream>) -> Option<StreamId> {
        loop {
            let is_fresh = self.serves_fresh();
            let list = if is_fresh { &mut self.fresh } else { &mut self.busy };
            let id = *list.front()?;
            let stream = streams.get_mut(&id);
            if stream.as_ref().is_some_and(|stream| stream.has_output() && stream.credit > 0) {
                return Some(id);
            }
            list.pop_front();
            let Some(stream) = stream else { continue };
            if stream.has_output() {
                stream.credit = TURN;
                self.busy.push_back(id);
            } else if is_fresh && !self.busy.is_empty() {
                self.busy.push_back(id);
            } else {
                stream.in_turns = false;
            }
        }
    }

    /// Data bytes that `stream`, whose turn it is, may send: all it has while nobody else waits.
    pub(super) fn allowance(&self, stream: &Stream) -> usize {
        if self.len() == 1 { usize::MAX } else { stream.credit }
    }

    /// The stream whose turn it is has sent `bytes`.
    pub(super) fn charge(&mut self, stream: &mut Stream, bytes: usize) {
        self.favoured = if self.serves_fresh() {
            self.favoured + bytes
        } else {
            self.favoured.saturating_sub(FAVOUR_RATIO * bytes)
        };
        stream.credit = stream.credit.saturating_sub(bytes);
    }

    /// Streams that take part, some of which may have fallen silent.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.busy.len()
    }

    fn serves_fresh(&self) -> bool {
        !self.fresh.is_empty() && (self.favoured < FAVOUR || self.busy.is_empty())
    }
}
