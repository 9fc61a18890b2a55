//! One byte there and back on an idle tunnel.

use std::time::Duration;

use ssm_proto::Config;
use tunnels_tests::TestRemote;

use super::Entry;
use crate::bare::BareSession;
use crate::ping::{Ping, Series};
use crate::report::{BARE, DIRECT, PLUGIN, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Stage};

pub(super) const ENTRY: Entry =
    Entry { name: "round-trip", about: "one byte there and back, nothing else under way", run };

const TRIPS: usize = 2000;
/// The official programs sleep in each direction: not as many trips there.
const TIME: Duration = Duration::from_secs(2);

fn run(setting: &Setting, row: &mut Row) {
    for (agent, name) in [(Agent::Fast, "fast agent"), (Agent::Official, "official agent")] {
        let remote = TestRemote::start();
        let mut stage = Stage::new(setting, agent, remote.address(), "");
        let bare = BareSession::open(&stage.aws, remote.address(), Config::default());
        let (p50, p99) = (format!("{name}, p50"), format!("{name}, p99"));
        let mut add = |who: &str, mut series: Series| {
            row.add(&p50, who, "µs", micros(series.p50()));
            row.add(&p99, who, "µs", micros(series.p99()));
        };
        for _ in 0..setting.runs {
            for way in stage.ways() {
                let mut ping = Ping::open(way.port).expect("the tunnel accepts");
                add(way.who, ping.series(TRIPS, TIME).expect("the echo goes on"));
            }
            let mut direct = Ping::open(remote.address().port()).expect("the remote accepts");
            add(DIRECT, direct.series(TRIPS, TIME).expect("the echo goes on"));
            add(BARE, bare.round_trips(TRIPS / 2).expect("the echo goes on"));
        }
    }
    for (percent, most) in [("p50", 150.0), ("p99", 500.0)] {
        let what = format!("fast agent, {percent}");
        let added = |to: &str| Some(row.median(&what, TUNNELS)? - row.median(&what, to)?);
        // With nothing of ours taken off: the simulator and its agent are on the way, too.
        let to_bare = added(BARE).unwrap_or_default();
        let label =
            format!("µs more than direct, simulator and agent included; {to_bare:.0} µs more than a bare session");
        row.at_most(&format!("{percent} ≤ {most} µs added by us, fast agent"), &label, added(DIRECT), most);
    }
    let ratio = row.ratio("official agent, p50", TUNNELS, PLUGIN);
    let bare = row.ratio("official agent, p50", BARE, PLUGIN);
    let bare = bare.map(|ratio| format!("; a bare session {ratio:.2}")).unwrap_or_default();
    row.at_most("p50 ≤ 0.75 × the plugin, official agent", &format!("× the plugin{bare}"), ratio, 0.75);
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
