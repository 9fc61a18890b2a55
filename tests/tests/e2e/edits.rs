//! Edits of the configuration as a person makes them, with connections open.

use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tunnels_tests::{TestDaemon, TestRemote, TestSim, echo_once, open_echo, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);

fn names(list: &Value) -> Vec<&str> {
    list["tunnels"].as_array().unwrap().iter().map(|tunnel| tunnel["name"].as_str().unwrap()).collect()
}

fn still_echoes(connection: &mut TcpStream) {
    connection.write_all(b"again").expect("the connection is open");
    let mut answer = [0; 5];
    connection.read_exact(&mut answer).expect("the connection is open");
    assert_eq!(&answer, b"again");
}

#[test]
fn an_edit_is_in_force_with_the_next_command_and_touches_only_what_it_is_about() {
    let remote = TestRemote::start();
    let other = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim);
    for n in 0..10 {
        user = user.tunnel(&format!("t{n}"), remote.address());
    }
    user.run(&["up", "--wait"]).expect_success();
    let mut held: Vec<TcpStream> = (0..10).map(|n| open_echo(user.port(&format!("t{n}"))).unwrap()).collect();
    held.iter_mut().for_each(still_echoes);
    let before = std::fs::read_to_string(user.config()).unwrap();

    // Added: named right after the edit, faster than any watcher.
    user = user.tunnel("new", remote.address());
    user.run(&["up", "new", "--wait"]).expect_success();
    echo_once(user.port("new"), 1000, 1).unwrap();
    // Removed.
    user.overwrite_config(&before);
    assert_eq!(names(&user.ls()).len(), 10);
    user.run(&["status", "new"]).expect_code(5);
    // Changed: the last of ten leads elsewhere now.
    let (first, last) = before.rsplit_once(&remote.address().to_string()).unwrap();
    user.overwrite_config(&format!("{first}{}{last}", other.address()));
    user.run(&["wait", "t9"]).expect_success();
    echo_once(user.port("t9"), 1000, 1).unwrap();
    wait_until("the other remote to have been asked", DEADLINE, || {
        other.ends().iter().any(|end| end.received == 1000).then_some(())
    });
    let error = held.pop().unwrap().read(&mut [0]).expect_err("its time is up");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    held.iter_mut().for_each(still_echoes);
    assert_eq!(sim.calls("StartSession"), 12, "ten, the new one and the changed one");
}

#[test]
fn an_edit_with_mistakes_changes_nothing_and_every_view_says_so() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let mut held = open_echo(user.port("api")).unwrap();
    still_echoes(&mut held);
    let before = std::fs::read_to_string(user.config()).unwrap();

    user.overwrite_config(&before.replace("remote", "remoet"));
    let list = user.ls();
    assert_eq!(names(&list), ["api"]);
    let report = list["config_error"].as_str().expect("the report");
    assert!(report.contains("remoet") && report.contains("config.toml"), "{report}");
    let people = user.run(&["ls"]).expect_success();
    assert!(people.stdout.contains("config check") || people.stderr.contains("config check"), "{people:?}");
    let up = user.run(&["up", "nope"]).expect_code(5);
    assert!(up.stderr.contains("rejected"), "{}", up.stderr);
    user.run(&["config", "check"]).expect_code(3);
    assert!(user.state_files().iter().any(|text| text.contains("remoet")), "the log has it");
    still_echoes(&mut held);

    user.overwrite_config(&before);
    assert!(user.ls().get("config_error").is_none());
    still_echoes(&mut held);
    assert_eq!(sim.calls("StartSession"), 1);
}

#[test]
fn a_reason_given_with_up_is_what_aws_records() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with(
        "api",
        &remote.address().to_string(),
        "reason = \"daily work\"\nprotected = true",
    );
    let reasons = || -> Vec<Value> { sim.sessions().iter().map(|session| session["reason"].clone()).collect() };
    // Protected, and nobody to ask: a reason stands for the answer.
    user.run(&["up", "api", "--wait"]).expect_code(2);
    user.run(&["up", "api", "--wait", "--reason", "INC-4711"]).expect_success();
    assert_eq!(reasons(), ["INC-4711"]);
    user.run(&["restart", "api", "--yes"]).expect_success();
    user.run(&["wait", "api"]).expect_success();
    assert_eq!(reasons().last().unwrap(), "INC-4711", "as long as it is up");
    user.run(&["down", "api"]).expect_success();
    user.run(&["up", "api", "--yes", "--wait"]).expect_success();
    assert_eq!(reasons().last().unwrap(), "daily work");
    user.run(&["up", "api", "--reason", ""]).expect_code(2);
}
