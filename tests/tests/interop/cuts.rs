//! Cuts in the middle of transfers with the official agent: each side of the gateway, closed and
//! reset, both directions, without and with latency. `TUNNELS_TEST_RUNS` says how often.

use std::time::Duration;

use serde_json::json;
use tunnels_tests::{
    Direction, OfficialAgent, Outcome, TestDaemon, TestRemote, Transfer, official_agent_dir, test_runs, wait_until,
};

const MIB: u64 = 1024 * 1024;
/// At the agent's pace some 2 s.
const DOWNLOAD: u64 = 3 * MIB / 2;
/// At what the agent takes some 1 s.
const UPLOAD: u64 = 12 * MIB;
const BACK: Duration = Duration::from_mins(2);

/// What came of the runs of one row of the table.
#[derive(Debug, Default)]
struct Row {
    runs: usize,
    lived: usize,
    equal: usize,
    gaps: Vec<Duration>,
    causes: Vec<String>,
}

impl Row {
    fn add(&mut self, outcome: Outcome, gap: Duration) {
        self.runs += 1;
        self.lived += usize::from(outcome.error.is_none());
        self.equal += usize::from(outcome.is_whole);
        self.gaps.push(gap);
        self.causes.extend(outcome.error);
    }

    fn print(&mut self, name: &str) {
        self.gaps.sort_unstable();
        let median = self.gaps[self.gaps.len() / 2].as_millis();
        let worst = self.gaps[self.gaps.len() - 1].as_millis();
        println!(
            "| {name} | {} | {} | {} | {median} ms | {worst} ms | {}",
            self.runs,
            self.lived,
            self.equal,
            self.causes.join("; ")
        );
    }
}

/// Runs both directions at both latencies with cuts of this kind, and returns the rows by name.
fn cuts(side: &str, how: &str) -> Vec<(String, Direction, Row)> {
    let Some(programs) = official_agent_dir() else { return Vec::new() };
    let remote = TestRemote::start();
    let agent = OfficialAgent::start(&programs);
    let user = TestDaemon::with_target(agent.sim(), agent.node()).tunnel("files", remote.address());
    user.run(&["up", "--wait=60s"]).expect_success();
    let mut rows = Vec::new();
    for round_trip in [0, 50] {
        agent.sim().faults(&json!({ "latency_ms": round_trip / 2 }));
        for direction in [Direction::Download, Direction::Upload] {
            let mut row = Row::default();
            for run in 0..test_runs() {
                let (outcome, gap) = one_run(&user, &agent, &remote, direction, (side, how), run);
                row.add(outcome, gap);
            }
            let name = format!("{side} {how} | {direction:?} | {round_trip} ms");
            row.print(&name);
            rows.push((name, direction, row));
        }
    }
    rows
}

fn one_run(
    user: &TestDaemon,
    agent: &OfficialAgent,
    remote: &TestRemote,
    direction: Direction,
    (side, how): (&str, &str),
    run: u64,
) -> (Outcome, Duration) {
    user.wait_for("files", "ready");
    wait_until("both sides to be connected", BACK, || {
        let sessions = agent.sim().sessions();
        let live = sessions.iter().filter(|session| session["state"] == "connected");
        live.into_iter().any(|session| session["agent_connected"] == true).then_some(())
    });
    let ended = remote.ends().len();
    let length = if direction == Direction::Download { DOWNLOAD } else { UPLOAD };
    let transfer = Transfer::start(direction, user.port("files"), length, run);
    // Each run is cut elsewhere, from a tenth to about two thirds.
    transfer.wait_past(length * (3 + run * 7 % 18) / 30);
    agent.sim().cut(side, how);
    let outcome = transfer.outcome();
    let gap = match direction {
        Direction::Download => outcome.worst_gap,
        Direction::Upload => {
            wait_until("the remote's end of the connection", BACK, || remote.ends().get(ended).map(|end| end.worst_gap))
        }
    };
    (outcome, gap)
}

#[track_caller]
fn everything_lives(side: &str, how: &str) {
    for (name, _, row) in cuts(side, how) {
        assert_eq!((row.lived, row.equal), (row.runs, row.runs), "{name}: {:?}", row.causes);
    }
}

#[test]
fn connections_live_when_the_clients_websocket_is_closed() {
    everything_lives("client", "bye");
}

#[test]
fn connections_live_when_the_clients_websocket_is_reset() {
    everything_lives("client", "reset");
}

#[test]
fn connections_live_when_the_official_agents_websocket_is_closed() {
    everything_lives("agent", "bye");
}

#[test]
fn connections_live_when_the_official_agents_websocket_is_reset() {
    everything_lives("agent", "reset");
}
