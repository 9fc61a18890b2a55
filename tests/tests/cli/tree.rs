//! Every command that the program has: its `--help`, its exit codes, the shape of its JSON.
//!
//! The tree is walked by what `--help` prints, so that a command that is added later is looked at, too: it fails here
//! until it has a row.

use serde_json::Value;
use std::collections::BTreeSet;
use tunnels_tests::{TestDaemon, TestRemote, TestSim};

/// A way to an exit code; arguments go behind the command's name.
type Way = (&'static [&'static str], i32);

/// What a command does that needs neither a terminal nor the network. `FILE` is an empty configuration.
struct Row {
    command: &'static str,
    /// Without a daemon, with a sound configuration of one tunnel, `api`.
    alone: &'static [Way],
    /// With a daemon that has it up.
    served: &'static [Way],
    /// Arguments with which `--json` answers while it is served, and the keys of the answer.
    json: Option<(&'static [&'static str], &'static [&'static str])>,
}

const TUNNEL: &[&str] = &["name", "state", "local", "remote", "groups", "sessions", "streams", "since"];

/// In the order of `tunnels --help`; those that have tests of their own say no more than that they are there.
const ROWS: &[Row] = &[
    Row {
        command: "up",
        alone: &[],
        served: &[(&["api", "--wait"], 0), (&["nobody"], 5), (&["--wait=soon"], 2)],
        json: None,
    },
    Row { command: "down", alone: &[(&[], 4)], served: &[(&["nobody"], 5)], json: None },
    Row { command: "restart", alone: &[(&[], 2), (&["api"], 4)], served: &[(&["nobody"], 5)], json: None },
    Row { command: "ls", alone: &[(&[], 4)], served: &[(&[], 0), (&["nobody"], 5)], json: Some((&[], &["tunnels"])) },
    Row {
        command: "status",
        alone: &[(&[], 2), (&["api"], 4)],
        served: &[(&["api"], 0), (&["nobody"], 5)],
        json: Some((&["api"], TUNNEL)),
    },
    Row {
        command: "why",
        alone: &[(&["api"], 4)],
        served: &[(&["api"], 0), (&["nobody"], 5)],
        json: Some((&["api"], &["changes"])),
    },
    Row {
        command: "logs",
        alone: &[],
        served: &[(&[], 0), (&["api"], 0), (&["nobody"], 5)],
        json: Some((&[], &["lines"])),
    },
    Row {
        command: "wait",
        alone: &[(&["api"], 4)],
        served: &[(&["api"], 0), (&["nobody"], 5), (&["api", "--for", "sleep"], 2)],
        json: None,
    },
    Row { command: "daemon", alone: &[(&["--log-format", "json"], 2)], served: &[], json: None },
    Row { command: "stop", alone: &[(&[], 0), (&["--drain", "soon"], 2)], served: &[], json: None },
    Row {
        command: "doctor",
        alone: &[(&["nobody"], 5)],
        served: &[(&["api"], 0)],
        json: Some((&["api"], &["findings"])),
    },
    Row {
        command: "exec",
        alone: &[(&[], 2)],
        served: &[(&["api", "--", "echo", "there"], 0), (&["nobody", "--", "true"], 5)],
        json: None,
    },
    Row {
        command: "url",
        alone: &[(&[], 2), (&["nobody"], 5)],
        served: &[],
        json: Some((&["api"], &["tunnel", "url"])),
    },
    Row { command: "env", alone: &[(&[], 2), (&["nobody"], 5)], served: &[], json: Some((&["api"], &["variables"])) },
    Row { command: "export", alone: &[(&["nothing"], 2), (&["env", "nobody"], 5)], served: &[], json: None },
    Row { command: "hosts apply", alone: &[(&["nobody"], 5)], served: &[], json: None },
    Row { command: "hosts remove", alone: &[(&["more"], 2)], served: &[], json: None },
    Row { command: "tray", alone: &[(&["--install", "--uninstall"], 2)], served: &[], json: None },
    Row { command: "service install", alone: &[(&["--dry-run"], 0)], served: &[], json: None },
    Row { command: "service uninstall", alone: &[(&["--dry-run"], 0)], served: &[], json: None },
    Row {
        command: "service status",
        alone: &[(&[], 0)],
        served: &[],
        json: Some((&[], &["manager", "name", "installed", "files"])),
    },
    Row {
        command: "config check",
        alone: &[(&[], 0), (&["/nowhere"], 3)],
        served: &[],
        json: Some((&[], &["valid", "files", "tunnels", "errors", "warnings"])),
    },
    Row { command: "config path", alone: &[(&[], 0), (&["--all"], 0)], served: &[], json: None },
    Row {
        command: "config show",
        alone: &[(&[], 0), (&["nobody"], 5)],
        served: &[],
        json: Some((&["api"], &["files", "tunnels"])),
    },
    Row { command: "config schema", alone: &[(&[], 0), (&["more"], 2)], served: &[], json: None },
    Row { command: "config edit", alone: &[(&["a", "b"], 2)], served: &[], json: None },
    Row {
        command: "add",
        alone: &[(&[], 2), (&["api", "--remote", "db:5432"], 3), (&["x", "--remote", "db"], 2)],
        served: &[],
        json: None,
    },
    Row { command: "import", alone: &[(&[], 2), (&["/nowhere"], 1)], served: &[], json: None },
    Row { command: "demo", alone: &[(&["more"], 2)], served: &[], json: None },
    Row { command: "sim", alone: &[(&["--listen", "nowhere"], 2)], served: &[], json: None },
    Row { command: "completions", alone: &[(&["bash"], 0), (&["sh"], 2)], served: &[], json: None },
    Row { command: "man", alone: &[(&[], 0), (&["config", "edit"], 0), (&["fly"], 2)], served: &[], json: None },
    Row {
        command: "version",
        alone: &[(&[], 0)],
        served: &[(&[], 0)],
        json: Some((&[], &["version", "commit", "daemon"])),
    },
];

fn help(user: &TestDaemon, command: &str) -> String {
    let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
    user.run(&arguments).expect_success().stdout
}

/// The commands below one, as its help lists them.
fn listed(help: &str) -> Vec<String> {
    let below = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description that goes on has more space before it.
    let named = below.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every command that does something, as the words that call it.
fn commands(user: &TestDaemon) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(command) = open.pop() {
        let help = help(user, &command);
        let below = listed(&help);
        if below.is_empty() {
            found.push((command, help));
        } else {
            open.extend(below.iter().map(|name| format!("{command} {name}").trim_start().to_owned()));
        }
    }
    found
}

fn row(command: &str) -> &'static Row {
    let row = ROWS.iter().find(|row| row.command == command);
    row.unwrap_or_else(|| panic!("`tunnels {command}` is new: give it a row here"))
}

fn run(user: &TestDaemon, command: &str, ways: &[Way]) {
    for (arguments, code) in ways {
        let all: Vec<&str> = command.split_whitespace().chain(arguments.iter().copied()).collect();
        let finished = user.run(&all).expect_code(*code);
        // All that `wait` says is its code.
        assert!(*code != 0 || command == "wait" || !finished.stdout.is_empty(), "{all:?} says nothing");
        assert!(*code == 0 || !finished.stderr.is_empty(), "{all:?} does not say why");
    }
}

#[test]
fn each_command_of_the_tree_has_help_exit_codes_and_json() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    let commands = commands(&user);
    let found: BTreeSet<&str> = commands.iter().map(|(command, _)| command.as_str()).collect();
    for Row { command, .. } in ROWS {
        assert!(found.contains(command), "there is no `tunnels {command}` any more: {found:?}");
    }
    for (command, help) in &commands {
        for part in [&format!("Usage: tunnels {command}"), "\nExamples:\n", "\nExit codes:\n", "--config"] {
            assert!(help.contains(part), "{part} is missing in the help of {command}:\n{help}");
        }
        let has_json = help.lines().any(|line| line.trim_start().starts_with("--json"));
        assert_eq!(has_json, row(command).json.is_some(), "`tunnels {command}`: --json and its shape");
        let mut wrong: Vec<&str> = command.split_whitespace().chain(["--no-such-option"]).collect();
        assert!(user.run(&wrong).expect_code(2).stderr.contains("--no-such-option"), "{command}");
        if has_json {
            wrong.push("--json");
            let error: Value = serde_json::from_str(&user.run(&wrong).expect_code(2).stderr).expect("an error as JSON");
            assert_eq!(error["error"]["code"], "usage", "{command}");
        }
        run(&user, command, row(command).alone);
    }
    user.run(&["up", "--wait"]).expect_success();
    for (command, _) in &commands {
        let Row { served, json, .. } = row(command);
        run(&user, command, served);
        let Some((arguments, keys)) = json else { continue };
        let all: Vec<&str> = command.split_whitespace().chain(arguments.iter().copied()).chain(["--json"]).collect();
        let finished = user.run(&all).expect_success();
        let answer = finished.json();
        for key in *keys {
            assert!(answer.get(key).is_some(), "{all:?} has no `{key}`: {answer}");
        }
        assert_eq!(finished.stderr, "", "{all:?}: nothing stands beside JSON");
    }
}
