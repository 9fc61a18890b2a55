//! Whatever way the daemon ends, no session outlives it for good.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tunnels_tests::{TestDaemon, TestRemote, TestSim, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

fn all_terminated(sim: &TestSim) -> Option<()> {
    let states = sim.session_states();
    (!states.is_empty() && states.iter().all(|state| state == "terminated")).then_some(())
}

#[test]
fn stop_terminates_every_session_and_removes_the_socket() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("one", remote.address()).tunnel("two", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    assert_eq!(sim.session_states(), ["connected", "connected"]);
    let mode = |path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
    assert_eq!(mode(user.socket()), 0o600);

    user.run(&["stop"]).expect_success();
    assert_eq!(all_terminated(&sim), Some(()), "{:?}", sim.sessions());
    assert!(!user.socket().exists(), "the socket is gone");
}

#[test]
fn a_signal_ends_the_daemon_as_stop_does() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("one", remote.address());
    user.start();
    user.run(&["up", "--wait"]).expect_success();

    user.process().signal("TERM");
    let status = user.process().wait();
    assert!(matches!(status.code(), Some(0 | 143)), "ended with {status}");
    assert_eq!(all_terminated(&sim), Some(()), "{:?}", sim.sessions());
    assert!(!user.socket().exists(), "the socket is gone");
}

#[test]
fn what_a_killed_daemon_left_is_terminated_by_the_next() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("one", remote.address());
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    let orphan = sim.sessions()[0]["id"].clone();

    user.process().signal("KILL");
    user.process().wait();
    user.start();
    wait_until("the orphan to be terminated", DEADLINE, || {
        let sessions = sim.sessions();
        sessions.iter().any(|session| session["id"] == orphan && session["state"] == "terminated").then_some(())
    });
}

#[test]
fn an_open_connection_is_drained_for_as_long_as_asked() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("one", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let held = tunnels_tests::hold_open(("127.0.0.1", user.port("one")), b"hello").unwrap();
    wait_until("the bytes to arrive", DEADLINE, || (remote.received() == 5).then_some(()));

    // The connection never ends by itself: only the end of the drain ends the daemon.
    user.run(&["stop", "--drain", "1s"]).expect_success();
    assert_eq!(all_terminated(&sim), Some(()), "{:?}", sim.sessions());
    drop(held);
}
