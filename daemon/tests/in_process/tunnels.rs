//! A tunnel's port, connections and probe.

use crate::harness::{World, echo, echoes, free_port, noise, simulator};
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tunnels_api::{CauseKind, ErrorCode, TunnelState};

#[tokio::test]
async fn carries_bytes_shows_figures_and_releases_the_port() {
    let world = World::ready("max_sessions = 1").await;
    let mut app = world.connect().await;
    echoes(&mut app, &noise(3_000_000)).await;
    let status = world.status();
    assert_eq!((status.bytes_in, status.bytes_out, status.streams), (3_000_000, 3_000_000, 1));
    assert_eq!(status.target.as_deref(), Some(ssm_sim::DEFAULT_NODE));
    assert!(status.rtt_ms.is_some());
    assert_eq!(status.sessions, 1);

    world.daemon.down(vec!["a".into()]).await.unwrap();
    world.wait_for(TunnelState::Down).await;
    let error = app.read(&mut [0]).await.expect_err("a reset, not an end of file");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(TcpStream::connect(world.local).await.is_err());
    let (sim, _folder) = world.stop().await;
    assert!(sim.sessions().sessions.iter().all(|session| session.ended.is_some()));
}

#[tokio::test]
async fn a_connection_before_the_session_is_held() {
    let world = World::new("open = \"on-demand\"").await;
    world.up().await;
    world.wait_for(TunnelState::Listening).await;
    assert_eq!(world.open_sessions(), 0);
    let mut app = world.connect().await;
    echoes(&mut app, b"hello").await;
    world.wait_for(TunnelState::Ready).await;
}

#[tokio::test]
async fn a_held_connection_is_reset_when_its_time_is_up() {
    let world = World::new("hold = \"300ms\"").await;
    world.sim.set_faults(&serde_json::json!({ "offline": [ssm_sim::DEFAULT_NODE] })).unwrap();
    world.up().await;
    let offline = world.wait("offline", |status| status.cause.is_some()).await;
    assert_eq!(offline.state, TunnelState::Connecting);
    assert_eq!(offline.cause.unwrap().kind, CauseKind::TargetOffline);
    let mut app = world.connect().await;
    assert_eq!(app.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    // It is there again: the next try finds it.
    world.sim.clear_faults();
    world.up().await;
    world.wait_for(TunnelState::Ready).await;
}

#[tokio::test]
async fn a_remote_that_refuses_is_degraded_until_a_connection_works() {
    let remote = free_port().await;
    let world = World::to(remote, "").await;
    world.up().await;
    // Refused or not within the probe's time: a connection finds out.
    let mut app = world.connect().await;
    assert_eq!(app.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let degraded = world.wait_for(TunnelState::Degraded).await;
    assert_eq!(degraded.cause.unwrap().kind, CauseKind::RemoteRefused);
    let mut app = world.connect().await;
    assert_eq!(app.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    echo(remote).await;
    let mut app = world.connect().await;
    echoes(&mut app, b"hello").await;
    world.wait_for(TunnelState::Ready).await;
}

#[tokio::test]
async fn a_taken_port_names_its_holder_and_is_bound_when_it_is_free() {
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = holder.local_addr().unwrap();
    let remote = echo("127.0.0.1:0".parse().unwrap()).await;
    let world = World::start(simulator().await, tempfile::tempdir().unwrap(), remote, local, "");
    world.up().await;
    let failed = world.wait_for(TunnelState::Failed).await;
    let cause = failed.cause.unwrap();
    assert_eq!(cause.kind, CauseKind::PortTaken);
    #[cfg(target_os = "linux")]
    assert!(cause.text.contains(&std::process::id().to_string()), "{cause}");
    assert!(failed.retry_at.is_some());
    drop(holder);
    world.up().await;
    world.wait_for(TunnelState::Ready).await;
}

#[tokio::test]
async fn a_half_close_gets_its_whole_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    let answer = noise(200_000);
    let sent = answer.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sent = sent.clone();
            tokio::spawn(async move {
                let mut question = [0; 8];
                if stream.read_exact(&mut question).await.is_ok() {
                    drop(stream.write_all(&sent).await);
                }
            });
        }
    });
    let world = World::to(remote, "").await;
    world.up().await;
    world.wait_for(TunnelState::Ready).await;
    for _ in 0..20 {
        let mut app = world.connect().await;
        app.write_all(b"question").await.unwrap();
        app.shutdown().await.unwrap();
        let mut got = Vec::new();
        app.read_to_end(&mut got).await.unwrap();
        assert!(got == answer, "{} bytes of {}", got.len(), answer.len());
    }
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let remote = echo("127.0.0.1:0".parse().unwrap()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pg.sock");
    let second = format!(
        "[tunnels.b]\nremote = \"{remote}\"\nlocal = \"unix:{}\"\ntarget = \"{}\"",
        path.display(),
        ssm_sim::DEFAULT_NODE
    );
    let world = World::start(simulator().await, folder, remote, free_port().await, &second);
    world.daemon.up(vec!["b".into()], None).await.unwrap();
    world.wait("b is ready", |status| status.name == "b" && status.state == TunnelState::Ready).await;
    let mut app = tokio::net::UnixStream::connect(&path).await.unwrap();
    app.write_all(b"hello").await.unwrap();
    let mut got = [0; 5];
    app.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"hello");
    world.daemon.down(vec!["b".into()]).await.unwrap();
    world.wait("b is down", |status| status.name == "b" && status.state == TunnelState::Down).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn an_unknown_name_is_refused_and_changes_nothing() {
    let world = World::new("").await;
    let error = world.daemon.up(vec!["b".into()], None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NoSuchTunnel);
    assert_eq!(world.status().state, TunnelState::Down);
}
