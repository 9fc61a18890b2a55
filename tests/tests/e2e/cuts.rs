//! The websocket is cut in the middle of a transfer: the TCP connection lives and loses nothing.

use std::io::Write;
use std::time::Duration;

use serde_json::json;
use tunnels_tests::{Direction, TestDaemon, TestRemote, TestSim, Transfer, test_bytes, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);
/// Bytes per second: a transfer that is to be cut in its middle is not over before.
const SLOW: u64 = 24 << 20;

/// Cuts one side's websocket when a quarter and when half of a transfer have moved.
#[track_caller]
fn survives(direction: Direction, side: &str, how: &str) {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_of_one("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let events = user.events();

    sim.faults(&json!({ "rate_bytes_per_s": SLOW }));
    let transfer = Transfer::start(direction, user.port("files"), test_bytes(), 41);
    for quarters in [1, 2] {
        transfer.wait_past(test_bytes() * quarters / 4);
        sim.cut(side, how);
    }
    sim.faults(&json!({ "rate_bytes_per_s": null }));
    transfer.finish();

    if side == "client" {
        events.wait_for_sequence("files", &["ready", "reconnecting", "ready"]);
        assert!(sim.calls("ResumeSession") >= 1, "a lost websocket is resumed, not replaced");
    }
    user.wait_for("files", "ready");
    assert_eq!(sim.sessions().len(), 1, "the session survived: {:?}", sim.sessions());
}

#[test]
fn download_survives_a_reset_on_our_side() {
    survives(Direction::Download, "client", "reset");
}

#[test]
fn download_survives_the_services_recycle_on_our_side() {
    survives(Direction::Download, "client", "bye");
}

#[test]
fn upload_survives_a_reset_on_our_side() {
    survives(Direction::Upload, "client", "reset");
}

#[test]
fn upload_survives_the_services_recycle_on_our_side() {
    survives(Direction::Upload, "client", "bye");
}

#[test]
fn download_survives_a_reset_on_the_agents_side() {
    survives(Direction::Download, "agent", "reset");
}

#[test]
fn upload_survives_a_reset_on_the_agents_side() {
    survives(Direction::Upload, "agent", "reset");
}

#[test]
fn idle_connections_survive_many_cuts() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_of_one("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let port = user.port("files");

    let mut held = tunnels_tests::hold_open(("127.0.0.1", port), b"before").unwrap();
    for side in ["client", "agent", "client", "agent"] {
        sim.cut(side, "reset");
        user.wait_for("files", "ready");
        tunnels_tests::echo_once(port, 100_000, 42).unwrap();
    }
    wait_until("the echoes' connections to end", DEADLINE, || (remote.open_connections() <= 1).then_some(()));
    held.write_all(b"after").unwrap();
    wait_until("the idle connection to carry on", DEADLINE, || {
        (remote.received() == "beforeafter".len() as u64).then_some(())
    });
}

#[test]
fn refused_resumes_are_tried_again() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_of_one("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();

    sim.faults(&json!({ "resume_refusals": 2, "rate_bytes_per_s": SLOW }));
    let transfer = Transfer::start(Direction::Download, user.port("files"), test_bytes(), 43);
    transfer.wait_past(test_bytes() / 2);
    sim.cut("client", "reset");
    sim.faults(&json!({ "rate_bytes_per_s": null }));
    transfer.finish();
    let resumes = || (sim.calls("ResumeSession") >= 3).then_some(());
    wait_until("two resumes that are refused and one that is granted", DEADLINE, resumes);
}

#[test]
fn a_transfer_lives_through_lost_doubled_and_reordered_messages() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_of_one("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();

    sim.faults(&json!({ "duplicate": 0.01, "reorder": 0.01, "drop_acks": 0.01, "jitter_ms": 2 }));
    for direction in [Direction::Download, Direction::Upload] {
        Transfer::start(direction, user.port("files"), test_bytes() / 8, 45).finish();
    }
    assert_eq!(user.status("files")["state"], "ready");
}
