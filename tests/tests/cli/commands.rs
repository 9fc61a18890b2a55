//! What each command does, seen from a shell.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use tunnels_tests::{Process, TestDaemon, TestRemote, TestSim, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn a_restart_opens_another_session_each_time_and_leaves_the_others_alone() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address()).tunnel("other", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let since = user.status("other")["since"].clone();
    for _ in 0..5 {
        user.run(&["restart", "api", "--wait"]).expect_success();
        assert_eq!(user.status("api")["state"], "ready");
    }
    assert_eq!(sim.calls("StartSession"), 7);
    assert_eq!(user.status("other")["since"], since);
    user.run(&["restart", "nobody"]).expect_code(5);
}

#[test]
fn status_is_the_entry_of_ls_or_lines_for_people() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let status = user.run(&["status", "api", "--json"]).expect_success().json();
    let entry = user.status("api");
    for field in ["name", "state", "local", "remote", "since"] {
        assert_eq!(status[field], entry[field], "{field}");
    }
    let text = user.run(&["status", "api"]).expect_success().stdout;
    assert!(text.contains("ready"), "{text}");
    assert!(text.contains(&user.port("api").to_string()), "{text}");
    user.run(&["status", "nobody"]).expect_code(5);
}

#[test]
fn wait_opens_the_session_of_an_on_demand_tunnel() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("api", &remote.address().to_string(), "open = \"on-demand\"");
    user.run(&["up", "--wait"]).expect_success();
    assert_eq!(user.status("api")["state"], "listening");
    user.run(&["wait", "api"]).expect_success();
    user.run(&["wait", "api", "--for", "failed", "--timeout", "0s"]).expect_code(7);
    user.run(&["wait", "nobody"]).expect_code(5);
}

#[test]
fn another_configuration_than_the_daemons_is_refused_by_every_command_and_changes_nothing() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let ours = user.config();
    let other = ours.with_file_name("other.toml");
    std::fs::copy(&ours, &other).unwrap();
    let other = other.to_str().unwrap();
    for command in ["up", "down", "ls", "stop"] {
        let finished = user.run(&["--config", other, command]).expect_code(3);
        for named in [other, ours.to_str().unwrap()] {
            assert!(finished.stderr.contains(named), "{command}: {}", finished.stderr);
        }
    }
    assert_eq!(user.status("api")["state"], "ready");
}

#[test]
fn two_commands_that_start_the_daemon_at_once_get_one_daemon() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    let mut commands: Vec<Process> =
        (0..4).map(|_| Process::start("tunnels up", &mut user.command(&["up", "--wait"]))).collect();
    for command in &mut commands {
        assert!(command.wait().success(), "{}", command.output());
    }
    assert_eq!(sim.calls("StartSession"), 1);
}

#[test]
fn watching_into_a_pipe_tells_each_change_and_ends_with_130() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let mut watch = Process::start("tunnels ls --watch", &mut user.command(&["ls", "--watch"]));
    let says = |watch: &Process, words: &str| {
        wait_until(format!("the watch to say `{words}`"), DEADLINE, || watch.output().contains(words).then_some(()));
    };
    says(&watch, "api  ready");
    sim.cut("client", "reset");
    says(&watch, "api  reconnecting");
    wait_until("ready to follow", DEADLINE, || {
        let output = watch.output();
        let lost = output.find("api  reconnecting")?;
        output[lost..].contains("api  ready").then_some(())
    });
    watch.signal("INT");
    assert_eq!(watch.wait().code(), Some(130));
}

#[test]
fn an_attached_up_takes_its_tunnels_down_at_ctrl_c() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address()).tunnel("other", remote.address());
    user.run(&["up", "--wait", "other"]).expect_success();
    let mut attached = Process::start("tunnels up --attach", &mut user.command(&["up", "--attach", "api"]));
    user.wait_for("api", "ready");
    wait_until("the command to be attached", DEADLINE, || attached.output().contains("attached: ctrl-C").then_some(()));
    attached.signal("INT");
    assert_eq!(attached.wait().code(), Some(130));
    assert_eq!(user.status("api")["state"], "down");
    assert_eq!(user.status("other")["state"], "ready");
}

#[test]
fn the_daemon_starts_in_the_background_once_and_stops_without_a_trace() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    // Its output must not keep a pipe of ours open: `$(tunnels daemon)` has to return.
    let output = user.command(&["daemon"]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(user.status("api")["state"], "down", "a daemon alone brings nothing up");
    user.run(&["daemon"]).expect_code(1);
    let log = user.config().parent().unwrap().with_file_name("state").join("daemon.log");
    assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    user.run(&["up", "--wait"]).expect_success();
    user.run(&["stop"]).expect_success();
    assert!(!user.socket().exists());
    assert_eq!(sim.calls("TerminateSession"), 1);
    user.run(&["stop"]).expect_success();
    user.run(&["up", "--wait"]).expect_success();
}

#[test]
fn up_from_a_shell_with_other_aws_variables_says_so() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    let first = user.run(&["up", "--wait"]).expect_success();
    assert!(!first.stderr.contains("AWS_PROFILE"), "{}", first.stderr);
    let output = user.command(&["up"]).env("AWS_PROFILE", "other").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("AWS_PROFILE is `other` here and not set in the daemon"), "{stderr}");
    assert!(stderr.contains("tunnels daemon --takeover"), "{stderr}");
}

#[test]
fn the_configuration_can_be_found_and_checked_without_a_daemon() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("api", "127.0.0.1:9", "");
    let path = user.run(&["config", "path"]).expect_success().stdout;
    assert_eq!(path.trim_end(), user.config().to_str().unwrap());
    user.run(&["config", "check"]).expect_success();
    user.overwrite_config("[tunnels.api]\nlocal = 1\n");
    user.run(&["config", "check"]).expect_code(3);
    std::fs::remove_file(user.config()).unwrap();
    let finished = user.run(&["up"]).expect_code(3);
    assert!(finished.stderr.contains("[tunnels.orders-db]"), "shows how to begin: {}", finished.stderr);
}
