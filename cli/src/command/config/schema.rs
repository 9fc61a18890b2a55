//! `tunnels config schema`: the JSON Schema of the configuration.

use crate::exit::Exit;
use crate::output;
use clap::Args;
use tunnels_api::ApiError;
use tunnels_daemon::config;

const EXAMPLES: &str = "\
Examples:
  tunnels config schema > ~/.config/tunnels/config.schema.json
      and as the first line of config.toml:  #:schema ./config.schema.json
  taplo check --schema file:///path/to/config.schema.json config.toml";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Schema;

impl Schema {
    pub(super) fn run() -> Result<Exit, ApiError> {
        output::print_json(&config::schema())?;
        Ok(Exit::Done)
    }
}
