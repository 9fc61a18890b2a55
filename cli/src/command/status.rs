//! `tunnels status NAME`: one tunnel in detail.

use super::block_on;
use crate::completion;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use tunnels_api::ApiError;
use tunnels_tui::detail;

const EXAMPLES: &str = "\
Examples:
  tunnels status orders-db
  tunnels status orders-db --json | jq -r .cause.next";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Status {
    /// The tunnel
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completion::names))]
    name: String,
    /// Print JSON: the entry of `ls --json`
    #[arg(long)]
    pub(crate) json: bool,
}

impl Status {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?.with_notes(!self.json);
            let client = link.running().await?;
            let tunnel = link.explained(client.tunnel(&self.name)).await?;
            if self.json {
                output::print_json(&tunnel)?;
            } else {
                output::print(&detail::render(&tunnel, &jiff::Zoned::now(), output::look()))?;
            }
            Ok(Exit::Done)
        })
    }
}
