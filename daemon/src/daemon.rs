//! The daemon's control task: one select over commands, the signal to stop and the clock.
//!
//! It never awaits AWS or a tunnel while it runs, so no command waits for another. Everything it starts has
//! ended when it returns.

use crate::aws::AwsConnector;
use crate::claim::ClaimError;
use crate::clock;
use crate::config::{Config, ConfigErrors};
use crate::config_source::{ConfigSource, Loaded};
use crate::disturbance;
use crate::expiry;
use crate::handle::{COMMAND_QUEUE, DaemonCommand, DaemonHandle, ReloadReply, Reply};
use crate::ipc::Instance;
use crate::leftovers;
use crate::log_buffer::LogBuffer;
use crate::logins::Logins;
use crate::state::StateFile;
use crate::status::StatusBoard;
use crate::supervisor::Supervisor;
use crate::tunnel::{Allowances, Nudges, Surroundings, Turns};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tunnels_api::{ApiError, DaemonEvent, DaemonVersion, ErrorCode, Reloaded};

/// How long open connections may go on at the end, unless the command to stop says otherwise.
pub const DRAIN: Duration = Duration::from_secs(5);
/// How often byte counters are turned into rates.
const SAMPLE: Duration = Duration::from_secs(1);

/// What a daemon runs with.
#[derive(Debug)]
pub struct Options {
    /// The configuration file.
    pub config_path: PathBuf,
    /// Where the socket is.
    pub runtime_dir: PathBuf,
    /// Where it remembers things over its own end.
    pub state_dir: PathBuf,
    /// The way to AWS.
    pub connector: Arc<dyn AwsConnector>,
    /// How long open connections may go on at the end.
    pub drain: Duration,
    /// The version to report.
    pub version: String,
    /// The commit to report, where known.
    pub commit: Option<String>,
    /// Where the recent lines of the log are; an empty one if nothing writes to it.
    pub logs: LogBuffer,
}

/// Why a daemon could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is missing or invalid.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Another daemon has a folder, or a folder is no good.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The state folder cannot be used.
    #[error("the state folder {} cannot be used: {source}", path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A daemon that is ready to serve.
#[derive(Debug)]
pub struct Daemon {
    handle: DaemonHandle,
    commands: mpsc::Receiver<DaemonCommand>,
    instance: Instance,
    config: Config,
    source: ConfigSource,
    around: Surroundings,
}

impl Daemon {
    /// Reads the configuration, becomes the daemon of the folder and binds the socket. Clients may connect
    /// from here on; they are answered once it runs.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let (source, loaded) = ConfigSource::open(options.config_path);
        let resolved = loaded.config?;
        let instance = Instance::claim(&options.runtime_dir)?;
        let state = StateFile::open(&options.state_dir, instance.socket()).map_err(|error| match error {
            ClaimError::Io { source, .. } => StartError::State { path: options.state_dir.clone(), source },
            other => other.into(),
        })?;
        let board = StatusBoard::new(loaded.at);
        let config = resolved.config.clone();
        board.set_resolved(resolved);
        let (sender, commands) = mpsc::channel(COMMAND_QUEUE);
        let version = DaemonVersion {
            version: options.version,
            commit: options.commit,
            pid: std::process::id(),
            socket: instance.socket().display().to_string(),
            config: Some(config.path.display().to_string()),
            config_loaded: None,
            config_error: None,
            aws_environment: tunnels_api::aws_environment(std::env::vars_os()),
        };
        Ok(Self {
            handle: DaemonHandle::new(sender, board.clone(), options.logs, version),
            commands,
            instance,
            config,
            source,
            around: Surroundings {
                aws: options.connector,
                board,
                state,
                turns: Turns::default(),
                nudges: Nudges::new(),
                allowances: Allowances::default(),
                drain: options.drain,
                hurry: CancellationToken::new(),
            },
        })
    }

    /// How many tunnels are configured.
    pub fn tunnel_count(&self) -> usize {
        self.config.tunnels.len()
    }

    /// The way to it from within the process.
    pub fn handle(&self) -> DaemonHandle {
        self.handle.clone()
    }

    /// Serves until `shutdown` or the command to stop; then everything has ended.
    ///
    /// # Errors
    /// The socket could not be served.
    pub async fn run(self, shutdown: CancellationToken) -> io::Result<()> {
        let Self { handle, mut commands, instance, config, mut source, around } = self;
        let drain = around.drain;
        let board = around.board.clone();
        let state = around.state.clone();
        let serving_ends = CancellationToken::new();
        let watching = disturbance::watch(around.nudges.clone());
        let cleaning = leftovers::keep_ended(Arc::clone(&around.aws), state.clone());
        // Whoever asked for the configuration to be read, and is told what came of it.
        let mut asked: Vec<ReloadReply> = Vec::new();
        // Before anybody asks for credentials.
        let logins = Logins::watch(Arc::clone(&around.aws), around.nudges.clone());
        let expiring = expiry::keep_watched(Arc::clone(&around.aws), board.clone(), around.nudges.clone());
        // Before anybody is served: the first to ask is to see every tunnel.
        let mut supervisor = Supervisor::new(config, around);
        // All of these end with this future, however it ends.
        let server = AbortOnDropHandle::new(tokio::spawn(instance.serve(handle, serving_ends.clone())));
        let writer = {
            let state = state.clone();
            AbortOnDropHandle::new(tokio::spawn(async move { state.keep_written().await }))
        };
        let cleaner = AbortOnDropHandle::new(tokio::spawn(cleaning));
        let _watcher = AbortOnDropHandle::new(tokio::spawn(watching));
        let _expiring = AbortOnDropHandle::new(tokio::spawn(expiring));
        let _logins = AbortOnDropHandle::new(tokio::spawn(logins.keep_told()));

        let mut sample = interval(SAMPLE);
        sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (drain, stopped) = loop {
            tokio::select! {
                // Cancel-safe, all four: a channel, a token, an interval and a source that says so.
                command = commands.recv() => match command {
                    Some(DaemonCommand::Up(select, reason, reply)) => {
                        answer(&state, reply, supervisor.up(&select, reason.as_deref()));
                    }
                    Some(DaemonCommand::Down(select, reply)) => answer(&state, reply, supervisor.down(&select)),
                    Some(DaemonCommand::Restart(select, reply)) => answer(&state, reply, supervisor.restart(&select)),
                    Some(DaemonCommand::Reload(reply)) => {
                        asked.push(reply);
                        source.reload();
                    }
                    Some(DaemonCommand::Stop(wanted, reply)) => break (wanted.unwrap_or(drain), Some(reply)),
                    None => break (drain, None),
                },
                loaded = source.next() => {
                    let (outcome, in_force) = apply(loaded, &mut supervisor, &board);
                    let asked = std::mem::take(&mut asked);
                    // A tunnel takes its change over within a moment; this task waits for none.
                    tokio::spawn(async move {
                        in_force.await;
                        for reply in asked {
                            // Whoever asked may be gone.
                            drop(reply.send(outcome.clone()));
                        }
                    });
                }
                () = shutdown.cancelled() => break (drain, None),
                _ = sample.tick() => board.sample(clock::now()),
            }
        };
        tracing::info!("stopping; open connections may go on for {drain:?}");
        if let Some(reply) = stopped {
            // Whoever asked may be gone.
            let _ = reply.send(());
        }
        // Commands that still come are refused, those that wait are answered with "stopping".
        drop(commands);
        supervisor.stop(drain).await;
        cleaner.abort();
        writer.abort();
        state.write();
        board.announce(DaemonEvent::Stopping);
        serving_ends.cancel();
        server.await.map_err(io::Error::other)?
    }
}

/// Answers a command once what it has changed survives a crash.
fn answer(state: &StateFile, reply: Reply, result: Result<Vec<String>, ApiError>) {
    let state = state.clone();
    tokio::spawn(async move {
        state.written().await;
        // Whoever asked may be gone.
        drop(reply.send(result));
    });
}

/// Puts a configuration in force, or says why the one before stays.
fn apply(
    loaded: Loaded,
    supervisor: &mut Supervisor,
    board: &StatusBoard,
) -> (Result<Reloaded, ApiError>, BoxFuture<'static, ()>) {
    match loaded.config {
        Ok(resolved) => {
            let (done, in_force) = supervisor.apply(resolved.config.clone(), loaded.at);
            board.set_resolved(resolved);
            tell(&done);
            (Ok(done), in_force.boxed())
        }
        Err(errors) => {
            let report = errors.render(false);
            if board.config_rejected(report.clone()) {
                tracing::warn!("the edited configuration is wrong; the one before stays in force\n{report}");
            }
            let text = format!("the configuration is wrong; the one before stays in force\n{report}");
            (Err(ApiError::new(ErrorCode::ConfigInvalid, text)), ready(()).boxed())
        }
    }
}

/// What an edit has changed, for the log; a file that was only touched is not worth a line.
fn tell(done: &Reloaded) {
    let Reloaded { added, removed, changed, restarted } = done;
    let parts: Vec<String> = [("added", added), ("removed", removed), ("changed", changed), ("restarted", restarted)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", names.join(", ")))
        .collect();
    if !parts.is_empty() {
        tracing::info!("the configuration has changed: {}", parts.join("; "));
    }
}

/// Starts a daemon and serves until `shutdown` or the command to stop.
///
/// # Errors
/// [`StartError`], or that the socket could not be served.
pub async fn run(options: Options, shutdown: CancellationToken) -> Result<(), StartError> {
    let path = options.runtime_dir.clone();
    let serving = Daemon::start(options)?.run(shutdown).await;
    serving.map_err(|source| ClaimError::Io { action: "serve in", path, source }.into())
}
