//! What all parts of the simulated AWS share: nodes, sessions, faults, dice, and who is the agent.
//!
//! Owns the start of a session. Everything else here is looked up, not decided.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use ssm_proto::channel::open::Role;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent;
use crate::call_log::CallLog;
use crate::config::{AgentPace, Node};
use crate::dice::Dice;
use crate::document::PortDocument;
use crate::external::{ControlChannels, launch};
use crate::faults::FaultBoard;
use crate::issuer::Issuer;
use crate::registry::Registry;
use crate::session::{Session, SocketCommand};
use crate::ssm_api::ApiError;
use crate::strict::Guard;
use crate::warden;

/// The simulated account.
pub(crate) const ACCOUNT: &str = "123456789012";
/// Who starts every session here.
pub(crate) const OWNER: &str = "arn:aws:iam::123456789012:user/demo";

/// The simulated AWS account.
#[derive(Debug)]
pub(crate) struct Service {
    /// Where the API and the gateway listen.
    pub(crate) address: SocketAddr,
    pub(crate) documents: Vec<String>,
    /// Host names that built-in agents know without asking anybody.
    pub(crate) names: BTreeMap<String, IpAddr>,
    pub(crate) agents: Agents,
    pub(crate) faults: FaultBoard,
    pub(crate) dice: Dice,
    pub(crate) guard: Guard,
    pub(crate) registry: Registry,
    pub(crate) calls: CallLog,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    /// Sessions so far.
    started: watch::Sender<u64>,
    nodes: Mutex<BTreeMap<String, Node>>,
}

/// Who plays the agent.
#[derive(Debug)]
pub(crate) enum Agents {
    BuiltIn(AgentPace),
    External(ControlChannels),
}

/// What a service is made of besides its address.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) documents: Vec<String>,
    pub(crate) names: BTreeMap<String, IpAddr>,
    pub(crate) agents: Agents,
    pub(crate) faults: FaultBoard,
    pub(crate) dice: Dice,
    pub(crate) guard: Guard,
    pub(crate) nodes: Vec<Node>,
}

impl Service {
    pub(crate) fn new(address: SocketAddr, parts: Parts) -> Self {
        Self {
            address,
            documents: parts.documents,
            names: parts.names,
            agents: parts.agents,
            faults: parts.faults,
            dice: parts.dice,
            guard: parts.guard,
            registry: Registry::default(),
            calls: CallLog::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            started: watch::Sender::new(0),
            nodes: Mutex::new(parts.nodes.into_iter().map(|node| (node.id.clone(), node)).collect()),
        }
    }

    /// All nodes, by id.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Adds a node that nobody named before it connected.
    pub(crate) fn add_node(&self, id: &str) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.entry(id.to_owned()).or_insert_with(|| Node::named(id, id));
    }

    /// Whether the node's agent is there.
    pub(crate) fn is_online(&self, id: &str) -> bool {
        let known = self.nodes.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id);
        known
            && !self.faults.is_offline(id)
            && match &self.agents {
                Agents::BuiltIn(_) => true,
                Agents::External(channels) => channels.is_open(id),
            }
    }

    /// By how many seconds its clock is ahead of this machine's.
    pub(crate) fn clock_ahead(&self) -> i64 {
        self.faults.look(|faults| faults.clock_ahead_s)
    }

    /// Whether the node's agent has a channel for sessions.
    pub(crate) fn is_connected(&self, id: &str) -> bool {
        self.is_online(id) && !self.faults.is_unconnected(id)
    }

    /// IAM's refusal, as the faults have it worded.
    pub(crate) fn access_denied(&self, action: &str, resource: &str) -> ApiError {
        ApiError::access_denied(action, resource, self.faults.look(|faults| faults.explicit_deny))
    }

    /// An error if the faults deny this action.
    pub(crate) fn allow(&self, action: &str, resource: impl FnOnce() -> String) -> Result<(), ApiError> {
        if self.faults.is_action_denied(action) { Err(self.access_denied(action, &resource())) } else { Ok(()) }
    }

    pub(crate) fn region(&self) -> &str {
        self.guard.region()
    }

    /// Who hands out temporary credentials.
    pub(crate) fn issuer(&self) -> &Issuer {
        self.guard.issuer()
    }

    pub(crate) fn has_builtin_agent(&self) -> bool {
        matches!(self.agents, Agents::BuiltIn(_))
    }

    /// Makes a session and has its agent started.
    pub(crate) fn start_session(
        self: &Arc<Self>,
        target: String,
        document: PortDocument,
        reason: Option<String>,
    ) -> Arc<Session> {
        let mut number = 0;
        self.started.send_modify(|count| {
            *count += 1;
            number = *count;
        });
        let dice = self.dice.branch(&format!("session {number}"));
        let session = Arc::new(Session::new(target, document, reason, dice));
        tracing::info!(session = session.id, target = session.target, "session started");
        self.registry.insert(Arc::clone(&session));
        self.tasks.spawn(warden::watch(Arc::clone(self), Arc::clone(&session)));
        match &self.agents {
            _ if self.faults.take_absent_agent() => {}
            Agents::BuiltIn(pace) => {
                self.tasks.spawn(agent::run(Arc::clone(self), Arc::clone(&session), *pace));
            }
            Agents::External(_) => {
                self.tasks.spawn(launch(Arc::clone(self), Arc::clone(&session)));
            }
        }
        session
    }

    /// Resolves when a session has been started.
    pub(crate) async fn first_session(&self) {
        // The sender is in `self`: it cannot be gone.
        let _ = self.started.subscribe().wait_for(|count| *count > 0).await;
    }

    /// Tells one side's sockets, of one session or of all; the number that were connected.
    pub(crate) fn command(&self, role: Role, only: Option<&str>, command: &SocketCommand) -> usize {
        self.registry
            .all()
            .iter()
            .filter(|session| only.is_none_or(|id| session.id == id))
            .filter(|session| session.command(role, command.clone()))
            .count()
    }

    /// Ends the agent's worker of one session, or of all as a restart of its program does: sequence state and target
    /// connections are gone, and nobody is told. The number of sessions that it was about.
    pub(crate) fn restart_agents(&self, only: Option<&str>) -> usize {
        let sessions = self.registry.all().into_iter().filter(|session| session.is_live());
        let sessions: Vec<_> = sessions.filter(|session| only.is_none_or(|id| session.id == id)).collect();
        match &self.agents {
            Agents::BuiltIn(_) => sessions.iter().for_each(|session| session.worker_killed.cancel()),
            // An external agent cannot be restarted from here; it loses all its channels.
            Agents::External(channels) => channels.drop_all(),
        }
        for session in &sessions {
            session.command(Role::Agent, SocketCommand::Reset);
        }
        sessions.len()
    }

    /// Cuts the agents' channels on nodes that have gone offline.
    pub(crate) fn cut_offline_nodes(&self) {
        for session in self.registry.all() {
            if self.faults.is_offline(&session.target) {
                session.command(Role::Agent, SocketCommand::Reset);
            }
        }
    }
}
