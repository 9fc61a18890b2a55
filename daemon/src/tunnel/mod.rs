//! One tunnel: a handle in front, one task behind it.
//!
//! ```text
//!  supervisor ─commands─► task ─events, time─► lifecycle ─actions─► task
//!                          ├── connect   AWS calls, websocket, Session
//!                          ├── probe     does the remote answer?
//!                          └── listener ─► forward ─► relay   one task per connection
//! ```
//!
//! The lifecycle decides and is pure; everything else performs. Owns the local port, the session and the
//! tunnel's entry on the status board; knows no other tunnel.

mod backoff;
mod cause;
mod channel;
mod connect;
mod forward;
mod keeper;
mod lifecycle;
mod listener;
mod local_peer;
mod local_stream;
mod nudge;
mod payload;
mod pool;
mod probe;
mod publisher;
mod relay;
mod seats;
mod socket_file;
mod state_log;
mod task;
mod trial;
mod turns;

use crate::aws::AwsConnector;
use crate::config::TunnelConfig;
use crate::doors::Doors;
use crate::log_layer::tunnel_span;
use crate::state::StateFile;
use crate::status::StatusBoard;
use std::sync::Arc;
use std::time::Duration;
use task::{Edits, TunnelTask};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tunnels_api::TargetState;

pub(crate) use nudge::{Nudge, Nudges};
pub(crate) use pool::Allowances;
pub use trial::{Trial, TrialFailure, TrialStep, explain, try_session};
pub(crate) use turns::Turns;

/// The supervisor sends a command per user's wish and waits for none; a tunnel takes them at once, so more
/// than this in a row are a script gone wild, or a task that is gone. They are refused, not lost.
const COMMAND_QUEUE: usize = 16;

/// A user's wish for one tunnel.
#[derive(Debug)]
enum TunnelCommand {
    /// With a reason to be recorded instead of the configured one.
    Up(Option<String>),
    Down,
    Restart,
    /// Stop for good, letting open connections go on for so long.
    Stop(Duration),
}

/// A tunnel takes no commands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// What tunnels share.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) aws: Arc<dyn AwsConnector>,
    pub(crate) board: StatusBoard,
    pub(crate) state: StateFile,
    pub(crate) turns: Turns,
    pub(crate) doors: Doors,
    pub(crate) nudges: Nudges,
    /// What their pools may open together.
    pub(crate) allowances: Allowances,
    /// How long open connections may go on when an edit of the configuration ends them.
    pub(crate) drain: Duration,
    /// They may go on no longer: the daemon ends.
    pub(crate) hurry: CancellationToken,
}

/// The way to a tunnel's task. Dropping it ends the task at once.
#[derive(Debug)]
pub(crate) struct TunnelHandle {
    /// Not in the queue: an edit must not be refused, and of several only the last counts.
    config: watch::Sender<Arc<TunnelConfig>>,
    /// What its task runs with.
    in_force: watch::Receiver<Arc<TunnelConfig>>,
    commands: mpsc::Sender<TunnelCommand>,
    task: JoinHandle<()>,
    wanted: TargetState,
    /// What stands in for the configured reason, until it goes down.
    reason: Option<String>,
}

impl TunnelHandle {
    /// Puts the tunnel on the board, down, and starts its task.
    pub(crate) fn spawn(config: TunnelConfig, around: Surroundings) -> Self {
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        warn_if_exposed(&config);
        let span = tunnel_span(&config.name);
        let config = Arc::new(config);
        let (shown, in_force) = watch::channel(Arc::clone(&config));
        let (config, edits) = watch::channel(config);
        let task = TunnelTask::new(Edits { edits, in_force: shown }, around, queue);
        let task = tokio::spawn(tracing::Instrument::instrument(task.run(), span));
        Self { config, in_force, commands, task, wanted: TargetState::Down, reason: None }
    }

    pub(crate) fn config(&self) -> Arc<TunnelConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// Makes it run with another configuration of the same name. What does not depend on the changed keys
    /// goes on.
    pub(crate) fn reconfigure(&self, config: TunnelConfig) {
        warn_if_exposed(&config);
        self.config.send_replace(Arc::new(config));
    }

    /// Ready when the tunnel has taken over the last configuration it was given, and its entry on the board shows
    /// that.
    pub(crate) fn up_to_date(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut in_force, latest) = (self.in_force.clone(), self.config.subscribe());
        // An error is a task that has ended, which takes over nothing more.
        async move { drop(in_force.wait_for(|now| Arc::ptr_eq(now, &latest.borrow())).await) }
    }

    pub(crate) fn wanted(&self) -> TargetState {
        self.wanted
    }

    /// What is recorded with its sessions instead of the configured reason.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// With a reason to be recorded with its sessions until it goes down, instead of the configured one.
    pub(crate) fn up(&mut self, reason: Option<&str>) -> Result<(), Busy> {
        let reason = reason.map(str::to_owned);
        self.want(TargetState::Up, TunnelCommand::Up(reason.clone()))?;
        self.reason = reason.or(self.reason.take());
        Ok(())
    }

    pub(crate) fn down(&mut self) -> Result<(), Busy> {
        self.want(TargetState::Down, TunnelCommand::Down)?;
        self.reason = None;
        Ok(())
    }

    pub(crate) fn restart(&mut self) -> Result<(), Busy> {
        self.want(TargetState::Up, TunnelCommand::Restart)
    }

    /// Ends the tunnel; returns when its sessions are terminated.
    pub(crate) async fn stop(mut self, drain: Duration) {
        // It waits its turn; only a task that has ended takes no more.
        let _ = self.commands.send(TunnelCommand::Stop(drain)).await;
        if let Err(error) = (&mut self.task).await {
            tracing::error!(tunnel = %self.config().name, %error, "a tunnel's task ended badly");
        }
    }

    fn want(&mut self, target: TargetState, command: TunnelCommand) -> Result<(), Busy> {
        self.commands.try_send(command).map_err(|_| Busy)?;
        self.wanted = target;
        Ok(())
    }
}

fn warn_if_exposed(config: &TunnelConfig) {
    if config.local.is_exposed() {
        tracing::warn!(tunnel = %config.name, local = %config.local, "this tunnel can be reached from other machines");
    }
}

impl Drop for TunnelHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
