//! A tunnel to a real PostgreSQL: up, ready, queries, load.

use std::time::Duration;

use serde_json::json;
use tunnels_tests::{Postgres, TestDaemon, TestSim, test_duration};

#[test]
fn a_tunnel_to_postgres_comes_up_ready_and_carries_queries_and_load() {
    let postgres = Postgres::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("orders-db", &postgres.remote(), "probe = \"postgres\"");

    user.run(&["up", "--wait"]).expect_success();
    let status = user.status("orders-db");
    assert_eq!(status["state"], "ready");
    let rtt = status["rtt_ms"].as_f64().expect("a ready tunnel knows its round trip");
    assert!(rtt > 0.0 && rtt.is_finite(), "round trip of {rtt} ms");

    let port = user.port("orders-db");
    let answer = postgres.psql(port, "select 6 * 7").expect_success();
    assert_eq!(answer.stdout.trim(), "42");
    let rows = postgres.psql(port, "select sum(n) from generate_series(1, 100000) n").expect_success();
    assert_eq!(rows.stdout.trim(), "5000050000");

    postgres.pgbench(postgres.port(), &["--initialize", "--quiet"]).expect_success();
    let seconds = test_duration(Duration::from_secs(3)).as_secs().to_string();
    let load = postgres.pgbench(port, &["-S", "-c", "8", "-T", &seconds]).expect_success();
    println!("{}", load.stdout);
    assert!(load.stdout.contains("number of failed transactions: 0"), "{}", load.stdout);

    assert_eq!(user.status("orders-db")["state"], "ready");
}

#[test]
fn the_probe_is_chosen_by_itself_and_an_error_of_authentication_counts_as_an_answer() {
    let postgres = Postgres::start();
    let sim = TestSim::start();
    // Nobody may log in as the probe does: the server refuses, and so it answers.
    let user = TestDaemon::new(&sim).tunnel_with("orders-db", &postgres.remote(), "");
    user.run(&["up", "--wait"]).expect_success();
    assert_eq!(user.status("orders-db")["state"], "ready");
}

#[test]
fn a_websocket_that_the_service_closes_again_and_again_fails_no_transaction() {
    const EVERY: Duration = Duration::from_secs(5);
    let postgres = Postgres::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("orders-db", &postgres.remote(), "max_sessions = 1");
    user.run(&["up", "--wait"]).expect_success();
    postgres.pgbench(postgres.port(), &["--initialize", "--quiet"]).expect_success();

    let time = test_duration(Duration::from_secs(12));
    sim.faults(&json!({ "close_every_s": EVERY.as_secs() }));
    let seconds = time.as_secs().to_string();
    let load = postgres.pgbench(user.port("orders-db"), &["-c", "8", "-T", &seconds]).expect_success();
    println!("{}", load.stdout);
    assert!(load.stdout.contains("number of failed transactions: 0"), "{}", load.stdout);
    let resumes = sim.calls("ResumeSession");
    println!("resumed {resumes} times");
    assert!(resumes >= usize::try_from(time.as_secs() / EVERY.as_secs()).unwrap() - 1, "resumed {resumes} times");
    assert_eq!(sim.calls("StartSession"), 1, "one session all the while");
}
