//! Bytes between a local connection and a stream of the session, until one of them ends.
//!
//! Owns both ends and the rules of ending (docs/protocol.md §6.6, and `local_peer.rs` for the half-close).
//! Where the two come from is `forward.rs`'s matter. Not `tokio::io::copy_bidirectional`: its half-close is
//! what loses answers here, and it keeps two buffers for every idle connection; this keeps none.

use super::local_peer::PeerWatch;
use super::local_stream::LocalStream;
use super::seats::Flow;
use crate::meter::Meter;
use ssm_session::MuxStream;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, sleep_until, timeout};

/// Large enough for several messages of the wire in one read, small enough for a cache.
const SCRATCH: usize = 64 * 1024;
/// Reads in a row before other tasks of the thread get their turn.
const TURNS: usize = 16;
/// After the remote's end the application gets so long to read it and close. Closing at once would make
/// the kernel reset the connection if it had just sent something, and destroy what it had not yet read.
const LINGER: Duration = Duration::from_secs(5);

thread_local! {
    /// Shared by all connections of a thread: within a poll nothing else can want it.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// The remote's side of a connection.
pub(super) trait RemoteStream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Closes fully, after what was written.
    fn close(self);
    /// Closes fully and drops what was not sent yet.
    fn reset(self);
}

impl RemoteStream for MuxStream {
    fn close(self) {
        MuxStream::close(self);
    }

    fn reset(self) {
        MuxStream::reset(self);
    }
}

/// Where bytes are counted.
#[derive(Clone, Copy)]
pub(super) struct Counts<'a> {
    /// The tunnel's, and the connection's own.
    pub(super) meters: [&'a Meter; 2],
    /// The connection's share of its session's load.
    pub(super) flow: &'a Flow,
}

impl Counts<'_> {
    fn add_in(self, bytes: usize) {
        for meter in self.meters {
            meter.add_in(bytes);
        }
        self.flow.count(bytes);
    }

    fn add_out(self, bytes: usize) {
        for meter in self.meters {
            meter.add_out(bytes);
        }
        self.flow.count(bytes);
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The application closed it.
    ByLocal,
    /// The remote closed it, or the application after having got all.
    ByRemote,
    /// The agent could not connect to the remote.
    Refused,
    /// The session is over.
    SessionLost,
}

/// Carries bytes both ways until the connection is over; `on_answer` is called with the first byte from
/// the remote. Dropping the future resets the application and closes the stream.
pub(super) async fn relay<R: RemoteStream>(
    mut local: LocalStream,
    mut remote: R,
    counts: Counts<'_>,
    on_answer: impl FnOnce(),
) -> Ended {
    let mut out = Direction::default();
    let mut back = Direction::default();
    let mut on_answer = Some(on_answer);
    let mut half_closed: Option<HalfClosed> = None;
    loop {
        let look = half_closed.as_ref().map(|half| half.next_look);
        let before = back.total;
        let step = tokio::select! {
            // Cancel-safe: what was read and not written yet stays in the directions.
            step = poll_fn(|cx| pump(cx, &mut local, &mut remote, &mut out, &mut back, counts, &mut on_answer)) => step,
            () = sleep_until(look.unwrap_or_else(Instant::now)), if look.is_some() => Step::Look,
        };
        match step {
            Step::LocalEof => {
                // The stream withholds its FIN; see `local_peer.rs` for how long.
                drop(remote.shutdown().await);
                half_closed = Some(HalfClosed::new(&local, back.total));
            }
            Step::Look => {
                if let Some(half) = &mut half_closed
                    && half.is_over(&local, back.total.max(before)).await
                {
                    remote.close();
                    local.close();
                    return Ended::ByLocal;
                }
            }
            Step::RemoteEof => {
                remote.close();
                linger(local).await;
                return Ended::ByRemote;
            }
            Step::LocalError => {
                remote.reset();
                drop(local);
                return Ended::ByLocal;
            }
            Step::RemoteError(kind) => {
                remote.reset();
                drop(local);
                return match kind {
                    io::ErrorKind::ConnectionRefused => Ended::Refused,
                    // The remote has closed while the application was still sending.
                    io::ErrorKind::BrokenPipe => Ended::ByRemote,
                    _ => Ended::SessionLost,
                };
            }
        }
    }
}

/// Lets the application read the end of file and close in its own time.
async fn linger(mut local: LocalStream) {
    if local.shutdown().await.is_err() {
        return;
    }
    let mut rest = [0; 512];
    let drained = async { while matches!(local.read(&mut rest).await, Ok(1..)) {} };
    drop(timeout(LINGER, drained).await);
    local.close();
}

/// The application has closed its sending half, or all of it.
struct HalfClosed {
    watch: PeerWatch,
    next_look: Instant,
    /// Bytes from the remote at the last look, and since when there were no more.
    total: u64,
    silent_since: Instant,
}

impl HalfClosed {
    fn new(local: &LocalStream, total: u64) -> Self {
        let now = Instant::now();
        Self {
            watch: PeerWatch::new(local),
            // At once: a plain close is by far the most frequent reason of an end of file.
            next_look: now,
            total,
            silent_since: now,
        }
    }

    async fn is_over(&mut self, local: &LocalStream, total: u64) -> bool {
        let now = Instant::now();
        if total != self.total {
            self.total = total;
            self.silent_since = now;
        }
        self.next_look = now + self.watch.pause();
        self.watch.is_over(local, now - self.silent_since).await
    }
}

/// What needs a decision.
#[derive(Debug)]
enum Step {
    LocalEof,
    LocalError,
    RemoteEof,
    RemoteError(io::ErrorKind),
    Look,
}

/// One direction's bytes that were read and not written yet.
#[derive(Debug, Default)]
struct Direction {
    pending: Vec<u8>,
    written: usize,
    eof: bool,
    total: u64,
}

/// Which side of a copy failed.
enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

fn pump<R: RemoteStream, F: FnOnce()>(
    cx: &mut Context<'_>,
    local: &mut LocalStream,
    remote: &mut R,
    out: &mut Direction,
    back: &mut Direction,
    counts: Counts<'_>,
    on_answer: &mut Option<F>,
) -> Poll<Step> {
    // Answers first: when both are ready the session's buffers empty sooner.
    let received = back.copy(cx, remote, local, |bytes| {
        counts.add_in(bytes);
        if let Some(on_answer) = on_answer.take() {
            on_answer();
        }
    });
    match received {
        Poll::Ready(Ok(())) => return Poll::Ready(Step::RemoteEof),
        Poll::Ready(Err(CopyError::Read(error))) => return Poll::Ready(Step::RemoteError(error.kind())),
        Poll::Ready(Err(CopyError::Write(_))) => return Poll::Ready(Step::LocalError),
        Poll::Pending => {}
    }
    if out.eof && out.pending.is_empty() {
        return Poll::Pending;
    }
    match ready!(out.copy(cx, local, remote, |bytes| counts.add_out(bytes))) {
        Ok(()) => Poll::Ready(Step::LocalEof),
        Err(CopyError::Read(_)) => Poll::Ready(Step::LocalError),
        Err(CopyError::Write(error)) => Poll::Ready(Step::RemoteError(error.kind())),
    }
}

impl Direction {
    /// Copies until either side would block; ready at the end of file with all of it written, or on error.
    fn copy(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        mut count: impl FnMut(usize),
    ) -> Poll<Result<(), CopyError>> {
        for _ in 0..TURNS {
            while self.written < self.pending.len() {
                let bytes = ready!(Pin::new(&mut *to).poll_write(cx, &self.pending[self.written..]));
                let bytes = bytes.map_err(CopyError::Write)?;
                if bytes == 0 {
                    return Poll::Ready(Err(CopyError::Write(io::ErrorKind::WriteZero.into())));
                }
                self.written += bytes;
            }
            if !self.pending.is_empty() {
                self.pending = Vec::new();
                self.written = 0;
            }
            if self.eof {
                return Poll::Ready(Ok(()));
            }
            let read = BUFFER.with_borrow_mut(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer)).map_err(CopyError::Read)?;
                let data = buffer.filled();
                if !data.is_empty() {
                    count(data.len());
                    // The usual case costs no allocation: all of it fits into the other side's buffer.
                    let taken = match Pin::new(&mut *to).poll_write(cx, data) {
                        Poll::Ready(taken) => taken.map_err(CopyError::Write)?,
                        Poll::Pending => 0,
                    };
                    self.pending.extend_from_slice(&data[taken..]);
                }
                Poll::Ready(Ok(data.len()))
            });
            match ready!(read)? {
                0 => self.eof = true,
                bytes => self.total += bytes as u64,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
