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
const CUTS_PER_RUN: usize = 2;
const ROUND_TRIPS_MS: [u64; 2] = [0, 50];

const DIRECTIONS: [(Direction, &str); 2] = [(Direction::Download, "downloads"), (Direction::Upload, "uploads")];
/// Cut transfers of each kind, at most.
const TRANSFERS: usize = 2;
const LENGTH: u64 = 32 << 20;
/// The plugin would need a minute for as much.
const PLUGIN_LENGTH: u64 = 3 << 20;
/// A transfer that moves nothing for so long hangs for good: everything that heals does so within a second or two.
const HUNG: Duration = Duration::from_secs(5);

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
    let mut cuts = Vec::new();
    for round_trip_ms in ROUND_TRIPS_MS {
        cuts.append(&mut survivals(setting, round_trip_ms));
    }
    for who in [TUNNELS, PLUGIN] {
        for (side, _) in CUTS.into_iter().step_by(2) {
            for (_, direction) in DIRECTIONS {
                let of_these = |cut: &&Survival| (cut.who, cut.side, cut.direction) == (who, side, direction);
                let these: Vec<&Survival> = cuts.iter().filter(of_these).collect();
                let whole = these.iter().filter(|cut| cut.is_whole).count();
                if !these.is_empty() {
                    let what = format!("{direction}, {side}'s side cut: whole of {}", these.len());
                    row.add(&what, who, "", whole as f64);
                }
            }
        }
    }
    let ours = cuts.iter().filter(|cut| cut.who == TUNNELS);
    let whole = ours.clone().filter(|cut| cut.is_whole).count() as f64 * 100.0 / ours.count() as f64;
    row.at_least("100 % of cut transfers arrive whole", "%", Some(whole), 100.0);
}

/// What became of a transfer that was cut.
struct Survival {
    who: &'static str,
    side: &'static str,
    direction: &'static str,
    is_whole: bool,
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
fn survivals(setting: &Setting, round_trip_ms: u64) -> Vec<Survival> {
    let mut survivals = Vec::new();
    let remote = TestRemote::start();
    for (side, how) in CUTS {
        for (direction, name) in DIRECTIONS {
            // Anew each time: after a cut the plugin is of no more use.
            let aws = Aws::start(setting, Agent::Fast);
            let mut clients = Clients::start(setting, &aws, remote.address(), "max_sessions = 1");
            aws.sim().faults(&json!({ "latency_ms": round_trip_ms / 2 }));
            for way in clients.ways() {
                let (runs, length) = match way.who {
                    // Most of its transfers hang, and each costs the time that tells so.
                    PLUGIN if round_trip_ms > 0 => (0, PLUGIN_LENGTH),
                    PLUGIN => (1, PLUGIN_LENGTH),
                    _ => (setting.runs.min(TRANSFERS), LENGTH),
                };
                for seed in 0..runs {
                    sleep(STABLE);
                    let is_whole = survives(&aws, way, (direction, length), (side, how), seed as u64);
                    survivals.push(Survival { who: way.who, side, direction: name, is_whole });
                }
            }
        }
    }
    survivals
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
