//! How long a connection stands still when a websocket is cut: `just bench-recovery`.
//!
//! One byte goes round and round through the program, the simulator and its fast agent. Each cut is
//! on one side, clean (`1000 Bye`) or hard (reset); what counts is the longest wait for the byte. Between cuts the
//! websocket gets older than a second: a younger one that is lost is resumed with a back-off.
//! `TUNNELS_TEST_RUNS` says how many cuts of each kind, by default 100.

use std::time::Duration;

use serde_json::json;
use tunnels_tests::{PingPong, TestDaemon, TestRemote, TestSim, runs_or, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);
/// What the daemon calls a stable websocket, and some more.
const STABLE: Duration = Duration::from_millis(1200);

fn main() {
    let runs = usize::try_from(runs_or(100)).expect("a number of cuts").max(1);
    println!("| cut | round trip | cuts | median | p99 | worst |\n|---|---|---|---|---|---|");
    for round_trip_ms in [0, 50] {
        for (side, how) in [("client", "bye"), ("client", "reset"), ("agent", "bye"), ("agent", "reset")] {
            let mut gaps = gaps(side, how, round_trip_ms, runs);
            gaps.sort_unstable();
            let at = |percent: usize| gaps[(runs * percent).div_ceil(100) - 1].as_secs_f64() * 1000.0;
            println!(
                "| {side} {how} | {round_trip_ms} ms | {runs} | {:.1} ms | {:.1} ms | {:.1} ms |",
                at(50),
                at(99),
                at(100)
            );
        }
    }
}

/// The waits that so many cuts cause, through a tunnel of their own.
fn gaps(side: &str, how: &str, round_trip_ms: u64, runs: usize) -> Vec<Duration> {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("echo", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    sim.faults(&json!({ "latency_ms": round_trip_ms / 2 }));
    let connection = PingPong::start(user.port("echo"));
    // Warm: the first round trips dial and fill caches.
    connection.gap_of(DEADLINE, || {});
    (1..=runs)
        .map(|cut| {
            std::thread::sleep(STABLE);
            connection.gap_of(DEADLINE, || {
                sim.cut(side, how);
                wait_until("the side to be back", DEADLINE, || {
                    (sim.sessions()[0]["resumes"].as_u64() == Some(cut as u64)).then_some(())
                });
            })
        })
        .collect()
}
