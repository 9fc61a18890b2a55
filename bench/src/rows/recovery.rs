//! A websocket is cut: how long a connection stands still, and whether transfers live.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use tunnels_tests::{Direction, PingPong, TestRemote, TestSim, Transfer, wait_until};

use super::Entry;
use crate::ping::Series;
use crate::report::{PLUGIN, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws, Clients, Way};

pub(super) const ENTRY: Entry =
    Entry { name: "recovery", about: "websockets cut under traffic, fast agent: the gap, and what lives", run };

const DEADLINE: Duration = Duration::from_secs(30);
/// What the daemon calls a stable websocket, and some more: one that is lost younger is resumed with a back-off.
const STABLE: Duration = Duration::from_millis(1200);
const CUTS: [(&str, &str); 4] = [("client", "bye"), ("client", "reset"), ("agent", "bye"), ("agent", "reset")];
/// Cuts of one kind for each run.
const CUTS_PER_RUN: usize = 3;
const ROUND_TRIPS_MS: [u64; 2] = [0, 50];

const WHOLE: &str = "cut transfers that arrived whole, every side, way, direction and round trip";
const DIRECTIONS: [Direction; 2] = [Direction::Download, Direction::Upload];
const LENGTH: u64 = 32 << 20;
/// The plugin would need a minute for as much.
const PLUGIN_LENGTH: u64 = 3 << 20;
/// A transfer that moves nothing for so long hangs for good: everything that heals does so within a second or two.
const HUNG: Duration = Duration::from_secs(10);

fn run(setting: &Setting, row: &mut Row) {
    for round_trip_ms in ROUND_TRIPS_MS {
        for (side, how) in CUTS {
            let mut gaps = Series(gaps(setting, side, how, round_trip_ms, setting.runs * CUTS_PER_RUN));
            let what = gap(side, how, round_trip_ms);
            row.add_time(&what, TUNNELS, gaps.p50());
            row.add_time(&format!("{what}, p99"), TUNNELS, gaps.p99());
        }
    }
    for (side, how) in CUTS {
        let what = gap(side, how, 0);
        row.at_most(&format!("{what} ≤ 50 ms"), "ms", row.median(&what, TUNNELS), 50.0);
    }
    for round_trip_ms in ROUND_TRIPS_MS {
        survivals(setting, row, round_trip_ms);
    }
    let part = row.mean(WHOLE, TUNNELS);
    let theirs = row.mean(WHOLE, PLUGIN).map(|percent| format!("; the plugin {percent:.0} %")).unwrap_or_default();
    row.at_least("100 % of cut transfers live", &format!("% arrived whole{theirs}"), part, 100.0);
}

fn gap(side: &str, how: &str, round_trip_ms: u64) -> String {
    format!("{side} {how}, {round_trip_ms} ms: gap")
}

/// The waits that so many cuts cause, through a tunnel of their own.
fn gaps(setting: &Setting, side: &str, how: &str, round_trip_ms: u64, cuts: usize) -> Vec<Duration> {
    let remote = TestRemote::start();
    let aws = Aws::start(setting, Agent::Fast);
    let without_plugin = Setting { runs: setting.runs, plugin: None, agent: None };
    let mut clients = Clients::start(&without_plugin, &aws, remote.address(), "max_sessions = 1");
    let sim = aws.sim();
    sim.faults(&json!({ "latency_ms": round_trip_ms / 2 }));
    let connection = PingPong::start(clients.ways()[0].port);
    // Warm: the first round trips dial and fill caches.
    connection.gap_of(DEADLINE, || {});
    let mut one = |cut: usize| {
        sleep(STABLE);
        connection.gap_of(DEADLINE, || {
            sim.cut(side, how);
            wait_until("the side to be back", DEADLINE, || (resumes(sim) == cut as u64).then_some(()));
        })
    };
    (1..=cuts).map(&mut one).collect()
}

fn resumes(sim: &TestSim) -> u64 {
    sim.sessions()[0]["resumes"].as_u64().unwrap_or(0)
}

/// Cuts transfers in their middle.
fn survivals(setting: &Setting, row: &mut Row, round_trip_ms: u64) {
    let remote = TestRemote::start();
    for (side, how) in CUTS {
        for direction in DIRECTIONS {
            // Anew each time: after a cut the plugin is of no more use.
            let aws = Aws::start(setting, Agent::Fast);
            let mut clients = Clients::start(setting, &aws, remote.address(), "max_sessions = 1");
            aws.sim().faults(&json!({ "latency_ms": round_trip_ms / 2 }));
            for way in clients.ways() {
                let (runs, length) = match way.who {
                    PLUGIN => (1, PLUGIN_LENGTH),
                    _ => (setting.runs, LENGTH),
                };
                for seed in 0..runs {
                    sleep(STABLE);
                    let is_whole = survives(&aws, way, (direction, length), (side, how), seed as u64);
                    let percent = if is_whole { 100.0 } else { 0.0 };
                    row.add(WHOLE, way.who, "%", percent);
                }
            }
        }
    }
}

fn survives(aws: &Aws, way: Way, (direction, length): (Direction, u64), (side, how): (&str, &str), seed: u64) -> bool {
    let transfer = Transfer::start(direction, way.port, length, seed);
    wait_until("the transfer to be under way", DEADLINE, || (transfer.moved() >= length / 4).then_some(()));
    aws.sim().cut(side, how);
    let mut last = (transfer.moved(), Instant::now());
    while transfer.is_open() {
        sleep(Duration::from_millis(10));
        let moved = transfer.moved();
        if moved != last.0 {
            last = (moved, Instant::now());
        } else if last.1.elapsed() > HUNG {
            // Its thread ends with the program that it hangs in.
            return false;
        }
    }
    transfer.outcome().is_whole
}
