//! What the rest of the process holds of a running daemon: a queue for commands and the board to read.
//!
//! Reads never wait for anybody: they come from the [`StatusBoard`]. Commands go to the control task
//! and are answered as soon as they are accepted, which is not yet that they are done. Nothing here
//! decides or performs.

use crate::config::Resolved;
use crate::connections::Open;
use crate::log_buffer::LogBuffer;
use crate::status::{ConfigState, StatusBoard, Subscription};
use crate::takeover::Asked;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tunnels_api::{ApiError, DaemonVersion, ErrorCode, History, Reloaded, Sample, Session, Span, TunnelStatus};

/// How many commands may wait for the control task. It never awaits AWS or the network, so the queue
/// is only ever this long when a script floods the socket; senders then wait.
pub(crate) const COMMAND_QUEUE: usize = 64;

/// A user's wish, with the place where its answer goes.
#[derive(Debug)]
pub enum DaemonCommand {
    /// Bring the picked tunnels up; no selector means all with `auto`. With a reason to record with their
    /// sessions instead of the configured one.
    Up(Vec<String>, Option<String>, Reply),
    /// Take the picked tunnels down; no selector means all.
    Down(Vec<String>, Reply),
    /// Close and reopen the sessions of the picked tunnels.
    Restart(Vec<String>, Reply),
    /// Read the configuration again and apply what has changed.
    Reload(ReloadReply),
    /// Let another daemon take over.
    HandOver(Asked),
    /// Stop the daemon, letting open connections go on for so long (`None`: the daemon's default).
    Stop(Option<Duration>, oneshot::Sender<()>),
}

/// Where the names a command is about, or why it was refused, are sent.
pub type Reply = oneshot::Sender<Result<Vec<String>, ApiError>>;

/// Where it is told what reading the configuration again has changed, or what is wrong with it.
pub type ReloadReply = oneshot::Sender<Result<Reloaded, ApiError>>;

/// A cheap handle on a running daemon.
#[derive(Debug, Clone)]
pub struct DaemonHandle {
    commands: mpsc::Sender<DaemonCommand>,
    board: StatusBoard,
    logs: LogBuffer,
    version: Arc<DaemonVersion>,
    successor: Successor,
}

/// Whether another daemon answers in this one's place: what this one does not take any more is that one's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Successor(Arc<AtomicBool>);

impl Successor {
    /// To be said before commands are refused.
    pub(crate) fn serves(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl DaemonHandle {
    pub(crate) fn new(
        commands: mpsc::Sender<DaemonCommand>,
        board: StatusBoard,
        logs: LogBuffer,
        version: DaemonVersion,
    ) -> Self {
        Self { commands, board, logs, version: Arc::new(version), successor: Successor::default() }
    }

    /// The place to note that another daemon has taken over.
    pub(crate) fn successor(&self) -> Successor {
        self.successor.clone()
    }

    /// Wants the picked tunnels up; no selector means all with `auto`. Answers with their names. A reason is
    /// recorded with the sessions they open until they go down, instead of the configured one.
    ///
    /// # Errors
    /// A selector that picks nothing, or a daemon that is stopping or has handed over.
    pub async fn up(&self, select: Vec<String>, reason: Option<String>) -> Result<Vec<String>, ApiError> {
        self.ask(|reply| DaemonCommand::Up(select, reason, reply)).await
    }

    /// Wants the picked tunnels down; no selector means all.
    ///
    /// # Errors
    /// As [`Self::up`].
    pub async fn down(&self, select: Vec<String>) -> Result<Vec<String>, ApiError> {
        self.ask(|reply| DaemonCommand::Down(select, reply)).await
    }

    /// Takes the picked tunnels down and up again; no selector means all that are wanted up.
    ///
    /// # Errors
    /// As [`Self::up`].
    pub async fn restart(&self, select: Vec<String>) -> Result<Vec<String>, ApiError> {
        self.ask(|reply| DaemonCommand::Restart(select, reply)).await
    }

    /// Reads the configuration again, and answers with what has changed once it is applied.
    ///
    /// # Errors
    /// The configuration is invalid, and the one before stays in force; or the daemon is stopping or has handed over.
    pub async fn reload(&self) -> Result<Reloaded, ApiError> {
        self.ask(DaemonCommand::Reload).await
    }

    /// Asks the daemon to stop; answers when the wish is accepted.
    ///
    /// # Errors
    /// The daemon is stopping already, or has handed over.
    pub async fn stop(&self, drain: Option<Duration>) -> Result<(), ApiError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(DaemonCommand::Stop(drain, reply)).await.map_err(|_| self.refusal())?;
        answer.await.map_err(|_| self.refusal())
    }

    /// Lets the daemon on the other end of a connection take over.
    ///
    /// # Errors
    /// The daemon is stopping already, or has handed over.
    pub(crate) async fn hand_over(&self, asked: Asked) -> Result<(), ApiError> {
        self.commands.send(DaemonCommand::HandOver(asked)).await.map_err(|_| self.refusal())
    }

    /// All configured tunnels in the order of the configuration, with live figures.
    pub fn tunnels(&self) -> Vec<TunnelStatus> {
        self.board.tunnels()
    }

    /// One tunnel by its exact name.
    pub fn tunnel(&self, name: &str) -> Option<TunnelStatus> {
        self.board.tunnel(name)
    }

    /// The last changes of one tunnel, by its exact name.
    pub fn history(&self, name: &str) -> Option<History> {
        self.board.history(name)
    }

    /// The open connections of one tunnel, the oldest first and at most so many, and how many more there are.
    pub(crate) fn connections(&self, name: &str, most: usize) -> Option<(Vec<Open>, u64)> {
        self.board.connections(name, most)
    }

    /// The sessions of one tunnel, by its exact name.
    pub fn sessions(&self, name: &str) -> Option<Vec<Session>> {
        self.board.sessions(name)
    }

    /// What one tunnel carried lately, by its exact name.
    pub fn traffic(&self, name: &str, span: Span) -> Option<Vec<Sample>> {
        self.board.traffic(name, span)
    }

    /// The configuration in force.
    pub(crate) fn resolved(&self) -> Option<Arc<Resolved>> {
        self.board.resolved()
    }

    /// Everything there is now, and everything that will happen after it.
    pub fn subscribe(&self) -> Subscription {
        self.board.subscribe()
    }

    /// The recent lines of the log.
    pub(crate) fn logs(&self) -> &LogBuffer {
        &self.logs
    }

    /// The report on the last edit of the configuration, if it was rejected.
    pub fn config_error(&self) -> Option<String> {
        self.board.config().error
    }

    /// Which daemon this is, and what it runs with.
    pub fn version(&self) -> DaemonVersion {
        let ConfigState { loaded, error } = self.board.config();
        DaemonVersion { config_loaded: Some(loaded), config_error: error, ..(*self.version).clone() }
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, ApiError>>) -> DaemonCommand,
    ) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| self.refusal())?;
        answer.await.map_err(|_| self.refusal())?
    }

    /// Why a command was not carried out.
    fn refusal(&self) -> ApiError {
        if self.successor.0.load(Ordering::Relaxed) {
            ApiError::new(ErrorCode::HandedOver, "another daemon has taken over, and the command was not carried out")
                .with_hint("run the command again: that one answers")
        } else {
            ApiError::new(ErrorCode::Stopping, "the daemon is stopping")
                .with_hint("run the command again: it starts a new daemon")
        }
    }
}
