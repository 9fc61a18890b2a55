//! The agent's process for a session dies, and nobody is told.

use serde_json::{Value, json};
use tunnels_tests::{Direction, NODE, TestRemote, TestSim, expect_replacement, patient_user};

fn dies(direction: Direction) {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = patient_user(&sim, NODE, &remote);
    expect_replacement(&user, &sim, direction, || {
        let killed = sim.control("POST", "/_sim/agent/restart", Some(&json!({})));
        assert_eq!(killed["restarted"], Value::from(1));
    });
}

#[test]
fn a_session_whose_agent_dies_during_a_download_is_replaced() {
    dies(Direction::Download);
}

#[test]
fn a_session_whose_agent_dies_during_an_upload_is_replaced() {
    dies(Direction::Upload);
}
