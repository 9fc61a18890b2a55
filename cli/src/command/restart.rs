//! `tunnels restart`: closes the sessions of tunnels and opens new ones.

use super::{block_on, up};
use crate::completion;
use crate::exit::Exit;
use crate::follow::Follower;
use crate::link::Link;
use crate::{duration, protection};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use std::time::Duration;
use tunnels_api::ApiError;

const EXAMPLES: &str = "\
Examples:
  tunnels restart orders-db --wait
  tunnels restart '@prod' --yes";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Restart {
    /// Names, @groups or globs
    #[arg(value_name = "SEL", required = true, add = ArgValueCompleter::new(completion::selectors))]
    select: Vec<String>,
    /// Wait until all are ready, as `up --wait` [default: 30s]
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30s",
        value_parser = duration::parse
    )]
    wait: Option<Duration>,
    /// Bring protected tunnels that are down up without asking
    #[arg(long, short)]
    yes: bool,
}

impl Restart {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?;
            let client = link.running().await?;
            let mut follower = Follower::subscribe(client).await?;
            let names = link.explained(async { super::pick(&self.select, follower.tunnels()) }).await?;
            if !self.yes {
                protection::confirm(&protection::guarded(&self.select, follower.tunnels())?)?;
            }
            follower.distrust_snapshot();
            for name in &names {
                client.restart(name).await?;
            }
            up::bring_up(&mut follower, &names, self.wait).await
        })
    }
}
