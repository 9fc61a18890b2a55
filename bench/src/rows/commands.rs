//! How long commands take with a hundred tunnels.

use std::process::Command;

use tunnels_tests::{TestRemote, finish};

use super::Entry;
use crate::ping::Series;
use crate::report::{DIRECT, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws, with_tunnels};

pub(super) const ENTRY: Entry =
    Entry { name: "commands", about: "`ls`, and `up` until all are ready, with 100 tunnels", run };

const TUNNEL_COUNT: usize = 100;
/// Of each command in a run: their median counts.
const STARTS: usize = 20;

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let aws = Aws::start(setting, Agent::Fast);
    let mut user = with_tunnels(&aws, TUNNEL_COUNT, remote.address(), "");
    user.start();
    let timed = |arguments: &[&str]| user.run(arguments).expect_success().took;
    let series = |arguments: &[&str]| Series((0..STARTS).map(|_| timed(arguments)).collect());
    for _ in 0..setting.runs {
        row.add_time("up --wait", TUNNELS, timed(&["up", "--wait=60s"]));
        let mut lists = series(&["ls"]);
        row.add_time("ls", TUNNELS, lists.p50());
        row.add_time("ls, slowest of 20", TUNNELS, lists.p99());
        row.add_time("the start of the program alone (`--version`)", TUNNELS, series(&["--version"]).p50());
        // What a process costs on this machine at all.
        let mut any = Series((0..STARTS).map(|_| finish(&mut Command::new("true")).took).collect());
        row.add_time("the start of any program (`true`)", DIRECT, any.p50());
        row.add_time("down", TUNNELS, timed(&["down"]));
    }
    row.at_most("`ls` ≤ 10 ms", "ms", row.median("ls", TUNNELS), 10.0);
    row.at_most("`up` of 100 tunnels ≤ 2 s until all are ready", "ms", row.median("up --wait", TUNNELS), 2000.0);
}
