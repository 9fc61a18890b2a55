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
mod connect;
mod forward;
mod lifecycle;
mod listener;
mod local_peer;
mod local_stream;
mod probe;
mod publisher;
mod relay;
mod socket_file;
mod task;

use crate::aws::AwsConnector;
use crate::config::TunnelConfig;
use crate::state::StateFile;
use crate::status::StatusBoard;
use ssm_session::Tls;
use std::sync::Arc;
use std::time::Duration;
use task::TunnelTask;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tunnels_api::TargetState;

/// The supervisor sends a command per user's wish and waits for none; a tunnel takes them at once, so more
/// than this in a row are a script gone wild, or a task that is gone. They are refused, not lost.
const COMMAND_QUEUE: usize = 16;

/// A user's wish for one tunnel.
#[derive(Debug)]
enum TunnelCommand {
    Up,
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
    pub(crate) tls: Tls,
    pub(crate) board: StatusBoard,
    pub(crate) state: StateFile,
}

/// The way to a tunnel's task. Dropping it ends the task at once.
#[derive(Debug)]
pub(crate) struct TunnelHandle {
    config: Arc<TunnelConfig>,
    commands: mpsc::Sender<TunnelCommand>,
    task: JoinHandle<()>,
    wanted: TargetState,
}

impl TunnelHandle {
    /// Puts the tunnel on the board, down, and starts its task.
    pub(crate) fn spawn(config: Arc<TunnelConfig>, around: Surroundings) -> Self {
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        if config.local.is_exposed() {
            tracing::warn!(name = %config.name, local = %config.local, "this tunnel can be reached from other machines");
        }
        let span = tracing::info_span!("tunnel", name = %config.name);
        let task = TunnelTask::new(Arc::clone(&config), around, queue);
        let task = tokio::spawn(tracing::Instrument::instrument(task.run(), span));
        Self { config, commands, task, wanted: TargetState::Down }
    }

    pub(crate) fn config(&self) -> &TunnelConfig {
        &self.config
    }

    pub(crate) fn wanted(&self) -> TargetState {
        self.wanted
    }

    pub(crate) fn up(&mut self) -> Result<(), Busy> {
        self.want(TargetState::Up, TunnelCommand::Up)
    }

    pub(crate) fn down(&mut self) -> Result<(), Busy> {
        self.want(TargetState::Down, TunnelCommand::Down)
    }

    pub(crate) fn restart(&mut self) -> Result<(), Busy> {
        self.want(TargetState::Up, TunnelCommand::Restart)
    }

    /// Ends the tunnel; returns when its sessions are terminated.
    pub(crate) async fn stop(mut self, drain: Duration) {
        // It waits its turn; only a task that has ended takes no more.
        let _ = self.commands.send(TunnelCommand::Stop(drain)).await;
        if let Err(error) = (&mut self.task).await {
            tracing::error!(name = %self.config.name, %error, "a tunnel's task ended badly");
        }
    }

    fn want(&mut self, target: TargetState, command: TunnelCommand) -> Result<(), Busy> {
        self.commands.try_send(command).map_err(|_| Busy)?;
        self.wanted = target;
        Ok(())
    }
}

impl Drop for TunnelHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
