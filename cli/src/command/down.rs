//! `tunnels down`: takes tunnels down and waits until their ports are given up.
//!
//! Their sessions are ended by the daemon behind that, which is not waited for: it tries again what fails.

use super::block_on;
use crate::completion;
use crate::exit::Exit;
use crate::follow::{AtTrouble, Follower, Goal};
use crate::link::Link;
use crate::output;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use std::time::Duration;
use tunnels_api::{ApiError, TunnelState};

/// How long it may take: the daemon only has to let go of ports, and tell.
pub(super) const LIMIT: Duration = Duration::from_secs(15);

const EXAMPLES: &str = "\
Examples:
  tunnels down                 all of them; the daemon stays
  tunnels down orders-db @cache";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Down {
    /// Names, @groups or globs; none means all
    #[arg(value_name = "SEL", add = ArgValueCompleter::new(completion::selectors))]
    select: Vec<String>,
}

impl Down {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?;
            let client = link.running().await?;
            let mut follower = Follower::subscribe(client).await?;
            let names = link.explained(client.down(&self.select)).await?.tunnels;
            let goal = Goal::State(TunnelState::Down);
            let ending = follower.until(&names, goal, AtTrouble::GoOn, LIMIT).await?;
            let exit = ending.into_exit(goal, LIMIT)?;
            for name in names {
                output::print(&format!("{name} is down\n"))?;
            }
            Ok(exit)
        })
    }
}
