//! A simulator, a remote and a daemon, all in this process and gone with the test.

use crate::json_api::JsonConnector;
use ssm_sim::{AgentKind, AgentPace, Cut, How, SessionState, Side, SimConfig, SimHandle, Simulator};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tunnels_api::{DaemonEvent, TunnelState, TunnelStatus};
use tunnels_daemon::{Daemon, DaemonHandle, LogBuffer, Options, ServiceManager};

/// No test waits longer than this for anything; what takes so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const NAME: &str = "a";

pub(crate) struct World {
    pub(crate) sim: SimHandle,
    pub(crate) daemon: DaemonHandle,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    folder: TempDir,
    shutdown: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
}

/// The log of this test's daemon; nothing writes to it unless the test sees to that.
pub(crate) fn logs() -> LogBuffer {
    // Each test has a thread of its own.
    thread_local!(static LOGS: LogBuffer = LogBuffer::default());
    LOGS.with(Clone::clone)
}

/// A free port of the loopback address; another process may take it first, which no test here notices.
pub(crate) async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A server that sends back what it gets, until its end of file.
pub(crate) async fn echo(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    address
}

pub(crate) async fn simulator() -> SimHandle {
    let config = SimConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        agent: AgentKind::BuiltIn(AgentPace::Fast),
        seed: Some(1),
        ..SimConfig::default()
    };
    Simulator::start(config).await.unwrap()
}

impl World {
    /// A daemon with the tunnel `a` to an echo server; `keys` are added to it.
    pub(crate) async fn new(keys: &str) -> Self {
        let remote = echo("127.0.0.1:0".parse().unwrap()).await;
        Self::to(remote, keys).await
    }

    pub(crate) async fn to(remote: SocketAddr, keys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start(simulator().await, folder, remote, free_port().await, keys)
    }

    pub(crate) fn start(sim: SimHandle, folder: TempDir, remote: SocketAddr, local: SocketAddr, keys: &str) -> Self {
        let text = format!(
            "[tunnels.{NAME}]\nremote = \"{remote}\"\nlocal = \"{local}\"\ntarget = \"{}\"\n{keys}\n",
            ssm_sim::DEFAULT_NODE
        );
        Self::run(sim, folder, remote, local, &text, Duration::ZERO)
    }

    /// A daemon with whatever tunnels `text` says, and so much time for connections that have to end.
    pub(crate) fn run(
        sim: SimHandle,
        folder: TempDir,
        remote: SocketAddr,
        local: SocketAddr,
        text: &str,
        drain: Duration,
    ) -> Self {
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        let options = Options { drain, ..Self::options(&sim, &folder, "run") };
        let daemon = Daemon::start(options).unwrap_or_else(|error| panic!("{error}"));
        let shutdown = CancellationToken::new();
        let handle = daemon.handle();
        let running = tokio::spawn(daemon.run(shutdown.clone()));
        Self { sim, daemon: handle, local, remote, folder, shutdown, running }
    }

    /// A daemon of the same configuration and state, with its socket in `runtime`.
    fn options(sim: &SimHandle, folder: &TempDir, runtime: &str) -> Options {
        Options {
            config_path: folder.path().join("config.toml"),
            runtime_dir: folder.path().join(runtime),
            state_dir: folder.path().join("state"),
            connector: Arc::new(JsonConnector { address: sim.address().to_string() }),
            drain: Duration::ZERO,
            version: "test".into(),
            commit: None,
            logs: logs(),
            activated: None,
            manager: ServiceManager::default(),
            service: None,
        }
    }

    /// What a second daemon of this user would run with, from a shell without `XDG_RUNTIME_DIR`.
    pub(crate) fn second(&self) -> Options {
        Self::options(&self.sim, &self.folder, "other-run")
    }

    /// What a daemon that takes this one's place would run with.
    pub(crate) fn next(&self) -> Options {
        Self::options(&self.sim, &self.folder, "run")
    }

    /// The reasons of all sessions so far.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.sim.sessions().sessions.into_iter().map(|session| session.reason.unwrap_or_default()).collect()
    }

    pub(crate) async fn up(&self) {
        assert_eq!(self.daemon.up(Vec::new(), None).await.unwrap(), [NAME]);
    }

    /// Up and ready.
    pub(crate) async fn ready(keys: &str) -> Self {
        let world = Self::new(keys).await;
        world.up().await;
        world.wait_for(TunnelState::Ready).await;
        world
    }

    pub(crate) fn status(&self) -> TunnelStatus {
        self.daemon.tunnel(NAME).unwrap()
    }

    pub(crate) async fn wait_for(&self, state: TunnelState) -> TunnelStatus {
        self.wait(&state.to_string(), |status| status.state == state).await
    }

    /// Waits for a status; every change is seen, since it reads the events.
    pub(crate) async fn wait(&self, what: &str, is: impl Fn(&TunnelStatus) -> bool) -> TunnelStatus {
        let mut news = self.daemon.subscribe();
        if let Some(now) = news.snapshot.iter().find(|status| is(status)) {
            return now.clone();
        }
        let found = timeout(PATIENCE, async {
            loop {
                if let DaemonEvent::TunnelChanged { tunnel } = news.events.recv().await.unwrap()
                    && is(&tunnel)
                {
                    return tunnel;
                }
            }
        })
        .await;
        found.unwrap_or_else(|_| panic!("never {what}: {:#?}", self.status()))
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        connect(self.local).await
    }

    pub(crate) fn cut_client(&self) {
        let cut = Cut { side: Side::Client, how: How::Reset, session: None, for_s: None };
        assert_eq!(self.sim.cut(&cut), 1, "one channel is cut");
    }

    /// Sessions that AWS would still count.
    pub(crate) fn open_sessions(&self) -> usize {
        self.sim.sessions().sessions.iter().filter(|session| session.state != SessionState::Terminated).count()
    }

    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.sim.sessions().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// Writes the configuration anew; the daemon sees it by itself.
    pub(crate) fn edit(&self, text: &str) {
        // As careful editors do: never half a file.
        let (path, next) = (self.folder.path().join("config.toml"), self.folder.path().join("config.toml.new"));
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, path).unwrap();
    }

    pub(crate) fn state_file(&self) -> std::path::PathBuf {
        self.folder.path().join("state/state.json")
    }

    /// Waits until the daemon ends by itself.
    pub(crate) async fn ended(self) -> (SimHandle, TempDir) {
        timeout(PATIENCE, self.running).await.expect("the daemon ends").unwrap().unwrap();
        (self.sim, self.folder)
    }

    /// Stops the daemon; what is left may start another.
    pub(crate) async fn stop(self) -> (SimHandle, TempDir) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.running).await.expect("the daemon stops").unwrap().unwrap();
        (self.sim, self.folder)
    }

    /// As a crash would: nothing is said to anybody.
    pub(crate) async fn crash(self) -> (SimHandle, TempDir) {
        self.running.abort();
        drop(self.running.await);
        // Tasks end a moment after they are told to; a process's would have ended with it.
        while self.folder.path().join("run/daemon.sock").exists() || TcpListener::bind(self.local).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (self.sim, self.folder)
    }
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap()
}

/// Sends bytes and gets them back.
pub(crate) async fn echoes(stream: &mut TcpStream, bytes: &[u8]) {
    let (mut read, mut write) = stream.split();
    let mut got = vec![0; bytes.len()];
    let both = async { tokio::join!(write.write_all(bytes), read.read_exact(&mut got)) };
    let (sent, received) = timeout(PATIENCE, both).await.expect("the echo comes");
    sent.unwrap();
    received.unwrap();
    assert!(got == bytes, "the echo is what was sent");
}

/// Bytes that differ enough for a lost or doubled part to show.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}
