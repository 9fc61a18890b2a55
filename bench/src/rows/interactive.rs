//! One byte there and back while bulk transfers run: beside it in the same tunnel, or in another one.

use std::thread::sleep;
use std::time::Duration;

use tunnels_tests::{Direction, TestRemote};

use super::Entry;
use crate::bulk::Bulk;
use crate::ping::Ping;
use crate::report::{PLUGIN, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Clients, Stage};

pub(super) const ENTRY: Entry =
    Entry { name: "interactive", about: "round trips beside bulk transfers, official agent, max_sessions = 4", run };

const MAX_SESSIONS: usize = 4;
const TRIPS: usize = 1000;
const TIME: Duration = Duration::from_millis(600);
/// Until a transfer runs at its full speed, and a pool has seen so.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Longer than a pool takes to open a session.
const GROWTH: Duration = Duration::from_secs(5);

/// What runs beside the round trips.
const LOADS: [(&str, Option<Direction>, usize); 5] = [
    ("idle", None, 0),
    ("1 download", Some(Direction::Download), 1),
    ("3 downloads", Some(Direction::Download), MAX_SESSIONS - 1),
    ("1 upload", Some(Direction::Upload), 1),
    ("3 uploads", Some(Direction::Upload), MAX_SESSIONS - 1),
];

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let mut stage = Stage::new(setting, Agent::Official, remote.address(), &format!("max_sessions = {MAX_SESSIONS}"));
    // The other tunnel, and the other plugin, stand beside with a session of their own.
    let mut beside = Clients::start(setting, &stage.aws, remote.address(), "");
    let others = beside.ways();
    let plugin = others.iter().find(|way| way.who == PLUGIN);
    let elsewhere = stage.aws.open_sessions().saturating_sub(1);
    for _ in 0..setting.runs {
        for (load, direction, connections) in LOADS {
            for (way, other) in stage.ways().into_iter().zip(&others) {
                let bulk = direction.map(|direction| Bulk::start(direction, way.port, connections, &remote));
                if bulk.is_some() {
                    sleep(UNDER_WAY);
                }
                if way.who == TUNNELS && connections > 0 {
                    // The pool opens a session ahead for whoever comes next.
                    stage.aws.await_sessions(elsewhere + connections + 1, GROWTH);
                }
                for (port, place) in [(way.port, "same"), (other.port, "another")] {
                    // The connection is opened while the transfers run, as a user's next query is.
                    let mut ping = Ping::open(port).expect("the tunnel accepts");
                    let mut series = ping.series(TRIPS, TIME).expect("the echo goes on");
                    row.add_time(&what(load, place, "p50"), way.who, series.p50());
                    row.add_time(&what(load, place, "p99"), way.who, series.p99());
                }
                if way.who == TUNNELS
                    && bulk.is_some()
                    && let Some(plugin) = plugin
                {
                    // What the transfers do to a machine that they share with simulator and agent, with nothing of ours in it.
                    let mut ping = Ping::open(plugin.port).expect("the plugin accepts");
                    let mut series = ping.series(TRIPS, TIME).expect("the echo goes on");
                    row.add_time(&control(load), PLUGIN, series.p99());
                }
            }
        }
    }
    let idle = row.median(&what("idle", "same", "p99"), TUNNELS);
    let most = idle.map_or(0.0, |idle| 2.0 * idle + 5.0);
    for (load, ..) in &LOADS[1..] {
        for place in ["same", "another"] {
            let p99 = row.median(&what(load, place, "p99"), TUNNELS);
            let theirs = row.median(&what(load, place, "p99"), PLUGIN);
            let theirs = theirs.map(|ms| format!("; the plugin: {ms:.0} ms")).unwrap_or_default();
            let beside = row.median(&control(load), PLUGIN);
            let beside = beside.map(|ms| format!("; beside ours: {ms:.1} ms")).unwrap_or_default();
            let goal = format!("{load}, {place} tunnel: p99 ≤ 2 × idle p99 + 5 ms");
            row.at_most(&goal, &format!("ms of {most:.1} ms{theirs}{beside}"), p99, most);
        }
    }
}

/// Where the plugin's session stands idle beside transfers of ours.
fn control(load: &str) -> String {
    format!("{load} of ours, a session of the plugin's beside, p99")
}

fn what(load: &str, place: &str, percent: &str) -> String {
    format!("{load}, {place} tunnel, {percent}")
}
