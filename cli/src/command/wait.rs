//! `tunnels wait`: waits until tunnels are in a state.

use super::{block_on, pick};
use crate::duration;
use crate::exit::Exit;
use crate::follow::{Follower, Goal};
use crate::link::Link;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use std::path::PathBuf;
use std::time::Duration;
use tunnels_api::{ApiError, TargetState, TunnelState};

#[derive(Debug, Clone, Args)]
pub(crate) struct Wait {
    /// Names, @groups or globs
    #[arg(value_name = "SEL", required = true)]
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
            let names = pick(&self.select, follower.tunnels())?;
            follower.trust_snapshot();
            if self.state == TunnelState::Ready {
                // A parked tunnel opens its session again when it is asked to be up.
                let parked: Vec<String> = follower
                    .tunnels()
                    .iter()
                    .filter(|tunnel| names.contains(&tunnel.name))
                    .filter(|tunnel| tunnel.state == TunnelState::Listening)
                    .filter(|tunnel| tunnel.wanted == TargetState::Up)
                    .map(|tunnel| tunnel.name.clone())
                    .collect();
                if !parked.is_empty() {
                    client.up(&parked).await?;
                }
            }
            let goal = Goal::State(self.state);
            follower.until(&names, goal, self.timeout).await?.into_exit(goal, self.timeout)
        })
    }
}

/// The state of a word; clap has made sure that there is one.
fn state(word: &str) -> TunnelState {
    TunnelState::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(TunnelState::Ready)
}
