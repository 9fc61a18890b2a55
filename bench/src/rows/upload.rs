//! One connection upwards: as much as the official agent takes.

use std::thread::sleep;
use std::time::Duration;

use ssm_proto::Config;
use tunnels_tests::{Direction, TestRemote};

use super::Entry;
use crate::bare::BareSession;
use crate::bulk::Bulk;
use crate::report::{BARE, PLUGIN, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Stage};

pub(super) const ENTRY: Entry =
    Entry { name: "upload", about: "one connection upwards, official agent, 1 024-byte payloads", run };

const WHAT: &str = "upload";
const GOAL: &str = "≥ 40 × the plugin, or ≥ 0.9 × what the agent takes from a bare sender";
/// A session that keeps the path full whatever queues on it: as much as the agent takes.
const BARE_SENDER: &str = "bare sender";
const WARM_UP: Duration = Duration::from_millis(700);
const TIME: Duration = Duration::from_secs(2);

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let mut stage = Stage::new(setting, Agent::Official, remote.address(), "max_sessions = 1");
    for _ in 0..setting.runs {
        for way in stage.ways() {
            let bulk = Bulk::start(Direction::Upload, way.port, 1, &remote);
            sleep(WARM_UP);
            row.add(WHAT, way.who, "MB/s", bulk.rate(TIME) / 1e6);
        }
        let windowless = Config { congestion_control: false, ..Config::default() };
        for (who, config) in [(BARE, Config::default()), (BARE_SENDER, windowless)] {
            let bare = BareSession::open(&stage.aws, remote.address(), config);
            row.add(WHAT, who, "MB/s", bare.upload(&remote, WARM_UP, TIME) / 1e6);
        }
    }
    let of_the_plugin = row.ratio(WHAT, TUNNELS, PLUGIN);
    let of_the_bare = row.ratio(WHAT, TUNNELS, BARE_SENDER);
    if of_the_plugin.is_some_and(|ratio| ratio >= 40.0) {
        row.at_least(GOAL, "× the plugin", of_the_plugin, 40.0);
    } else {
        row.at_least(GOAL, "× what the agent takes from a bare sender", of_the_bare, 0.9);
    }
}
