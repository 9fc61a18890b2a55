//! Sixteen downloads at once: what a pool of sessions carries, just opened and warm.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tunnels_tests::{Direction, OfficialPlugin, TestDaemon, TestRemote};

use super::Entry;
use crate::bulk::Bulk;
use crate::cpu::{CoresMeter, CpuMeter, cores};
use crate::report::{PLUGIN, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws};

pub(super) const ENTRY: Entry =
    Entry { name: "pool", about: "16 downloads at once, official agent, by max_sessions", run };

const CONNECTIONS: usize = 16;
const SESSIONS: [usize; 5] = [1, 2, 4, 8, 16];
/// The goal's.
const GOAL_SESSIONS: usize = 8;
const SIDE_BY_SIDE: &str = "8 plugins side by side";
/// Longer than an agent takes to send what it has read for connections that are gone: 32 KiB for each.
const WARM_UP: Duration = Duration::from_secs(1);
/// Longer than a pool takes to open all of its sessions.
const GROWTH: Duration = Duration::from_secs(8);
/// Messages of a session that nothing is asked of, in [`TIME`].
const A_FEW: u64 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(100);
const TIME: Duration = Duration::from_millis(1500);

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let aws = Aws::start(setting, Agent::Official);
    let plugin = aws.plugin(setting, remote.address());
    for _ in 0..setting.runs {
        // A daemon of its own for each: how many sessions one opens in a row is limited.
        let mut user = SESSIONS.into_iter().fold(aws.user(), |user, sessions| {
            user.tunnel_with(&tunnel(sessions), &remote.address().to_string(), &format!("max_sessions = {sessions}"))
        });
        user.start();
        let theirs =
            plugin.as_ref().map(|plugin| rate(&Bulk::start(Direction::Download, plugin.port(), CONNECTIONS, &remote)));
        for sessions in SESSIONS {
            let name = tunnel(sessions);
            user.run(&["up", &name, "--wait=60s"]).expect_success();
            let beside = usize::from(plugin.is_some());
            for pool in ["cold", "warm"] {
                let bulk = Bulk::start(Direction::Download, user.port(&name), CONNECTIONS, &remote);
                let agents = CpuMeter::start(aws.processes().1);
                let (machine, measured) = (CoresMeter::start(), Instant::now());
                sleep(WARM_UP);
                let before = aws.messages_by_session();
                row.add(&what(sessions, pool), TUNNELS, "MB/s", bulk.rate(TIME) / 1e6);
                let carrying = carrying(&before, &aws.messages_by_session());
                row.add(&format!("{}: sessions that carry", what(sessions, pool)), TUNNELS, "", carrying as f64);
                if pool == "warm" {
                    let agents = agents.seconds() / measured.elapsed().as_secs_f64();
                    row.add(&at_work(sessions), TUNNELS, "cores", machine.busy());
                    row.add(&format!("{}: for the agent", at_work(sessions)), TUNNELS, "cores", agents);
                }
                if let Some(theirs) = theirs {
                    // It has one session whatever we have: one figure beside all of ours.
                    row.add(&what(sessions, pool), PLUGIN, "MB/s", theirs);
                }
                // The first round goes on until the pool has grown as far as it will: that is what warm means.
                await_sessions(&user, &name, sessions);
            }
            let open = aws.open_sessions().saturating_sub(beside);
            row.add(&format!("max_sessions = {sessions}: sessions open"), TUNNELS, "", open as f64);
            user.run(&["down", &name]).expect_success();
        }
    }
    drop(plugin);
    for _ in 0..setting.runs {
        side_by_side(setting, row, &aws, &remote);
    }
    let ratio = row.ratio(&what(GOAL_SESSIONS, "warm"), TUNNELS, PLUGIN);
    let busy = row.median(&at_work(GOAL_SESSIONS), TUNNELS).unwrap_or_default();
    let plugin = row.median(&what(GOAL_SESSIONS, "warm"), PLUGIN);
    let side_by_side = row.median(SIDE_BY_SIDE, PLUGIN).zip(plugin).map(|(all, one)| all / one);
    let theirs = side_by_side.map_or_else(String::new, |ratio| format!(", eight plugins side by side {ratio:.2} ×"));
    let label = format!("× the plugin with {busy:.2} of {} cores at work{theirs}", cores());
    row.at_least("≥ 7.5 × the plugin with max_sessions = 8, warm", &label, ratio, 7.5);
}

/// What as many agents' workers can send on this machine at all: each with an official plugin of its own, nothing of ours.
fn side_by_side(setting: &Setting, row: &mut Row, aws: &Aws, remote: &TestRemote) {
    let plugins: Vec<_> = (0..GOAL_SESSIONS).filter_map(|_| aws.plugin(setting, remote.address())).collect();
    if plugins.is_empty() {
        return;
    }
    let start =
        |plugin: &OfficialPlugin| Bulk::start(Direction::Download, plugin.port(), CONNECTIONS / GOAL_SESSIONS, remote);
    let bulks: Vec<_> = plugins.iter().map(start).collect();
    sleep(WARM_UP);
    let arrived = || bulks.iter().map(Bulk::arrived).sum::<u64>();
    let (machine, before, measured) = (CoresMeter::start(), arrived(), Instant::now());
    sleep(TIME);
    let rate = (arrived() - before) as f64 / measured.elapsed().as_secs_f64();
    row.add(SIDE_BY_SIDE, PLUGIN, "MB/s", rate / 1e6);
    row.add(&format!("{SIDE_BY_SIDE}: cores at work"), PLUGIN, "cores", machine.busy());
    // Each waits for its own at the remote to be gone, and counts those before it as others'.
    bulks.into_iter().rev().for_each(drop);
}

/// Waits until the daemon can use so many sessions, but not for ever: a pool may see no need.
fn await_sessions(user: &TestDaemon, tunnel: &str, sessions: usize) {
    let started = Instant::now();
    while user.status(tunnel)["sessions"] != sessions && started.elapsed() < GROWTH {
        sleep(LOOK_EVERY);
    }
}

/// How many sessions carried something all the while.
fn carrying(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> usize {
    let carried = |(id, count): (&String, &u64)| count - before.get(id).unwrap_or(&0);
    after.iter().map(carried).filter(|carried| *carried > A_FEW).count()
}

fn rate(bulk: &Bulk<'_>) -> f64 {
    sleep(WARM_UP);
    bulk.rate(TIME) / 1e6
}

fn tunnel(sessions: usize) -> String {
    format!("pool-{sessions}")
}

fn at_work(sessions: usize) -> String {
    format!("max_sessions = {sessions}, warm: cores at work")
}

fn what(sessions: usize, pool: &str) -> String {
    format!("max_sessions = {sessions}, {pool}")
}
