//! The daemon's log: what `tunnels logs` shows of it, and the file.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tunnels_tests::{NODE, Process, TestDaemon, TestRemote, TestSim, finish, free_port, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

fn setting() -> (TestRemote, TestSim, TestDaemon) {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address()).tunnel_with("lazy", "127.0.0.1:9", "auto = false");
    (remote, sim, user)
}

#[track_caller]
fn until_it_says(process: &Process, words: &str) {
    wait_until(format!("the log to say `{words}`"), DEADLINE, || process.output().contains(words).then_some(()));
}

fn messages(logs: &Value) -> Vec<String> {
    let lines = logs["lines"].as_array().expect("a list of lines");
    lines.iter().map(|line| line["message"].as_str().expect("a message").to_owned()).collect()
}

#[test]
fn lines_of_one_tunnel_or_of_all_for_people_and_for_scripts() {
    let (_remote, _sim, user) = setting();
    user.run(&["up", "--wait"]).expect_success();

    let text = user.run(&["logs"]).expect_success().stdout;
    assert!(text.contains("api  connecting → ready") && text.contains("asked for `up`"), "{text}");
    assert!(!text.contains('\u{1b}'), "a pipe gets no colour: {text}");
    let text = user.run(&["logs", "api"]).expect_success().stdout;
    assert!(text.contains("connecting → ready") && !text.contains("asked for `up`"), "{text}");
    assert_eq!(user.run(&["logs", "api", "-n", "1"]).expect_success().stdout.lines().count(), 1);
    assert_eq!(user.run(&["logs", "lazy", "--level", "warn"]).expect_success().stdout, "");

    let logs = user.run(&["logs", "api", "--json"]).expect_success().json();
    assert!(messages(&logs).contains(&"connecting → ready".to_owned()), "{logs}");
    for line in logs["lines"].as_array().expect("a list") {
        assert_eq!(line["tunnel"], "api");
        for field in ["time", "level", "target", "message"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
    }
    let opened = logs["lines"].as_array().into_iter().flatten().find(|line| line["message"] == "session open");
    assert!(opened.is_some_and(|line| line["fields"]["target"] == NODE), "{logs}");

    let finished = user.run(&["logs", "apo"]).expect_code(5);
    assert!(finished.stderr.contains("did you mean `api`?"), "{}", finished.stderr);
    user.run(&["logs", "--level", "loud"]).expect_code(2);
}

#[test]
fn following_tells_what_comes_and_ends_with_the_daemon() {
    let (_remote, sim, user) = setting();
    user.run(&["up", "--wait"]).expect_success();
    let mut people = Process::start("tunnels logs -f", &mut user.command(&["logs", "-f"]));
    let mut script =
        Process::start("tunnels logs -f --json", &mut user.command(&["logs", "api", "-fn", "1", "--json"]));
    for process in [&people, &script] {
        until_it_says(process, "connecting → ready");
    }
    sim.cut("client", "reset");
    for process in [&people, &script] {
        until_it_says(process, "ready → reconnecting: ");
    }
    user.run(&["stop"]).expect_success();
    for process in [&mut people, &mut script] {
        assert_eq!(process.wait().code(), Some(0), "{}", process.output());
    }
    assert_eq!(script.output().matches("\"connecting → ready").count(), 1, "{}", script.output());
    for line in script.output().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(line["tunnel"], "api", "{line}");
    }
}

#[test]
fn following_ends_with_its_reader() {
    let (_remote, _sim, user) = setting();
    user.run(&["daemon"]).expect_success();
    // Nothing is written to the log after that line: only the end of `grep` can end it.
    let mut shell = Command::new("sh");
    let logs = user.command(&[]);
    shell.envs(logs.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.args(["-c", "\"$0\" logs -f | grep -m1 runs"]).arg(logs.get_program());
    assert_eq!(finish(&mut shell).expect_success().stdout.lines().count(), 1);
}

#[test]
fn following_ends_with_130_at_ctrl_c() {
    let (_remote, _sim, user) = setting();
    user.run(&["daemon"]).expect_success();
    let mut logs = Process::start("tunnels logs -f", &mut user.command(&["logs", "-f"]));
    until_it_says(&logs, "runs");
    logs.signal("INT");
    assert_eq!(logs.wait().code(), Some(130));
}

#[test]
fn the_log_of_a_daemon_that_has_crashed_is_shown_from_its_file() {
    let (_remote, _sim, mut user) = setting();
    let finished = user.run(&["logs"]).expect_code(4);
    assert!(finished.stderr.contains("daemon.log"), "says where a log would be: {}", finished.stderr);
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    // A thread of its own writes the file.
    wait_until("the line in the file", DEADLINE, || {
        user.state_files().iter().any(|text| text.contains("[api] connecting → ready")).then_some(())
    });
    user.process().signal("KILL");
    user.process().wait();

    let finished = user.run(&["logs", "api"]).expect_success();
    assert!(finished.stdout.contains("api  connecting → ready"), "{}", finished.stdout);
    for said in ["no daemon answers", "daemon.log"] {
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
    }
    let logs = user.run(&["logs", "--json", "-n", "1"]).expect_success().json();
    assert_eq!(messages(&logs), ["connecting → ready"]);
    user.run(&["logs", "-f"]).expect_code(4);
    user.run(&["logs", "nobody"]).expect_code(4);
}

#[test]
fn the_file_is_private_comes_back_when_it_is_taken_away_and_holds_what_went_wrong_early() {
    let (_remote, _sim, user) = setting();
    user.run(&["up", "--wait"]).expect_success();
    let log = user.log_file();
    assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&log).unwrap();
    user.run(&["down", "api"]).expect_success();
    wait_until("the file to be there again", DEADLINE, || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("[api] ready → down")).then_some(())
    });
    // What a crash says past the log goes there, too.
    let pid = user.daemon_pid().expect("it runs");
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/2")).unwrap(), fs::canonicalize(&log).unwrap());
    user.run(&["stop"]).expect_success();
    user.overwrite_config("[tunnels.api]\nlocal = 0\n");
    user.run(&["daemon"]).expect_code(3);
    // The command knows before the daemon has written all of it.
    wait_until("what the daemon says of its own end", DEADLINE, || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("config.toml:2:")).then_some(())
    });
}

#[test]
fn a_daemon_in_the_foreground_says_the_same_to_whoever_started_it() {
    let (_remote, _sim, user) = setting();
    let mut command = user.command(&["daemon", "--foreground", "--log-format", "json"]);
    let mut daemon = Process::start("tunnels daemon", &mut command);
    until_it_says(&daemon, "runs");
    user.run(&["up", "--wait"]).expect_success();
    until_it_says(&daemon, "connecting → ready");
    daemon.signal("TERM");
    daemon.wait();
    for line in daemon.output().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["message"].is_string(), "{line}");
    }
    assert!(fs::read_to_string(user.log_file()).unwrap().contains("[api] connecting → ready"));
}

#[test]
fn sighup_makes_the_daemon_read_its_configuration() {
    let (_remote, sim, mut user) = setting();
    user.start();
    let new = format!(
        "[tunnels.new]\nremote = \"127.0.0.1:9\"\nlocal = {}\ntarget = \"{NODE}\"\nendpoints = {{ ssm = \"{}\" }}\n",
        free_port(),
        sim.url()
    );
    user.overwrite_config(&new);
    user.process().signal("HUP");
    until_it_says(user.process(), "asked for `reload`: SIGHUP");
    wait_until("the new tunnel", DEADLINE, || user.run(&["status", "new"]).code.filter(|&code| code == 0));
    assert!(user.process().ended().is_none(), "it goes on");
}

#[test]
fn at_the_limit_of_open_files_connections_wait_and_that_is_said_once() {
    const LIMIT: u32 = 64;
    let (remote, _sim, user) = setting();
    let program = user.command(&["daemon", "--foreground"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {LIMIT} && exec \"$0\" \"$@\"")]);
    limited.arg(program.get_program()).args(program.get_args()).env_clear();
    limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let daemon = Process::start("tunnels daemon", &mut limited);
    until_it_says(&daemon, &format!("this process may open {LIMIT} files"));
    user.run(&["up", "--wait"]).expect_success();

    let connect = || TcpStream::connect(("127.0.0.1", user.port("api"))).expect("the system's queue takes it");
    let held: Vec<TcpStream> = (0..2 * LIMIT).map(|_| connect()).collect();
    until_it_says(&daemon, "none can be accepted now");
    drop(held);
    // Those that waited are served in turn, and then this one.
    tunnels_tests::echo_once(user.port("api"), 1000, 1).expect("it is served");
    user.wait_for("api", "ready");
    let said = daemon.output().matches("none can be accepted now").count();
    assert!(said <= 2, "once for each listening socket in a minute, and not {said} times");
    drop(remote);
}

#[test]
fn a_broken_tunnel_that_is_hammered_does_not_fill_the_log() {
    let sim = TestSim::start();
    sim.faults(&json!({ "offline": [NODE] }));
    let user = TestDaemon::new(&sim)
        .tunnel_with("refused", &format!("127.0.0.1:{}", free_port()), "hold = \"0s\"")
        .tunnel_with("lost", "127.0.0.1:9", "endpoints = { ssm = \"http://127.0.0.1:1\" }\nhold = \"0s\"");
    user.run(&["up"]).expect_success();
    user.wait_for_cause("refused", "connecting", "target-offline");
    user.wait_for_cause("lost", "connecting", "network");
    for _ in 0..200 {
        for name in ["refused", "lost"] {
            let mut connection = TcpStream::connect(("127.0.0.1", user.port(name))).expect("the port is bound");
            connection.set_read_timeout(Some(DEADLINE)).expect("a timeout");
            connection.read(&mut [0]).expect_err("it is reset");
        }
    }
    for name in ["refused", "lost"] {
        let logs = user.run(&["logs", name, "--json"]).expect_success().json();
        let mut messages = messages(&logs);
        assert!(messages.len() <= 4, "{name}: {messages:#?}");
        let count = messages.len();
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len(), count, "{name} says the same twice: {messages:#?}");
    }
}
