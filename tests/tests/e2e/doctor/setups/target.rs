//! The target, its agent, and what IAM allows.

use super::{Broken, DENIED, OFFLINE, OTHER_TWIN, Scene, TWIN, UNCONNECTED};
use serde_json::json;
use tunnels_tests::{NODE, TestDaemon, TestSim};

/// Nobody has it.
const NOBODY: &str = "i-0fffffffffffffff0";

pub(super) const SETUPS: &[Broken] = &[
    // The target.
    Broken::new(
        "a target that does not exist",
        "target",
        &["no managed node", NOBODY, "us-east-1 of account 123456789012"],
        |world| world.user(NOBODY).into(),
    ),
    Broken::new(
        "a target that is offline",
        "target",
        &["is not online", "ConnectionLost", "amazon-ssm-agent"],
        |world| world.user(OFFLINE).into(),
    ),
    Broken::new(
        "a target without a channel for sessions",
        "target",
        &["channel for sessions is not open", "ssmmessages"],
        |world| world.user(UNCONNECTED).into(),
    ),
    Broken::new("a tag that nobody has", "target", &["no managed node has the tag Name=bastoin"], |world| {
        world.user_with("target = { tag = \"Name=bastoin\" }").into()
    }),
    Broken::new("a tag whose node is offline", "target", &["the node with tag:Name=lost", OFFLINE], |world| {
        world.user_with("target = { tag = \"Name=lost\" }").into()
    }),
    Broken::new(
        "a tag that two nodes have",
        "target",
        &["2 nodes that are online have tag:Name=twin", TWIN, OTHER_TWIN],
        |world| world.user_with("target = { tag = \"Name=twin\" }").into(),
    )
    .warns(),
    Broken::new("an agent that does not multiplex", "agent", &["3.0.150.0", "one connection a session"], |world| {
        world.alone(&json!({ "agent_version": "3.0.150.0" }))
    }),
    Broken::new("an agent that forwards to its own ports only", "agent", &["3.1.1000.0", "other hosts"], |world| {
        world.alone(&json!({ "agent_version": "3.1.1000.0" }))
    }),
    Broken::new("an agent that wants to be kept busy", "agent", &["3.1.1400.0", "silent for a minute"], |world| {
        world.alone(&json!({ "agent_version": "3.1.1400.0" }))
    })
    .warns(),
    // What IAM allows.
    Broken::new(
        "a session that IAM denies",
        "permission",
        &["ssm:StartSession", "instance/i-0000000000000000b", "\"Effect\":\"Allow\""],
        |world| world.user(DENIED).into(),
    ),
    Broken::new(
        "a document that IAM denies",
        "permission",
        &["on arn:aws:ssm:us-east-1::document/AWS-StartPortForwardingSessionToRemoteHost", "\"Effect\":\"Allow\""],
        |world| world.alone(&json!({ "denied_actions": ["ssm:StartSession"] })),
    ),
    Broken::new(
        "a session that the organisation denies",
        "permission",
        &["a service control policy denies it"],
        |world| world.alone(&json!({ "access_denied": [NODE], "explicit_deny": true })),
    ),
    Broken::new("a tag that may not be looked up", "permission", &["ssm:DescribeInstanceInformation"], |world| {
        let sim = TestSim::start();
        sim.faults(&json!({ "denied_actions": ["ssm:DescribeInstanceInformation"] }));
        let defaults = format!("{}target = {{ tag = \"Name=bastion\" }}\n", sim.scope());
        Scene::from(TestDaemon::with_defaults(&defaults).tunnel("db", world.remote.address())).with(sim)
    }),
    Broken::new(
        "a data channel that IAM denies",
        "permission",
        &["ssmmessages:OpenDataChannel", "${aws:userid}"],
        |world| world.alone(&json!({ "denied_actions": ["ssmmessages:OpenDataChannel"] })),
    ),
];
