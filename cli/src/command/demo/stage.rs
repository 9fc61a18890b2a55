//! Everything the demo runs, in its order: folder, remotes, simulator, configuration, daemon.

use super::guide::{Guide, NAMES};
use super::ports::{self, Chosen};
use crate::command::version::{VERSION, commit};
use ssm_sim::{DEFAULT_NODE, SimConfig, SimHandle, Simulator};
use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tunnels_api::{ApiError, Client, ErrorCode, socket_in};
use tunnels_aws::LocalConnector;
use tunnels_daemon::{Daemon, LogBuffer, Options, ServiceManager};
use tunnels_remotes::Remotes;

/// What the tunnels are expected at: away from the usual ports of real servers.
const USUAL: [u16; 3] = [15_432, 16_379, 18_080];
/// Open connections get so long at the end. Nobody loses anything here.
const DRAIN: Duration = Duration::from_secs(1);
/// What the daemon and then the simulator may take to end, with all that is open.
const LAST_STEPS: Duration = Duration::from_secs(3);
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The demo's own folder: nobody else may look into it, and it goes with the demo.
#[derive(Debug)]
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn make() -> Result<Self, ApiError> {
        let usual = std::env::temp_dir();
        // A long TMPDIR leaves no room for the name of a socket.
        let fits = |parent: &Path| socket_in(&parent.join("tunnels-demo-abcdef")).is_ok();
        let parent = if fits(&usual) { usual } else { PathBuf::from("/tmp") };
        let private = std::fs::Permissions::from_mode(0o700);
        tempfile::Builder::new().prefix("tunnels-demo-").permissions(private).tempdir_in(&parent).map(Self).map_err(
            |error| {
                failed(format!("cannot make a folder in {}: {error}", parent.display()))
                    .with_hint("TMPDIR names another place for temporary files")
            },
        )
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn remove(self) -> Result<(), ApiError> {
        let path = self.path().to_owned();
        self.0.close().map_err(|error| failed(format!("cannot remove {}: {error}", path.display())))
    }
}

/// The running demo. Dropping it ends everything at once.
#[derive(Debug)]
pub(super) struct Stage {
    client: Client,
    guide: Guide,
    notes: Vec<String>,
    daemon: JoinHandle<io::Result<()>>,
    shutdown: CancellationToken,
    sim: SimHandle,
    _remotes: Remotes,
    /// Of the tunnels' ports.
    _reserved: Vec<UdpSocket>,
}

impl Stage {
    /// Starts everything; the tunnels are down yet.
    pub(super) async fn start(folder: &Folder, logs: LogBuffer) -> Result<Self, ApiError> {
        let remotes = Remotes::start().await.map_err(|error| failed(format!("cannot listen on loopback: {error}")))?;
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = SimConfig { listen: any_port, ..SimConfig::default() };
        let sim = Simulator::start(config).await.map_err(|error| failed(chain(&error)))?;
        let mut chosen: Vec<Chosen> = Vec::new();
        for (name, usual) in NAMES.into_iter().zip(USUAL) {
            chosen.push(ports::choose(name, usual)?);
        }
        let ports = [chosen[0].port, chosen[1].port, chosen[2].port];
        let config_path = folder.path().join("demo.toml");
        write_private(&config_path, &config_text(&sim.endpoint(), &remotes, ports))
            .map_err(|error| failed(format!("cannot write {}: {error}", config_path.display())))?;
        let socket = socket_in(folder.path()).map_err(|error| failed(error.to_string()).with_hint(error.hint()))?;
        let daemon = Daemon::start(Options {
            config_path,
            runtime_dir: folder.path().to_owned(),
            state_dir: folder.path().join("state"),
            connector: Arc::new(LocalConnector::new()),
            drain: DRAIN,
            version: VERSION.to_owned(),
            commit: commit(),
            logs,
            activated: None,
            manager: ServiceManager::default(),
            service: None,
        })
        .map_err(|error| failed(chain(&error)))?;
        let shutdown = CancellationToken::new();
        Ok(Self {
            client: Client::new(socket),
            guide: Guide { ports, aws: sim.endpoint(), folder: folder.path().to_owned(), program: program() },
            notes: chosen.iter().filter_map(|chosen| chosen.note.clone()).collect(),
            _reserved: chosen.into_iter().map(|chosen| chosen.reserved).collect(),
            daemon: tokio::spawn(daemon.run(shutdown.clone())),
            shutdown,
            sim,
            _remotes: remotes,
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn guide(&self) -> Guide {
        self.guide.clone()
    }

    /// What the user should know of the ports.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Waits for the daemon to end by itself: somebody said `tunnels stop`.
    pub(super) async fn ended(&mut self) -> Result<(), ApiError> {
        match (&mut self.daemon).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(format!("the socket cannot be served: {error}"))),
            Err(error) => Err(failed(format!("the demo's daemon ended badly: {error}"))),
        }
    }

    /// Ends everything in order: sessions are terminated, the socket is removed. What does not end in time
    /// ends with the process.
    pub(super) async fn stop(mut self) {
        self.shutdown.cancel();
        if !self.daemon.is_finished() {
            let _ = tokio::time::timeout(LAST_STEPS, &mut self.daemon).await;
        }
        let _ = tokio::time::timeout(LAST_ANSWERS, self.sim.shutdown()).await;
    }
}

/// The daemon reads no file that others may write, whatever the umask lets them.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// This program as it was called, which is how it can be called again.
fn program() -> String {
    std::env::args_os().next().map_or_else(|| "tunnels".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A file as a user would write it: it can be looked at, and edited, while the demo runs.
fn config_text(aws: &str, remotes: &Remotes, ports: [u16; 3]) -> String {
    let [db, cache, web] = ports;
    let (postgres, redis, http) = (remotes.postgres(), remotes.redis(), remotes.http());
    let [db_name, cache_name, web_name] = NAMES;
    format!(
        "\
[defaults]
target    = \"{DEFAULT_NODE}\"
region    = \"us-east-1\"
endpoints = {{ ssm = \"{aws}\" }}

[tunnels.{db_name}]
remote = \"{postgres}\"
local  = {db}
probe  = \"postgres\"
groups = [\"db\"]

[tunnels.{cache_name}]
remote = \"{redis}\"
local  = {cache}
probe  = \"redis\"
groups = [\"db\"]

[tunnels.{web_name}]
remote = \"{http}\"
local  = {web}
probe  = \"http\"
"
    )
}

fn failed(message: String) -> ApiError {
    ApiError::new(ErrorCode::Failed, message)
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
