//! How a daemon comes to be: from its configuration, the folder it claims, and what another daemon hands it.
//!
//! What it does then is in `control`.

mod control;

use crate::aws::AwsConnector;
use crate::claim::ClaimError;
use crate::config::{Config, ConfigErrors, Resolved};
use crate::config_source::ConfigSource;
use crate::doors::Doors;
use crate::handle::{COMMAND_QUEUE, DaemonCommand, DaemonHandle};
use crate::ipc::Instance;
use crate::log_buffer::LogBuffer;
use crate::manager::ServiceManager;
use crate::state::StateFile;
use crate::status::StatusBoard;
use crate::takeover::{Predecessor, Taken, ask};
use crate::tunnel::{Allowances, Nudges, Surroundings, Turns};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tunnels_api::{ApiError, DaemonVersion, ErrorCode, Timestamp};

/// How long open connections may go on at the end, unless the command to stop says otherwise.
pub const DRAIN: Duration = Duration::from_secs(5);

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
    /// The API's socket, where the service manager listens on it.
    pub activated: Option<UnixListener>,
    /// Who is told how it goes.
    pub manager: ServiceManager,
    /// The service that it is, as its manager calls it.
    pub service: Option<String>,
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
    /// The daemon that runs could not be taken over.
    #[error(transparent)]
    Takeover(ApiError),
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
    predecessor: Option<Predecessor>,
    /// What users gave as reasons to the daemon before this one.
    reasons: BTreeMap<String, String>,
    manager: ServiceManager,
}

/// What makes a daemon the one of its folders.
struct Place {
    instance: Instance,
    state: StateFile,
    doors: Doors,
}

impl Daemon {
    /// Reads the configuration, becomes the daemon of the folder and binds the socket. Clients may connect
    /// from here on; they are answered once it runs.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(mut options: Options) -> Result<Self, StartError> {
        let (source, loaded) = ConfigSource::open(options.config_path.clone());
        // Before it claims anything.
        let read = (loaded.config?, loaded.at);
        let instance = Instance::claim(&options.runtime_dir, options.activated.take())?;
        let state =
            StateFile::open(&options.state_dir, instance.socket()).map_err(|error| unusable(&options, error))?;
        Ok(Self::new(options, source, read, Place { instance, state, doors: Doors::default() }))
    }

    /// Takes over from the daemon of the folder, whose open connections may go on there for `drain`: it serves until this
    /// one runs, and if that does not come to pass. Without one, starts as [`Self::start`] does.
    ///
    /// # Errors
    /// [`StartError`]; the other daemon goes on then.
    pub async fn take_over(options: Options, drain: Duration) -> Result<Self, StartError> {
        let (source, loaded) = ConfigSource::open(options.config_path.clone());
        let read = (loaded.config?, loaded.at);
        let socket = tunnels_api::socket_in(&options.runtime_dir).map_err(ClaimError::from)?;
        if options.activated.is_some() {
            // The service manager listens there, and starts one daemon at a time: there is nobody to ask.
            return Self::start(options);
        }
        let Some(taken) = ask(&socket).await.map_err(StartError::Takeover)? else { return Self::start(options) };
        same_folder(&taken.state_dir, &options.state_dir)?;
        let Taken { socket, lock, state_lock, estate, reasons, doors, mut predecessor, .. } = taken;
        let instance = Instance::inherit(&options.runtime_dir, socket, lock)?;
        let state = StateFile::inherit(&options.state_dir, state_lock, estate);
        let state = state.map_err(|error| unusable(&options, error))?;
        predecessor.take(drain).await.map_err(StartError::Takeover)?;
        let daemon = Self::new(options, source, read, Place { instance, state, doors });
        Ok(Self { predecessor: Some(predecessor), reasons, ..daemon })
    }

    fn new(options: Options, source: ConfigSource, (resolved, read): (Resolved, Timestamp), place: Place) -> Self {
        let Place { instance, state, doors } = place;
        let board = StatusBoard::new(read);
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
            service: options.service,
        };
        Self {
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
                doors,
                nudges: Nudges::new(),
                allowances: Allowances::default(),
                drain: options.drain,
                hurry: CancellationToken::new(),
            },
            predecessor: None,
            reasons: BTreeMap::new(),
            manager: options.manager,
        }
    }

    /// How many tunnels are configured.
    pub fn tunnel_count(&self) -> usize {
        self.config.tunnels.len()
    }

    /// The way to it from within the process.
    pub fn handle(&self) -> DaemonHandle {
        self.handle.clone()
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

fn unusable(options: &Options, error: ClaimError) -> StartError {
    match error {
        ClaimError::Io { source, .. } => StartError::State { path: options.state_dir.clone(), source },
        other => other.into(),
    }
}

/// Two daemons with one socket and two memories would lose sessions.
fn same_folder(theirs: &Path, ours: &Path) -> Result<(), StartError> {
    let same = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if same(theirs) == same(ours) {
        return Ok(());
    }
    let (theirs, ours) = (theirs.display(), ours.display());
    let text =
        format!("the running daemon keeps its state in {theirs}, and this one would in {ours}; nothing was changed");
    let hint = format!("set XDG_STATE_HOME as there, or TUNNELS_STATE_DIR={theirs}");
    Err(StartError::Takeover(ApiError::new(ErrorCode::Failed, text).with_hint(hint)))
}
