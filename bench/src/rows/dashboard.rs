//! What the dashboard costs while it is open and nobody does anything: a hundred tunnels on the screen.

use std::thread::sleep;
use std::time::{Duration, Instant};

use tunnels_tests::{Terminal, TestRemote};

use super::Entry;
use crate::cpu::{CpuMeter, resident_mb};
use crate::report::{Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws, with_tunnels};

pub(super) const ENTRY: Entry =
    Entry { name: "dashboard", about: "the dashboard open over 100 tunnels, nobody acts", run };

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
    let terminal = Terminal::start(&user.command(&[]), 200, 60);
    terminal.wait_for(&format!("{TUNNEL_COUNT} ready"));
    for _ in 0..setting.runs.min(MOST_RUNS) {
        let (started, before) = (Instant::now(), terminal.bytes_written());
        let cpu = CpuMeter::start([terminal.pid()]);
        sleep(TIME);
        let seconds = started.elapsed().as_secs_f64();
        row.add("CPU", TUNNELS, "% of a core", cpu.seconds() / seconds * 100.0);
        row.add("resident memory", TUNNELS, "MB", resident_mb(&[terminal.pid()]));
        let written = terminal.bytes_written() - before;
        row.add("written to the terminal", TUNNELS, "B/s", written as f64 / seconds);
    }
    row.at_most("≤ 2 % of one core", "%", row.median("CPU", TUNNELS), 2.0);
}
