//! `tunnels ls`: the list of tunnels, once or kept up to date.

use super::{block_on, interrupted, pick};
use crate::completion;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::io;
use std::path::PathBuf;
use tunnels_api::{ApiError, Client, TargetState, Timestamp, TunnelState, TunnelStatus, Tunnels};
use tunnels_tui::{list, live};

const EXAMPLES: &str = "\
Examples:
  tunnels ls @db
  tunnels ls --watch
  tunnels ls --json | jq -r '.tunnels[] | select(.state != \"ready\") | .name'";

#[derive(Debug, Clone, Default, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Ls {
    /// Names, @groups or globs; none means all
    #[arg(value_name = "SEL", add = ArgValueCompleter::new(completion::selectors))]
    pub(crate) select: Vec<String>,
    /// Print JSON; with --watch one line for each change
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep the list up to date; into a pipe, print a line for each change of a state
    #[arg(long, short)]
    watch: bool,
}

impl Ls {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?.with_notes(!self.json);
            let client = link.running().await?;
            let Tunnels { mut tunnels, config_error } = client.tunnels().await?;
            let names = link.explained(async { pick(&self.select, &tunnels) }).await?;
            if self.watch {
                return tokio::select! {
                    watched = self.keep_watching(client.clone()) => {
                        output::finish(watched).map(|()| Exit::Done)
                    }
                    exit = interrupted() => Ok(exit),
                    () = output::hung_up() => Ok(Exit::Done),
                };
            }
            tunnels.retain(|tunnel| names.contains(&tunnel.name));
            if self.json {
                output::print_json(&Tunnels { tunnels, config_error })?;
            } else {
                output::print(&list::render(&tunnels, config_error.as_deref(), Timestamp::now(), output::look()))?;
                if let Some(step) = first_step(&tunnels) {
                    output::say(step);
                }
            }
            Ok(Exit::Done)
        })
    }

    async fn keep_watching(&self, client: Client) -> io::Result<()> {
        if self.json {
            live::json_lines(client, &self.select, &mut io::stdout()).await
        } else if output::is_screen() {
            live::screen(client, &self.select, output::look().color).await
        } else {
            live::lines(client, &self.select, &mut io::stdout()).await
        }
    }
}

/// What somebody does who finds nothing here.
fn first_step(tunnels: &[TunnelStatus]) -> Option<&'static str> {
    if tunnels.is_empty() {
        return Some(
            "the configuration has no tunnels: `tunnels add` adds the first, and `tunnels config path` says where",
        );
    }
    let is_idle = |tunnel: &TunnelStatus| tunnel.state == TunnelState::Down && tunnel.wanted == TargetState::Down;
    tunnels.iter().all(is_idle).then_some("all are down: `tunnels up` brings them up")
}
