//! The simulator's odder faults against the real program: what stays alive loses nothing, and a start
//! that fails is tried again until it works.

use serde_json::json;
use tunnels_tests::{Direction, TestDaemon, TestRemote, TestSim, Transfer, echo_once, test_bytes, wait_until};

const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

#[test]
fn transfers_live_through_delays_and_damage() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    // Small messages both ways, of which many are hit.
    sim.faults(&json!({ "agent_payload": 4096 }));
    let user = TestDaemon::new(&sim).tunnel_of_one("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    for faults in [
        json!({ "spike": 0.002, "spike_ms": 300 }),
        json!({ "ack_delay_ms": 1500 }),
        json!({ "corrupt": 0.01 }),
        json!({ "garbage": 0.05 }),
    ] {
        println!("{faults}");
        sim.clear_faults();
        sim.faults(&faults);
        for direction in [Direction::Download, Direction::Upload] {
            Transfer::start(direction, user.port("files"), test_bytes() / 32, 31).finish();
        }
    }
    let sessions = sim.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!(sessions[0]["resumes"], 0, "no reason to leave the websocket: {sessions:?}");
}

#[test]
fn a_frame_that_is_too_large_costs_a_resume_and_no_byte() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_of_one("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    // Not over before it is cut.
    sim.faults(&json!({ "rate_bytes_per_s": 24 << 20 }));
    let transfer = Transfer::start(Direction::Download, user.port("files"), test_bytes(), 32);
    transfer.wait_past(test_bytes() / 4);
    sim.cut("client", "oversized");
    sim.clear_faults();
    transfer.finish();
    wait_until("the resume", DEADLINE, || (sim.calls("ResumeSession") > 0).then_some(()));
    assert_eq!(sim.sessions().len(), 1);
}

#[test]
fn a_start_that_fails_in_an_odd_way_is_tried_again() {
    let remote = TestRemote::start();
    for faults in [
        json!({ "start_delay_ms": 1500 }),
        json!({ "start_lost": 1 }),
        json!({ "upgrade_refusals": 2 }),
        json!({ "close_at_open": 1, "close_output": "Not now." }),
        json!({ "api": "closed" }),
        json!({ "gateway": "closed" }),
    ] {
        println!("{faults}");
        let sim = TestSim::start();
        let user = TestDaemon::new(&sim).tunnel("files", remote.address());
        sim.faults(&faults);
        user.run(&["up"]).expect_success();
        if faults.get("api").or(faults.get("gateway")).is_some() {
            user.wait_for_cause("files", "connecting", "network");
            sim.clear_faults();
        }
        user.wait_for("files", "ready");
        echo_once(user.port("files"), 1000, 33).unwrap();
    }
}
