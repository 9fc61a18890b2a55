//! What a byte costs: speed and CPU with an agent that does not pause, one session, no latency.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use tunnels_tests::{Direction, TestRemote};

use super::Entry;
use crate::bulk::Bulk;
use crate::cpu::{CpuMeter, GIB, resident_mb};
use crate::report::{Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws, Clients};

pub(super) const ENTRY: Entry = Entry {
    name: "cost",
    about: "speed and CPU of one session with the fast agent, payloads of 1 024 bytes and 32 KiB",
    run,
};

const WARM_UP: Duration = Duration::from_millis(300);
const TIME: Duration = Duration::from_secs(1);
/// What the official programs send, and what is promised to be the fast setting.
const DEFAULT: usize = 1024;
const LARGE: usize = 32 << 10;
const DIRECTIONS: [(Direction, &str); 2] = [(Direction::Download, "download"), (Direction::Upload, "upload")];

fn run(setting: &Setting, row: &mut Row) {
    for payload in [DEFAULT, LARGE] {
        let remote = TestRemote::start();
        let aws = Aws::start(setting, Agent::Fast);
        aws.sim().faults(&json!({ "agent_payload": payload }));
        // The default needs no key.
        let keys = if payload == DEFAULT { String::new() } else { format!("payload = {payload}") };
        let keys = format!("max_sessions = 1\n{keys}");
        let mut clients = Clients::start(setting, &aws, remote.address(), &keys);
        for _ in 0..setting.runs {
            for way in clients.ways() {
                for (direction, name) in DIRECTIONS {
                    let bulk = Bulk::start(direction, way.port, 1, &remote);
                    sleep(WARM_UP);
                    let (cpu, before, started) = (CpuMeter::start([way.pid]), bulk.arrived(), Instant::now());
                    sleep(TIME);
                    let (seconds, bytes, time) = (cpu.seconds(), bulk.arrived() - before, started.elapsed());
                    let what = format!("{name}, {payload}-byte payloads");
                    row.add(&what, way.who, "MB/s", bytes as f64 / time.as_secs_f64() / 1e6);
                    row.add(&format!("{what}: CPU"), way.who, "s/GiB", seconds / (bytes as f64 / GIB));
                    row.add(&format!("{what}: memory"), way.who, "MB", resident_mb(&[way.pid]));
                }
            }
        }
    }
    for (_, name) in DIRECTIONS {
        let large = row.median(&format!("{name}, {LARGE}-byte payloads"), TUNNELS);
        row.at_least(&format!("{name} ≥ 200 MB/s with 32 KiB payloads"), "MB/s", large, 200.0);
        let cost = row.median(&format!("{name}, {DEFAULT}-byte payloads: CPU"), TUNNELS);
        row.at_most(&format!("{name} ≤ 5 CPU seconds per GiB with 1 024 bytes"), "s/GiB", cost, 5.0);
    }
}
