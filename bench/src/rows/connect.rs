//! A new connection to its first byte.

use serde_json::json;
use tunnels_tests::TestRemote;

use super::Entry;
use crate::ping::{Series, first_byte};
use crate::report::{DIRECT, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Stage};

pub(super) const ENTRY: Entry =
    Entry { name: "connect", about: "a new connection to the first byte of its answer, official agent", run };

/// Whose figure the path's own round trip is: no agent's tick is in it.
const PATH: &str = "path";

/// Connections in each run and way, and the round trip of the network in milliseconds.
const CASES: [(u64, usize); 2] = [(0, 40), (50, 15)];

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let mut stage = Stage::new(setting, Agent::Official, remote.address(), "");
    for (round_trip_ms, connections) in CASES {
        stage.aws.sim().faults(&json!({ "latency_ms": round_trip_ms / 2 }));
        let median = what(round_trip_ms);
        let p99 = format!("{median}, p99");
        for _ in 0..setting.runs {
            for way in stage.ways() {
                let mut series = series(way.port, connections);
                row.add_time(&median, way.who, series.p50());
                row.add_time(&p99, way.who, series.p99());
            }
            let listed = stage.clients.user.run(&["ls", "--json"]).expect_success();
            if let Some(measured) = listed.json()["tunnels"][0]["rtt_ms"].as_f64() {
                row.add(&path(round_trip_ms), PATH, "ms", measured);
            }
            if round_trip_ms == 0 {
                row.add_time(&median, DIRECT, series(remote.address().port(), connections).p50());
            }
        }
    }
    row.at_most("≤ 2.5 ms at 0 ms", "ms", row.median(&what(0), TUNNELS), 2.5);
    // The simulator's timers round each way up: what counts is the round trip that there was.
    let path = row.median(&path(50), PATH);
    let more = path.and_then(|path| Some(row.median(&what(50), TUNNELS)? - path));
    let label = format!("ms more than the path's {:.1} ms", path.unwrap_or_default());
    row.at_most("≤ one round trip + 3 ms at 50 ms", &label, more, 3.0);
}

fn path(round_trip_ms: u64) -> String {
    format!("{round_trip_ms} ms round trip: acknowledgement of a message")
}

fn what(round_trip_ms: u64) -> String {
    format!("{round_trip_ms} ms round trip")
}

fn series(port: u16, connections: usize) -> Series {
    Series((0..connections).map(|_| first_byte(port).expect("the connection is answered")).collect())
}
