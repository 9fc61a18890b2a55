//! A machine that sleeps: what died meanwhile is found on waking, long before any ping would.

use std::thread::sleep;
use std::time::Duration;

use tunnels_tests::{TestDaemon, TestRemote, TestSim, echo_once, send_signal, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);
/// More than a busy machine's hiccup, in the daemon's eyes.
const NAP: Duration = Duration::from_secs(8);

/// A stopped process is as close to a sleeping laptop as a test gets: its clocks go on without it.
#[test]
fn on_waking_a_dead_channel_is_found_at_once() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with(
        "files",
        &remote.address().to_string(),
        "ping_interval = \"5m\"\nping_timeout = \"5m\"",
    );
    user.run(&["up", "--wait"]).expect_success();
    let daemon = user.daemon_pid().expect("a daemon runs");
    let resumes = || sim.sessions()[0]["resumes"].as_u64().expect("a count");
    send_signal(daemon, "STOP");
    sim.cut("client", "blackhole");
    sleep(NAP);
    send_signal(daemon, "CONT");
    // Nothing is open, so neither traffic nor a question would tell; the next ping is minutes away.
    wait_until("the resume", DEADLINE, || (resumes() > 0).then_some(()));
    user.wait_for("files", "ready");
    echo_once(user.port("files"), 100_000, 1).unwrap();
    assert_eq!(sim.sessions().len(), 1, "the session survived: {:?}", sim.sessions());
    let log = std::fs::read_to_string(user.log_file()).unwrap();
    assert!(log.contains("this machine has slept for"), "{log}");
    let told = user.run(&["why", "files"]).expect_success().stdout;
    assert!(told.contains("this machine was asleep"), "{told}");
}
