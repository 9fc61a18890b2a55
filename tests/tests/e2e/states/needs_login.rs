//! `needs-login`: credentials are missing or have run out; a login heals it without a command.

use std::fs;
use std::io::Write;
use std::time::Duration;

use serde_json::json;
use tunnels_tests::{NODE, TestDaemon, TestRemote, TestSim, hold_open, wait_until};

use super::{is_well, names, set_off};

const DEADLINE: Duration = Duration::from_mins(1);

#[test]
fn expired_credentials_ask_for_a_login_and_the_login_is_seen() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    sim.faults(&json!({ "expired_credentials": true }));
    user.run(&["up", "--wait"]).expect_code(6);
    let log = user.events();
    let status = user.wait_for_cause("api", "needs-login", "credentials");
    names(&status, &["have expired", "tunnels daemon --takeover"]);
    // A look whether somebody has logged in is no news, and is made every few seconds.
    let calls = sim.calls("StartSession");
    wait_until("another look", DEADLINE, || (sim.calls("StartSession") > calls).then_some(()));
    assert_eq!(log.states("api"), ["needs-login"]);

    sim.clear_faults();
    is_well(&user, "api");
}

#[test]
fn a_session_outlives_its_credentials_and_goes_on_after_the_login() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let mut held = hold_open(("127.0.0.1", user.port("api")), b"hello").unwrap();
    wait_until("the bytes to arrive", DEADLINE, || (remote.received() == 5).then_some(()));
    sim.faults(&json!({ "expired_credentials": true }));
    held.write_all(b"still").unwrap();
    wait_until("what needs no call to go on", DEADLINE, || (remote.received() == 10).then_some(()));

    sim.cut("client", "bye");
    let status = user.wait_for_cause("api", "needs-login", "credentials");
    assert_eq!((&status["sessions"], &status["streams"]), (&1.into(), &1.into()), "both are kept: {status}");
    held.write_all(b"again").unwrap();
    sim.clear_faults();
    is_well(&user, "api");
    wait_until("the frozen bytes", DEADLINE, || (remote.received() == 15).then_some(()));
    assert_eq!(sim.calls("StartSession"), 1);
}

#[test]
fn a_profile_without_credentials_is_named_and_heals_when_it_has_some() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let keys = |profile: &str| format!("profile = \"{profile}\"");
    let user = TestDaemon::new(&sim)
        .tunnel_with("process", &remote.address().to_string(), &keys("by-process"))
        .tunnel_with("sso", &remote.address().to_string(), &keys("by-sso"));
    let credentials = user.home().join("credentials.json");
    user.write_aws_config(&format!(
        "[profile by-process]\ncredential_process = cat {}\n\
         [profile by-sso]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n\
         sso_account_id = 123456789012\nsso_role_name = dev\n",
        credentials.display()
    ));
    set_off(&user, "process");
    set_off(&user, "sso");
    let status = user.wait_for_cause("process", "needs-login", "no-credentials");
    names(&status, &["profile `by-process`", "goes on by itself"]);
    let status = user.wait_for_cause("sso", "needs-login", "credentials");
    names(&status, &["profile `by-sso` is not logged in", "run `aws sso login --profile by-sso`"]);
    assert_eq!(sim.calls("StartSession"), 0, "nothing is asked as somebody else");

    // Whole at once: it is read every few seconds.
    let new = user.home().join("new.json");
    fs::write(&new, r#"{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "s"}"#).unwrap();
    fs::rename(new, credentials).unwrap();
    is_well(&user, "process");
    assert_eq!(user.status("sso")["state"], "needs-login");
}

#[test]
fn one_key_of_two_that_has_run_out_stops_only_its_own_tunnels() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim)
        .tunnel_with("old", &remote.address().to_string(), "profile = \"old\"")
        .tunnel_with("new", &remote.address().to_string(), "profile = \"new\"");
    // The daemon's shell has keys as well; a profile that is named comes first.
    user.write_aws_config(
        "[profile old]\naws_access_key_id = AKIAOLD\naws_secret_access_key = s\n\
         [profile new]\naws_access_key_id = AKIANEW\naws_secret_access_key = s\n",
    );
    sim.faults(&json!({ "expired_keys": ["AKIAOLD"] }));
    set_off(&user, "old");
    let status = user.wait_for_cause("old", "needs-login", "credentials");
    names(&status, &["profile `old` have expired"]);
    user.run(&["up", "new", "--wait"]).expect_success();
    assert_eq!(user.status("new")["target"], NODE);
    sim.clear_faults();
    is_well(&user, "old");
}
