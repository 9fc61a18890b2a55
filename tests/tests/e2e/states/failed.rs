//! `failed`: no retry helps; the user, or an edit of the configuration, does.

use serde_json::json;
use tunnels_tests::{NODE, TestDaemon, TestRemote, TestSim};

use super::{is_tried_again, is_well, names};

#[test]
fn what_iam_or_the_account_refuses_waits_for_the_user() {
    const DOCUMENT: &str = "AWS-StartPortForwardingSessionToRemoteHost";
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    for (fault, kind, words) in [
        (
            json!({ "access_denied": [NODE] }),
            "access-denied",
            [NODE, "us-east-1", "ask for ssm:StartSession on arn:aws:"],
        ),
        (json!({ "missing_documents": [DOCUMENT] }), "document-missing", [DOCUMENT, "us-east-1", "`document`"]),
    ] {
        sim.faults(&fault);
        let calls = sim.calls("StartSession");
        user.run(&["up", "--wait"]).expect_code(8);
        let status = user.wait_for_cause("api", "failed", kind);
        names(&status, &words);
        names(&status, &["bring it up again"]);
        is_tried_again(&status, false);
        assert_eq!(sim.calls("StartSession"), calls + 1, "it is asked once");
        sim.clear_faults();
        user.run(&["up", "--wait"]).expect_success();
        is_well(&user, "api");
        user.run(&["down"]).expect_success();
    }
}

#[test]
fn a_session_that_may_not_be_resumed_is_lost_and_a_new_one_is_asked_for() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    sim.faults(&json!({ "access_denied": [NODE] }));
    sim.cut("client", "reset");
    user.wait_for_cause("api", "failed", "access-denied");
    assert_eq!(sim.calls("StartSession"), 2);
    sim.clear_faults();
    user.run(&["up", "--wait"]).expect_success();
    is_well(&user, "api");
}

#[test]
fn a_region_or_profile_that_is_not_there_is_mended_by_an_edit() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let remote = remote.address().to_string();
    let user = TestDaemon::with_defaults(&format!("target = \"{NODE}\"\n"))
        .tunnel_with("nowhere", &remote, "# scope of nowhere")
        .tunnel_with("nobody", &remote, "profile = \"nobody\"\n# scope of nobody");
    for (name, kind, words) in [
        ("nowhere", "no-region", ["no AWS region", "set `region`"]),
        ("nobody", "no-profile", ["profile `nobody`", "aws configure sso --profile nobody"]),
    ] {
        user.run(&["up", name, "--wait"]).expect_code(8);
        let status = user.wait_for_cause(name, "failed", kind);
        names(&status, &words);
        is_tried_again(&status, false);
        let text = std::fs::read_to_string(user.config()).unwrap();
        user.overwrite_config(&text.replace(&format!("# scope of {name}"), &sim.scope()));
        is_well(&user, name);
    }
}
