//! What the shell is offered while somebody types.

use std::process::Command;

use tunnels_tests::{TestDaemon, TestRemote, TestSim, finish, tunnels_program};

/// Runs the script that `tunnels completions bash` prints in a real bash, and what it offers for the last of
/// `words`.
fn offered(user: &TestDaemon, words: &[&str]) -> Vec<String> {
    let script = r#"
        source <("$TUNNELS" completions bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        _clap_complete_tunnels tunnels "${COMP_WORDS[COMP_CWORD]}" 2>&1
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let ours = user.command(&[]);
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, "bash"]).args(words).env_clear();
    bash.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TUNNELS", tunnels_program());
    finish(&mut bash).expect_success().stdout.lines().map(str::to_owned).collect()
}

#[test]
fn names_and_groups_come_from_the_daemon_or_else_from_the_configuration() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim)
        .tunnel_with("orders-db", &remote.address().to_string(), "groups = [\"db\"]")
        .tunnel("other", remote.address());
    assert_eq!(offered(&user, &["tunnels", "up", "o"]), ["orders-db", "other"], "without a daemon");
    user.run(&["up", "--wait"]).expect_success();
    for command in ["up", "down", "restart", "ls", "wait", "doctor"] {
        assert_eq!(offered(&user, &["tunnels", command, "ord"]), ["orders-db"], "{command}");
        assert_eq!(offered(&user, &["tunnels", command, "other", "@"]), ["@db"], "{command}");
    }
    for command in ["status", "why", "logs", "exec", "url", "env"] {
        assert_eq!(offered(&user, &["tunnels", command, "ord"]), ["orders-db"], "{command}");
    }
    for words in [&["export", "env"], &["hosts", "apply"]] {
        assert_eq!(offered(&user, &["tunnels", words[0], words[1], "ord"]), ["orders-db"], "{words:?}");
        assert_eq!(offered(&user, &["tunnels", words[0], words[1], "@"]), ["@db"], "{words:?}");
    }
    assert_eq!(offered(&user, &["tunnels", "export", "pg"]), ["pg_service", "pgpass"]);
    assert_eq!(offered(&user, &["tunnels", "rest"]), ["restart"]);
}

#[test]
fn what_goes_wrong_is_not_shown_to_somebody_who_types() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("api", "127.0.0.1:9", "");
    user.overwrite_config("[tunnels.api");
    assert_eq!(offered(&user, &["tunnels", "up", "a"]), [""]);
    let mut unknown = user.command(&[]);
    unknown.env("TUNNELS_COMPLETE", "no-such-shell");
    let finished = finish(&mut unknown).expect_success();
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
}

#[test]
fn each_shell_has_a_script() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = user.run(&["completions", shell]).expect_success().stdout;
        assert!(script.contains("TUNNELS_COMPLETE"), "{shell}: {script}");
    }
    user.run(&["completions", "no-such-shell"]).expect_code(2);
}
