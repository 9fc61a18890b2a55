//! [`MuxStream`]: one forwarded connection, as anything that copies bytes wants it.
//!
//! Each poll is one call into the protocol under the lock; bytes are copied once, between the caller's buffer and the
//! protocol's. Its buffers are the protocol's: nothing is kept here.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use ssm_proto::{PortSession, Read, StreamError, StreamId};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop,
};

use crate::{
    session::Handle,
    shared::{Shared, now},
};

/// A stream of a session.
///
/// `poll_shutdown` is a half-close: no more is written, and the other side's answer is awaited. Dropping it closes it whole,
/// with FIN behind what was written. One task may read while another writes; each side remembers its latest waker.
///
/// Errors are `ConnectionRefused` (the agent could not connect to the remote), `ConnectionReset` (the session is over; the
/// inner error is the [`CloseReason`](ssm_proto::CloseReason)) and `BrokenPipe` (written after a close of either side).
pub struct MuxStream {
    handle: Arc<Handle>,
    id: StreamId,
    /// Not yet closed by this handle.
    live: bool,
}

impl MuxStream {
    pub(crate) fn new(handle: Arc<Handle>, id: StreamId) -> Self {
        Self { handle, id, live: true }
    }

    /// Its number in the session.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Closes the stream whole: FIN follows what was written, what still comes in is discarded. The same as dropping it.
    pub fn close(self) {}

    /// Closes the stream without waiting for what was written and not sent.
    pub fn reset(mut self) {
        self.finish(PortSession::reset_stream);
    }

    /// Agent: tells the client that the remote could not be connected, and closes the stream.
    pub fn refuse(mut self) {
        self.finish(PortSession::refuse_stream);
    }

    fn finish(&mut self, how: fn(&mut PortSession, StreamId, Instant)) {
        if std::mem::take(&mut self.live) {
            let mut state = self.handle.shared().lock();
            how(&mut state.proto, self.id, now());
            state.remove_stream(self.id);
            Shared::wake_driver(state);
        }
    }
}

impl Drop for MuxStream {
    fn drop(&mut self) {
        self.finish(PortSession::close_stream);
    }
}

impl AsyncRead for MuxStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // A stream that always has data must not keep its task from yielding.
        let coop = ready!(coop::poll_proceed(cx));
        let mut state = self.handle.shared().lock();
        let result = match state.proto.read(self.id, buf, now()) {
            Ok(Read::Data(_) | Read::Eof) => Ok(()),
            Ok(Read::Pending) => {
                let Some(reason) = &state.over else {
                    state.await_readable(self.id, cx.waker());
                    return Poll::Pending;
                };
                Err(StreamError::SessionClosed(reason.clone()))
            }
            Err(error) => Err(error),
        };
        if state.input_paused && state.proto.wants_input() {
            Shared::wake_driver(state);
        }
        coop.made_progress();
        Poll::Ready(result.map_err(io_error))
    }
}

impl AsyncWrite for MuxStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let coop = ready!(coop::poll_proceed(cx));
        let mut state = self.handle.shared().lock();
        let result = match &state.over {
            Some(reason) => Err(StreamError::SessionClosed(reason.clone())),
            None => state.proto.write(self.id, data, now()),
        };
        match result {
            Ok(0) => {
                state.await_writable(self.id, cx.waker());
                return Poll::Pending;
            }
            Ok(_) => Shared::wake_driver(state),
            Err(_) => drop(state),
        }
        coop.made_progress();
        Poll::Ready(result.map_err(io_error))
    }

    /// What is written is the driver's to send: there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.handle.shared().lock();
        state.proto.shutdown_stream(self.id, now());
        Shared::wake_driver(state);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for MuxStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MuxStream").field("id", &self.id).finish_non_exhaustive()
    }
}

fn io_error(error: StreamError) -> io::Error {
    match error {
        StreamError::Refused => io::Error::new(io::ErrorKind::ConnectionRefused, error),
        StreamError::SessionClosed(reason) => io::Error::new(io::ErrorKind::ConnectionReset, reason),
        StreamError::Closed | StreamError::Unknown => io::Error::new(io::ErrorKind::BrokenPipe, error),
    }
}
