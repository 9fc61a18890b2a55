//! Completion in real shells, by a key: bash, zsh and fish on a terminal, with the scripts that the program prints.

use std::path::Path;
use std::process::Command;

use tunnels_tests::{Terminal, TestDaemon, TestRemote, TestSim, tunnels_program};

/// A shell on a terminal that has loaded the script, with the program in its path as `tunnels`.
fn shell(user: &TestDaemon, name: &str) -> Terminal {
    let bin = user.home().join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).expect("our own folder");
        std::os::unix::fs::symlink(tunnels_program(), bin.join("tunnels")).expect("our own folder");
    }
    let ours = user.command(&[]);
    let mut command = Command::new(name);
    command.args(match name {
        "bash" => &["--norc", "--noprofile", "-i"][..],
        "zsh" => &["-f", "-i"],
        _ => &["--no-config", "-i"],
    });
    command.env_clear().current_dir(user.home());
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", bin.display())).env("LANG", "C.UTF-8");
    let terminal = Terminal::start(&command, 100, 30);
    let load = match name {
        "bash" => "PS1='% '; source <(tunnels completions bash)",
        "zsh" => "PS1='%% '; autoload -Uz compinit && compinit -u -D; source <(tunnels completions zsh)",
        _ => "function fish_prompt; echo '% '; end; tunnels completions fish | source",
    };
    terminal.press(&format!("{load}; echo loa''ded\r"));
    terminal.wait_for("loaded");
    terminal
}

/// Types this and presses tab until the line has become what is expected.
fn completes(terminal: &Terminal, typed: &str, expected: &str) {
    // Ctrl-U empties the line that the last question has left.
    terminal.press("\u{15}");
    terminal.press(typed);
    terminal.wait_for(typed);
    terminal.press("\t");
    terminal.wait(format!("`{typed}` completed to `{expected}`"), |screen| screen.contains(expected));
}

fn completes_in(name: &str) {
    assert!(
        Path::new("/usr/bin").join(name).exists() || Path::new("/bin").join(name).exists(),
        "{name} is not installed"
    );
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim)
        .tunnel_with("orders-db", &remote.address().to_string(), "groups = [\"databases\"]")
        .tunnel("web", remote.address());
    let terminal = shell(&user, name);
    // Without a daemon the configuration knows the names.
    completes(&terminal, "tunnels up ord", "tunnels up orders-db");
    completes(&terminal, "tunnels rest", "tunnels restart");
    completes(&terminal, "tunnels config sch", "tunnels config schema");
    user.run(&["up", "--wait"]).expect_success();
    for command in ["up", "down", "restart", "ls", "wait", "status", "why", "logs", "config show"] {
        completes(&terminal, &format!("tunnels {command} we"), &format!("tunnels {command} web"));
    }
    completes(&terminal, "tunnels ls @da", "tunnels ls @databases");
    terminal.press("\u{15}exit\r");
}

#[test]
fn bash_completes_names_by_a_key() {
    completes_in("bash");
}

#[test]
fn zsh_completes_names_by_a_key() {
    completes_in("zsh");
}

#[test]
fn fish_completes_names_by_a_key() {
    completes_in("fish");
}
