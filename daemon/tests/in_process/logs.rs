//! What the daemon says in its log, over the socket: each change once, and nothing again and again.

use crate::harness::{PATIENCE, World, echo, echoes, free_port, logs};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;
use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tunnels_api::{Client, LogEvent, LogLevel, LogLine, LogQuery, TunnelState};

/// Everything that our own crates say goes to this test's buffer, as long as the guard lives.
fn listening() -> DefaultGuard {
    let ours =
        Targets::new().with_targets(["tunnels", "ssm_session", "ssm_proto"].map(|target| (target, Level::TRACE)));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(logs().layer().with_filter(ours)))
}

fn client(world: &World) -> Client {
    Client::new(world.daemon.version().socket)
}

/// What somebody reads who asks for nothing special.
async fn lines(world: &World) -> Vec<LogLine> {
    let query = LogQuery { level: Some(LogLevel::Info), tunnel: Some("a".into()), ..LogQuery::default() };
    client(world).logs(&query).await.unwrap().lines
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| &*line.message).collect()
}

#[tokio::test]
async fn each_change_of_state_is_one_line_with_its_cause() {
    let _guard = listening();
    let world = World::ready("").await;
    world.sim.set_faults(&json!({ "resume_refusals": 2 })).unwrap();
    world.cut_client();
    world.wait_for(TunnelState::Reconnecting).await;
    world.wait_for(TunnelState::Ready).await;
    let lines = lines(&world).await;
    let states: Vec<&str> = texts(&lines).into_iter().filter(|text| *text != "session open").collect();
    assert_eq!(states[..2], ["down → connecting", "connecting → ready"]);
    assert!(states[2].starts_with("ready → reconnecting: "), "{states:?}");
    assert!(states[3].starts_with("reconnecting: "), "{states:?}");
    assert_eq!(states[4..], ["reconnecting → ready"], "one line for two refusals");
    assert_eq!(lines[lines.len() - 2].level, LogLevel::Warn, "it waits for the next try");
    assert!(lines.iter().all(|line| line.tunnel.as_deref() == Some("a")));
}

#[tokio::test]
async fn connections_that_hammer_a_refused_remote_do_not_fill_the_log() {
    let _guard = listening();
    let remote = free_port().await;
    let world = World::to(remote, "").await;
    world.up().await;
    for _ in 0..300 {
        let mut app = world.connect().await;
        assert!(timeout(PATIENCE, app.read(&mut [0])).await.unwrap().is_err());
    }
    world.wait_for(TunnelState::Degraded).await;
    let before = lines(&world).await;
    // One more where a busy machine had the refusal come after the probe's time.
    assert!(before.len() <= 5, "{before:#?}");
    assert!(before.last().unwrap().message.contains(" → degraded: "), "{before:#?}");
    // What each of them met is there for whoever asks.
    let all = client(&world).logs(&LogQuery { tunnel: Some("a".into()), ..LogQuery::default() }).await.unwrap();
    assert!(all.lines.iter().any(|line| line.level > LogLevel::Info));
    echo(remote).await;
    echoes(&mut world.connect().await, b"hello").await;
    world.wait_for(TunnelState::Ready).await;
    assert_eq!(lines(&world).await.last().unwrap().message, "degraded → ready");
}

#[tokio::test]
async fn who_follows_hears_of_a_change_and_of_the_end() {
    let _guard = listening();
    let world = World::new("").await;
    let query = LogQuery { level: Some(LogLevel::Info), ..LogQuery::default() };
    let mut events = client(&world).follow_logs(&query).await.unwrap();
    assert!(matches!(events.next().await.unwrap().unwrap(), LogEvent::Snapshot { .. }));
    world.up().await;
    let heard = timeout(PATIENCE, async {
        loop {
            if let LogEvent::Line { line } = events.next().await.unwrap().unwrap()
                && line.message == "connecting → ready"
            {
                return line;
            }
        }
    });
    assert_eq!(heard.await.unwrap().tunnel.as_deref(), Some("a"));
    world.stop().await;
    let ended = timeout(PATIENCE, async { while let Some(Ok(_)) = events.next().await {} });
    ended.await.expect("the stream ends with the daemon");
}

#[tokio::test]
async fn no_secret_is_said_at_any_level() {
    let _guard = listening();
    let world = World::ready("").await;
    world.cut_client();
    world.wait_for(TunnelState::Reconnecting).await;
    world.wait_for(TunnelState::Ready).await;
    let all = client(&world).logs(&LogQuery::default()).await.unwrap().lines;
    assert!(all.iter().any(|line| line.level >= LogLevel::Debug));
    let text = serde_json::to_string(&all).unwrap();
    for secret in ["TokenValue", "token=", "cell-number=", "X-Amz-Signature"] {
        assert!(!text.contains(secret), "{secret} stands in:\n{text}");
    }
}
