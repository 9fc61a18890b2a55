//! The control channels: one websocket per node, over which sessions are started and ended.
//!
//! Owns the table of open channels and one task per channel. It reads one kind of message,
//! `agent_task_complete`; telemetry and the like are ignored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use hyper::upgrade::OnUpgrade;
use ssm_proto::channel::open::OpenControlChannel;
use ssm_proto::message::control::AgentTaskComplete;
use ssm_proto::message::{ClientMessage, MessageType};
use ssm_proto::{TokenValue, WsFrame};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::gateway::{self, OPEN_MESSAGE_PATIENCE, Refusal};
use crate::messages;
use crate::service::{Agents, Service};
use crate::session::EndReason;
use crate::socket::ServerSocket;
use crate::tokens::Tokens;

/// Messages that may wait for a node's agent: starts and ends of sessions.
const QUEUE: usize = 64;

/// All nodes' control channels.
#[derive(Debug)]
pub(crate) struct ControlChannels {
    table: Mutex<Table>,
    /// Changes with every channel that opens.
    opened: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Table {
    channels: HashMap<String, ControlChannel>,
    tokens: HashMap<String, Tokens>,
}

/// A way to one node's agent. When a newer channel takes its place, its task ends.
#[derive(Debug, Clone)]
pub(crate) struct ControlChannel {
    pub(crate) since: Instant,
    number: u64,
    outgoing: mpsc::Sender<Bytes>,
}

impl ControlChannel {
    /// Sends a message; false: the channel is gone.
    pub(crate) async fn send(&self, message: Bytes) -> bool {
        self.outgoing.send(message).await.is_ok()
    }
}

impl ControlChannels {
    pub(crate) fn new() -> Self {
        Self { table: Mutex::default(), opened: watch::Sender::new(0) }
    }

    pub(crate) fn is_open(&self, node: &str) -> bool {
        self.lock().channels.contains_key(node)
    }

    pub(crate) fn get(&self, node: &str) -> Option<ControlChannel> {
        self.lock().channels.get(node).cloned()
    }

    pub(crate) fn watch_opened(&self) -> watch::Receiver<u64> {
        self.opened.subscribe()
    }

    pub(crate) fn grant(&self, node: &str, token: TokenValue) {
        self.lock().tokens.entry(node.to_owned()).or_default().grant(token);
    }

    /// Ends every channel; the agents come back by themselves.
    pub(crate) fn drop_all(&self) {
        self.lock().channels.clear();
    }

    fn spend(&self, node: &str, token: &str) -> bool {
        self.lock().tokens.get_mut(node).is_some_and(|tokens| tokens.spend(token))
    }

    fn open(&self, node: &str) -> (u64, mpsc::Receiver<Bytes>) {
        let (outgoing, messages) = mpsc::channel(QUEUE);
        let mut number = 0;
        self.opened.send_modify(|count| {
            *count += 1;
            number = *count;
            let channel = ControlChannel { since: Instant::now(), number, outgoing };
            self.lock().channels.insert(node.to_owned(), channel);
        });
        (number, messages)
    }

    fn close(&self, node: &str, number: u64) {
        let mut table = self.lock();
        if table.channels.get(node).is_some_and(|channel| channel.number == number) {
            table.channels.remove(node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /v1/control-channel/{node}`: the upgrade.
pub(crate) async fn control_channel(
    State(service): State<Arc<Service>>,
    Path(node): Path<String>,
    mut request: Request,
) -> Result<Response, Refusal> {
    gateway::admit(&service, &request)?;
    if service.faults.is_offline(&node) {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "offline"));
    }
    let answer = gateway::accept(request.headers())?;
    let upgrade = hyper::upgrade::on(&mut request);
    service.tasks.spawn(serve(Arc::clone(&service), node, upgrade));
    Ok(answer)
}

async fn serve(service: Arc<Service>, node: String, upgrade: OnUpgrade) {
    let Agents::External(channels) = &service.agents else {
        return;
    };
    let Some(mut socket) = gateway::upgraded(upgrade).await else {
        return;
    };
    let opening = timeout(OPEN_MESSAGE_PATIENCE, socket.next()).await;
    let Ok(Some(Ok(WsFrame::Text(text)))) = opening else {
        return;
    };
    let Ok(open) = serde_json::from_str::<OpenControlChannel>(&text) else {
        return;
    };
    if !channels.spend(&node, &open.token_value) {
        tracing::info!(node, "control channel refused: token unknown or used up");
        return;
    }
    service.add_node(&node);
    let (number, messages) = channels.open(&node);
    tracing::info!(node, agent_version = open.agent_version, "control channel open");
    tokio::select! {
        () = converse(&service, &mut socket, messages) => {}
        () = service.shutdown.cancelled() => {}
    }
    channels.close(&node, number);
    tracing::info!(node, "control channel closed");
}

/// Until the agent goes, or its place in the table is taken.
async fn converse(service: &Service, socket: &mut ServerSocket, mut outgoing: mpsc::Receiver<Bytes>) {
    loop {
        let reply = tokio::select! {
            message = outgoing.recv() => match message {
                Some(message) => Some(message),
                None => return,
            },
            frame = socket.next() => match frame {
                Some(Ok(WsFrame::Binary(frame))) => task_complete(service, &frame),
                Some(Ok(_)) => None,
                Some(Err(_)) | None => return,
            },
        };
        if let Some(message) = reply
            && socket.send(WsFrame::Binary(message)).await.is_err()
        {
            return;
        }
    }
}

/// Ends the session whose task is complete; returns the acknowledgement.
fn task_complete(service: &Service, frame: &Bytes) -> Option<Bytes> {
    let message = ClientMessage::decode(frame).ok()?;
    if message.message_type != MessageType::AgentTaskComplete {
        return None;
    }
    let complete: AgentTaskComplete = serde_json::from_slice(&message.payload).ok()?;
    tracing::debug!(session = complete.task_id, status = complete.final_task_status, "task complete");
    if let Some(session) = service.registry.get(&complete.task_id) {
        session.end(EndReason::AgentCompleted, complete.output);
    }
    Some(messages::task_acknowledge(service, message.id, &complete.task_id))
}
