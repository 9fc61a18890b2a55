//! What a hundred tunnels cost while nobody uses them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use tunnels_tests::{OfficialPlugin, TestRemote};

use super::Entry;
use crate::cpu::{CpuMeter, descriptors, resident_mb};
use crate::report::{PLUGIN, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws, with_tunnels};

pub(super) const ENTRY: Entry = Entry { name: "idle", about: "100 tunnels ready, nobody connected", run };

const TUNNEL_COUNT: usize = 100;
const MOST_RUNS: usize = 3;
/// CPU time is counted in ticks of 10 ms: a tick is 0.1 % of this.
const TIME: Duration = Duration::from_secs(10);

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let aws = Aws::start(setting, Agent::Fast);
    let mut user = with_tunnels(&aws, TUNNEL_COUNT, remote.address(), "");
    user.start();
    user.run(&["up", "--wait=60s"]).expect_success();
    let daemon = user.process().pid();
    let plugins: Vec<OfficialPlugin> = (0..TUNNEL_COUNT).map_while(|_| aws.plugin(setting, remote.address())).collect();
    let plugins: Vec<u32> = plugins.iter().map(|plugin| plugin.process().pid()).collect();

    // Both at the same time: they hardly disturb each other.
    let mut subjects = vec![(TUNNELS, vec![daemon])];
    if !plugins.is_empty() {
        subjects.push((PLUGIN, plugins));
    }
    for _ in 0..setting.runs.min(MOST_RUNS) {
        let started = Instant::now();
        let meters: Vec<CpuMeter> = subjects.iter().map(|(_, pids)| CpuMeter::start(pids.clone())).collect();
        sleep(TIME);
        for ((who, pids), cpu) in subjects.iter().zip(&meters) {
            row.add("resident memory", who, "MB", resident_mb(pids));
            row.add("CPU", who, "% of a core", cpu.seconds() / started.elapsed().as_secs_f64() * 100.0);
            row.add("open descriptors", who, "", pids.iter().map(|pid| descriptors(*pid)).sum());
        }
    }
    row.at_most("≤ 40 MB resident", "MB", row.median("resident memory", TUNNELS), 40.0);
    row.at_most("< 0.5 % of one core", "%", row.median("CPU", TUNNELS), 0.499);
    row.note("memory that the plugin's processes share counts for each of them");
}
