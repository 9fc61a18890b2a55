//! `connecting`: what a retry can mend is tried again, and says what it waits for.

use std::time::Duration;

use serde_json::json;
use tunnels_tests::{NODE, SimOptions, TestDaemon, TestRemote, TestSim, free_port, wait_until};

use super::{is_tried_again, is_well, names, set_off};

const DEADLINE: Duration = Duration::from_mins(1);

#[test]
fn whatever_the_service_may_get_over_is_tried_again_until_it_has() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    for (fault, kind, words) in [
        (json!({ "offline": [NODE] }), "target-offline", [NODE, "us-east-1"]),
        (json!({ "throttle": true }), "throttled", ["slow down", "Rate exceeded"]),
        (json!({ "start_refusals": 1_000_000 }), "service-error", ["AWS failed", "internal server error"]),
    ] {
        sim.faults(&fault);
        set_off(&user, "api");
        let status = user.wait_for_cause("api", "connecting", kind);
        names(&status, &words);
        // Between two tries there is a moment without a next one.
        let waiting = wait_until("a tunnel that waits for its next try", DEADLINE, || {
            Some(user.status("api")).filter(|status| status["retry_at"].is_string())
        });
        is_tried_again(&waiting, true);
        assert_eq!(status["sessions"], 0, "{status}");
        sim.clear_faults();
        is_well(&user, "api");
        user.run(&["down", "api"]).expect_success();
        assert_eq!(user.status("api")["state"], "down");
    }
}

#[test]
fn a_service_that_cannot_be_reached_is_found_when_it_is_there() {
    let remote = TestRemote::start();
    let port = free_port();
    let keys =
        format!("region = \"us-east-1\"\ntarget = \"{NODE}\"\nendpoints = {{ ssm = \"http://127.0.0.1:{port}\" }}\n");
    let user = TestDaemon::with_defaults(&keys).tunnel("api", remote.address());
    set_off(&user, "api");
    let status = user.wait_for_cause("api", "connecting", "network");
    names(&status, &["AWS cannot be reached", "127.0.0.1", "VPN"]);

    let _sim = TestSim::start_with(&SimOptions { port: Some(port), ..SimOptions::default() });
    is_well(&user, "api");
}

#[test]
fn a_host_that_the_target_cannot_find_costs_few_sessions_and_is_mended_by_an_edit() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel_with("api", "no-such-host.invalid:5432", "");
    set_off(&user, "api");
    let log = user.events();
    let status = user.wait_for_cause("api", "connecting", "no-such-host");
    names(&status, &[NODE, "no-such-host.invalid", "`remote`"]);
    user.run(&["wait", "api", "--timeout", "1s"]).expect_code(7);
    // Each try costs the target a session: the pauses start at most of a second.
    assert!(sim.calls("StartSession") <= 4, "{} sessions", sim.calls("StartSession"));
    assert!(log.states("api").iter().all(|state| state == "connecting"), "{:?}", log.states("api"));

    let text = std::fs::read_to_string(user.config()).unwrap();
    user.overwrite_config(&text.replace("no-such-host.invalid:5432", &remote.address().to_string()));
    is_well(&user, "api");
}
