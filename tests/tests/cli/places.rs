//! Folders for socket and state that cannot be used: every command says which, why, and what to do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tunnels_tests::{Finished, TestDaemon, TestSim, finish};

fn user() -> (TestSim, TestDaemon) {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("api", "127.0.0.1:9", "");
    (sim, user)
}

fn run(user: &TestDaemon, line: &str, variable: &str, path: &Path) -> Finished {
    let words: Vec<&str> = line.split(' ').collect();
    finish(user.command(&words).env(variable, path))
}

/// It fails, with one error that has all these words in it, and a next step.
#[track_caller]
fn says(finished: Finished, line: &str, code: i32, words: &[&str]) {
    let finished = finished.expect_code(code);
    let stderr = &finished.stderr;
    assert_eq!(stderr.matches("error: ").count(), 1, "{line}: {stderr}");
    assert!(stderr.contains("\n  next: "), "{line}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{line} does not say `{word}`: {stderr}");
    }
}

#[test]
fn a_path_that_is_too_long_for_a_socket() {
    let (_sim, user) = user();
    let long = user.home().join("x".repeat(100));
    for line in ["up", "daemon", "daemon --foreground", "ls", "status api", "why api", "logs", "down", "stop"] {
        let finished = run(&user, line, "TUNNELS_RUNTIME_DIR", &long);
        says(finished, line, 1, &["bytes long", "at most", "TUNNELS_RUNTIME_DIR"]);
    }
    let finished = run(&user, "ls --json", "TUNNELS_RUNTIME_DIR", &long).expect_code(1);
    let error: serde_json::Value = serde_json::from_str(&finished.stderr).expect("one JSON value");
    assert!(error["error"]["hint"].as_str().is_some_and(|hint| hint.contains("TUNNELS_RUNTIME_DIR")), "{error}");
    assert!(!long.exists(), "nothing is left");
}

#[test]
fn a_folder_that_is_none() {
    let (_sim, user) = user();
    let file = user.home().join("file");
    fs::write(&file, "").unwrap();
    for line in ["up", "daemon", "daemon --foreground"] {
        let shown = file.to_str().unwrap();
        says(run(&user, line, "TUNNELS_STATE_DIR", &file), line, 1, &[shown, "TUNNELS_STATE_DIR"]);
        says(run(&user, line, "TUNNELS_RUNTIME_DIR", &file), line, 1, &[shown, "TUNNELS_RUNTIME_DIR"]);
    }
    assert!(!user.socket().exists(), "no daemon is left");
}

#[test]
fn a_folder_that_others_can_write_to() {
    let (_sim, user) = user();
    let open = user.home().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    for line in ["up", "daemon", "daemon --foreground"] {
        for variable in ["TUNNELS_STATE_DIR", "TUNNELS_RUNTIME_DIR"] {
            let mend = format!("chmod 700 {}", open.display());
            says(run(&user, line, variable, &open), line, 1, &["its mode is 0777", &mend]);
        }
    }
}

/// Where the tests may make somebody else's folder.
#[test]
fn a_folder_of_somebody_else() {
    let (_sim, user) = user();
    let foreign = user.home().join("foreign");
    fs::create_dir(&foreign).unwrap();
    if std::os::unix::fs::chown(&foreign, Some(65_534), None).is_err() {
        eprintln!("skipped: only root can make a folder of another user");
        return;
    }
    for line in ["up", "daemon --foreground"] {
        for variable in ["TUNNELS_STATE_DIR", "TUNNELS_RUNTIME_DIR"] {
            says(run(&user, line, variable, &foreign), line, 1, &["it belongs to user 65534", variable]);
        }
    }
}
