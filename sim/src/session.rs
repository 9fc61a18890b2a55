//! One simulated session: what was asked for, its tokens, who is connected, and how it ends.
//!
//! Owns the session's two lanes, its counters and the table of its two sockets. It does no IO:
//! the relay moves messages, the warden watches the clock, the API hands out tokens.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use ssm_proto::TokenValue;
use ssm_proto::channel::open::Role;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::counters::{Counters, CountersReport};
use crate::dice::Dice;
use crate::document::PortDocument;
use crate::faults::Away;
use crate::lane::Lane;
use crate::tokens::Tokens;

/// Commands that may wait for one socket. They come from tests, the warden and the end of the
/// session; one that does not fit finds a socket which is being closed already.
const COMMANDS: usize = 8;

/// One session from StartSession to its end.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) target: String,
    pub(crate) document: PortDocument,
    pub(crate) reason: Option<String>,
    pub(crate) started: Timestamp,
    pub(crate) opened: Instant,
    pub(crate) counters: Counters,
    /// Ids, tokens and the agent's choices; the lanes have their own.
    pub(crate) dice: Dice,
    /// Client to agent.
    pub(crate) up: Lane,
    /// Agent to client.
    pub(crate) down: Lane,
    state: Mutex<State>,
    /// Set once; whoever serves the session watches it.
    end: watch::Sender<Option<End>>,
    /// When the client last sent input; the idle timer looks at it.
    activity: Mutex<Instant>,
    /// Cancelled: the agent's process that serves this session is gone.
    pub(crate) worker_killed: CancellationToken,
    /// Whether the agent has ever asked for a data channel.
    agent_granted: watch::Sender<bool>,
    /// Changes whenever a socket comes or goes.
    presence: watch::Sender<Presence>,
}

#[derive(Debug, Default)]
struct State {
    cell_number: String,
    client_tokens: Tokens,
    agent_tokens: Tokens,
    client: Slot,
    agent: Slot,
}

/// The place of one side's socket.
#[derive(Debug, Default)]
struct Slot {
    epoch: u64,
    socket: Option<mpsc::Sender<SocketCommand>>,
}

/// Since when each side is connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) client: Option<Instant>,
    pub(crate) agent: Option<Instant>,
}

/// What a socket is told from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SocketCommand {
    /// Close with `1000 Bye`.
    Bye,
    /// Drop the connection without a close frame.
    Reset,
    /// Neither read nor write, for so long or for ever; the connection stays.
    Blackhole(Option<Duration>),
    /// The gateway has lost the connection and the other end has not: nothing is read or written any
    /// more, and after so long the other end learns of it by a reset.
    HalfOpen(Option<Duration>),
    /// Send a frame that is larger than anybody takes.
    Oversized,
    /// A newer socket of the same side has come.
    Replaced,
}

/// How and why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) at: Timestamp,
    pub(crate) reason: EndReason,
    /// The text for the user in `channel_closed`.
    pub(crate) output: String,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// TerminateSession was called.
    Terminated,
    /// The agent said that its task is complete: the client's flag, or a failure.
    AgentCompleted,
    /// No client input for the idle timeout.
    Idle,
    /// The maximum duration was reached.
    MaxDuration,
    /// `POST /_sim/sessions/{id}/close`.
    Closed,
    /// The agent could not be started.
    AgentUnavailable,
}

/// A session's state as the API tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// The client's data channel is open.
    Connected,
    /// It is not, and may come back.
    Disconnected,
    /// Over for good.
    Terminated,
}

/// A socket's place in a session; what it was given when it came.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) role: Role,
    pub(crate) epoch: u64,
    pub(crate) commands: mpsc::Receiver<SocketCommand>,
}

impl Session {
    pub(crate) fn new(target: String, document: PortDocument, reason: Option<String>, dice: Dice) -> Self {
        let cell_number = dice.cell_number();
        let now = Instant::now();
        Self {
            id: dice.session_id(),
            target,
            document,
            reason,
            started: Timestamp::now(),
            opened: now,
            counters: Counters::default(),
            up: Lane::new(dice.branch("up")),
            down: Lane::new(dice.branch("down")),
            dice,
            state: Mutex::new(State { cell_number, ..State::default() }),
            end: watch::Sender::new(None),
            activity: Mutex::new(now),
            worker_killed: CancellationToken::new(),
            agent_granted: watch::Sender::new(false),
            presence: watch::Sender::new(Presence::default()),
        }
    }

    pub(crate) fn state(&self) -> SessionState {
        if self.end.borrow().is_some() {
            SessionState::Terminated
        } else if self.presence.borrow().client.is_some() {
            SessionState::Connected
        } else {
            SessionState::Disconnected
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.state() != SessionState::Terminated
    }

    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.end.borrow().as_ref().map(|end| end.at)
    }

    /// Ends the session; the first reason stays.
    pub(crate) fn end(&self, reason: EndReason, output: String) {
        // Before anybody hears of it: the agent closes its streams then, and the client must learn of the
        // session's end, not of an orderly end of each connection.
        self.lane_to(Role::Client).finish();
        let first = self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert_with(|| End { at: Timestamp::now(), reason, output });
            first
        });
        if first {
            tracing::info!(session = self.id, ?reason, "session ended");
            let mut state = self.lock();
            state.client_tokens.clear();
            state.agent_tokens.clear();
        }
    }

    pub(crate) fn watch_end(&self) -> watch::Receiver<Option<End>> {
        self.end.subscribe()
    }

    /// Resolves when the session is over.
    pub(crate) async fn ended(&self) -> End {
        let mut end = self.watch_end();
        match end.wait_for(Option::is_some).await.map(|end| end.clone()) {
            Ok(Some(end)) => end,
            // The sender is in `self`: it cannot be gone.
            _ => std::future::pending().await,
        }
    }

    pub(crate) fn cell_number(&self) -> String {
        self.lock().cell_number.clone()
    }

    /// What ResumeSession changes: another stream URL. It is no activity: only stream data is.
    pub(crate) fn renew(&self) {
        self.lock().cell_number = self.dice.cell_number();
    }

    pub(crate) fn grant_client(&self, token: TokenValue) {
        self.lock().client_tokens.grant(token);
    }

    pub(crate) fn grant_agent(&self, token: TokenValue) {
        self.lock().agent_tokens.grant(token);
        self.agent_granted.send_replace(true);
    }

    /// Resolves when the agent has asked for a data channel.
    pub(crate) async fn agent_granted(&self) {
        // The sender is in `self`: it cannot be gone.
        let _ = self.agent_granted.subscribe().wait_for(|granted| *granted).await;
    }

    /// Takes the token of an open message; false: it is unknown or used up.
    pub(crate) fn spend(&self, role: Role, token: &str) -> bool {
        let mut state = self.lock();
        match role {
            Role::Client => state.client_tokens.spend(token),
            Role::Agent => state.agent_tokens.spend(token),
        }
    }

    /// Gives a new socket of `role` its place; one that had it before has to leave.
    pub(crate) fn take_seat(&self, role: Role) -> Seat {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let mut state = self.lock();
        let slot = state.slot(role);
        slot.epoch += 1;
        let epoch = slot.epoch;
        if let Some(older) = slot.socket.replace(sender) {
            let _ = older.try_send(SocketCommand::Replaced);
        }
        if epoch > 1 {
            self.counters.count_resume();
        }
        self.lane_to(role).attach(epoch);
        self.set_present(role, Some(Instant::now()));
        Seat { role, epoch, commands }
    }

    /// The socket of `seat` is gone.
    pub(crate) fn leave(&self, role: Role, epoch: u64, away: Away) {
        let mut state = self.lock();
        let slot = state.slot(role);
        if slot.epoch == epoch {
            slot.socket = None;
            self.set_present(role, None);
        }
        self.lane_to(role).detach(epoch, away);
    }

    fn set_present(&self, role: Role, since: Option<Instant>) {
        self.presence.send_modify(|presence| match role {
            Role::Client => presence.client = since,
            Role::Agent => presence.agent = since,
        });
    }

    pub(crate) fn watch_presence(&self) -> watch::Receiver<Presence> {
        self.presence.subscribe()
    }

    /// Tells the socket of `role`, if there is one; false: nobody is connected.
    pub(crate) fn command(&self, role: Role, command: SocketCommand) -> bool {
        self.lock().slot(role).socket.as_ref().is_some_and(|socket| socket.try_send(command).is_ok())
    }

    /// The lane that `role`'s socket takes messages from.
    pub(crate) fn lane_to(&self, role: Role) -> &Lane {
        match role {
            Role::Client => &self.down,
            Role::Agent => &self.up,
        }
    }

    /// The lane that `role`'s socket pushes messages into.
    pub(crate) fn lane_from(&self, role: Role) -> &Lane {
        match role {
            Role::Client => &self.up,
            Role::Agent => &self.down,
        }
    }

    /// Client input came: the idle timer starts anew.
    pub(crate) fn touch(&self) {
        *self.activity.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(crate) fn last_activity(&self) -> Instant {
        *self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self) -> SessionReport {
        let presence = *self.presence.borrow();
        let end = self.end.borrow().clone();
        SessionReport {
            id: self.id.clone(),
            target: self.target.clone(),
            document: self.document.name.clone(),
            host: self.document.host.clone(),
            port: self.document.port,
            state: self.state(),
            reason: self.reason.clone(),
            started: self.started,
            client_connected: presence.client.is_some(),
            agent_connected: presence.agent.is_some(),
            counters: self.counters.report(),
            ended: end.as_ref().map(|end| end.at),
            end_reason: end.as_ref().map(|end| end.reason),
            output: end.map(|end| end.output).filter(|output| !output.is_empty()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn slot(&mut self, role: Role) -> &mut Slot {
        match role {
            Role::Client => &mut self.client,
            Role::Agent => &mut self.agent,
        }
    }
}

/// One session as `/_sim/sessions` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionReport {
    /// The session id.
    pub id: String,
    /// The node.
    pub target: String,
    /// The session document's name.
    pub document: String,
    /// The host behind the node, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The remote port.
    pub port: u16,
    /// As the API tells it.
    pub state: SessionState,
    /// StartSession's `Reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When StartSession was called.
    pub started: Timestamp,
    /// Whether the client's data channel is open.
    pub client_connected: bool,
    /// Whether the agent's data channel is open.
    pub agent_connected: bool,
    /// What the relay has carried.
    #[serde(flatten)]
    pub counters: CountersReport,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EndReason>,
    /// The text that the client was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}
