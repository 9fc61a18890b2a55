//! Two sessions, the wires between them, and bytes that can be checked.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, Stream, StreamExt as _};
use ring::digest::{Context, SHA256};
use serde_json::json;
use ssm_proto::{AgentProperties, Config, TokenValue, WsFrame};
use ssm_session::{Duplex, MuxStream, Session, SessionStatus, Transport, TransportError, memory_pair};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::Notify,
    task::JoinHandle,
};

/// Frames that fit into a direction of a wire.
const WIRE_CAPACITY: usize = 32;

/// Both ends of one session.
pub(crate) struct Ends {
    pub(crate) client: Session,
    pub(crate) agent: Session,
}

impl Ends {
    /// Two sessions that no transport connects yet.
    pub(crate) fn new(client: Config, agent: Config) -> Self {
        Self { client: Session::client(client), agent: Session::agent(agent, agent_properties()) }
    }

    /// Two sessions, established over a wire in memory.
    pub(crate) async fn connected(client: Config, agent: Config) -> (Self, Wire) {
        let ends = Self::new(client, agent);
        let wire = ends.wire();
        within(ends.client.established()).await.unwrap();
        (ends, wire)
    }

    /// The same with configurations that are of no interest.
    pub(crate) async fn fast() -> (Self, Wire) {
        Self::connected(fast_client(), Config::fast_agent()).await
    }

    /// Attaches a new wire to both ends, in place of any older one.
    pub(crate) fn wire(&self) -> Wire {
        let (client, client_side) = memory_pair(WIRE_CAPACITY);
        let (agent, agent_side) = memory_pair(WIRE_CAPACITY);
        let wire = Wire::between(client_side, agent_side);
        self.client.attach(client, TokenValue::new("client token"));
        self.agent.attach(agent, TokenValue::new("agent token"));
        wire
    }

    /// Opens a stream and accepts it at the other end.
    pub(crate) async fn stream(&self) -> (MuxStream, MuxStream) {
        let opened = self.client.open_stream().await.unwrap();
        (opened, within(self.agent.accept_stream()).await.unwrap())
    }

    /// Has the agent send back whatever comes in on any stream.
    pub(crate) fn echo(&self) -> JoinHandle<()> {
        let agent = self.agent.clone();
        tokio::spawn(async move {
            while let Some(stream) = agent.accept_stream().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = tokio::io::split(stream);
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        })
    }
}

/// A client with large payloads.
pub(crate) fn fast_client() -> Config {
    Config { max_payload: 32 * 1024, ..Config::default() }
}

pub(crate) fn agent_properties() -> AgentProperties {
    AgentProperties {
        agent_version: "3.3.987.0".to_owned(),
        instance_id: "i-0123456789abcdef0".to_owned(),
        session_id: "test-0123456789abcdef0".to_owned(),
        session_type: "Port".to_owned(),
        properties: json!({ "portNumber": "5432", "type": "LocalPortForwarding", "localPortNumber": "0" }),
    }
}

/// A gateway in small: relays frames between two transports until it is cut, and loses what is on its way then.
pub(crate) struct Wire {
    relay: JoinHandle<()>,
    frozen: Arc<Notify>,
}

impl Wire {
    pub(crate) fn between(a: Transport, b: Transport) -> Self {
        let frozen = Arc::new(Notify::new());
        let freeze = frozen.clone();
        let relay = tokio::spawn(async move {
            let ((a_out, a_in), (b_out, b_in)) = (a.split(), b.split());
            let mut up = pin!(a_in.forward(b_out));
            let mut down = pin!(b_in.forward(a_out));
            tokio::select! {
                _ = &mut up => {}
                _ = &mut down => {}
                () = freeze.notified() => std::future::pending().await,
            }
        });
        Self { relay, frozen }
    }

    /// From now on takes nothing and gives nothing, but stays open.
    pub(crate) fn freeze(&self) {
        self.frozen.notify_one();
    }

    /// Ends both transports, without a close message.
    pub(crate) async fn cut(self) {
        self.relay.abort();
        let _ = self.relay.await;
    }
}

/// A transport that counts how often it is asked for frames: how busy a driver is.
pub(crate) struct Counted {
    inner: Transport,
    polls: Arc<AtomicUsize>,
}

impl Counted {
    pub(crate) fn around(inner: Transport) -> (Transport, Arc<AtomicUsize>) {
        let polls = Arc::new(AtomicUsize::new(0));
        (Box::pin(Self { inner, polls: polls.clone() }), polls)
    }
}

impl Duplex for Counted {}

impl Stream for Counted {
    type Item = Result<WsFrame, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.inner.as_mut().poll_next(cx)
    }
}

impl Sink<WsFrame> for Counted {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.as_mut().poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: WsFrame) -> Result<(), TransportError> {
        self.inner.as_mut().start_send(frame)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.as_mut().poll_close(cx)
    }
}

/// Fails the test if something that must happen does not.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("did not happen within a minute")
}

/// Waits for a status.
pub(crate) async fn status(session: &Session, wanted: fn(&SessionStatus) -> bool) -> SessionStatus {
    within(session.status().wait_for(wanted)).await.expect("the session lives").clone()
}

pub(crate) async fn detached(session: &Session) {
    status(session, |status| matches!(status, SessionStatus::Detached { .. })).await;
}

/// Bytes that differ at every place and by `seed`.
pub(crate) struct Pattern(u64);

impl Pattern {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    fn chunk(&mut self, len: usize) -> Bytes {
        let mut chunk = Vec::with_capacity(len + 8);
        while chunk.len() < len {
            // xorshift64
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.extend_from_slice(&self.0.to_le_bytes());
        }
        chunk.truncate(len);
        chunk.into()
    }
}

/// Writes `len` pattern bytes; returns their SHA-256.
pub(crate) async fn send(mut to: impl AsyncWrite + Unpin, len: usize, seed: u64) -> Vec<u8> {
    let (mut pattern, mut digest, mut left) = (Pattern::new(seed), Context::new(&SHA256), len);
    while left > 0 {
        let chunk = pattern.chunk(left.min(16 * 1024));
        digest.update(&chunk);
        to.write_all(&chunk).await.unwrap();
        left -= chunk.len();
    }
    digest.finish().as_ref().to_vec()
}

/// Reads exactly `len` bytes; returns their SHA-256.
pub(crate) async fn receive(mut from: impl AsyncRead + Unpin, len: usize) -> Vec<u8> {
    let (mut digest, mut buffer, mut left) = (Context::new(&SHA256), vec![0; 16 * 1024], len);
    while left > 0 {
        let wanted = left.min(buffer.len());
        let n = from.read(&mut buffer[..wanted]).await.unwrap();
        assert!(n > 0, "ended {left} bytes early");
        digest.update(&buffer[..n]);
        left -= n;
    }
    digest.finish().as_ref().to_vec()
}
