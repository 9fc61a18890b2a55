//! How long commands take with a hundred tunnels.

use std::time::{Duration, Instant};

use tunnels_tests::TestRemote;

use super::Entry;
use crate::ping::Series;
use crate::report::{Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws, with_tunnels};

pub(super) const ENTRY: Entry =
    Entry { name: "commands", about: "`ls`, and `up` until all are ready, with 100 tunnels", run };

const TUNNEL_COUNT: usize = 100;
const LISTS: usize = 20;

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let aws = Aws::start(setting, Agent::Fast);
    let mut user = with_tunnels(&aws, TUNNEL_COUNT, remote.address(), "");
    user.start();
    let timed = |arguments: &[&str]| -> Duration {
        let started = Instant::now();
        user.run(arguments).expect_success();
        started.elapsed()
    };
    for _ in 0..setting.runs {
        row.add_time("up --wait", TUNNELS, timed(&["up", "--wait=60s"]));
        let mut lists = Series((0..LISTS).map(|_| timed(&["ls"])).collect());
        row.add_time("ls", TUNNELS, lists.p50());
        row.add_time("ls, slowest of 20", TUNNELS, lists.p99());
        row.add_time("version (the start of the program alone)", TUNNELS, timed(&["--version"]));
        row.add_time("down", TUNNELS, timed(&["down"]));
    }
    row.at_most("`ls` ≤ 10 ms", "ms", row.median("ls", TUNNELS), 10.0);
    row.at_most("`up` of 100 tunnels ≤ 2 s until all are ready", "ms", row.median("up --wait", TUNNELS), 2000.0);
}
