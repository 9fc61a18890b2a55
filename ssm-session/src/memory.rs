//! [`memory_pair`]: two transports joined in memory, for tests and for an agent in the same process.
//!
//! Bounded like a socket: a full direction makes its sender wait. Dropping one end lets the other read what was sent, and then
//! end. No runtime, no timers.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_util::{Sink, Stream};
use ssm_proto::WsFrame;

use crate::{
    error::TransportError,
    transport::{Duplex, Transport},
};

/// Joins two transports; each direction holds at most `capacity` frames (at least one).
pub fn memory_pair(capacity: usize) -> (Transport, Transport) {
    let (a, b) = (Pipe::new(capacity), Pipe::new(capacity));
    (
        Box::pin(MemoryTransport { input: a.clone(), output: b.clone() }),
        Box::pin(MemoryTransport { input: b, output: a }),
    )
}

/// One end. Both pipes learn of its drop.
struct MemoryTransport {
    input: Pipe,
    output: Pipe,
}

/// One direction.
#[derive(Clone)]
struct Pipe(Arc<Mutex<PipeState>>);

struct PipeState {
    frames: VecDeque<WsFrame>,
    capacity: usize,
    /// One of the two ends is gone.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self(Arc::new(Mutex::new(PipeState {
            frames: VecDeque::new(),
            capacity,
            closed: false,
            reader: None,
            writer: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, PipeState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut pipe = self.lock();
        pipe.closed = true;
        let wakers = [pipe.reader.take(), pipe.writer.take()];
        drop(pipe);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.input.close();
        self.output.close();
    }
}

impl Duplex for MemoryTransport {}

impl Stream for MemoryTransport {
    type Item = Result<WsFrame, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut pipe = self.input.lock();
        let Some(frame) = pipe.frames.pop_front() else {
            if pipe.closed {
                return Poll::Ready(None);
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Sink<WsFrame> for MemoryTransport {
    type Error = TransportError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut pipe = self.output.lock();
        if pipe.closed {
            Poll::Ready(Err(TransportError::Aborted))
        } else if pipe.frames.len() < pipe.capacity {
            Poll::Ready(Ok(()))
        } else {
            pipe.writer = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    fn start_send(self: Pin<&mut Self>, frame: WsFrame) -> Result<(), TransportError> {
        let mut pipe = self.output.lock();
        if pipe.closed {
            return Err(TransportError::Aborted);
        }
        pipe.frames.push_back(frame);
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        // Taken is delivered: the other end reads from the same queue.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.output.close();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};

    use super::*;

    fn frame(byte: u8) -> WsFrame {
        WsFrame::Binary(Bytes::copy_from_slice(&[byte]))
    }

    #[tokio::test]
    async fn a_full_direction_makes_the_sender_wait() {
        let (mut a, mut b) = memory_pair(2);
        a.send(frame(1)).await.unwrap();
        a.send(frame(2)).await.unwrap();
        let mut third = a.send(frame(3));
        assert!((&mut third).now_or_never().is_none());
        assert_eq!(b.next().await.unwrap().unwrap(), frame(1));
        third.await.unwrap();
    }

    #[tokio::test]
    async fn a_dropped_end_is_read_out_and_then_ends() {
        let (mut a, mut b) = memory_pair(2);
        a.send(frame(1)).await.unwrap();
        drop(a);
        assert_eq!(b.next().await.unwrap().unwrap(), frame(1));
        assert!(b.next().await.is_none());
        assert!(matches!(b.send(frame(2)).await, Err(TransportError::Aborted)));
    }
}
