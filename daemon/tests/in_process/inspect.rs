//! What clients see when they look into a tunnel: connections, sessions, traffic, configuration.

use crate::harness::{NAME, PATIENCE, World, echoes};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use tunnels_api::{Client, ClientError, ConnectionState, ErrorCode, SessionState, SettingOrigin, Span, TunnelState};

fn client(world: &World) -> Client {
    Client::new(world.daemon.version().socket)
}

/// Asks until the answer is as it should be.
async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let asked = async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("never {what}"))
}

#[tokio::test]
async fn each_connection_is_shown_with_its_program_and_what_went_through_it() {
    let world = World::ready("").await;
    let client = client(&world);
    assert_eq!(client.connections(NAME).await.unwrap().connections, []);
    let mut app = world.connect().await;
    let mut other = world.connect().await;
    echoes(&mut app, b"twelve bytes").await;
    echoes(&mut other, b"x").await;
    let shown = client.connections(NAME).await.unwrap();
    assert_eq!((shown.tunnel.as_str(), shown.connections.len(), shown.left_out), (NAME, 2, 0));
    let first = &shown.connections[0];
    assert_eq!((first.state, first.bytes_in, first.bytes_out), (ConnectionState::Open, 12, 12));
    assert_eq!(first.peer, Some(app.local_addr().unwrap().to_string()));
    if cfg!(target_os = "linux") {
        assert_eq!(first.process.as_ref().map(|process| process.pid), Some(std::process::id()));
    }
    assert!(shown.connections[1].id > first.id);
    drop(app);
    let left = until("one connection", async || {
        let shown = client.connections(NAME).await.unwrap().connections;
        (shown.len() == 1).then(|| shown[0].id)
    });
    assert_eq!(left.await, shown.connections[1].id);
}

#[tokio::test]
async fn a_connection_that_waits_for_a_session_says_so() {
    let world = World::new("open = \"on-demand\"").await;
    world.sim.set_faults(&json!({ "offline": [ssm_sim::DEFAULT_NODE] })).unwrap();
    world.up().await;
    world.wait_for(TunnelState::Listening).await;
    let _app = world.connect().await;
    let client = client(&world);
    let held = until("a connection", async || client.connections(NAME).await.unwrap().connections.pop());
    assert_eq!(held.await.state, ConnectionState::Held);
}

#[tokio::test]
async fn sessions_are_shown_from_their_beginning_to_their_end() {
    let world = World::ready("").await;
    let client = client(&world);
    let mut app = world.connect().await;
    echoes(&mut app, b"hello").await;
    let session = client.sessions(NAME).await.unwrap().sessions.remove(0);
    let known = world.sim.sessions().sessions.remove(0);
    assert_eq!((&session.id, &session.target), (&known.id, &known.target));
    assert_eq!((session.state, session.connections), (SessionState::Open, 1));
    assert_eq!(session.document, "AWS-StartPortForwardingSessionToRemoteHost");
    assert!(session.agent_version.is_some_and(|version| version.split('.').count() == 4));
    assert!(session.rtt_ms.is_some());

    world.sim.set_faults(&json!({ "resume_refusals": 1000 })).unwrap();
    world.cut_client();
    until("resuming", async || {
        let sessions = client.sessions(NAME).await.unwrap().sessions;
        sessions.iter().any(|session| session.state == SessionState::Resuming).then_some(())
    })
    .await;
    world.sim.clear_faults();
    world.daemon.down(vec![]).await.unwrap();
    until("no session", async || client.sessions(NAME).await.unwrap().sessions.is_empty().then_some(())).await;
}

#[tokio::test]
async fn what_was_carried_lately_is_kept_by_the_second() {
    let world = World::new("").await;
    let client = client(&world);
    assert_eq!(client.traffic(NAME, Span::Hour).await.unwrap().samples, [], "it was never up");
    world.up().await;
    world.wait_for(TunnelState::Ready).await;
    let mut app = world.connect().await;
    echoes(&mut app, &[7; 4096]).await;
    let traffic = until("a sample with bytes in it", async || {
        let traffic = client.traffic(NAME, Span::Minute).await.unwrap();
        traffic.samples.iter().any(|sample| sample.rate_in > 0).then_some(traffic)
    })
    .await;
    assert_eq!((traffic.tunnel.as_str(), traffic.step_s), (NAME, 1));
    assert!(traffic.samples.iter().any(|sample| sample.rate_out > 0 && sample.rtt_ms.is_some()));
}

#[tokio::test]
async fn the_configuration_in_force_is_shown_with_its_origins_and_follows_edits() {
    let world = World::new("hold = \"7s\"").await;
    let client = client(&world);
    let hold = async || {
        let settings = client.settings(NAME).await.unwrap().settings;
        settings.into_iter().find(|setting| setting.key == "hold").expect("every key is there")
    };
    let setting = hold().await;
    assert_eq!(setting.value, "7s");
    assert!(matches!(&setting.origin, SettingOrigin::Tunnel { file, line: 5 } if file.ends_with("config.toml")));
    let target = ssm_sim::DEFAULT_NODE;
    let edited = format!(
        "[defaults]\nhold = \"9s\"\n[tunnels.{NAME}]\nremote = \"{}\"\nlocal = \"{}\"\ntarget = \"{target}\"\n",
        world.remote, world.local
    );
    world.edit(&edited);
    until("the edit", async || {
        let setting = hold().await;
        (setting.value == "9s" && matches!(setting.origin, SettingOrigin::Defaults { line: 2, .. })).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_name_that_nobody_has_is_told_as_that() {
    let world = World::new("").await;
    let client = client(&world);
    let refused = |error: ClientError| match error {
        ClientError::Refused(error) => assert_eq!(error.code, ErrorCode::NoSuchTunnel),
        other => panic!("{other:?}"),
    };
    refused(client.connections("b").await.unwrap_err());
    refused(client.sessions("b").await.unwrap_err());
    refused(client.traffic("b", Span::Minute).await.unwrap_err());
    refused(client.settings("b").await.unwrap_err());
}
