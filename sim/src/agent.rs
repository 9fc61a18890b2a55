//! The built-in agent: the agent side of one session, dialling real TCP as the official one does.
//!
//! The protocol is `ssm-proto`'s agent half on `ssm-session`; the way to the gateway is in memory.
//! This module owns what the agent's program adds: one lookup per session, dials in the order of
//! the streams, full closes, and the reconnects of docs/protocol.md §7.4.
//!
//! One task per session. It may be dropped at any moment: that is what a restart of the agent is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ssm_proto::{AgentProperties, CloseReason, Config, PortSession, WallClock};
use ssm_session::{MuxStream, Session as AgentSession, SessionStatus, memory_pair};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, copy_buf, split};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::AgentPace;
use crate::dialer::Dialer;
use crate::gateway;
use crate::messages::unix_ms;
use crate::service::Service;
use crate::session::{EndReason, Session};
use crate::socket::DataSocket;
use crate::ssm_api::AGENT_VERSION;

/// Frames between agent and gateway: enough to batch writes, small against a session's window.
const PIPE_FRAMES: usize = 64;
/// Bytes copied at a time from and to the target.
const COPY_BUFFER: usize = 64 << 10;
/// docs/protocol.md §7.4: six attempts, pauses of (100–199 ms) × 2ⁿ, at most 5 s.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What the official agent's pause of 1 ms takes, as it is scheduled: a session then carries its 0.73 MB/s (docs/protocol.md §10.1).
const PAUSE: Duration = Duration::from_micros(1400);
/// How long an ending agent waits for what it has sent.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Plays the agent of `session` until either is over.
pub(crate) async fn run(service: Arc<Service>, session: Arc<Session>, pace: AgentPace) {
    tokio::select! {
        output = work(&service, &session, pace) => session.end(EndReason::AgentCompleted, output),
        _ = session.ended() => {}
        // Nobody is told: the session looks alive, and nothing answers any more.
        () = session.worker_killed.cancelled() => tracing::info!(session = session.id, "agent's worker killed"),
        () = service.shutdown.cancelled() => {}
    }
}

/// The session's task; returns the text of its `agent_task_complete`.
async fn work(service: &Arc<Service>, session: &Arc<Session>, pace: AgentPace) -> String {
    let channel = AgentSession::spawn(protocol(service, session, pace));
    attach(service, session, &channel);
    let reason = tokio::select! {
        reason = keep_connected(service, session, &channel) => reason,
        failure = serve_streams(service, session, &channel) => return failure,
        () = channel.terminate_requested() => {
            channel.close();
            // docs/protocol.md §6.8: what is on its way out, the acknowledgement above all, goes
            // first, for at most 2 s.
            let mut presence = session.watch_presence();
            let gone = presence.wait_for(|presence| presence.agent.is_none());
            let _ = timeout(LAST_WORDS, gone).await;
            channel.closed().await
        }
    };
    match reason {
        CloseReason::Terminated | CloseReason::ChannelClosed { .. } => String::new(),
        other => other.to_string(),
    }
}

fn protocol(service: &Service, session: &Session, pace: AgentPace) -> PortSession {
    let faults = service.faults.get();
    let mut config = match pace {
        AgentPace::Real => Config { pace: Some(PAUSE), ..Config::official_agent() },
        AgentPace::Fast => Config::fast_agent(),
    };
    if let Some(bytes) = faults.agent_payload {
        config.max_payload = bytes;
    }
    let properties = AgentProperties {
        agent_version: faults.agent_version.clone().unwrap_or_else(|| AGENT_VERSION.to_owned()),
        instance_id: session.target.clone(),
        session_id: session.id.clone(),
        session_type: "Port".to_owned(),
        properties: session.document.properties.clone(),
    };
    let now = Instant::now();
    PortSession::agent(config, properties, session.dice.seed(), WallClock::new(unix_ms(), now), now)
}

/// Opens a data channel with a new token, as `CreateDataChannel` and the websocket do.
fn attach(service: &Arc<Service>, session: &Arc<Session>, channel: &AgentSession) {
    let token = session.dice.token();
    session.grant_agent(token.clone());
    let (ours, gateways) = memory_pair(PIPE_FRAMES);
    service.tasks.spawn({
        let (service, session) = (Arc::clone(service), Arc::clone(session));
        async move { gateway::seat(&service, &session, DataSocket::Memory(gateways)).await }
    });
    channel.attach(ours, token);
}

/// Reconnects whenever the channel is lost; returns when the session is closed.
async fn keep_connected(service: &Arc<Service>, session: &Arc<Session>, channel: &AgentSession) -> CloseReason {
    let mut status = channel.status();
    loop {
        let now = status.borrow_and_update().clone();
        if let SessionStatus::Closed(reason) = now {
            return reason;
        }
        let lost = matches!(now, SessionStatus::Detached { .. });
        if lost && !reconnect(service, session, channel).await {
            tracing::info!(session = session.id, "agent gives up: it stays deaf");
            std::future::pending::<()>().await;
        }
        if status.changed().await.is_err() {
            return CloseReason::Terminated;
        }
    }
}

async fn reconnect(service: &Arc<Service>, session: &Arc<Session>, channel: &AgentSession) -> bool {
    let mut pause = FIRST_PAUSE + session.dice.up_to(FIRST_PAUSE);
    for _ in 0..ATTEMPTS {
        if !service.faults.is_offline(&session.target) {
            attach(service, session, channel);
            return true;
        }
        sleep(pause.min(LONGEST_PAUSE)).await;
        pause *= 2;
    }
    false
}

/// Accepts streams and forwards each to its own connection; returns only if the session cannot be
/// served, with the reason.
async fn serve_streams(service: &Service, session: &Session, channel: &AgentSession) -> String {
    let mut status = channel.status();
    // As the official agent, which looks the host up when its handshake is done.
    if status.wait_for(|status| !matches!(status, SessionStatus::Opening)).await.is_err() {
        return std::future::pending().await;
    }
    let dialer = match Dialer::resolve(&session.document, &service.names).await {
        Ok(dialer) => dialer,
        Err(failure) => return failure.to_string(),
    };
    let mut forwards = JoinSet::new();
    while let Some(stream) = channel.accept_stream().await {
        while forwards.try_join_next().is_some() {}
        // In the accept loop: while one dial hangs, later streams wait (docs/protocol.md §6.4).
        match dialer.dial().await {
            Ok(target) => {
                forwards.spawn(forward(stream, target));
            }
            Err(error) => {
                tracing::debug!(session = session.id, %error, "dial failed");
                stream.refuse();
            }
        }
    }
    std::future::pending().await
}

/// Joins a stream and its connection. Whichever direction ends first closes both completely
/// (docs/protocol.md §6.6).
async fn forward(stream: MuxStream, target: TcpStream) {
    let (from_client, to_client) = split(stream);
    let (from_target, to_target) = target.into_split();
    tokio::select! {
        () = pump(from_client, to_target) => {}
        () = pump(from_target, to_client) => {}
    }
}

async fn pump(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut from = BufReader::with_capacity(COPY_BUFFER, from);
    // Either end's error is the end of the stream, as its EOF is.
    let _ = copy_buf(&mut from, &mut to).await;
}
