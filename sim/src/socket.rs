//! One data channel as the gateway sees it: frames in, frames out, and its ways to end.
//!
//! Hides whether it is a websocket over TCP, over TLS, or the built-in agent's in-memory transport.
//! The websocket itself, with its answers to pings, is `ssm-session`'s.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use ssm_proto::WsFrame;
use ssm_session::{Duplex, Transport, TransportError, WebSocket, websocket_config};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

/// How long a close frame may take to go out and be answered.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// A byte stream that a websocket runs on.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// The TCP connection below.
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// The gateway's end of a websocket, on any wire.
pub(crate) type ServerSocket = WebSocket<Box<dyn Wire>>;

/// Makes a server's websocket of an upgraded connection; `read` is what came behind the request.
pub(crate) async fn server_socket(wire: Box<dyn Wire>, read: &Bytes) -> ServerSocket {
    let config = Some(websocket_config());
    let inner = WebSocketStream::from_partially_read(wire, read.to_vec(), Role::Server, config).await;
    // The official gateway's own pings, if it sends any, are unknown: none.
    WebSocket::new(inner, None)
}

/// One end of a data channel.
pub(crate) enum DataSocket {
    /// The client's, or an external agent's.
    Net(Box<ServerSocket>),
    /// The built-in agent's.
    Memory(Transport),
}

impl DataSocket {
    /// Closes with the service's `1000 Bye` (docs/protocol.md §2.6).
    pub(crate) async fn bye(self) {
        self.close(1000, "Bye").await;
    }

    /// Closes with a frame and waits a moment for the other side: with input unread, the kernel
    /// would send a reset that overtakes the frame.
    pub(crate) async fn close(self, code: u16, reason: &str) {
        let Self::Net(mut socket) = self else {
            return;
        };
        socket.set_close(code, reason);
        let _ = timeout(CLOSE_PATIENCE, async {
            if SinkExt::close(&mut socket).await.is_ok() {
                while let Some(Ok(_)) = socket.next().await {}
            }
        })
        .await;
    }

    /// Drops the connection as a broken path does: TCP RST, no close frame.
    pub(crate) fn reset(self) {
        if let Self::Net(socket) = self {
            let _ = socket.get_ref().tcp().set_zero_linger();
        }
    }

    fn inner(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Net(socket) => {
                let socket: Pin<&mut ServerSocket> = Pin::new(socket);
                socket
            }
            Self::Memory(transport) => transport.as_mut(),
        }
    }
}

impl Duplex for DataSocket {}

impl Stream for DataSocket {
    type Item = Result<WsFrame, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner().poll_next(cx)
    }
}

impl Sink<WsFrame> for DataSocket {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner().poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: WsFrame) -> Result<(), TransportError> {
        self.inner().start_send(frame)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner().poll_close(cx)
    }
}
