//! The JSON shapes of the README: more fields may be added, none renamed.

use serde_json::Value;
use tunnels_tests::{TestDaemon, TestRemote, TestSim};

/// Panics unless `value` has a field of this kind.
#[track_caller]
fn has(value: &Value, field: &str, kind: fn(&Value) -> bool) {
    assert!(kind(&value[field]), "{field} is missing or of another kind in {value}");
}

#[test]
fn ls_has_its_documented_fields() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim)
        .tunnel_with("api", &remote.address().to_string(), "groups = [\"web\"]")
        .tunnel_with("lazy", "127.0.0.1:9", "auto = false");
    user.run(&["up", "--wait"]).expect_success();

    let list = user.ls();
    assert_eq!(list["tunnels"].as_array().map(Vec::len), Some(2));
    let api = user.status("api");
    for field in ["name", "state", "remote", "target", "region", "since"] {
        has(&api, field, Value::is_string);
    }
    for field in ["sessions", "streams", "bytes_in", "bytes_out"] {
        has(&api, field, Value::is_u64);
    }
    for field in ["rate_in", "rate_out", "rtt_ms"] {
        has(&api, field, Value::is_number);
    }
    has(&api, "groups", Value::is_array);
    assert!(api["local"].to_string().contains(&user.port("api").to_string()), "{api}");
    assert_eq!(api["remote"], remote.address().to_string());
    assert_eq!(api["sessions"], 1);
    assert!(api.get("retry_at").is_none(), "nothing is tried again: {api}");

    let lazy = user.status("lazy");
    assert_eq!(lazy["state"], "down", "a bare up leaves out what is not auto: {lazy}");
    assert!(lazy.get("rtt_ms").is_none(), "{lazy}");
}

#[test]
fn version_names_the_daemon_only_while_one_runs() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("api", remote.address());

    let version = user.run(&["version", "--json"]).expect_success().json();
    has(&version, "version", Value::is_string);
    has(&version, "commit", Value::is_string);
    assert!(version.get("daemon").is_none(), "{version}");

    let pid = user.start().pid();
    let version = user.run(&["version", "--json"]).expect_success().json();
    assert_eq!(version["daemon"]["version"], version["version"]);
    assert_eq!(version["daemon"]["pid"], pid);
    assert_eq!(version["daemon"]["socket"], user.socket().to_str().unwrap());
}

#[test]
fn the_simulator_tells_its_sessions_and_calls() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();

    let session = &sim.sessions()[0];
    for field in ["id", "target", "document", "state"] {
        has(session, field, Value::is_string);
    }
    assert_eq!(session["document"], "AWS-StartPortForwardingSessionToRemoteHost");
    assert_eq!(session["host"], "127.0.0.1");
    assert_eq!(session["port"].to_string().trim_matches('"'), remote.address().port().to_string());
    assert_eq!(sim.calls("StartSession"), 1);
}
