//! `tunnels service`, against a stand-in for systemd: a script that runs what the unit says, and notes what it was asked.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tunnels_tests::{TestDaemon, TestRemote, TestSim, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);

/// What systemd would do, as far as these tests go. The unit's variables that it does not set are the test's own.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >>"$HOME/calls"
unit="$HOME/.config/systemd/user/tunnels.service"
socket="$TUNNELS_RUNTIME_DIR/daemon.sock"
export TUNNELS_SERVICE=tunnels.service
command() { sed -n "s/^$1=//p" "$unit"; }
case "$*" in
"--user start tunnels.service")
    [ -e "$HOME/log" ] && [ -S "$socket" ] && exit 0
    : >"$HOME/log"
    $(command ExecStart) >>"$HOME/log" 2>&1 </dev/null &
    for _ in $(seq 400); do grep -q ' runs ' "$HOME/log" && exit 0; sleep 0.05; done
    cat "$HOME/log" >&2; exit 1 ;;
"--user reload tunnels.service") exec $(command ExecReload) >>"$HOME/log" 2>&1 ;;
"--user stop tunnels.service")
    kill "$(head -1 "$TUNNELS_RUNTIME_DIR/daemon.lock")"
    while [ -S "$socket" ]; do sleep 0.05; done ;;
"--user show tunnels.service "*)
    printf 'ActiveState=active\nSubState=running\nMainPID=7\nStatusText=fine\nUnitFileState=enabled\n' ;;
"--user show tunnels.socket "*) echo ActiveState=active ;;
esac
"#;

fn user(sim: &TestSim, remote: &TestRemote, systemctl: &str) -> TestDaemon {
    let user = TestDaemon::new(sim).tunnel("one", remote.address());
    let path = format!("{}:{}", user.home().join("bin").display(), std::env::var("PATH").unwrap());
    user.with_home_file("bin/systemctl", systemctl)
        .with_home_file("bin/loginctl", "#!/bin/sh\necho Linger=no\n")
        .with_variable("PATH", path)
}

fn unit(user: &TestDaemon, name: &str) -> PathBuf {
    user.home().join(".config/systemd/user").join(name)
}

/// What systemctl was asked since the last time.
fn calls(user: &TestDaemon) -> Vec<String> {
    let path = user.home().join("calls");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    text.lines().map(|line| line.trim_start_matches("--user ").to_owned()).collect()
}

fn service(user: &TestDaemon) -> (u64, Value) {
    let version = user.get("/v1/version");
    (version["pid"].as_u64().unwrap(), version["service"].clone())
}

#[test]
fn a_service_is_installed_over_a_daemon_reloaded_stopped_started_and_removed() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = user(&sim, &remote, SYSTEMCTL);
    user.run(&["up", "--wait"]).expect_success();
    let by_hand = service(&user);
    assert_eq!(by_hand.1, Value::Null);

    let shown = user.run(&["service", "install", "--dry-run"]).expect_success().stdout;
    for part in ["ExecStart=", "ListenStream=", "systemctl --user enable tunnels.service tunnels.socket"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!unit(&user, "tunnels.service").exists() && calls(&user).is_empty(), "nothing was done");
    let status = user.run(&["service", "status"]).expect_success().stdout;
    assert!(status.contains("not installed: tunnels service install"), "{status}");
    assert!(status.contains("which was started by hand"), "{status}");
    calls(&user);

    let said = user.run(&["service", "install"]).expect_success();
    assert!(said.stderr.contains("has taken over from the daemon that ran"), "{}", said.stderr);
    assert!(said.stderr.contains("enable-linger") && said.stderr.contains("AWS_ACCESS_KEY_ID"), "{}", said.stderr);
    let asked = calls(&user);
    // Its path is the running daemon's.
    assert_eq!(asked[..3], ["daemon-reload", "enable tunnels.service tunnels.socket", "start tunnels.service"]);
    let installed = service(&user);
    assert_ne!(installed.0, by_hand.0);
    assert_eq!(installed.1, "tunnels.service");
    user.wait_for("one", "ready");

    let again = user.run(&["service", "install"]).expect_success().stdout;
    assert_eq!(again.matches("is as it should be").count(), 2, "{again}");
    assert_eq!(service(&user), installed);
    let status = user.run(&["service", "status", "--json"]).expect_success().json();
    assert_eq!(status["files"][0]["state"], "current", "{status}");
    assert_eq!(status["daemon"]["service"], "tunnels.service", "{status}");
    for (key, value) in [("installed", true), ("enabled", true), ("active", true), ("lingers", false)] {
        assert_eq!(status[key], value, "{key}: {status}");
    }

    calls(&user);
    user.run(&["daemon", "--takeover"]).expect_success();
    assert_eq!(calls(&user), ["reload tunnels.service"], "the service does it");
    let reloaded = service(&user);
    assert!(reloaded.0 != installed.0 && reloaded.1 == "tunnels.service");

    let stopped = user.run(&["stop"]).expect_success();
    assert!(stopped.stderr.contains("it is a service"), "{}", stopped.stderr);
    assert_eq!(calls(&user), ["stop tunnels.socket"]);
    user.run(&["up", "--wait"]).expect_success();
    assert_eq!(calls(&user), ["start tunnels.socket", "start tunnels.service"]);
    assert_eq!(service(&user).1, "tunnels.service");

    let shown = user.run(&["service", "uninstall", "--dry-run"]).expect_success().stdout;
    assert!(shown.contains("remove ") && shown.contains("systemctl --user stop tunnels.service"), "{shown}");
    user.run(&["service", "uninstall"]).expect_success();
    let asked = calls(&user);
    assert_eq!(asked[..3], ["stop tunnels.socket", "stop tunnels.service", "disable tunnels.service tunnels.socket"]);
    assert_eq!(fs::read_dir(user.home().join(".config/systemd/user")).unwrap().count(), 0);
    wait_until("the daemon to end", DEADLINE, || user.daemon_pid().is_none().then_some(()));
    TcpStream::connect(("127.0.0.1", user.port("one"))).expect_err("nobody listens");
    let said = user.run(&["service", "uninstall"]).expect_success().stdout;
    assert_eq!(said, "there is no service to uninstall\n");
}

#[test]
fn without_a_service_manager_the_files_are_written_and_the_rest_is_said() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let broken = "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n";
    let user = user(&sim, &remote, broken);
    let finished = user.run(&["service", "install"]).expect_code(1);
    assert!(finished.stderr.contains("does not reach your service manager"), "{}", finished.stderr);
    assert!(finished.stderr.contains("next: run this again in a login session"), "{}", finished.stderr);
    assert!(unit(&user, "tunnels.service").exists());
    let status = user.run(&["service", "status"]).expect_success().stdout;
    assert!(status.contains("your service manager cannot be asked"), "{status}");
    // The commands go on without it.
    let up = user.run(&["up", "--wait"]).expect_success();
    assert!(
        up.stderr.contains("the service could not be started, so the daemon is started beside it"),
        "{}",
        up.stderr
    );
    user.run(&["stop"]).expect_success();
    user.run(&["service", "uninstall"]).expect_success();
    assert!(!unit(&user, "tunnels.service").exists() && !unit(&user, "tunnels.socket").exists());
}

#[test]
fn a_file_that_somebody_edited_is_told_and_replaced() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = user(&sim, &remote, "#!/bin/sh\n");
    user.run(&["service", "install"]).expect_success();
    fs::write(unit(&user, "tunnels.service"), "[Service]\n").unwrap();
    let status = user.run(&["service", "status"]).expect_success().stdout;
    assert!(status.contains("differs from what this version writes"), "{status}");
    let shown = user.run(&["service", "install", "--dry-run"]).expect_success().stdout;
    assert!(shown.contains("replace "), "{shown}");
    user.run(&["service", "install"]).expect_success();
    assert!(fs::read_to_string(unit(&user, "tunnels.service")).unwrap().contains("Type=notify"));
    let other = user.home().join("missing.toml");
    user.run(&["--config", other.to_str().unwrap(), "service", "install"]).expect_code(3);
}
