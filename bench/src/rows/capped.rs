//! A service that carries 600 kB/s of a session, 50 ms away: is the cap reached, without queues and without sending twice?

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use tunnels_tests::{Direction, TestRemote};

use super::Entry;
use crate::bulk::Bulk;
use crate::ping::Ping;
use crate::report::{Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Stage, Way};

pub(super) const ENTRY: Entry =
    Entry { name: "capped", about: "600 kB/s cap for each session, 50 ms round trip, one session", run };

const RATE: u64 = 600_000;
const ONE_WAY_MS: u64 = 25;
/// Runs are long: a queue that grows does so slowly.
const TIME: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(1);
const PARTS: u32 = 4;
/// Between round trips, which then say how long a byte waits behind the transfer.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Who sends, the gateway's name for that direction, and how the row calls it.
const DIRECTIONS: [(Direction, &str, &str); 2] =
    [(Direction::Upload, "up", "upload"), (Direction::Download, "down", "download")];

fn run(setting: &Setting, row: &mut Row) {
    for (agent, name) in [(Agent::Fast, "fast agent"), (Agent::Official, "official agent")] {
        let remote = TestRemote::start();
        let mut stage = Stage::new(setting, agent, remote.address(), "max_sessions = 1");
        for _ in 0..setting.runs {
            for way in stage.ways() {
                stage.aws.sim().faults(&json!({ "latency_ms": ONE_WAY_MS, "rate_bytes_per_s": RATE }));
                for direction in DIRECTIONS {
                    measure(row, &stage, way, &remote, direction, name);
                }
                stage.aws.sim().clear_faults();
            }
        }
        for (_, _, direction) in DIRECTIONS {
            let of = |what: &str| format!("{direction}, {name}: {what}");
            row.at_least(&of("≥ 95 % of the cap"), "of the cap", row.median(&of("part of the cap"), TUNNELS), 0.95);
            row.at_most(&of("< 1 % resent"), "% resent", row.median(&of("resent"), TUNNELS), 0.999);
        }
    }
    row.note("the cap counts whole messages; delays are a byte's in the same session, beyond the path's 50 ms");
    row.note("the official agent resends by its own rules, and what it queues before the gateway is out of our reach");
}

fn measure(
    row: &mut Row,
    stage: &Stage,
    way: Way,
    remote: &TestRemote,
    (direction, at_gateway, name): (Direction, &str, &str),
    agent: &str,
) {
    let of = |what: &str| format!("{name}, {agent}: {what}");
    // A connection that waits behind the transfer, in the same session.
    let ping = Ping::open(way.port);
    let bulk = Bulk::start(direction, way.port, 1, remote);
    sleep(WARM_UP);
    let count = |counter| stage.count_of(way, at_gateway, counter);
    let counted = || (count("wire_bytes"), count("messages"), count("retransmissions"));
    let (before, arrived, started) = (counted(), bulk.arrived(), Instant::now());
    let mut trips = Vec::new();
    if let Ok(mut ping) = ping {
        while started.elapsed() < TIME {
            let from = started.elapsed();
            let Ok(time) = ping.round_trip() else { break };
            trips.push((from, from + time));
            sleep(LOOK_EVERY);
        }
    }
    sleep(TIME.saturating_sub(started.elapsed()));
    let (after, time) = (counted(), started.elapsed().as_secs_f64());
    for part in 0..PARTS {
        // A trip counts for every quarter that it was under way in.
        let (begin, end) = (TIME * part / PARTS, TIME * (part + 1) / PARTS);
        let under_way = trips.iter().filter(|(from, to)| *from < end && *to > begin);
        if let Some(longest) = under_way.map(|(from, to)| to.saturating_sub(*from)).max() {
            let delay = longest.saturating_sub(Duration::from_millis(2 * ONE_WAY_MS));
            row.add_time(&of(&format!("longest delay in quarter {}", part + 1)), way.who, delay);
        }
    }
    row.add(&of("rate"), way.who, "kB/s", (bulk.arrived() - arrived) as f64 / time / 1e3);
    row.add(&of("part of the cap"), way.who, "", (after.0 - before.0) as f64 / time / RATE as f64);
    let (messages, resent) = (after.1 - before.1, after.2 - before.2);
    row.add(&of("resent"), way.who, "%", resent as f64 * 100.0 / (messages.max(1)) as f64);
}
