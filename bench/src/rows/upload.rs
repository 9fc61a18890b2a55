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
        let bare = BareSession::open(&stage.aws, remote.address(), Config::default());
        row.add(WHAT, BARE, "MB/s", bare.upload(&remote, WARM_UP, TIME) / 1e6);
    }
    let of_the_plugin = row.ratio(WHAT, TUNNELS, PLUGIN);
    let of_the_bare = row.ratio(WHAT, TUNNELS, BARE);
    if of_the_plugin.is_some_and(|ratio| ratio >= 40.0) {
        row.at_least("≥ 40 × the plugin, or ≥ 0.9 × a bare session", "× the plugin", of_the_plugin, 40.0);
    } else {
        row.at_least("≥ 40 × the plugin, or ≥ 0.9 × a bare session", "× a bare session", of_the_bare, 0.9);
    }
}
