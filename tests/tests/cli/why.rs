//! `tunnels why`: what happened to a tunnel, why, for how long, and what became of its connections.

use std::time::Duration;

use serde_json::{Value, json};
use tunnels_tests::{TestDaemon, TestRemote, TestSim, hold_open, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

/// The changes as `from → to: kind`.
fn story(history: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    let changes = history["changes"].as_array().expect("a list of changes");
    let told = |change: &Value| {
        let (from, to, kind) = (word(&change["from"]), word(&change["to"]), word(&change["cause"]["kind"]));
        format!("{from} → {to}: {kind}")
    };
    changes.iter().map(told).collect()
}

#[track_caller]
fn history(user: &TestDaemon) -> Value {
    user.run(&["why", "api", "--json"]).expect_success().json()
}

/// Waits until the connections of the newest change are these.
#[track_caller]
fn wait_for_toll(user: &TestDaemon, from: &str, lived: u64, lost: u64) -> Value {
    wait_until(format!("{lived} to live and {lost} to be lost from {from}"), DEADLINE, || {
        let history = history(user);
        let changes = history["changes"].as_array()?;
        let change = changes.iter().rev().find(|change| change["from"] == from)?;
        (change["connections"] == json!({ "lived": lived, "lost": lost, "turned_away": 0 })).then(|| change.clone())
    })
}

#[test]
fn each_change_has_its_cause_its_time_and_what_became_of_connections() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    assert_eq!(story(&history(&user)), ["down → connecting: user", "connecting → ready: recovered"]);

    let connect = || hold_open(("127.0.0.1", user.port("api")), b"hello").expect("the tunnel carries");
    let held: Vec<_> = (0..3).map(|_| connect()).collect();
    wait_until("the remote to hear all three", DEADLINE, || (remote.received() == 15).then_some(()));

    sim.cut("client", "bye");
    wait_until("the way back", DEADLINE, || {
        let told = story(&history(&user));
        let end = ["ready → reconnecting: service-recycle", "reconnecting → ready: recovered"];
        told.ends_with(&end.map(str::to_owned)).then_some(())
    });
    let recycled = wait_for_toll(&user, "ready", 3, 0);
    assert!(recycled["lasted_ms"].is_u64(), "{recycled}");

    let session = sim.sessions()[0]["id"].as_str().expect("an id").to_owned();
    sim.control("POST", &format!("/_sim/sessions/{session}/close"), Some(&json!({ "output": "maintenance" })));
    wait_for_toll(&user, "ready", 0, 3);
    user.wait_for("api", "ready");
    drop(held);
    user.run(&["down", "api"]).expect_success();
    user.wait_for("api", "down");

    let whole = history(&user);
    assert_eq!(story(&whole).last().expect("changes"), "ready → down: user");
    assert_eq!((&whole["tunnel"], &whole["forgotten"]), (&json!("api"), &json!(0)));
    let changes = whole["changes"].as_array().expect("a list of changes");
    for pair in changes.windows(2) {
        assert_eq!(pair[0]["to"], pair[1]["from"], "a chain: {whole:#}");
        assert!(pair[0]["at"].as_str() <= pair[1]["at"].as_str() && pair[0]["lasted_ms"].is_u64(), "{whole:#}");
    }
    let last = changes.last().expect("changes");
    assert!(last.get("lasted_ms").is_none() && last["cause"]["text"].is_string(), "it still is so: {last}");

    let newest = user.run(&["why", "api", "-n", "1", "--json"]).expect_success().json();
    assert_eq!(newest["changes"], json!([last]));
}

#[test]
fn people_read_it_line_by_line() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user =
        TestDaemon::new(&sim).tunnel("api", remote.address()).tunnel_with("later", "127.0.0.1:9", "auto = false");
    user.run(&["up", "--wait"]).expect_success();
    let text = user.run(&["why", "api"]).expect_success().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("api is ready for "), "{text}");
    assert!(lines[2].contains("  connecting  ") && lines[2].ends_with("  brought up"), "{text}");
    assert!(lines[3].contains("  ready  ") && lines[3].ends_with(" now  the remote answers"), "{text}");
    let text = user.run(&["why", "later"]).expect_success().stdout;
    assert_eq!(text, "later has not been up since the daemon started\n");
    user.run(&["why", "ap"]).expect_code(5);
}

#[test]
fn connections_that_nothing_carries_are_turned_away() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    sim.faults(&json!({ "offline": [tunnels_tests::NODE] }));
    let user = TestDaemon::new(&sim).tunnel_with("api", &remote.address().to_string(), "hold = \"50ms\"");
    user.run(&["up"]).expect_success();
    user.wait_for_cause("api", "connecting", "target-offline");
    drop(hold_open(("127.0.0.1", user.port("api")), b"hello"));
    for _ in 0..2 {
        let refused = tunnels_tests::echo_once(user.port("api"), 10, 1);
        assert!(refused.is_err(), "nothing carries it");
    }
    let change = wait_until("both to be counted", DEADLINE, || {
        let history = history(&user);
        let change = history["changes"].as_array()?.last()?.clone();
        (change["connections"]["turned_away"].as_u64() >= Some(2)).then_some(change)
    });
    assert_eq!((&change["to"], &change["cause"]["kind"]), (&json!("connecting"), &json!("target-offline")));
    assert!(change["cause"]["next"].is_string(), "{change}");
}
