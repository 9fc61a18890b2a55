//! Several targets for one tunnel: who carries it, when another takes over, and that it is said.

use crate::harness::{World, connect, echo, echoes, free_port};
use serde_json::json;
use ssm_sim::{AgentKind, AgentPace, Node, SimConfig, Simulator};
use std::time::Duration;
use tunnels_api::{CauseKind, TunnelState};

const FIRST: &str = "i-0aaaaaaaaaaaaaaaa";
const SECOND: &str = "i-0bbbbbbbbbbbbbbbb";

/// A daemon with one tunnel over both nodes, by these words of its `target`.
async fn world(target: &str) -> World {
    let config = SimConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        agent: AgentKind::BuiltIn(AgentPace::Fast),
        nodes: vec![Node::named(FIRST, "bastion"), Node::named(SECOND, "bastion")],
        seed: Some(1),
        ..SimConfig::default()
    };
    let sim = Simulator::start(config).await.unwrap();
    let (local, remote) = (free_port().await, echo("127.0.0.1:0".parse().unwrap()).await);
    let text = format!("[tunnels.a]\nremote = \"{remote}\"\nlocal = \"{local}\"\ntarget = {target}\n");
    World::run(sim, tempfile::tempdir().unwrap(), remote, local, &text, Duration::ZERO)
}

async fn ready_on(world: &World, target: &str) {
    world.wait(target, |s| s.state == TunnelState::Ready && s.target.as_deref() == Some(target)).await;
    echoes(&mut connect(world.local).await, b"there").await;
}

/// The session is gone, as when its target is.
fn end_sessions(world: &World) {
    for session in world.sim.sessions().sessions {
        world.sim.close_session(&session.id, "");
    }
}

async fn the_next_takes_over_and_keeps_the_tunnel(target: &str) {
    let world = world(target).await;
    world.up().await;
    ready_on(&world, FIRST).await;

    world.sim.set_faults(&json!({ "offline": [FIRST] })).unwrap();
    end_sessions(&world);
    ready_on(&world, SECOND).await;
    let told = world.daemon.history("a").unwrap().changes;
    let moved = told.iter().find(|change| change.cause.text.contains(SECOND)).expect("it is told");
    assert_eq!(moved.cause.kind, CauseKind::TargetOffline);
    assert!(moved.cause.text.contains(FIRST), "{moved:?}");

    // The first one is back, and that is no reason to move again.
    world.sim.clear_faults();
    end_sessions(&world);
    world.wait("another session", |status| status.state != TunnelState::Ready).await;
    ready_on(&world, SECOND).await;

    world.sim.set_faults(&json!({ "offline": [SECOND] })).unwrap();
    end_sessions(&world);
    ready_on(&world, FIRST).await;
}

#[tokio::test]
async fn of_a_list_the_next_takes_over_and_keeps_the_tunnel() {
    the_next_takes_over_and_keeps_the_tunnel(&format!("[\"{FIRST}\", \"{SECOND}\"]")).await;
}

#[tokio::test]
async fn of_a_tag_the_next_takes_over_and_keeps_the_tunnel() {
    the_next_takes_over_and_keeps_the_tunnel("{ tag = \"Name=bastion\" }").await;
}
