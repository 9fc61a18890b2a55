//! Our client and the official agent, with our simulator as the gateway between them.

use tunnels_tests::{
    Direction, OfficialAgent, Postgres, TestDaemon, TestRemote, Transfer, answer_after_half_close, official_agent_dir,
    wait_until,
};

use crate::{TRANSFER, twenty_connections_work};

/// The agent, and a user with a ready tunnel through it. Dropped in this order's reverse.
struct Setup {
    user: TestDaemon,
    agent: OfficialAgent,
    remote: TestRemote,
}

impl Setup {
    fn new() -> Option<Self> {
        let programs = official_agent_dir()?;
        let remote = TestRemote::start();
        let agent = OfficialAgent::start(&programs);
        let user = TestDaemon::with_target(agent.sim(), agent.node()).tunnel("files", remote.address());
        user.run(&["up", "--wait=60s"]).expect_success();
        Some(Self { user, agent, remote })
    }

    fn port(&self) -> u16 {
        self.user.port("files")
    }
}

#[test]
fn a_download_from_the_official_agent_arrives_as_it_was_sent() {
    let Some(setup) = Setup::new() else { return };
    Transfer::start(Direction::Download, setup.port(), TRANSFER, 71).finish();
}

#[test]
fn an_upload_to_the_official_agent_arrives_as_it_was_sent() {
    let Some(setup) = Setup::new() else { return };
    Transfer::start(Direction::Upload, setup.port(), TRANSFER, 72).finish();
}

#[test]
fn twenty_connections_through_the_official_agent_work_at_once() {
    let Some(setup) = Setup::new() else { return };
    twenty_connections_work(setup.port());
}

#[test]
fn a_half_close_gets_its_whole_answer_from_the_official_agent_twenty_times_of_twenty() {
    let Some(setup) = Setup::new() else { return };
    for seed in 0..20 {
        let answer = answer_after_half_close(setup.port(), 50_000, seed).unwrap();
        assert_eq!(answer, (50_000, true), "answer {seed} of 20");
    }
}

#[test]
fn postgres_answers_and_carries_load_through_the_official_agent() {
    let Some(programs) = official_agent_dir() else {
        return;
    };
    let postgres = Postgres::start();
    let agent = OfficialAgent::start(&programs);
    let user = TestDaemon::with_target(agent.sim(), agent.node()).tunnel_with("db", &postgres.remote(), "");
    user.run(&["up", "--wait=60s"]).expect_success();

    let port = user.port("db");
    let answer = postgres.psql(port, "select 6 * 7").expect_success();
    assert_eq!(answer.stdout.trim(), "42");
    postgres.pgbench(postgres.port(), &["--initialize", "--quiet"]).expect_success();
    let load = postgres.pgbench(port, &["-S", "-c", "8", "-T", "5"]).expect_success();
    println!("{}", load.stdout);
}

#[test]
fn a_refused_remote_is_told_by_the_official_agent() {
    let Some(programs) = official_agent_dir() else {
        return;
    };
    let agent = OfficialAgent::start(&programs);
    let closed = format!("127.0.0.1:{}", tunnels_tests::free_port());
    let user = TestDaemon::with_target(agent.sim(), agent.node()).tunnel_with("db", &closed, "");
    user.run(&["up"]).expect_success();
    let status = user.wait_for("db", "degraded");
    assert_eq!(status["cause"]["kind"], "remote-refused", "{status}");
}

#[test]
fn stop_ends_the_official_agents_session() {
    let Some(setup) = Setup::new() else { return };
    setup.user.run(&["stop"]).expect_success();
    wait_until("the session to be terminated", std::time::Duration::from_secs(10), || {
        setup.agent.sim().session_states().iter().all(|state| state == "terminated").then_some(())
    });
    assert_eq!(setup.remote.open_connections(), 0);
}
