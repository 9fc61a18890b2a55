//! `tunnels completions SHELL`: a completion script for the shell.

use crate::args;
use crate::exit::Exit;
use crate::output;
use clap::CommandFactory as _;
use clap_complete::Shell;
use tunnels_api::ApiError;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<Exit, ApiError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut args::Args::command(), "tunnels", &mut script);
        output::print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
