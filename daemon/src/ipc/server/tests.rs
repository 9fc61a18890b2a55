//! The folder's rules, and every route through the real client over a real socket.

use super::*;
use crate::handle::{COMMAND_QUEUE, DaemonCommand};
use crate::log_buffer::LogBuffer;
use crate::log_layer::LogSink as _;
use crate::status::{Gauges, Slot, StatusBoard};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tunnels_api::{
    ApiError, Client, ClientError, DaemonEvent, DaemonVersion, ErrorCode, LogEvent, LogLevel, LogLine, LogQuery, Logs,
    Reloaded, SelectRequest, StopRequest, TargetState, Timestamp, TunnelState, TunnelStatus,
};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").mode() & 0o7777
}

fn status(name: &str, state: TunnelState) -> TunnelStatus {
    TunnelStatus {
        name: name.into(),
        state,
        wanted: TargetState::Up,
        cause: None,
        local: "127.0.0.1:15432".into(),
        exposed: false,
        remote: "orders.example:5432".into(),
        target: None,
        profile: None,
        region: None,
        probe: None,
        groups: Vec::new(),
        auto: true,
        protected: false,
        sessions: 0,
        sessions_resuming: 0,
        streams: 0,
        bytes_in: 0,
        bytes_out: 0,
        rate_in: 0,
        rate_out: 0,
        rtt_ms: None,
        since: Timestamp::UNIX_EPOCH,
        retry_at: None,
        credentials_expire: None,
        credentials_renew: None,
        small_payloads_until: None,
    }
}

fn log_line(level: LogLevel, tunnel: Option<&str>, message: &str) -> LogLine {
    LogLine {
        time: Timestamp::UNIX_EPOCH,
        level,
        tunnel: tunnel.map(str::to_owned),
        target: "t".into(),
        message: message.into(),
        fields: [].into(),
    }
}

/// A served socket in front of a board and a control task that says yes to everything.
struct Daemon {
    board: StatusBoard,
    slot: Slot,
    logs: LogBuffer,
    client: Client,
    shutdown: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
    socket: PathBuf,
    _folder: TempDir,
}

impl Daemon {
    fn start() -> Self {
        let folder = folder();
        let instance = Instance::claim(folder.path(), None).expect("claims");
        let socket = instance.socket().to_owned();
        let board = StatusBoard::new(Timestamp::UNIX_EPOCH);
        let slot = board.add(status("orders-db", TunnelState::Connecting), Arc::new(Gauges::default()));
        let (commands, mut queue) = mpsc::channel(COMMAND_QUEUE);
        tokio::spawn(async move {
            while let Some(command) = queue.recv().await {
                match command {
                    DaemonCommand::Up(select, reason, reply) => {
                        let _ = reply.send(Ok(select.into_iter().chain(reason).collect()));
                    }
                    DaemonCommand::Reload(reply) => {
                        let added = vec!["orders-db".to_owned()];
                        let _ = reply.send(Ok(Reloaded { added, ..Reloaded::default() }));
                    }
                    DaemonCommand::Down(select, reply) | DaemonCommand::Restart(select, reply) => {
                        let _ = reply.send(Ok(select));
                    }
                    DaemonCommand::HandOver(_) => {}
                    DaemonCommand::Stop(_, reply) => {
                        let _ = reply.send(());
                        return;
                    }
                }
            }
        });
        let version = DaemonVersion {
            version: "0.0.0".into(),
            commit: None,
            pid: 7,
            socket: socket.display().to_string(),
            config: None,
            config_loaded: None,
            config_error: None,
            aws_environment: [].into(),
            service: None,
        };
        let logs = LogBuffer::default();
        let handle = DaemonHandle::new(commands, board.clone(), logs.clone(), version);
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(instance.serve(handle, shutdown.clone()));
        Self { board, slot, logs, client: Client::new(&socket), shutdown, serving, socket, _folder: folder }
    }

    /// What curl would see: status line and body.
    async fn raw(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).await.expect("connects");
        let request = format!("{request} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("reads");
        answer
    }
}

#[tokio::test]
async fn the_folder_is_0700_the_socket_0600_and_it_goes_with_the_instance() {
    let parent = folder();
    let runtime_dir = parent.path().join("run/tunnels");
    let instance = Instance::claim(&runtime_dir, None).unwrap();
    assert_eq!(mode(&runtime_dir), 0o700);
    assert_eq!(mode(instance.socket()), 0o600);
    let socket = instance.socket().to_owned();
    drop(instance);
    assert!(!socket.exists());
    Instance::claim(&runtime_dir, None).expect("the lock is free again");
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_the_first_is_named() {
    let folder = folder();
    let first = Instance::claim(folder.path(), None).unwrap();
    let error = Instance::claim(folder.path(), None).unwrap_err();
    assert_eq!(error.to_string(), format!("a daemon is already running (pid {})", std::process::id()));
    assert!(first.socket().exists());
}

#[tokio::test]
async fn a_daemon_on_its_way_out_is_waited_for() {
    let folder = folder();
    let first = Instance::claim(folder.path(), None).unwrap();
    fs::remove_file(first.socket()).unwrap();
    let next = std::thread::spawn({
        let runtime = tokio::runtime::Handle::current();
        let path = folder.path().to_owned();
        move || {
            let _entered = runtime.enter();
            Instance::claim(&path, None)
        }
    });
    drop(first);
    next.join().unwrap().expect("claims once the lock is free");
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let folder = folder();
    let stale = tunnels_api::socket_in(folder.path()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert!(stale.exists());
    let instance = Instance::claim(folder.path(), None).unwrap();
    UnixStream::connect(instance.socket()).await.expect("somebody listens");
}

#[tokio::test]
async fn a_folder_that_others_can_write_to_is_refused_with_the_mend() {
    let folder = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let error = Instance::claim(folder.path(), None).unwrap_err();
    assert!(error.to_string().ends_with("its mode is 0777"), "{error}");
    let hint = ApiError::from(&error).hint.unwrap();
    assert_eq!(hint, format!("chmod 700 {}", folder.path().display()));
}

#[tokio::test]
async fn reads_come_from_the_board() {
    let daemon = Daemon::start();
    let tunnels = daemon.client.tunnels().await.unwrap().tunnels;
    assert_eq!(tunnels, [status("orders-db", TunnelState::Connecting)]);
    let tunnel = daemon.client.tunnel("orders-db").await.unwrap();
    assert_eq!(tunnel.name, "orders-db");
    assert_eq!(daemon.client.version().await.unwrap().pid, 7);
    let ClientError::Refused(error) = daemon.client.tunnel("orders").await.unwrap_err() else {
        panic!("refused by the daemon");
    };
    assert_eq!(error.code, ErrorCode::NoSuchTunnel);
}

#[tokio::test]
async fn commands_reach_the_control_task() {
    let daemon = Daemon::start();
    let up = |reason: Option<&str>| SelectRequest { select: vec!["@db".to_owned()], reason: reason.map(str::to_owned) };
    assert_eq!(daemon.client.up(&up(None)).await.unwrap().tunnels, ["@db"]);
    assert_eq!(daemon.client.up(&up(Some("INC-1"))).await.unwrap().tunnels, ["@db", "INC-1"]);
    for reason in ["", &"x".repeat(257)] {
        let error = ApiError::from(daemon.client.up(&up(Some(reason))).await.unwrap_err());
        assert_eq!(error.code, ErrorCode::Usage);
    }
    assert_eq!(daemon.client.reload().await.unwrap().added, ["orders-db"]);
    assert_eq!(daemon.client.down(&[]).await.unwrap().tunnels, [""; 0]);
    assert_eq!(daemon.client.restart("orders-db").await.unwrap().tunnels, ["orders-db"]);
    for action in ["up", "down", "restart"] {
        let answer = daemon.raw(&format!("POST /v1/tunnels/orders-db/{action}")).await;
        assert!(answer.ends_with(r#"{"tunnels":["orders-db"]}"#), "{answer}");
        let answer = daemon.raw(&format!("POST /v1/tunnels/*/{action}")).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    daemon.client.stop(&StopRequest::default()).await.unwrap();
    let error = ApiError::from(daemon.client.up(&up(None)).await.unwrap_err());
    assert_eq!(error.code, ErrorCode::Stopping);
}

#[tokio::test]
async fn events_start_with_a_snapshot_and_end_with_the_daemon() {
    let daemon = Daemon::start();
    let mut events = daemon.client.events().await.unwrap();
    let snapshot = vec![status("orders-db", TunnelState::Connecting)];
    assert_eq!(events.next().await.unwrap().unwrap(), DaemonEvent::Snapshot { tunnels: snapshot, config_error: None });
    let ready = status("orders-db", TunnelState::Ready);
    daemon.board.publish(daemon.slot, ready.clone(), None);
    assert_eq!(events.next().await.unwrap().unwrap(), DaemonEvent::TunnelChanged { tunnel: ready });
    daemon.board.announce(DaemonEvent::Stopping);
    daemon.board.publish(daemon.slot, status("orders-db", TunnelState::Down), None);
    daemon.shutdown.cancel();
    assert_eq!(events.next().await.unwrap().unwrap(), DaemonEvent::Stopping);
    assert!(events.next().await.is_none());
    daemon.serving.await.unwrap().unwrap();
    assert!(!daemon.socket.exists());
}

#[tokio::test]
async fn logs_are_picked_by_tunnel_level_and_number() {
    let daemon = Daemon::start();
    assert_eq!(daemon.client.logs(&LogQuery::default()).await.unwrap(), Logs { lines: Vec::new() });
    let lines = [
        log_line(LogLevel::Info, None, "starts"),
        log_line(LogLevel::Warn, Some("orders-db"), "connecting"),
        log_line(LogLevel::Info, Some("orders-db"), "ready"),
        log_line(LogLevel::Info, Some("gone"), "down"),
    ];
    for line in &lines {
        daemon.logs.write(&Arc::new(line.clone()));
    }
    let asked = async |query: LogQuery| daemon.client.logs(&query).await.map(|logs| logs.lines);
    let of = |tunnel: &str| LogQuery { tunnel: Some(tunnel.into()), ..LogQuery::default() };
    assert_eq!(asked(LogQuery::default()).await.unwrap(), lines);
    assert_eq!(asked(of("orders-db")).await.unwrap(), lines[1..3]);
    assert_eq!(asked(LogQuery { level: Some(LogLevel::Warn), ..of("orders-db") }).await.unwrap(), lines[1..2]);
    assert_eq!(asked(LogQuery { lines: Some(1), ..LogQuery::default() }).await.unwrap(), lines[3..]);
    assert_eq!(asked(of("gone")).await.unwrap(), lines[3..], "it is not configured any more");
    let error = ApiError::from(asked(of("orders-bd")).await.unwrap_err());
    assert_eq!(error.code, ErrorCode::NoSuchTunnel);
    assert!(error.hint.unwrap().starts_with("did you mean `orders-db`?"));
    let answer = daemon.raw("GET /v1/logs?lines=many").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(r#""code":"usage""#), "{answer}");
}

#[tokio::test]
async fn who_follows_the_log_hears_what_comes_is_told_what_was_missed_and_ends_with_the_daemon() {
    let daemon = Daemon::start();
    let write = |level, tunnel, text: &str| daemon.logs.write(&Arc::new(log_line(level, tunnel, text)));
    write(LogLevel::Info, Some("orders-db"), "before");
    let query = LogQuery { tunnel: Some("orders-db".into()), level: Some(LogLevel::Info), ..LogQuery::default() };
    let mut events = daemon.client.follow_logs(&query).await.unwrap();
    let before = vec![log_line(LogLevel::Info, Some("orders-db"), "before")];
    assert_eq!(events.next().await.unwrap().unwrap(), LogEvent::Snapshot { lines: before });
    write(LogLevel::Info, None, "about the daemon");
    write(LogLevel::Debug, Some("orders-db"), "too detailed");
    write(LogLevel::Warn, Some("orders-db"), "news");
    let news = log_line(LogLevel::Warn, Some("orders-db"), "news");
    assert_eq!(events.next().await.unwrap().unwrap(), LogEvent::Line { line: news });
    // The server has no turn between these.
    for _ in 0..5000 {
        write(LogLevel::Info, Some("orders-db"), "flood");
    }
    let LogEvent::Missed { count } = events.next().await.unwrap().unwrap() else { panic!("it is told") };
    write(LogLevel::Info, Some("orders-db"), "last");
    let mut heard = 0;
    loop {
        match events.next().await.unwrap().unwrap() {
            LogEvent::Line { line } if line.message == "last" => break,
            LogEvent::Line { .. } => heard += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(count + heard, 5000);
    daemon.shutdown.cancel();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_route_that_an_older_daemon_lacks_is_told_as_that() {
    let folder = folder();
    let socket = folder.path().join("old.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let old = axum::Router::new().fallback(async || {
        let error = ApiError::new(ErrorCode::NotFound, "there is no route");
        (axum::http::StatusCode::NOT_FOUND, axum::Json(tunnels_api::ErrorBody { error }))
    });
    tokio::spawn(axum::serve(listener, old).into_future());
    let error = Client::new(socket).logs(&LogQuery::default()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Older { route } if route == "/v1/logs"), "{error:?}");
    let error = ApiError::from(error);
    assert!(error.message.contains("older"), "{error}");
    assert!(error.hint.unwrap().contains("tunnels stop && tunnels up"));
}

#[tokio::test]
async fn health_and_readiness() {
    let daemon = Daemon::start();
    assert!(daemon.raw("GET /healthz").await.starts_with("HTTP/1.1 200"));
    let answer = daemon.raw("GET /readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.ends_with("orders-db connecting\n"), "{answer}");
    daemon.board.publish(daemon.slot, status("orders-db", TunnelState::Ready), None);
    assert!(daemon.raw("GET /readyz").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn mistakes_are_answered_in_the_error_shape() {
    let daemon = Daemon::start();
    let answer = daemon.raw("GET /v2/tunnels").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.contains(r#"{"error":{"code":"not-found""#), "{answer}");
    let answer = daemon.raw("GET /v1/up").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert!(answer.contains(r#"{"error":{"code":"usage""#), "{answer}");
}

#[tokio::test]
async fn whoever_was_accepted_before_the_end_is_heard_and_answered() {
    let daemon = Daemon::start();
    let mut early = UnixStream::connect(&daemon.socket).await.unwrap();
    // What is accepted in order is accepted: the one before this, too.
    assert!(daemon.raw("GET /v1/version").await.starts_with("HTTP/1.1 200"));
    daemon.shutdown.cancel();
    while daemon.socket.exists() {
        tokio::task::yield_now().await;
    }
    early.write_all(b"GET /v1/version HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""pid":7"#), "{answer:?}");
    daemon.serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_does_not_keep_a_daemon_from_its_end() {
    let daemon = Daemon::start();
    let mut mute = UnixStream::connect(&daemon.socket).await.unwrap();
    let mut kept = UnixStream::connect(&daemon.socket).await.unwrap();
    kept.write_all(b"GET /v1/version HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    assert!(kept.read(&mut [0; 4096]).await.unwrap() > 0);
    daemon.shutdown.cancel();
    tokio::time::timeout(LAST_ANSWERS, daemon.serving).await.expect("it ends in good order").unwrap().unwrap();
    // Neither is served any more by a daemon that may go on for its connections' sake.
    for stream in [&mut mute, &mut kept] {
        assert_eq!(stream.read(&mut [0; 4096]).await.unwrap(), 0, "it is closed");
    }
}
