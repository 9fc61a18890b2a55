//! A session, and what it leads to.

use super::{Broken, DOCUMENT, Scene};
use serde_json::json;
use std::net::TcpListener;
use tunnels_tests::{NODE, TestDaemon, free_port};

pub(super) const SETUPS: &[Broken] = &[
    Broken::new(
        "a document that does not exist",
        "document",
        &["Team-Forward", "does not exist", "`document`"],
        |world| world.user_with(&format!("document = \"{DOCUMENT}\"")).into(),
    ),
    Broken::new("too many calls", "target", &["slow down", "try again by themselves"], |world| {
        world.alone(&json!({ "throttle": true }))
    }),
    Broken::new("a service that fails", "session", &["AWS failed", "health.aws.amazon.com"], |world| {
        world.alone(&json!({ "start_refusals": 9 }))
    }),
    Broken::new(
        "a session that AWS ends at once",
        "session",
        &["AWS closed the session", "restart the SSM agent"],
        |world| world.alone(&json!({ "close_at_open": 9 })),
    ),
    Broken::new(
        "an agent without the part for ports",
        "agent",
        &["Plugin with name Port not found", "update it"],
        |world| {
            world.alone(
                &json!({ "close_at_open": 9, "close_output": "Plugin with name Port not found. Step name: Port" }),
            )
        },
    ),
    Broken::new("a remote that refuses", "remote", &["cannot connect to 127.0.0.1:N", "security group"], |world| {
        let user = TestDaemon::with_target(&world.sim, NODE);
        user.tunnel_with("db", &format!("127.0.0.1:{}", free_port()), "").into()
    }),
    Broken::new(
        "a remote that the target cannot resolve",
        "remote",
        &["cannot find the host db.invalid", "`remote`"],
        |world| TestDaemon::with_target(&world.sim, NODE).tunnel_with("db", "db.invalid:5432", "").into(),
    ),
    Broken::new(
        "a remote that does not answer",
        "remote",
        &["does not answer within 5 s", "security group", "`probe`"],
        |world| {
            let silent = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = silent.local_addr().unwrap().to_string();
            let user = TestDaemon::with_target(&world.sim, NODE).tunnel_with("db", &address, "probe = \"postgres\"");
            Scene::from(user).with(silent)
        },
    ),
    Broken::new(
        "a remote that the agent does not forward to",
        "remote",
        &["does not forward to 169.254.169.254"],
        |world| TestDaemon::with_target(&world.sim, NODE).tunnel_with("db", "169.254.169.254:80", "").into(),
    ),
];
