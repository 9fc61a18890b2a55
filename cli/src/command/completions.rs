//! `tunnels completions SHELL`: a script that makes a shell complete commands, options and names.

use crate::completion;
use crate::exit::Exit;
use crate::output;
use clap_complete::Shell;
use tunnels_api::{ApiError, ErrorCode};

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = INSTALL, after_long_help = INSTALL)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

const INSTALL: &str = "\
Examples:
  tunnels completions bash > ~/.local/share/bash-completion/completions/tunnels
  tunnels completions fish > ~/.config/fish/completions/tunnels.fish

To have it in every shell, put the line of yours where it is read at the start:
  bash        source <(tunnels completions bash)                      ~/.bashrc
  zsh         source <(tunnels completions zsh)                       ~/.zshrc, after compinit
  fish        tunnels completions fish | source                       ~/.config/fish/config.fish
  elvish      eval (tunnels completions elvish | slurp)               ~/.elvish/rc.elv
  powershell  tunnels completions powershell | Out-String | Invoke-Expression     $PROFILE";

impl Completions {
    pub(crate) fn run(self) -> Result<Exit, ApiError> {
        let script = completion::script(self.shell)
            .map_err(|error| ApiError::new(ErrorCode::Failed, format!("cannot write the script: {error}")))?;
        output::print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
