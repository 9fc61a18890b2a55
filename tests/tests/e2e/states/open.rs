//! States with a port that is open: `listening`, `ready`, `degraded`, `reconnecting`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tunnels_tests::{NODE, TestDaemon, TestRemote, TestSim, echo_once, free_port, hold_open, wait_until};

use super::{is_tried_again, is_well, names, set_off};

const DEADLINE: Duration = Duration::from_mins(1);

#[test]
fn a_tunnel_listens_on_demand_parks_when_unused_and_wakes_with_a_connection() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let keys = "open = \"on-demand\"\npark_after = \"1s\"";
    let user = TestDaemon::new(&sim).tunnel_with("api", &remote.address().to_string(), keys);
    user.run(&["daemon"]).expect_success();
    let down = user.status("api");
    assert_eq!((&down["state"], &down["wanted"], &down["sessions"]), (&"down".into(), &"down".into(), &0.into()));
    user.run(&["up", "--wait"]).expect_success();
    let listening = user.status("api");
    assert_eq!((&listening["state"], &listening["wanted"]), (&"listening".into(), &"up".into()), "{listening}");
    assert!(listening.get("cause").is_none(), "on demand there is nothing to explain: {listening}");

    for sessions in [1, 2] {
        echo_once(user.port("api"), 1000, 1).unwrap();
        wait_until("the session", DEADLINE, || (sim.calls("StartSession") == sessions).then_some(()));
        let parked = user.wait_for_cause("api", "listening", "parked");
        is_tried_again(&parked, false);
        assert_eq!(parked["sessions"], 0, "{parked}");
    }
    user.run(&["down"]).expect_success();
    let down = user.status("api");
    assert_eq!((&down["state"], &down["wanted"]), (&"down".into(), &"down".into()), "{down}");
    assert!(down.get("cause").is_none(), "{down}");
}

#[test]
fn a_refused_port_is_degraded_until_something_listens_there() {
    let sim = TestSim::start();
    let port = free_port();
    let user = TestDaemon::new(&sim).tunnel_with("api", &format!("127.0.0.1:{port}"), "");
    set_off(&user, "api");
    let status = user.wait_for_cause("api", "degraded", "remote-refused");
    names(&status, &[NODE, &format!("127.0.0.1:{port}"), "security group"]);
    assert_eq!(status["sessions"], 1, "{status}");

    // Nobody connects: the tunnel finds out by itself.
    let _remote = TestRemote::start_on(port);
    is_well(&user, "api");
    assert_eq!(sim.calls("StartSession"), 1);
}

#[test]
fn a_silent_remote_is_degraded_until_it_speaks() {
    let sim = TestSim::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = listener.local_addr().unwrap().to_string();
    let user = TestDaemon::new(&sim).tunnel_with("api", &remote, "probe = \"http\"");
    set_off(&user, "api");
    // The kernel takes the connection; nobody answers.
    let status = user.wait_for_cause("api", "degraded", "probe-failed");
    names(&status, &[&remote, "does not answer", "`probe`"]);

    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            // Whoever has given up meanwhile does not mind.
            let _ = connection.read(&mut [0; 1]);
            let _ = connection.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        }
    });
    is_well(&user, "api");
}

#[test]
fn a_lost_channel_is_reconnecting_with_its_session_and_streams_until_it_may_resume() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let mut held = hold_open(("127.0.0.1", user.port("api")), b"hello").unwrap();
    wait_until("the bytes to arrive", DEADLINE, || (remote.received() == 5).then_some(()));

    sim.faults(&json!({ "resume_refusals": 1_000_000 }));
    sim.cut("client", "reset");
    let status = user.wait_for_cause("api", "reconnecting", "service-error");
    names(&status, &["AWS failed"]);
    assert_eq!((&status["sessions"], &status["sessions_resuming"]), (&1.into(), &1.into()), "{status}");
    assert_eq!(status["streams"], 1, "the stream is frozen, not closed: {status}");
    held.write_all(b"again").unwrap();

    sim.clear_faults();
    is_well(&user, "api");
    wait_until("the frozen bytes", DEADLINE, || (remote.received() == 10).then_some(()));
    assert_eq!(sim.calls("StartSession"), 1, "it is the same session");
}
