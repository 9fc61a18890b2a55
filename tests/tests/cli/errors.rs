//! Every command in every kind of trouble: exit code, what it says where, and the same as JSON.

use serde_json::{Value, json};
use tunnels_tests::{Finished, NODE, TestDaemon, TestRemote, TestSim};

/// One line of a table: a command line and its exit code.
type Line = (&'static str, i32);

/// Runs every command of a table, and those that can in JSON as well.
#[track_caller]
fn each(user: &TestDaemon, table: &[Line], code: &str) {
    for (line, exit) in table {
        let words: Vec<&str> = line.split(' ').collect();
        let finished = user.run(&words);
        assert_eq!(finished.code, Some(*exit), "{line}\n{}\n{}", finished.stdout, finished.stderr);
        if *exit == 0 {
            says_no_error(line, &finished);
            continue;
        }
        says_what_and_what_next(line, &finished);
        if ["ls", "status", "why", "logs"].contains(&words[0]) {
            let finished = user.run(&[&words[..], &["--json"]].concat()).expect_code(*exit);
            assert_eq!(finished.stdout, "", "{line} --json");
            is_error(line, &finished, code);
        }
    }
}

#[track_caller]
fn says_no_error(line: &str, finished: &Finished) {
    assert!(!finished.stderr.contains("error"), "{line}: {}", finished.stderr);
}

/// For people: one error, and what to do about it. What went before it is progress.
#[track_caller]
fn says_what_and_what_next(line: &str, finished: &Finished) {
    let stderr = &finished.stderr;
    assert_eq!(stderr.matches("error: ").count(), 1, "{line}: {stderr}");
    let (_, error) = stderr.split_once("error: ").expect("counted above");
    let (what, next) = error.split_once("\n  next: ").unwrap_or_else(|| panic!("{line} says nothing to do: {stderr}"));
    assert!(!what.trim().is_empty() && !next.trim().is_empty(), "{line}: {stderr}");
    for stream in [stderr, &finished.stdout] {
        assert!(!stream.contains('\u{1b}'), "{line} writes colours into a pipe: {stream:?}");
    }
    assert!(!finished.stdout.contains("error"), "{line}: {}", finished.stdout);
}

/// For scripts: one JSON value.
#[track_caller]
fn is_error(line: &str, finished: &Finished, code: &str) {
    let error: Value = serde_json::from_str(&finished.stderr)
        .unwrap_or_else(|e| panic!("{line}: no JSON on standard error ({e}): {:?}", finished.stderr));
    let fields: Vec<&String> = error["error"].as_object().expect("an object").keys().collect();
    assert!(fields.iter().all(|name| ["code", "message", "hint"].contains(&name.as_str())), "{line}: {error}");
    assert_eq!(error["error"]["code"], code, "{line}");
    assert!(error["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{line}: {error}");
    assert!(error["error"].get("hint").is_none_or(Value::is_string), "{line}: {error}");
}

/// A tunnel `api` that would work, and no daemon.
fn setting() -> (TestRemote, TestSim, TestDaemon) {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    (remote, sim, user)
}

#[test]
fn without_a_daemon() {
    let (_remote, _sim, user) = setting();
    let table = [
        ("ls", 4),
        ("ls api", 4),
        ("status api", 4),
        ("why api", 4),
        ("logs", 4),
        ("logs api", 4),
        ("down", 4),
        ("restart api", 4),
        ("wait api", 4),
        // These have something to say all the same.
        ("stop", 0),
        ("version", 0),
        ("config check", 0),
        ("config path", 0),
        ("completions bash", 0),
        ("--help", 0),
        ("--version", 0),
    ];
    each(&user, &table, "daemon-unreachable");
    let bare = user.run(&[]).expect_code(4);
    assert_eq!(bare.stdout, "", "without a terminal it lists, and there is nothing to list");
    says_what_and_what_next("tunnels", &bare);
}

#[test]
fn for_a_tunnel_that_nobody_knows() {
    let (_remote, _sim, user) = setting();
    user.run(&["daemon"]).expect_success();
    for name in ["apo", "@apo", "apo*"] {
        for command in ["up", "down", "restart", "ls", "wait"] {
            let finished = user.run(&[command, name]).expect_code(5);
            says_what_and_what_next(command, &finished);
            assert!(finished.stderr.contains("apo"), "{command}: {}", finished.stderr);
            assert_eq!(finished.stdout, "", "{command}");
        }
    }
    each(&user, &[("status apo", 5), ("why apo", 5), ("logs apo", 5), ("ls apo", 5)], "no-such-tunnel");
    assert!(user.run(&["up", "apo"]).stderr.contains("`api`"), "the name that was meant is offered");
    assert_eq!(user.status("api")["state"], "down", "and nothing was done");
}

#[test]
fn with_an_invalid_configuration() {
    let (_remote, _sim, user) = setting();
    user.overwrite_config("[tunnels.api]\nremote = 70000\nlocal = \"here\"\nprotetced = true\n");
    for command in ["up", "daemon", "daemon --foreground", "config check"] {
        let words: Vec<&str> = command.split(' ').collect();
        let finished = user.run(&words).expect_code(3);
        assert_eq!(finished.stdout, "", "{command}");
        for line in ["config.toml:2:", "config.toml:3:", "config.toml:4:"] {
            assert!(finished.stderr.contains(line), "{command} does not name {line}: {}", finished.stderr);
        }
        assert!(!finished.stderr.contains('\u{1b}'), "{command} writes colours into a pipe");
    }
    assert!(!user.socket().exists(), "no daemon was started");
    each(&user, &[("config path", 0), ("stop", 0), ("version", 0), ("ls", 4)], "daemon-unreachable");
}

#[test]
fn with_another_configuration_than_the_daemon_s() {
    let (_remote, _sim, user) = setting();
    user.run(&["up", "--wait"]).expect_success();
    let other = user.config().with_file_name("other.toml");
    std::fs::copy(user.config(), &other).unwrap();
    let other = other.to_str().unwrap();
    for line in ["up", "down", "restart api", "ls", "status api", "why api", "logs", "wait api", "stop", "daemon"] {
        let words: Vec<&str> = ["--config", other].into_iter().chain(line.split(' ')).collect();
        let finished = user.run(&words).expect_code(3);
        says_what_and_what_next(line, &finished);
        assert_eq!(finished.stdout, "", "{line}");
        if ["ls", "status api", "why api", "logs"].contains(&line) {
            let finished = user.run(&[&words[..], &["--json"]].concat()).expect_code(3);
            is_error(line, &finished, "config-mismatch");
        }
    }
    assert_eq!(user.status("api")["state"], "ready", "nothing was changed");
}

#[test]
fn with_a_tunnel_that_needs_a_login_has_failed_or_takes_too_long() {
    let (_remote, sim, user) = setting();
    user.run(&["daemon"]).expect_success();
    for (fault, state, exit) in [
        // One after the other without a moment in which all is well.
        (json!({ "expired_credentials": true }), "needs-login", 6),
        (json!({ "expired_credentials": false, "access_denied": [NODE] }), "failed", 8),
        (json!({ "access_denied": [], "offline": [NODE] }), "connecting", 7),
    ] {
        sim.faults(&fault);
        user.run(&["down", "api"]).expect_success();
        // What ends by itself gets all the time that a busy machine may take for it.
        let limit = if exit == 7 { "1s" } else { "30s" };
        let waits = [
            format!("up --wait={limit}"),
            format!("wait api --timeout {limit}"),
            format!("restart api --wait={limit}"),
        ];
        for line in &waits {
            let words: Vec<&str> = line.split(' ').collect();
            let finished = user.run(&words);
            assert_eq!(finished.code, Some(exit), "{line} {state}\n{}\n{}", finished.stdout, finished.stderr);
            says_what_and_what_next(line, &finished);
            assert!(finished.stderr.contains("api"), "{line}: {}", finished.stderr);
            let shown = if line.starts_with("wait") { "" } else { state };
            assert!(finished.stdout.contains(shown), "{line}: the table is what was asked for: {}", finished.stdout);
        }
        // A glance is no wait: what still opens then counts as done.
        let glance = user.run(&["up"]);
        let opening = glance.stdout.contains("connecting");
        assert_eq!(glance.code, Some(if opening { 0 } else { exit }), "{state}\n{}\n{}", glance.stdout, glance.stderr);
        // Whoever only looks has no trouble.
        each(&user, &[("ls", 0), ("status api", 0), ("why api", 0), ("logs api", 0), ("version", 0)], "");
    }
    sim.clear_faults();
    each(&user, &[("restart api --wait", 0), ("wait api", 0), ("up --wait", 0), ("down", 0), ("stop", 0)], "");
}

#[test]
fn with_a_command_line_that_makes_no_sense() {
    let (_remote, _sim, user) = setting();
    for line in [
        "fly",
        "up --fly",
        "up --wait=soon",
        "down --fly",
        "restart",
        "ls --fly",
        "status",
        "status a b",
        "why",
        "why a b",
        "why a -n many",
        "logs --fly",
        "wait",
        "wait api --for sleeping",
        "wait api --timeout soon",
        "doctor --fly",
        "daemon --fly",
        "stop --drain soon",
        "tray --fly",
        "config",
        "config fly",
        "sim --listen nowhere",
        "sim --node bastion",
        "completions",
        "completions tcsh",
        "version --fly",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let finished = user.run(&words).expect_code(2);
        assert_eq!(finished.stdout, "", "{line}");
        assert!(
            finished.stderr.starts_with("error: ") || finished.stderr.contains("Usage:"),
            "{line}: {}",
            finished.stderr
        );
    }
    for line in ["ls --json --fly", "status --json", "version --json --fly"] {
        let words: Vec<&str> = line.split(' ').collect();
        is_error(line, &user.run(&words).expect_code(2), "usage");
    }
}
