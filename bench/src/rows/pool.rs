//! Sixteen downloads at once: what a pool of sessions carries, just opened and warm.

use std::thread::sleep;
use std::time::Duration;

use tunnels_tests::{Direction, TestRemote};

use super::Entry;
use crate::bulk::Bulk;
use crate::report::{PLUGIN, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws};

pub(super) const ENTRY: Entry =
    Entry { name: "pool", about: "16 downloads at once, official agent, by max_sessions", run };

const CONNECTIONS: usize = 16;
const SESSIONS: [usize; 5] = [1, 2, 4, 8, 16];
/// The goal's.
const GOAL_SESSIONS: usize = 8;
const WARM_UP: Duration = Duration::from_millis(500);
const TIME: Duration = Duration::from_millis(1500);

fn run(setting: &Setting, row: &mut Row) {
    let remote = TestRemote::start();
    let aws = Aws::start(setting, Agent::Official);
    let mut user = SESSIONS.into_iter().fold(aws.user(), |user, sessions| {
        user.tunnel_with(&tunnel(sessions), &remote.address().to_string(), &format!("max_sessions = {sessions}"))
    });
    user.start();
    let plugin = aws.plugin(setting, remote.address());
    for _ in 0..setting.runs {
        let theirs = plugin.as_ref().map(|plugin| rate(plugin.port(), &remote));
        for sessions in SESSIONS {
            let name = tunnel(sessions);
            user.run(&["up", &name, "--wait=60s"]).expect_success();
            for pool in ["cold", "warm"] {
                row.add(&what(sessions, pool), TUNNELS, "MB/s", rate(user.port(&name), &remote));
                if let Some(theirs) = theirs {
                    // It has one session whatever we have: one figure beside all of ours.
                    row.add(&what(sessions, pool), PLUGIN, "MB/s", theirs);
                }
            }
            row.add(
                &format!("max_sessions = {sessions}: sessions open"),
                TUNNELS,
                "",
                open_sessions(&aws, plugin.is_some()),
            );
            user.run(&["down", &name]).expect_success();
        }
    }
    let ratio = row.ratio(&what(GOAL_SESSIONS, "warm"), TUNNELS, PLUGIN);
    row.at_least("≥ 7.5 × the plugin with max_sessions = 8, warm", "× the plugin", ratio, 7.5);
}

fn rate(port: u16, remote: &TestRemote) -> f64 {
    let bulk = Bulk::start(Direction::Download, port, CONNECTIONS, remote);
    sleep(WARM_UP);
    bulk.rate(TIME) / 1e6
}

/// Sessions that the gateway holds, the plugin's apart.
fn open_sessions(aws: &Aws, has_plugin: bool) -> f64 {
    let states = aws.sim().session_states();
    let connected = states.iter().filter(|state| *state == "connected").count();
    (connected - usize::from(has_plugin)) as f64
}

fn tunnel(sessions: usize) -> String {
    format!("pool-{sessions}")
}

fn what(sessions: usize, pool: &str) -> String {
    format!("max_sessions = {sessions}, {pool}")
}
