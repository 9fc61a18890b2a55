//! Paths that die without a word: found by pings, resumed, and no byte lost.

use std::time::{Duration, Instant};

use serde_json::json;
use tunnels_tests::{
    Direction, PingPong, SimOptions, TestDaemon, TestRemote, TestSim, Transfer, test_runs, wait_until,
};

const INTERVAL: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(1);
/// What the resume may take once the black hole is found.
const RESUME: Duration = Duration::from_secs(1);
/// The agent's longest resend timeout: what its side lost in the hole is sent again so late after the resume at worst.
const AGENT_RESENDS: Duration = Duration::from_secs(1);
/// What a machine that stands still for a while may add; without these pings nothing would be found before.
const WORST: Duration = Duration::from_secs(10);
/// One of so many is undisturbed.
const RUNS: u64 = 3;
/// Bytes per second: a transfer that is to be cut in its middle is not over before.
const SLOW: u64 = 16 << 20;
const DEADLINE: Duration = Duration::from_secs(30);

/// A ready tunnel that pings often.
fn setup() -> (TestRemote, TestSim, TestDaemon) {
    let remote = TestRemote::start();
    let sim = TestSim::start_with(&SimOptions::default());
    let user = TestDaemon::new(&sim).tunnel_with(
        "files",
        &remote.address().to_string(),
        "ping_interval = \"2s\"\nping_timeout = \"1s\"\nmax_sessions = 1",
    );
    user.run(&["up", "--wait"]).expect_success();
    (remote, sim, user)
}

fn resumes(sim: &TestSim) -> u64 {
    sim.sessions()[0]["resumes"].as_u64().expect("a count")
}

#[track_caller]
fn are_within(bound: Duration, how: &str, all: &[Duration]) {
    assert!(all.iter().min() <= Some(&bound) && all.iter().max() <= Some(&WORST), "{how}: {all:?}");
}

#[test]
fn a_black_hole_is_found_and_resumed_within_the_deadline_of_its_ping() {
    let (_remote, sim, user) = setup();
    for how in ["blackhole", "halfopen"] {
        let mut all = Vec::new();
        for _ in 0..test_runs().max(RUNS) {
            let before = resumes(&sim);
            let began = Instant::now();
            sim.cut("client", how);
            wait_until("the resume", DEADLINE, || (resumes(&sim) > before).then_some(()));
            let took = began.elapsed();
            println!("idle, {how}: resumed after {took:?}");
            all.push(took);
            user.wait_for("files", "ready");
        }
        // A ping leaves an interval after the last one at the latest, and its answer has the timeout to come.
        are_within(INTERVAL + TIMEOUT + RESUME, how, &all);
    }
    assert_eq!(sim.sessions().len(), 1, "the session survived: {:?}", sim.sessions());
}

#[test]
fn a_connection_in_a_black_hole_goes_on_after_the_deadline_of_its_ping() {
    let (_remote, sim, user) = setup();
    let connection = PingPong::start(user.port("files"));
    for how in ["blackhole", "halfopen"] {
        let mut all = Vec::new();
        for _ in 0..test_runs().max(RUNS) {
            let before = resumes(&sim);
            let gap = connection.gap_of(DEADLINE, || {
                sim.cut("client", how);
                wait_until("the resume", DEADLINE, || (resumes(&sim) > before).then_some(()));
            });
            println!("busy, {how}: no byte for {gap:?}");
            all.push(gap);
            user.wait_for("files", "ready");
        }
        are_within(INTERVAL + TIMEOUT + RESUME + AGENT_RESENDS, how, &all);
    }
}

#[test]
fn transfers_survive_black_holes_of_either_side() {
    let (_remote, sim, user) = setup();
    sim.faults(&json!({ "agent_patience_s": 2.0 }));
    let bytes = tunnels_tests::test_bytes() / 2;
    for direction in [Direction::Download, Direction::Upload] {
        for (side, how) in
            [("client", "blackhole"), ("client", "halfopen"), ("agent", "blackhole"), ("agent", "halfopen")]
        {
            println!("{direction:?}, {how} of the {side}'s side");
            sim.faults(&json!({ "rate_bytes_per_s": SLOW }));
            let transfer = Transfer::start(direction, user.port("files"), bytes, 51);
            transfer.wait_past(bytes / 4);
            sim.cut(side, how);
            sim.faults(&json!({ "rate_bytes_per_s": null }));
            transfer.finish();
            user.wait_for("files", "ready");
        }
    }
    assert_eq!(sim.sessions().len(), 1, "the session survived: {:?}", sim.sessions());
}
