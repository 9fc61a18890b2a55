//! One stream: its two buffers and the half states of its ends (`docs/protocol.md` §6.6).

use std::collections::VecDeque;

use bytes::{Buf as _, BufMut, Bytes, BytesMut};

use crate::message::unpinned;

/// What [`PortSession::read`](crate::PortSession::read) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes were put into the buffer; at least 1.
    Data(usize),
    /// Nothing yet; `Event::StreamReadable` will come.
    Pending,
    /// The other side has closed and all its data was read.
    Eof,
}

/// Our side of a stream. smux has a single FIN for both directions, so a half-close is a state of ours that the other
/// side does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    Open,
    /// The application will write no more but still reads: FIN is withheld, as it would make the agent close the target
    /// connection and lose the answer (§6.6).
    HalfClosed,
    /// FIN goes out behind what is buffered.
    Closing,
    FinSent,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) local: Local,
    pub(super) remote_fin: bool,
    /// The agent said that it could not connect.
    pub(super) refused: bool,
    /// Whether anything has come in: a stream that had data was not refused (§6.5).
    pub(super) had_data: bool,
    /// The application has let go of the stream: what comes in is discarded.
    pub(super) abandoned: bool,
    pub(super) syn_pending: bool,
    /// Whether the stream stands in one of the lists of `Turns`, and how many bytes it may send there.
    pub(super) in_turns: bool,
    pub(super) credit: usize,
    /// The application saw `Pending`, or nothing yet: tell it about the next change.
    pub(super) wants_readable: bool,
    pub(super) wants_writable: bool,
    /// Bytes sent since the other side last sent something while nothing was on its way.
    pub(super) unanswered: usize,
    recv: VecDeque<Bytes>,
    recv_len: usize,
    send: BytesMut,
}

impl Stream {
    pub(super) fn new(syn_pending: bool) -> Self {
        Self {
            local: Local::Open,
            remote_fin: false,
            refused: false,
            had_data: false,
            abandoned: false,
            syn_pending,
            in_turns: false,
            credit: 0,
            wants_readable: true,
            wants_writable: false,
            unanswered: 0,
            recv: VecDeque::new(),
            recv_len: 0,
            send: BytesMut::new(),
        }
    }

    /// Appends as much of `data` as fits below `limit` buffered bytes.
    pub(super) fn write(&mut self, data: &[u8], limit: usize) -> usize {
        let room = limit.saturating_sub(self.send.len());
        let taken = data.len().min(room);
        self.send.extend_from_slice(&data[..taken]);
        taken
    }

    pub(super) fn unsent(&self) -> usize {
        self.send.len()
    }

    /// Moves up to `max` buffered bytes into `out`.
    pub(super) fn take_unsent(&mut self, max: usize, out: &mut BytesMut) {
        let taken = self.send.len().min(max);
        out.extend_from_slice(&self.send[..taken]);
        self.send.advance(taken);
        self.unanswered = self.unanswered.saturating_add(taken);
        if self.send.is_empty() {
            // An idle stream keeps no buffer: 10 000 of them would hold gigabytes.
            self.send = BytesMut::new();
        }
    }

    /// Drops what was written and not sent; how many bytes.
    pub(super) fn discard_unsent(&mut self) -> usize {
        std::mem::take(&mut self.send).len()
    }

    pub(super) fn receive(&mut self, data: Bytes) {
        self.had_data = true;
        self.recv_len += data.len();
        self.recv.push_back(unpinned(data));
    }

    pub(super) fn unread(&self) -> usize {
        self.recv_len
    }

    /// Moves received bytes into `buf` as far as it has room; the number moved.
    pub(super) fn read(&mut self, buf: &mut impl BufMut) -> usize {
        let mut moved = 0;
        while buf.has_remaining_mut() {
            let Some(front) = self.recv.front_mut() else {
                break;
            };
            let n = front.len().min(buf.remaining_mut());
            buf.put_slice(&front[..n]);
            moved += n;
            if n == front.len() {
                self.recv.pop_front();
            } else {
                front.advance(n);
            }
        }
        self.recv_len -= moved;
        if self.recv.is_empty() {
            self.recv = VecDeque::new();
        }
        moved
    }

    pub(super) fn discard_unread(&mut self) -> usize {
        self.recv = VecDeque::new();
        std::mem::take(&mut self.recv_len)
    }

    /// Whether a SYN, data or a FIN waits to be sent.
    pub(super) fn has_output(&self) -> bool {
        self.syn_pending || !self.send.is_empty() || self.local == Local::Closing
    }

    /// Both sides are done and nobody looks any more.
    pub(super) fn is_over(&self) -> bool {
        self.abandoned && self.remote_fin && self.local == Local::FinSent
    }
}
