//! `tunnels config path`: where the configuration is, whether it exists or not.

use crate::exit::Exit;
use crate::output;
use clap::Args;
use std::path::Path;
use tunnels_api::ApiError;
use tunnels_daemon::config;

const EXAMPLES: &str = "\
Examples:
  tunnels config path
  tunnels config path --all | xargs ls -l     with the files that it includes";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Where {
    /// Print the files that it includes as well, one a line
    #[arg(long)]
    all: bool,
}

impl Where {
    pub(super) fn run(self, main: &Path) -> Result<Exit, ApiError> {
        let files = match config::load(main) {
            Ok(config) if self.all => config.files,
            // Mistakes are for `check`; what was looked at is known all the same.
            Err(errors) if self.all => errors.files().to_vec(),
            _ => vec![main.to_owned()],
        };
        let lines: Vec<String> = files.iter().map(|file| format!("{}\n", file.display())).collect();
        output::print(&lines.concat())?;
        Ok(Exit::Done)
    }
}
