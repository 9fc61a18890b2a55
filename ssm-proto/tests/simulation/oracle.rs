//! What must hold at every moment, judged by what really happened and not by what the machines believe.

use std::time::{Duration, Instant};

use ssm_proto::testing::Pair;
use ssm_proto::{CloseReason, Event};

/// What a client's machine says of the other side, held against what it could know.
///
/// Two measures of silence enclose the true one, since the machines change within a step: `at_least` counts a span only if the
/// client was connected, listened and was owed an acknowledgement at both of its ends, `at_most` if it was connected.
#[derive(Debug)]
pub(crate) struct Oracle {
    suspect_after: Duration,
    patience: Duration,
    /// A target that does not read may be the reason of a silence, so nothing has to end.
    may_be_stalled: bool,
    connected: bool,
    seen: Seen,
    /// On this websocket, and since life last showed.
    here: Silence,
    in_all: Silence,
    suspected: bool,
    pub(crate) suspicions: usize,
    pub(crate) recoveries: usize,
    pub(crate) given_up: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    at_least: Duration,
    at_most: Duration,
}

impl Silence {
    fn add(&mut self, span: Duration, certain: bool, possible: bool) {
        self.at_least += if certain { span } else { Duration::ZERO };
        self.at_most += if possible { span } else { Duration::ZERO };
    }
}

/// The client at the last look.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    heard: u64,
    waits: bool,
}

impl Seen {
    fn of(pair: &Pair, connected: bool) -> Self {
        let stats = pair.client.stats();
        let waits = connected && pair.client.wants_input() && stats.messages_in_flight > 0;
        Self { at: pair.now, heard: stats.acks_in + stats.messages_in, waits }
    }
}

impl Oracle {
    /// Of an established session.
    pub(crate) fn new(pair: &Pair, suspect_after: Duration, patience: Duration) -> Self {
        Self {
            suspect_after,
            patience,
            may_be_stalled: false,
            connected: true,
            seen: Seen::of(pair, true),
            here: Silence::default(),
            in_all: Silence::default(),
            suspected: false,
            suspicions: 0,
            recoveries: 0,
            given_up: false,
        }
    }

    /// More was sent than an agent can take whose target does not read.
    pub(crate) fn excuse_silence(&mut self) {
        self.may_be_stalled = true;
    }

    pub(crate) fn lost_websocket(&mut self) {
        self.connected = false;
        self.seen.waits = false;
    }

    pub(crate) fn new_websocket(&mut self) {
        self.connected = true;
        self.suspected = false;
        self.here = Silence::default();
    }

    pub(crate) fn is_suspected(&self) -> bool {
        self.suspected
    }

    /// Looks at what the last step has brought.
    pub(crate) fn look(&mut self, pair: &mut Pair) {
        let before = self.seen;
        self.seen = Seen::of(pair, self.connected);
        let span = pair.now - before.at;
        let certain = before.waits && self.seen.waits;
        let heard = self.seen.heard != before.heard;
        self.here.add(span, certain && !heard, self.connected);
        self.in_all.add(span, certain && !heard, self.connected);
        for event in std::mem::take(&mut pair.client_events) {
            self.judge(&event);
        }
        if heard {
            (self.here, self.in_all, self.suspected) = (Silence::default(), Silence::default(), false);
        }
        let (here, in_all) = (self.here.at_least, self.in_all.at_least);
        assert!(self.suspected || here <= self.suspect_after, "silent for {here:?} and not suspected");
        assert!(
            self.given_up || self.may_be_stalled || in_all <= self.patience,
            "silent for {in_all:?} and not given up"
        );
    }

    fn judge(&mut self, event: &Event) {
        match event {
            Event::Suspect => {
                assert!(!self.suspected, "suspected twice on one websocket without a sign of life");
                assert!(self.here.at_most >= self.suspect_after, "suspected after {:?}", self.here);
                self.suspected = true;
                self.suspicions += 1;
            }
            Event::Resumed => self.recoveries += 1,
            Event::Closed(CloseReason::Unresponsive(_)) => {
                assert!(self.in_all.at_most >= self.patience, "given up after {:?}", self.in_all);
                self.given_up = true;
            }
            Event::Closed(reason) => panic!("nothing ends a session here: {reason}"),
            _ => {}
        }
    }
}
