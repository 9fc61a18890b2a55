//! One connection downwards: all that the official agent sends.

use std::thread::sleep;
use std::time::Duration;

use tunnels_tests::{Direction, TestRemote};

use super::Entry;
use crate::bulk::Bulk;
use crate::report::{Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Stage, Way};

pub(super) const ENTRY: Entry = Entry { name: "download", about: "one connection downwards, official agent", run };

const WHAT: &str = "download";
const PART: &str = "part of what the agent sends";
/// docs/protocol.md §6.1.
const STREAM_HEADER: u64 = 8;
const WARM_UP: Duration = Duration::from_millis(500);
const TIME: Duration = Duration::from_secs(3);

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let mut stage = Stage::new(setting, Agent::Official, remote.address(), "max_sessions = 1");
    for _ in 0..setting.runs {
        for way in stage.ways() {
            let bulk = Bulk::start(Direction::Download, way.port, 1, &remote);
            sleep(WARM_UP);
            let (sent_before, arrived_before) = (sent(&stage, way), bulk.arrived());
            row.add(WHAT, way.who, "MB/s", bulk.rate(TIME) / 1e6);
            let (sent, arrived) = (sent(&stage, way) - sent_before, bulk.arrived() - arrived_before);
            row.add(PART, way.who, "", arrived as f64 / sent as f64);
        }
    }
    row.at_least("≥ 0.98 × what the agent sends", "× what the agent sends", row.median(PART, TUNNELS), 0.98);
    row.note(
        "what the agent sends is counted at the gateway, without the header of the one stream frame in each message",
    );
}

/// Bytes of streams that this way's agents have sent so far.
fn sent(stage: &Stage, way: Way) -> u64 {
    stage.count_of(way, "down", "bytes") - STREAM_HEADER * stage.count_of(way, "down", "messages")
}
