//! The command line as clap reads it: the global options and the list of commands.
//!
//! Each command's own options are in its file in `command/`.

use crate::command::{
    add, completions, config, daemon, dashboard, demo, doctor, down, env, exec, export, hosts, import, logs, ls, man,
    restart, service, sim, status, stop, tray, up, url, version, wait, why,
};
use crate::exit::{self, Exit};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use tunnels_api::ApiError;

/// The end of `tunnels -h`.
const MORE: &str =
    "`tunnels --help` has examples, exit codes and variables; `tunnels COMMAND --help` says more of each command.";

const EXAMPLES: &str = "\
Examples:
  tunnels                       the dashboard: every tunnel at a glance, and what to do about it
  tunnels demo                  see all of it on this machine, without AWS
  tunnels up                    bring all tunnels up and show the addresses to paste
  tunnels up --wait @db         only the group `db`; return when all of them answer
  tunnels ls --watch            follow them
  tunnels status orders-db      why it is not ready, and what to do
  tunnels why orders-db         what happened to it, and what that cost
  tunnels doctor                what is wrong, and what to do about it
  tunnels exec orders-db psql   run a program that finds the tunnel by itself
  tunnels stop                  end the daemon, and with it every session";

/// Keeps named AWS Session Manager port forwards alive: stable local ports that lead to databases,
/// caches and endpoints in private networks.
///
/// Without a command it is the dashboard on a terminal, and elsewhere lists the tunnels, as `tunnels ls` does. Tunnels are picked by name, as
/// @group or with a glob ('orders-*'); none picked means all.
#[derive(Debug, Parser)]
#[command(name = "tunnels", version, after_help = MORE, after_long_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    /// The configuration file [default: ~/.config/tunnels/config.toml]
    // Not clap's `env`: a variable that is set to nothing counts as not set.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do. Commands that have more to say of themselves than a line do it in their own files.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Bring tunnels up; starts the daemon if none runs
    Up(up::Up),
    /// Take tunnels down
    Down(down::Down),
    /// Close the sessions of tunnels and open new ones
    Restart(restart::Restart),
    /// List the tunnels
    Ls(ls::Ls),
    /// Show one tunnel in detail
    Status(status::Status),
    /// Show what happened to one tunnel, when and why, and what it cost
    Why(why::Why),
    /// Show the daemon's log, of all tunnels or of one
    Logs(logs::Logs),
    /// Wait until tunnels are in a state
    Wait(wait::Wait),
    /// Find out why tunnels do not work, and what to do about it
    Doctor(doctor::Doctor),
    /// Run a program that uses a tunnel, when that is ready
    Exec(exec::Exec),
    /// Print a tunnel's connection string
    Url(url::Url),
    /// Print a tunnel's variables as a shell sets them
    Env(env::Env),
    /// Write a file for another program: psql, DBeaver, DataGrip, ssh, …
    Export(export::Export),
    /// Let the servers' own names lead to their tunnels on this machine
    Hosts(hosts::Hosts),
    /// Start the daemon
    Daemon(daemon::Daemon),
    /// Stop the daemon and end all its sessions
    Stop(stop::Stop),
    /// Have the daemon start at login, as a service of yours
    Service(service::Service),
    /// Check the configuration, show what is in force, edit it, or say where it is
    Config(config::Config),
    Add(Box<add::Add>),
    Import(import::Import),
    /// Show an icon in the desktop's panel, with a menu and notifications
    Tray(tray::Tray),
    /// Try everything on this machine, without an AWS account: tunnels to a database, a cache and a web server
    Demo(demo::Demo),
    /// Run the simulated AWS side, to try the program without an account
    Sim(Box<sim::Sim>),
    /// The dashboard: what `tunnels` alone is on a terminal.
    #[command(skip)]
    Dashboard,
    /// Print a completion script for a shell
    Completions(completions::Completions),
    Man(man::Man),
    /// Show the versions of this program and of the running daemon
    Version(version::Version),
}

impl Args {
    /// The configuration that was named, by option or variable.
    pub(crate) fn config(&self) -> Option<PathBuf> {
        let variable = || std::env::var_os("TUNNELS_CONFIG").filter(|path| !path.is_empty());
        self.config.clone().or_else(|| variable().map(PathBuf::from))
    }

    /// What to do; if nothing was given the dashboard where it can be shown, else the list.
    pub(crate) fn chosen(&self, can_draw: bool) -> Command {
        let unnamed = || if can_draw { Command::Dashboard } else { Command::Ls(ls::Ls::default()) };
        self.command.clone().unwrap_or_else(unnamed)
    }
}

impl Command {
    /// Whether results and errors are to be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Ls(ls) => ls.json,
            Self::Status(status) => status.json,
            Self::Why(why) => why.json,
            Self::Logs(logs) => logs.json,
            Self::Url(url) => url.json,
            Self::Env(env) => env.json,
            Self::Config(config) => config.wants_json(),
            Self::Service(service) => service.wants_json(),
            Self::Doctor(doctor) => doctor.json,
            Self::Version(version) => version.json,
            _ => false,
        }
    }

    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        match self {
            Self::Up(up) => up.run(config),
            Self::Down(down) => down.run(config),
            Self::Restart(restart) => restart.run(config),
            Self::Ls(ls) => ls.run(config),
            Self::Status(status) => status.run(config),
            Self::Why(why) => why.run(config),
            Self::Logs(logs) => logs.run(config),
            Self::Wait(wait) => wait.run(config),
            Self::Doctor(doctor) => doctor.run(config.as_deref()),
            Self::Exec(exec) => exec.run(config),
            Self::Url(url) => url.run(config),
            Self::Env(env) => env.run(config),
            Self::Export(export) => export.run(config),
            Self::Hosts(hosts) => hosts.run(config.as_deref()),
            Self::Daemon(daemon) => daemon.run(config),
            Self::Stop(stop) => stop.run(config),
            Self::Service(service) => service.run(config.as_deref()),
            Self::Config(command) => command.run(config.as_deref()),
            Self::Add(add) => add.run(config.as_deref()),
            Self::Import(import) => import.run(config.as_deref()),
            Self::Tray(tray) => tray.run(config),
            Self::Demo(demo) => demo.run(),
            Self::Sim(sim) => sim.run(),
            Self::Dashboard => dashboard::run(config),
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
            Self::Version(version) => version.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use std::time::Duration;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Args::try_parse_from(line.split(' ')).map(|args| args.chosen(false))
    }

    #[test]
    fn no_command_is_the_dashboard_where_it_can_be_shown_and_the_list_elsewhere() {
        assert!(matches!(parse("tunnels").unwrap(), Command::Ls(ls) if ls.select.is_empty()));
        let args = Args::try_parse_from(["tunnels"]).unwrap();
        assert!(matches!(args.chosen(true), Command::Dashboard));
        let args = Args::try_parse_from(["tunnels", "ls"]).unwrap();
        assert!(matches!(args.chosen(true), Command::Ls(_)));
    }

    #[test]
    fn wait_takes_its_time_only_with_an_equals_sign() {
        let Command::Up(up) = parse("tunnels up --wait orders-db").unwrap() else { panic!("up") };
        assert_eq!((up.wait, up.select), (Some(Duration::from_secs(30)), vec!["orders-db".to_owned()]));
        let Command::Up(up) = parse("tunnels up --wait=1m @db").unwrap() else { panic!("up") };
        assert_eq!(up.wait, Some(Duration::from_mins(1)));
        let Command::Up(up) = parse("tunnels up").unwrap() else { panic!("up") };
        assert_eq!(up.wait, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "tunnels up --wait=soon",
            "tunnels restart",
            "tunnels wait orders-db --for sleeping",
            "tunnels sim --listen nowhere",
            "tunnels sim --node bastion",
            "tunnels fly",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
