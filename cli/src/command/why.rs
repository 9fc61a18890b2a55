//! `tunnels why NAME`: what happened to one tunnel, when, why, and what it cost.

use super::block_on;
use crate::completion;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use tunnels_api::ApiError;
use tunnels_tui::timeline;

const EXAMPLES: &str = "\
Examples:
  tunnels why orders-db
  tunnels why orders-db -n 5 --json";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Why {
    /// The tunnel
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completion::names))]
    name: String,
    /// At most so many of the changes, the newest; 100 are kept
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Why {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?.with_notes(!self.json);
            let client = link.running().await?;
            let mut history = link.explained(client.history(&self.name)).await?;
            if let Some(lines) = self.lines {
                history.changes.drain(..history.changes.len().saturating_sub(lines));
            }
            if self.json {
                output::print_json(&history)?;
            } else {
                output::print(&timeline::render(&history, &jiff::Zoned::now(), output::look()))?;
            }
            Ok(Exit::Done)
        })
    }
}
