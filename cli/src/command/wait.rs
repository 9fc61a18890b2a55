//! `tunnels wait`: waits until tunnels are in a state.

use super::{block_on, pick};
use crate::completion;
use crate::duration;
use crate::exit::Exit;
use crate::follow::{AtTrouble, Follower, Goal};
use crate::link::Link;
use crate::ready;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use std::time::Duration;
use tunnels_api::{ApiError, TunnelState};

const EXAMPLES: &str = "\
Examples:
  tunnels wait orders-db && psql -h 127.0.0.1 -p 15432
  tunnels wait '*' --for down --timeout 1m";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Wait {
    /// Names, @groups or globs
    #[arg(value_name = "SEL", required = true, add = ArgValueCompleter::new(completion::selectors))]
    select: Vec<String>,
    /// The state to wait for
    #[arg(
        long = "for",
        value_name = "STATE",
        default_value = "ready",
        value_parser = PossibleValuesParser::new(TunnelState::ALL.map(TunnelState::as_str)).map(|word| state(&word))
    )]
    state: TunnelState,
    /// How long to wait; exit code 7 when it is up
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    timeout: Duration,
}

impl Wait {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?;
            let client = link.running().await?;
            let mut follower = Follower::subscribe(client).await?;
            let names = link.explained(async { pick(&self.select, follower.tunnels()) }).await?;
            follower.trust_snapshot();
            // Held until the end: a connection is what opens the session of such a tunnel.
            let is_meant = self.state == TunnelState::Ready;
            let picked = follower.tunnels().iter().filter(|tunnel| is_meant && names.contains(&tunnel.name));
            let _knocking = ready::knock(picked);
            let goal = Goal::State(self.state);
            let ending = follower.until(&names, goal, AtTrouble::Stop, self.timeout).await?;
            ending.into_exit(goal, self.timeout)
        })
    }
}

/// The state of a word; clap has made sure that there is one.
fn state(word: &str) -> TunnelState {
    TunnelState::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(TunnelState::Ready)
}
