//! The command line as people see it: clap's tree of commands, with the exit codes of each at the end of its `--help`.
//!
//! What a command does, its options and its examples are in its own file in `command/`. Manual pages and completions
//! are made from the same tree.

use crate::args::Args;
use crate::exit;
use clap::{Command, CommandFactory as _};

/// The whole tree.
pub(crate) fn command() -> Command {
    completed(Args::command(), "", None)
}

/// A command with what stands at the end of its `--help`, and all below it. One that has no examples of its own has those
/// of its group.
fn completed(command: Command, path: &str, of_group: Option<&str>) -> Command {
    let own = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    if command.has_subcommands() {
        let examples = own.filter(|_| !path.is_empty());
        return command.mut_subcommands(|sub| {
            let path = format!("{path} {}", sub.get_name());
            completed(sub, path.trim_start(), examples.as_deref())
        });
    }
    let codes = exit::lines_for(path);
    let help = match own.as_deref().or(of_group) {
        Some(help) => format!("{help}\n\n{codes}"),
        None => codes,
    };
    command.after_long_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap_complete::engine::ArgValueCompleter;

    /// Every command that does something, with its path.
    fn leaves() -> Vec<(String, Command)> {
        fn walk(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name()).trim_start().to_owned();
                if sub.has_subcommands() {
                    walk(sub, &path, found);
                } else {
                    found.push((path, sub.clone()));
                }
            }
        }
        let mut found = Vec::new();
        walk(&command(), "", &mut found);
        assert!(found.len() > 15, "{found:?}");
        found
    }

    #[test]
    fn each_command_says_what_it_does_with_examples_and_its_exit_codes() {
        for (path, mut command) in leaves() {
            assert!(command.get_about().is_some(), "{path} says nothing of itself");
            let help = command.render_long_help().to_string();
            assert!(help.contains("\nExamples:\n"), "{path} has no examples");
            let below = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(below.contains(&format!("tunnels {path}")), "the examples of {path} do not show it:\n{help}");
            assert!(help.contains("\nExit codes:\n"), "{path}:\n{help}");
            assert!(exit::has_lines_for(&path), "exit.rs does not know the codes of `{path}`");
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                assert!(arg.get_help().is_some(), "{path}: {} says nothing of itself", arg.get_id());
            }
        }
    }

    #[test]
    fn whatever_takes_tunnels_completes_their_names() {
        let mut count = 0;
        for (path, command) in leaves() {
            let takes_tunnel = |arg: &&clap::Arg| {
                let names = arg.get_value_names().unwrap_or_default();
                // A tunnel that is to be made has no name yet.
                path != "add" && arg.is_positional() && names.iter().any(|name| matches!(name.as_str(), "SEL" | "NAME"))
            };
            for arg in command.get_arguments().filter(takes_tunnel) {
                assert!(arg.get::<ArgValueCompleter>().is_some(), "{path} does not complete {}", arg.get_id());
                count += 1;
            }
        }
        assert!(count >= 8, "{count}");
    }

    #[test]
    fn no_line_of_an_example_is_wider_than_a_terminal() {
        for (path, command) in leaves() {
            let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            // Sentences are broken where the terminal ends, what is to be copied is not.
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() <= 120, "{path}: {line}");
            }
        }
    }
}
