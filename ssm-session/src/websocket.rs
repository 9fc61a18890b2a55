//! [`WebSocket`]: a transport over a websocket, either side, after its upgrade.
//!
//! Owns everything a session need not know of websockets: answers to pings, own pings and their deadline, close codes, the
//! limits on messages and buffers. It makes no connection and no HTTP: [`connect`](crate::connect()) does, and a server hands in
//! the upgraded connection.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use ssm_proto::WsFrame;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{error::TransportError, transport::Duplex};

pub use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Largest message taken, in bytes; a larger one ends the transport with close code 1009. The official programs have no limit,
/// and send 1 KiB; 8 MiB was seen to work.
pub const MAX_MESSAGE_SIZE: usize = 16 * 1024 * 1024;

/// What one read takes from the network. The library zeroes this much before each read; 32 KiB measured best.
const READ_BUFFER: usize = 32 * 1024;

/// Frames are gathered up to this size before they are written without a flush: above one batch of the driver, so that a batch
/// is one write.
const WRITE_BUFFER: usize = 128 * 1024;

/// Payload of our pings, as the official programs send it.
const PING: Bytes = Bytes::from_static(b"keepalive");

/// Close code for "there was none" (RFC 6455 §7.4.1).
const NO_STATUS: u16 = 1005;

/// How a silent path is noticed.
///
/// While the transport is read from, it pings every `interval`, and ends with [`TransportError::PongTimeout`] if nothing at all
/// arrives within `deadline` of a ping: any frame counts, since a pong may wait behind much data. While it is not read from
/// (back-pressure), no ping is sent and no deadline runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Time between pings.
    pub interval: Duration,
    /// Time for an answer; at most `interval`.
    pub deadline: Duration,
}

impl Default for KeepAlive {
    /// Pings every 20 s with a deadline of 10 s: a connection that died during sleep or a network change is given up within
    /// half a minute, where the official client (5 min, no deadline) hangs. Also below the idle limits of common middleboxes.
    fn default() -> Self {
        Self { interval: Duration::from_secs(20), deadline: Duration::from_secs(10) }
    }
}

/// A websocket as a transport of frames.
pub struct WebSocket<S> {
    inner: WebSocketStream<S>,
    pinger: Option<Pinger>,
    /// A ping was handed over but not yet flushed.
    flush_owed: bool,
    /// The read side has reported its end.
    ended: bool,
    /// Sent by `poll_close`.
    close_frame: Option<CloseFrame>,
}

impl<S> WebSocket<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    /// Server side: takes a connection whose upgrade was answered by the caller (see [`derive_accept_key`]).
    pub async fn accept_upgraded(io: S, keep_alive: Option<KeepAlive>) -> Self {
        let inner = WebSocketStream::from_raw_socket(io, Role::Server, Some(websocket_config())).await;
        Self::new(inner, keep_alive)
    }

    /// Either side: takes a finished websocket. It should have been made with [`websocket_config`].
    pub fn new(inner: WebSocketStream<S>, keep_alive: Option<KeepAlive>) -> Self {
        let close_frame = Some(CloseFrame { code: CloseCode::Normal, reason: "".into() });
        Self { inner, pinger: keep_alive.map(Pinger::new), flush_owed: false, ended: false, close_frame }
    }

    /// Sets what closing this transport says to the other side; 1000 without a reason if never called.
    pub fn set_close(&mut self, code: u16, reason: &str) {
        self.close_frame = Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() });
    }

    /// The connection below, such as to reset it.
    pub fn get_ref(&self) -> &S {
        self.inner.get_ref()
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<WsFrame, TransportError>>> {
        loop {
            let Some(message) = ready!(Pin::new(&mut self.inner).poll_next(cx)) else { return Poll::Ready(None) };
            if let Some(pinger) = &mut self.pinger {
                pinger.heard = true;
            }
            return Poll::Ready(Some(match message {
                Ok(Message::Binary(bytes)) => Ok(WsFrame::Binary(bytes)),
                Ok(Message::Text(text)) => Ok(WsFrame::Text(text.as_str().to_owned())),
                // Reading on also flushes the pong that the library has queued.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Ok(Message::Close(frame)) => {
                    // The echo is a courtesy: whoever said goodbye need not be waited for.
                    let _ = Pin::new(&mut self.inner).poll_flush(cx);
                    Err(closed(frame))
                }
                Err(error @ WsError::Capacity(_)) => {
                    self.set_close(CloseCode::Size.into(), "message too large");
                    let _ = self.poll_send_close(cx);
                    Err(transport_error(error))
                }
                Err(error) => Err(transport_error(error)),
            }));
        }
    }

    /// Sends pings; ready when the other side is silent for too long, or the ping cannot be sent.
    fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<TransportError> {
        if self.flush_owed
            && let Poll::Ready(flushed) = Pin::new(&mut self.inner).poll_flush(cx)
        {
            self.flush_owed = false;
            if let Err(error) = flushed {
                return Poll::Ready(transport_error(error));
            }
        }
        let Some(pinger) = &mut self.pinger else { return Poll::Pending };
        loop {
            match ready!(pinger.poll(cx)) {
                Due::Silence => return Poll::Ready(TransportError::PongTimeout(pinger.allowed)),
                Due::Ping => {}
            }
            // Blocked: what is queued before the ping must get through first, and the deadline runs for that too.
            let Poll::Ready(room) = Pin::new(&mut self.inner).poll_ready(cx) else { continue };
            let sent = room.and_then(|()| Pin::new(&mut self.inner).start_send(Message::Ping(PING)));
            if let Err(error) = sent {
                return Poll::Ready(transport_error(error));
            }
            match Pin::new(&mut self.inner).poll_flush(cx) {
                Poll::Pending => self.flush_owed = true,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(transport_error(error)),
            }
        }
    }

    fn poll_send_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        if self.close_frame.is_some() {
            ready!(Pin::new(&mut self.inner).poll_ready(cx))?;
            let frame = self.close_frame.take();
            Pin::new(&mut self.inner).start_send(Message::Close(frame))?;
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }
}

impl<S> Stream for WebSocket<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    type Item = Result<WsFrame, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        // Network first: what has arrived speaks against a deadline that has passed meanwhile.
        let item = match this.poll_frame(cx) {
            Poll::Ready(item) => item,
            Poll::Pending => Some(Err(ready!(this.poll_keep_alive(cx)))),
        };
        this.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl<S> Sink<WsFrame> for WebSocket<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    type Error = TransportError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Pin::new(&mut self.get_mut().inner).poll_ready(cx).map_err(transport_error)
    }

    fn start_send(self: Pin<&mut Self>, frame: WsFrame) -> Result<(), TransportError> {
        let message = match frame {
            WsFrame::Text(text) => Message::Text(text.into()),
            WsFrame::Binary(bytes) => Message::Binary(bytes),
        };
        Pin::new(&mut self.get_mut().inner).start_send(message).map_err(transport_error)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx).map_err(transport_error)
    }

    /// Sends the close message; does not wait for the other side's.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.get_mut().poll_send_close(cx).map_err(transport_error)
    }
}

impl<S> Duplex for WebSocket<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    /// Pings, if pings were asked for at all.
    fn check(self: Pin<&mut Self>, deadline: Duration) {
        if let Some(pinger) = &mut self.get_mut().pinger {
            pinger.urgent = Some(deadline.min(pinger.settings.deadline));
        }
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Buffer sizes and limits for every websocket of this crate.
pub fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // Room for the largest message on top of what may wait before it: reached only if `poll_ready` is ignored.
        .max_write_buffer_size(WRITE_BUFFER + 2 * MAX_MESSAGE_SIZE)
        .max_message_size(Some(MAX_MESSAGE_SIZE))
        .max_frame_size(Some(MAX_MESSAGE_SIZE))
}

/// When to ping and when to give up. Costs nothing per frame but setting `heard`.
struct Pinger {
    settings: KeepAlive,
    sleep: Pin<Box<Sleep>>,
    /// A ping was sent, and the timer is its deadline.
    awaiting: bool,
    /// The time allowed for its answer.
    allowed: Duration,
    /// A ping is to be sent out of turn, with so much time for its answer.
    urgent: Option<Duration>,
    /// Anything was received since the last ping.
    heard: bool,
}

enum Due {
    Ping,
    Silence,
}

impl Pinger {
    fn new(settings: KeepAlive) -> Self {
        let sleep = Box::pin(tokio::time::sleep(settings.interval));
        Self { settings, sleep, awaiting: false, allowed: settings.deadline, urgent: None, heard: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        if let Some(allowed) = self.urgent.take() {
            // Another ping may get through where the last one did not, but it grants no more time than is left: checks that
            // come in a row must not put off the end of a dead path.
            if self.awaiting && !self.heard && self.sleep.deadline() <= Instant::now() + allowed {
                return Poll::Ready(Due::Ping);
            }
            return Poll::Ready(self.ping(allowed));
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.awaiting {
                if !self.heard {
                    return Poll::Ready(Due::Silence);
                }
                self.awaiting = false;
                let pause = self.settings.interval.saturating_sub(self.allowed);
                self.sleep.as_mut().reset(Instant::now() + pause);
            } else {
                return Poll::Ready(self.ping(self.settings.deadline));
            }
        }
    }

    fn ping(&mut self, allowed: Duration) -> Due {
        (self.awaiting, self.allowed, self.heard) = (true, allowed, false);
        self.sleep.as_mut().reset(Instant::now() + allowed);
        Due::Ping
    }
}

fn closed(frame: Option<CloseFrame>) -> TransportError {
    match frame {
        Some(CloseFrame { code, reason }) => {
            TransportError::Closed { code: code.into(), reason: reason.as_str().to_owned() }
        }
        None => TransportError::Closed { code: NO_STATUS, reason: String::new() },
    }
}

fn transport_error(error: WsError) -> TransportError {
    match error {
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
            TransportError::Aborted
        }
        // rustls: the connection was cut without TLS's own goodbye, which is as good as a bare end.
        WsError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => TransportError::Aborted,
        WsError::Io(error) => TransportError::Io(error),
        WsError::Capacity(_) | WsError::WriteBufferFull(_) => TransportError::TooLarge,
        other => TransportError::Protocol(Box::new(other)),
    }
}

#[cfg(test)]
mod tests;
