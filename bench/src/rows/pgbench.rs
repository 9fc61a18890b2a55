//! pgbench's one-row queries against a real PostgreSQL.

use std::net::SocketAddr;

use serde_json::json;
use tunnels_tests::Postgres;

use super::Entry;
use crate::cpu::{CoresMeter, CpuMeter, cores};
use crate::report::{DIRECT, PLUGIN, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Stage};

pub(super) const ENTRY: Entry =
    Entry { name: "pgbench", about: "transactions a second of pgbench -S, official agent, max_sessions = 8", run };

const SECONDS: &str = "2";
const CLIENTS: [&str; 2] = ["1", "8"];
const ROUND_TRIPS_MS: [u64; 2] = [0, 50];

fn run(setting: &Setting, row: &mut Row) {
    let postgres = Postgres::start();
    postgres.pgbench(postgres.port(), &["--initialize", "--quiet"]).expect_success();
    let remote = SocketAddr::from(([127, 0, 0, 1], postgres.port()));
    let mut stage = Stage::new(setting, Agent::Official, remote, "max_sessions = 8");
    for round_trip_ms in ROUND_TRIPS_MS {
        stage.aws.sim().faults(&json!({ "latency_ms": round_trip_ms / 2 }));
        for _ in 0..setting.runs {
            for clients in CLIENTS {
                let what = what(clients, round_trip_ms);
                if round_trip_ms == 0 {
                    row.add(&what, DIRECT, "tps", transactions(&postgres, postgres.port(), clients).rate);
                }
                for way in stage.ways() {
                    let (simulator, agent) = stage.aws.processes();
                    let parties = [("client", vec![way.pid]), ("simulator", simulator), ("agent", agent)];
                    let parties = parties.map(|(party, pids)| (party, CpuMeter::start(pids)));
                    let machine = CoresMeter::start();
                    let done = transactions(&postgres, way.port, clients);
                    row.add(&format!("{what}: cores at work"), way.who, "", machine.busy());
                    row.add(&what, way.who, "tps", done.rate);
                    for (party, cpu) in &parties {
                        let each = cpu.seconds() * 1000.0 / done.count;
                        row.add(&format!("{what}: CPU of the {party} each"), way.who, "ms", each);
                    }
                }
            }
        }
    }
    for (clients, least) in [("1", 1.4), ("8", 3.0)] {
        let what = what(clients, 0);
        let tps = row.median(&what, TUNNELS).unwrap_or_default();
        let goal = format!("{clients} clients at 0 ms ≥ {least} × the plugin");
        let busy = row.median(&format!("{what}: cores at work"), TUNNELS).unwrap_or_default();
        let label = format!("× the plugin, {tps:.0} tps with {busy:.2} of {} cores at work", cores());
        row.at_least(&goal, &label, row.ratio(&what, TUNNELS, PLUGIN), least);
    }
    row.note("CPU of the agent: the official one's processes; the built-in one is part of the simulator's");
}

fn what(clients: &str, round_trip_ms: u64) -> String {
    format!("{clients} clients, {round_trip_ms} ms")
}

/// What pgbench reports.
struct Transactions {
    rate: f64,
    count: f64,
}

fn transactions(postgres: &Postgres, port: u16, clients: &str) -> Transactions {
    // One thread: pgbench shares its cores with everything that it measures.
    let arguments = ["-S", "--no-vacuum", "-c", clients, "-j", "1", "-T", SECONDS];
    let report = postgres.pgbench(port, &arguments).expect_success().stdout;
    let number = |before: &str| {
        let rest = report.lines().find_map(|line| line.strip_prefix(before))?;
        rest.split([' ', '/']).next()?.parse().ok()
    };
    let rate = number("tps = ").unwrap_or_else(|| panic!("pgbench says no rate:\n{report}"));
    let count = number("number of transactions actually processed: ");
    Transactions { rate, count: count.unwrap_or_else(|| panic!("pgbench says no count:\n{report}")) }
}
