//! What becomes of sessions: lost and resumed, ended and replaced, never left behind.

use crate::harness::{PATIENCE, World, echoes, noise};
use ssm_sim::{Cut, How, Side};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tunnels_api::{CauseKind, StateChange, TunnelState};
use tunnels_daemon::{ClaimError, Daemon, StartError};

#[tokio::test]
async fn a_cut_in_the_middle_of_a_transfer_is_not_noticed_by_the_application() {
    let world = World::ready("max_sessions = 1").await;
    let bytes = noise(24_000_000);
    let mut app = world.connect().await;
    let cuts = async {
        for part in 1..=3 {
            let enough = part * 4_000_000;
            while world.status().bytes_in < enough {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            world.cut_client();
            world.wait_for(TunnelState::Reconnecting).await;
            world.wait_for(TunnelState::Ready).await;
        }
    };
    tokio::join!(echoes(&mut app, &bytes), cuts);
    assert_eq!(world.calls("StartSession"), 1);
    assert!(world.calls("ResumeSession") >= 3);
}

#[tokio::test]
async fn a_refused_resume_is_tried_again() {
    let world = World::ready("").await;
    let mut app = world.connect().await;
    echoes(&mut app, b"before").await;
    world.sim.set_faults(&serde_json::json!({ "resume_refusals": 2 })).unwrap();
    world.cut_client();
    let waiting = world.wait("waiting", |status| status.retry_at.is_some()).await;
    assert_eq!(waiting.state, TunnelState::Reconnecting);
    assert_eq!((waiting.sessions, waiting.sessions_resuming), (1, 1));
    assert_eq!(waiting.cause.unwrap().kind, CauseKind::ServiceError);
    world.wait_for(TunnelState::Ready).await;
    echoes(&mut app, b"after").await;
    assert_eq!(world.calls("ResumeSession"), 3);
}

#[tokio::test]
async fn a_new_connection_waits_while_the_session_is_resumed() {
    let world = World::ready("").await;
    world.sim.set_faults(&serde_json::json!({ "resume_refusals": 1 })).unwrap();
    world.cut_client();
    world.wait_for(TunnelState::Reconnecting).await;
    let mut app = world.connect().await;
    echoes(&mut app, b"hello").await;
}

#[tokio::test]
async fn a_session_that_ends_resets_its_connections_and_is_replaced() {
    let world = World::ready("").await;
    let mut app = world.connect().await;
    echoes(&mut app, b"hello").await;
    let first = world.sim.sessions().sessions[0].id.clone();
    assert!(world.sim.close_session(&first, "Session reached its maximum duration"));
    let ended = world.wait("the end", |status| status.cause.is_some()).await;
    assert_eq!(ended.cause.unwrap().kind, CauseKind::MaxDuration);
    let read = timeout(PATIENCE, app.read(&mut [0])).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    world.wait_for(TunnelState::Ready).await;
    echoes(&mut world.connect().await, b"again").await;
    assert_eq!(world.open_sessions(), 1);
}

#[tokio::test]
async fn the_idle_policy_is_not_worked_around() {
    let world = World::ready("").await;
    let first = world.sim.sessions().sessions[0].id.clone();
    world.sim.close_session(&first, "Your session timed out due to inactivity.");
    let parked = world.wait_for(TunnelState::Listening).await;
    assert_eq!(parked.cause.unwrap().kind, CauseKind::IdlePolicy);
    assert_eq!(world.open_sessions(), 0);
    echoes(&mut world.connect().await, b"again").await;
}

#[tokio::test]
async fn an_unused_session_is_parked_and_the_next_connection_opens_another() {
    let world = World::ready("park_after = \"300ms\"\nprobe = \"none\"").await;
    let parked = world.wait_for(TunnelState::Listening).await;
    assert_eq!(parked.cause.unwrap().kind, CauseKind::Parked);
    echoes(&mut world.connect().await, b"again").await;
}

#[tokio::test]
async fn missing_credentials_are_waited_for_with_streams_frozen() {
    let world = World::ready("").await;
    let mut app = world.connect().await;
    echoes(&mut app, b"before").await;
    world.sim.set_faults(&serde_json::json!({ "expired_credentials": true })).unwrap();
    world.cut_client();
    let waiting = world.wait_for(TunnelState::NeedsLogin).await;
    assert_eq!(waiting.cause.unwrap().kind, CauseKind::Credentials);
    assert_eq!(waiting.sessions, 1);
    // The login happens; nobody tells the daemon.
    world.sim.clear_faults();
    world.wait_for(TunnelState::Ready).await;
    echoes(&mut app, b"after").await;
    assert_eq!(world.calls("StartSession"), 1);
}

#[tokio::test]
async fn a_restart_has_a_new_session_and_the_same_port() {
    let world = World::ready("").await;
    world.daemon.restart(vec!["a".into()]).await.unwrap();
    world.wait_for(TunnelState::Connecting).await;
    world.wait_for(TunnelState::Ready).await;
    echoes(&mut world.connect().await, b"hello").await;
    assert_eq!(world.calls("StartSession"), 2);
}

#[tokio::test]
async fn stopping_leaves_no_session_behind() {
    let world = World::ready("").await;
    let mut app = world.connect().await;
    echoes(&mut app, b"hello").await;
    let (sim, _folder) = world.stop().await;
    let report = sim.sessions();
    assert!(report.sessions.iter().all(|session| session.ended.is_some()), "{report:?}");
    assert!(report.calls.iter().any(|call| call.operation == "TerminateSession"));
    assert!(app.write_all(b"x").await.is_err() || app.read(&mut [0]).await.is_err());
}

#[tokio::test]
async fn what_a_crash_leaves_is_ended_and_brought_up_by_the_next_start() {
    let world = World::ready("").await;
    let (local, remote) = (world.local, world.remote);
    let left = world.sim.sessions().sessions[0].id.clone();
    let state = world.state_file();
    while !std::fs::read_to_string(&state).is_ok_and(|text| text.contains(&left)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (sim, folder) = world.crash().await;
    let world = World::start(sim, folder, remote, local, "");
    world.wait_for(TunnelState::Ready).await;
    let ended = async {
        while world.sim.sessions().sessions.iter().any(|session| session.id == left && session.ended.is_none()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("the session that was left over ends");
    assert_eq!(world.open_sessions(), 1);
}

#[tokio::test]
async fn a_second_daemon_with_another_runtime_folder_leaves_the_first_one_s_sessions_alone() {
    let world = World::ready("").await;
    let mut app = world.connect().await;
    echoes(&mut app, b"before").await;
    let error = Daemon::start(world.second()).unwrap_err();
    let socket = &world.daemon.version().socket;
    assert!(error.to_string().contains(socket.as_str()), "{error}");
    assert!(matches!(error, StartError::Claim(ClaimError::StateInUse { .. })), "{error:?}");
    assert_eq!(world.calls("TerminateSession"), 0);
    echoes(&mut app, b"after").await;
}

/// What AWS says of how long sessions may live.
#[tokio::test]
async fn a_session_is_replaced_before_its_longest_life_is_over_and_keeps_its_connections() {
    let world = World::new("").await;
    world.sim.set_faults(&serde_json::json!({ "max_duration_s": 20 })).unwrap();
    world.up().await;
    world.wait_for(TunnelState::Ready).await;
    let mut old = world.connect().await;
    echoes(&mut old, b"before").await;
    // What AWS said is asked for after some seconds; then nine tenths of the life have to pass. Should this machine stand still
    // for the rest of it, AWS is not to end what is about to be replaced.
    let asked = async {
        while world.calls("DescribeSessions") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asked).await.expect("AWS is asked");
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.sim.clear_faults();
    world.wait("both sessions", |status| status.sessions == 2).await;
    assert_eq!(world.status().state, TunnelState::Ready);
    let mut new = world.connect().await;
    echoes(&mut new, b"new").await;
    echoes(&mut old, b"still").await;
    assert_eq!(last_change(&world).cause.kind, CauseKind::MaxDuration, "the history says why");
    // The last connection of the old one ends it.
    drop(old);
    world.wait("one session", |status| status.sessions == 1).await;
    echoes(&mut new, b"still").await;
    assert_eq!((world.open_sessions(), world.calls("StartSession")), (1, 2));
}

fn last_change(world: &World) -> StateChange {
    let history = world.daemon.history(&world.status().name).expect("the tunnel has a history");
    history.changes.last().expect("it has come up").clone()
}

/// The agent's side is gone, and the gateway still takes what is sent.
#[tokio::test]
async fn a_silent_agent_costs_new_connections_nothing_and_old_ones_only_their_patience() {
    let world = World::ready("").await;
    let mut old = world.connect().await;
    echoes(&mut old, b"before").await;
    let first = world.sim.sessions().sessions[0].id.clone();
    let cut = Cut { side: Side::Agent, how: How::Blackhole, session: Some(first.clone()), for_s: None };
    assert_eq!(world.sim.cut(&cut), 1);
    old.write_all(b"into the dark").await.unwrap();
    let silent = world.wait_for(TunnelState::Reconnecting).await;
    assert_eq!(silent.cause.unwrap().kind, CauseKind::Unresponsive);
    let mut new = world.connect().await;
    echoes(&mut new, b"new").await;
    world
        .wait("ready beside the frozen session", |status| {
            status.state == TunnelState::Ready && (status.sessions, status.sessions_resuming) == (2, 1)
        })
        .await;
    assert!(world.sim.sessions().sessions.iter().any(|session| session.id == first && session.ended.is_none()));
    assert!(timeout(Duration::from_millis(100), old.read(&mut [0; 64])).await.is_err(), "frozen, not closed");
    // The state stays what it is when that one ends; the history tells of it.
    assert!(world.sim.close_session(&first, "maintenance"));
    let lost = async {
        while last_change(&world).connections.lost == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, lost).await.expect("the frozen connection is lost");
    let change = last_change(&world);
    assert_eq!((change.from, change.to), (TunnelState::Ready, TunnelState::Ready));
    assert!(change.cause.text.contains("maintenance"), "{change:?}");
    world.daemon.down(vec![]).await.unwrap();
    world.wait_for(TunnelState::Down).await;
    let (sim, _folder) = world.stop().await;
    assert!(sim.sessions().sessions.iter().all(|session| session.ended.is_some()));
}
