//! States of a tunnel as `ls` shows them, and what an application meets in each.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use tunnels_tests::{NODE, SimOptions, TestDaemon, TestRemote, TestSim, echo_once, free_port, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);

#[test]
fn a_refused_remote_is_degraded_and_local_connections_are_reset() {
    let sim = TestSim::start();
    let closed = format!("127.0.0.1:{}", free_port());
    let user = TestDaemon::new(&sim).tunnel_with("orders-db", &closed, "");
    user.run(&["up"]).expect_success();

    let status = user.wait_for("orders-db", "degraded");
    assert_eq!(status["cause"]["kind"], "remote-refused", "{status}");

    let mut connection = TcpStream::connect(("127.0.0.1", user.port("orders-db"))).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    let error = connection.read(&mut [0; 1]).expect_err("a reset, not an orderly end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_degraded_tunnel_becomes_ready_with_the_first_connection_that_works() {
    let sim = TestSim::start();
    let port = free_port();
    let user = TestDaemon::new(&sim).tunnel_with("api", &format!("127.0.0.1:{port}"), "");
    user.run(&["up"]).expect_success();
    user.wait_for("api", "degraded");

    let remote = TestRemote::start_on(port);
    // Whether the daemon's own probe or one of these gets through first does not matter.
    wait_until("a connection to work", DEADLINE, || echo_once(user.port("api"), 100, 1).ok());
    user.wait_for("api", "ready");
    drop(remote);
}

#[test]
fn an_offline_target_stays_connecting_with_its_cause_and_heals() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    sim.faults(&json!({ "offline": [NODE] }));
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait=1s"]).expect_code(7);

    user.wait_for_cause("api", "connecting", "target-offline");
    // Absent for the moment that a try takes.
    wait_until("a time of the next try", DEADLINE, || user.status("api")["retry_at"].is_string().then_some(()));

    sim.clear_faults();
    user.wait_for("api", "ready");
    echo_once(user.port("api"), 1000, 1).unwrap();
}

#[test]
fn connections_made_while_the_session_opens_are_held_and_then_served() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    sim.faults(&json!({ "offline": [NODE] }));
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up"]).expect_success();
    let status = user.status("api");
    assert_eq!(status["state"], "connecting", "{status}");

    let port = user.port("api");
    let held = std::thread::spawn(move || echo_once(port, 1000, 1));
    sim.clear_faults();
    held.join().expect("the thread does not panic").expect("the held connection is served");
}

#[test]
fn a_session_that_the_service_ends_is_replaced_and_its_connections_are_reset() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let mut held = tunnels_tests::hold_open(("127.0.0.1", user.port("api")), b"hello").unwrap();
    wait_until("the bytes to arrive", DEADLINE, || (remote.received() == 5).then_some(()));

    let id = sim.sessions()[0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/_sim/sessions/{id}/close");
    sim.control("POST", &path, Some(&json!({ "output": "Session was terminated by an administrator" })));

    let error = held.read(&mut [0; 1]).expect_err("a reset, not an orderly end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    wait_until("a second session", DEADLINE, || (sim.sessions().len() == 2).then_some(()));
    user.wait_for("api", "ready");
    echo_once(user.port("api"), 1000, 1).unwrap();
}

#[test]
fn down_closes_the_port_and_up_opens_it_again() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address()).tunnel("other", remote.address());
    user.run(&["up", "--wait"]).expect_success();

    user.run(&["down", "api"]).expect_success();
    user.wait_for("api", "down");
    let refused = TcpStream::connect(("127.0.0.1", user.port("api"))).expect_err("nothing listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    echo_once(user.port("other"), 1000, 1).expect("the other tunnel is not touched");

    user.run(&["up", "api", "--wait"]).expect_success();
    echo_once(user.port("api"), 1000, 1).unwrap();
}

#[test]
fn after_an_end_by_the_idle_policy_the_next_connection_opens_a_session() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();

    sim.faults(&json!({ "idle_timeout_s": 0.2 }));
    let status = user.wait_for("api", "listening");
    assert_eq!(status["cause"]["kind"], "idle-policy", "{status}");
    assert_eq!(sim.sessions().len(), 1, "a policy is not worked around");
    sim.clear_faults();

    echo_once(user.port("api"), 1000, 1).unwrap();
    user.wait_for("api", "ready");
    assert_eq!(sim.sessions().len(), 2);
}

#[test]
fn a_strict_service_accepts_our_signatures_and_refuses_others() {
    let remote = TestRemote::start();
    let sim = TestSim::start_with(&SimOptions { arguments: vec!["--strict".to_owned()], ..SimOptions::default() });

    let user = TestDaemon::new(&sim).tunnel("api", remote.address()).with_keys("SIMULATED", "simulated");
    user.run(&["up", "--wait"]).expect_success();
    sim.cut("client", "bye");
    echo_once(user.port("api"), 1000, 1).expect("the resumed websocket is signed, too");

    let stranger = TestDaemon::new(&sim).tunnel("api", remote.address()).with_keys("SIMULATED", "guessed");
    let code = stranger.run(&["up", "--wait"]).code;
    assert!(matches!(code, Some(6 | 8)), "neither ready nor waiting: {code:?}");
}
