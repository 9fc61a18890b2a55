//! One accepted local connection, over TCP or a Unix socket: bytes, reset, and who is at the other end.

use crate::connections::Peer;
use futures_util::FutureExt as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// The local side of a forwarded connection. Dropping it resets the connection: an application must not
/// take the end of a session, or of this process, for the end of an answer. Only [`LocalStream::close`] ends it in good order.
#[derive(Debug)]
pub(super) struct LocalStream {
    socket: Socket,
    in_order: bool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl LocalStream {
    /// Takes an accepted TCP connection. What an application writes is sent on at once.
    pub(super) fn tcp(stream: TcpStream) -> Self {
        // Fails only on a connection that is gone already, which the first read will tell.
        drop(stream.set_nodelay(true));
        // From the outset: whoever kills this process leaves its connections to the system, which would end them in order.
        drop(socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)));
        Self { socket: Socket::Tcp(stream), in_order: false }
    }

    /// Takes an accepted connection of a Unix socket.
    pub(super) fn unix(stream: UnixStream) -> Self {
        Self { socket: Socket::Unix(stream), in_order: false }
    }

    /// The application's address and ours; none for a Unix socket.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        match &self.socket {
            Socket::Tcp(stream) => stream.peer_addr().ok().zip(stream.local_addr().ok()),
            Socket::Unix(_) => None,
        }
    }

    /// Who is at the other end.
    pub(super) fn peer(&self) -> Peer {
        match &self.socket {
            Socket::Tcp(_) => self.addresses().map_or(Peer::Unknown, |(theirs, ours)| Peer::Tcp { theirs, ours }),
            Socket::Unix(stream) => {
                let pid = stream.peer_cred().ok().and_then(|peer| peer.pid()?.try_into().ok());
                Peer::Unix { pid }
            }
        }
    }

    /// Whether this side can tell that the other has closed both directions: a Unix socket's hang-up, or a
    /// TCP reset that came after the end of file, when nothing is read any more that would report it.
    pub(super) fn is_dead(&self) -> bool {
        match &self.socket {
            Socket::Tcp(stream) => stream.peer_addr().is_err(),
            Socket::Unix(stream) => stream
                .ready(Interest::WRITABLE)
                .now_or_never()
                .is_some_and(|ready| ready.is_ok_and(tokio::io::Ready::is_write_closed)),
        }
    }

    /// Ends the connection with an end of file.
    pub(super) fn close(mut self) {
        self.in_order = true;
    }
}

impl Drop for LocalStream {
    fn drop(&mut self) {
        if let (Socket::Tcp(stream), true) = (&self.socket, self.in_order) {
            drop(socket2::SockRef::from(stream).set_linger(None));
        }
    }
}

impl AsyncRead for LocalStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
