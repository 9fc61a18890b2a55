//! Every exit code of the README, each by the shortest way to it.

use std::net::TcpListener;

use serde_json::{Value, json};
use tunnels_tests::{Finished, NODE, TestDaemon, TestRemote, TestSim, free_port};

/// Nothing of AWS is needed before a daemon runs.
fn user_without_daemon() -> (TestSim, TestDaemon) {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("api", "127.0.0.1:9", "");
    (sim, user)
}

/// With `--json` an error is one JSON value on standard error.
#[track_caller]
fn error_of(finished: &Finished) -> Value {
    let error: Value = serde_json::from_str(&finished.stderr)
        .unwrap_or_else(|e| panic!("no JSON on standard error ({e}): {:?}", finished.stderr));
    assert!(error["error"]["code"].is_string(), "{error}");
    assert!(error["error"]["message"].is_string(), "{error}");
    error
}

#[test]
fn success_is_0() {
    let (_sim, user) = user_without_daemon();
    user.run(&["version"]).expect_code(0);
    user.run(&["--help"]).expect_code(0);
}

#[test]
fn a_usage_error_is_2() {
    let (_sim, user) = user_without_daemon();
    let finished = user.run(&["up", "--no-such-flag"]).expect_code(2);
    assert!(finished.stderr.contains("--no-such-flag"), "{}", finished.stderr);
    assert_eq!(finished.stdout, "");
    user.run(&["no-such-command"]).expect_code(2);
}

#[test]
fn an_invalid_configuration_is_3_and_names_every_mistake_with_its_line() {
    let (_sim, user) = user_without_daemon();
    user.overwrite_config("[tunnels.api]\nremote = \"db:5432\"\nlocal = 0\nprobee = \"tcp\"\n");
    let finished = user.run(&["up"]).expect_code(3);
    for expected in ["config.toml:3:", "config.toml:4:", "probee", "local"] {
        assert!(finished.stderr.contains(expected), "{expected} is missing in:\n{}", finished.stderr);
    }
}

#[test]
fn no_daemon_is_4() {
    let (_sim, user) = user_without_daemon();
    let finished = user.run(&["ls"]).expect_code(4);
    assert!(finished.stderr.contains("tunnels up"), "says what to do next: {}", finished.stderr);
    let finished = user.run(&["ls", "--json"]).expect_code(4);
    assert_eq!(finished.stdout, "");
    error_of(&finished);
}

#[test]
fn an_unknown_tunnel_is_5_and_the_known_ones_are_named() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_code(0);
    let finished = user.run(&["up", "apo"]).expect_code(5);
    assert!(finished.stderr.contains("apo"), "{}", finished.stderr);
    user.run(&["down", "apo"]).expect_code(5);
    user.run(&["ls", "apo"]).expect_code(5);
}

#[test]
fn expired_credentials_are_6_as_soon_as_they_are_known() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    sim.faults(&json!({ "expired_credentials": true }));
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait=60s"]).expect_code(6);
    assert_eq!(user.status("api")["state"], "needs-login");
}

#[test]
fn a_tunnel_that_is_not_ready_in_time_is_7() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    sim.faults(&json!({ "offline": [NODE] }));
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait=1s"]).expect_code(7);
}

#[test]
fn a_taken_port_is_8_and_its_holder_is_named() {
    let port = free_port();
    let _holder = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim);
    let tunnel = format!("\n[tunnels.api]\nremote = \"127.0.0.1:9\"\nlocal = {port}\n");
    let config = std::fs::read_to_string(user.config()).unwrap();
    user.overwrite_config(&(config + &tunnel));
    let finished = user.run(&["up", "--wait"]).expect_code(8);
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(said.contains(&port.to_string()), "{said}");
    assert!(said.contains(&std::process::id().to_string()), "names the process that holds it: {said}");
}
