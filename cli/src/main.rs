//! `tunnels`: the one binary. Parses, runs one command, prints its error once, sets the exit code.
//!
//! Everything of substance is elsewhere: tunnels in `tunnels-daemon`, views in `tunnels-tui`, the
//! simulated AWS side in `ssm-sim`. A command is a file in `command/`.

mod activation;
mod args;
mod ask;
mod client_options;
mod command;
mod completion;
mod duration;
mod endpoints;
mod exit;
mod follow;
mod help;
mod hosts_file;
mod link;
mod logging;
mod open_files;
mod output;
mod protection;
mod ready;
mod services;
mod signals;
mod spawn;

use crate::args::Args;
use crate::exit::Exit;
use clap::FromArgMatches as _;
use std::process::ExitCode;
use tunnels_api::{ApiError, ErrorCode};

fn main() -> ExitCode {
    if completion::answered() {
        return ExitCode::SUCCESS;
    }
    let parsed = help::command().try_get_matches().and_then(|matches| Args::from_arg_matches(&matches));
    let args = match parsed {
        Ok(args) => args,
        Err(error) => return unparsed(&error).into(),
    };
    let command = args.chosen(output::is_attended_screen());
    let json = command.wants_json();
    let exit = match command.run(args.config()) {
        Ok(exit) => exit,
        Err(error) => {
            output::print_error(&error, json);
            Exit::from(error.code)
        }
    };
    exit.into()
}

/// Help and version are printed as clap does it; a usage error in JSON too if that was asked for.
fn unparsed(error: &clap::Error) -> Exit {
    let json = std::env::args_os().any(|arg| arg == "--json");
    if json && error.use_stderr() {
        let message = error.render().to_string();
        let message = message.trim().trim_start_matches("error: ");
        output::print_error(&ApiError::new(ErrorCode::Usage, message), true);
    } else {
        // Nothing can be told to anybody if this fails.
        let _ = error.print();
    }
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}
