//! Connections that were accepted, and of which it is known whether they have said anything yet.
//!
//! hyper closes one that has not when it is told to end. To a client that was accepted a moment ago, and is about to send its request,
//! that looks like a daemon that has crashed: so a server that ends waits for these first.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::watch;

/// How many there are of which nothing has been read.
#[derive(Debug, Clone, Default)]
pub(super) struct Silent(watch::Sender<usize>);

impl Silent {
    /// Another one.
    pub(super) fn enter(&self, stream: UnixStream) -> Visitor {
        self.0.send_modify(|count| *count += 1);
        Visitor { stream, silent: Some(Counted(self.0.clone())) }
    }

    /// Ready when each has said something, or has gone. Cancel-safe.
    pub(super) async fn none(&self) {
        // An error would be a count that is gone, which we hold.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Visitor {
    stream: UnixStream,
    silent: Option<Counted>,
}

#[derive(Debug)]
struct Counted(watch::Sender<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Visitor {
    pub(super) fn into_stream(self) -> UnixStream {
        self.stream
    }
}

impl AsyncRead for Visitor {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            // Bytes, or its end: hyper does what is right by either.
            self.silent = None;
        }
        read
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
