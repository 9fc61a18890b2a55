//! [`Link`]: the transport in use, and the frames on their way to and from it.
//!
//! Frames move in batches, so that a lock, a wake-up and a system call are paid once for many. Both batches are bounded, and
//! neither direction waits for the other: while a write is blocked, reading goes on.

use std::{
    collections::VecDeque,
    task::{Context, Poll, ready},
    time::Duration,
};

use ssm_proto::WsFrame;

use crate::{error::TransportError, transport::Transport};

/// Frames taken in before the protocol sees them: as many as one read of the socket gives at 1 KiB each, twice over.
const READ_FRAMES: usize = 64;

/// The same in bytes, for large payloads; one frame may exceed it.
const READ_BYTES: usize = 256 * 1024;

/// Frames between two flushes. At 16 the cost of flushing is down to a quarter, at 64 there is nothing left to gain.
const WRITE_FRAMES: usize = 64;

/// The same in bytes, for large payloads; one frame may exceed it. Small, so that what is urgent waits behind little.
const WRITE_BYTES: usize = 64 * 1024;

pub(crate) struct Link {
    transport: Transport,
    incoming: Vec<WsFrame>,
    outgoing: VecDeque<WsFrame>,
    /// The transport holds frames that it has not flushed.
    unflushed: bool,
    /// Writing failed. Reading goes on for what had arrived: it often tells why, such as a close message.
    write_error: Option<TransportError>,
}

/// What one look at the network found.
#[derive(Debug)]
pub(crate) enum Look {
    /// Nothing more for now; the task is woken for the next frame.
    Idle,
    /// The batch is full, there may be more.
    More,
    /// The transport has ended.
    Lost(TransportError),
}

impl Link {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, incoming: Vec::new(), outgoing: VecDeque::new(), unflushed: false, write_error: None }
    }

    /// Takes frames off the network, up to a batch.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Look {
        let mut bytes = 0;
        while self.incoming.len() < READ_FRAMES && bytes < READ_BYTES {
            match self.transport.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    bytes += frame.len();
                    self.incoming.push(frame);
                }
                Poll::Ready(Some(Err(error))) => return Look::Lost(error),
                Poll::Ready(None) => return Look::Lost(TransportError::Aborted),
                Poll::Pending => return Look::Idle,
            }
        }
        Look::More
    }

    /// Asks the network whether the other side can still be reached; see [`Duplex::check`](crate::Duplex::check).
    pub(crate) fn check(&mut self, deadline: Duration) {
        self.transport.as_mut().check(deadline);
    }

    /// The frames taken so far.
    pub(crate) fn take_incoming(&mut self) -> std::vec::Drain<'_, WsFrame> {
        self.incoming.drain(..)
    }

    /// Whether everything queued before is out: only then are frames queued, so that what is not sent yet can still be put
    /// in the best order by the protocol.
    pub(crate) fn has_room(&self) -> bool {
        self.outgoing.is_empty() && !self.unflushed && self.write_error.is_none()
    }

    /// Queues frames from `next`, up to a batch; whether `next` had no more.
    pub(crate) fn fill(&mut self, mut next: impl FnMut() -> Option<WsFrame>) -> bool {
        let mut bytes = 0;
        while self.outgoing.len() < WRITE_FRAMES && bytes < WRITE_BYTES {
            let Some(frame) = next() else { return true };
            bytes += frame.len();
            self.outgoing.push_back(frame);
        }
        false
    }

    /// Sends what is queued and flushes it. Ready when all is out, or nothing will ever be ([`Link::take_write_error`]).
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.write_error.is_some() {
            return Poll::Ready(());
        }
        if let Err(error) = ready!(self.poll_send(cx)) {
            self.outgoing.clear();
            self.write_error = Some(error);
        }
        Poll::Ready(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut transport = self.transport.as_mut();
        while !self.outgoing.is_empty() {
            ready!(transport.as_mut().poll_ready(cx))?;
            if let Some(frame) = self.outgoing.pop_front() {
                transport.as_mut().start_send(frame)?;
                self.unflushed = true;
            }
        }
        if self.unflushed {
            ready!(transport.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether writing has failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.write_error.is_some()
    }

    /// Why writing has failed.
    pub(crate) fn take_write_error(&mut self) -> Option<TransportError> {
        self.write_error.take()
    }

    /// Says goodbye; call once all is out. Ready when that is done or cannot be done.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.transport.as_mut().poll_close(cx).map(|_| ())
    }
}
