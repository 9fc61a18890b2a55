//! What the tests drive the simulator with: HTTP, a client that resumes, a fake agent, a remote.

mod client;
mod fake_agent;
mod http;
mod remote;

use std::time::Duration;

use ssm_sim::{AgentKind, AgentPace, SimConfig, SimHandle, Simulator};

pub(crate) use self::client::{Client, resume, start_session};
pub(crate) use self::fake_agent::FakeAgent;
pub(crate) use self::http::{Answer, api, request, request_over, sim_call};
pub(crate) use self::remote::{Remote, hash, payload};

/// Longest wait for anything that must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A simulator on a free port with a fast built-in agent.
pub(crate) async fn start() -> SimHandle {
    start_with(fast()).await
}

pub(crate) async fn start_with(config: SimConfig) -> SimHandle {
    Simulator::start(config).await.expect("the simulator starts")
}

pub(crate) fn fast() -> SimConfig {
    SimConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        agent: AgentKind::BuiltIn(AgentPace::Fast),
        seed: Some(1),
        ..SimConfig::default()
    }
}

/// Waits for a state that the simulator reports.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "waited in vain for {what}");
}
