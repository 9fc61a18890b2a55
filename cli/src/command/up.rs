//! `tunnels up`: starts the daemon if none runs, brings tunnels up, shows the addresses to paste.

use super::{block_on, interrupted};
use crate::completion;
use crate::exit::Exit;
use crate::follow::{AtTrouble, Ending, Follower, Goal};
use crate::link::Link;
use crate::{duration, output, protection};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use std::time::Duration;
use tunnels_api::{ApiError, Client, ErrorCode, SelectRequest, Timestamp, TunnelState, TunnelStatus};
use tunnels_tui::{list, text};

/// Without `--wait`, how long to look whether it works out; what still opens then counts as done.
const GLANCE: Duration = Duration::from_secs(2);

/// So many names are listed in a line; more are counted.
const MOST_NAMES: usize = 4;

const EXAMPLES: &str = "\
Examples:
  tunnels up                                 all tunnels but those with `auto = false`
  tunnels up orders-db 'billing-*' @cache    by name, by pattern, by group
  tunnels up --wait=1m @db && pytest         in a script: 0 only if all of them are ready
  tunnels up --attach orders-db              until ctrl-C";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Up {
    /// Names, @groups or globs; none means all with `auto`
    #[arg(value_name = "SEL", add = ArgValueCompleter::new(completion::selectors))]
    pub(crate) select: Vec<String>,
    /// Wait until all are ready: exit code 8 or 6 as soon as one has failed or needs a login, 7 when
    /// the time is up [default: 30s]
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30s",
        value_parser = duration::parse
    )]
    pub(crate) wait: Option<Duration>,
    /// Bring protected tunnels up without asking
    #[arg(long, short)]
    yes: bool,
    /// Recorded by AWS with every session opened until the tunnels go down, instead of the configured
    /// reason; protected tunnels then come up without asking
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Stay, tell each change, and take the tunnels down on ctrl-C
    #[arg(long)]
    attach: bool,
}

impl Up {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?;
            let client = link.started().await?;
            let mut follower = Follower::subscribe(client).await?;
            let request = SelectRequest { select: self.select.clone(), reason: self.reason };
            // Whoever gives a reason knows what they ask for.
            if !self.yes && request.reason.is_none() {
                let guarded = async { protection::guarded(&request.select, follower.tunnels()) };
                protection::confirm(&link.explained(guarded).await?)?;
            }
            let names = link.explained(client.up(&request)).await?.tunnels;
            if names.is_empty() {
                output::say("no tunnel has `auto`: name those to bring up");
                return Ok(Exit::Done);
            }
            if self.attach {
                return attach(client, &mut follower, &names, self.wait).await;
            }
            bring_up(&mut follower, &names, self.wait).await
        })
    }
}

/// Waits as long as was asked for, shows what came of it, and says how that is to be taken.
pub(super) async fn bring_up(
    follower: &mut Follower,
    names: &[String],
    wait: Option<Duration>,
) -> Result<Exit, ApiError> {
    // A glance is to show all of them; who waits for all wants to know at once that it is in vain.
    let (at_trouble, limit) = match wait {
        Some(limit) => (AtTrouble::Stop, limit),
        None => (AtTrouble::GoOn, GLANCE),
    };
    let ending = follower.until(names, Goal::Up, at_trouble, limit).await?;
    show(follower, names)?;
    if wait.is_none() && matches!(ending, Ending::TimedOut(_)) {
        return Ok(Exit::Done);
    }
    ending.into_exit(Goal::Up, limit)
}

/// The addresses to paste, and what became of those that have none yet.
fn show(follower: &Follower, names: &[String]) -> Result<(), ApiError> {
    let picked: Vec<_> = follower.tunnels().iter().filter(|tunnel| names.contains(&tunnel.name)).cloned().collect();
    output::print(&list::render(&picked, follower.config_error(), Timestamp::now(), output::look()))?;
    let opening: Vec<&str> = picked.iter().filter(|tunnel| is_opening(tunnel)).map(|t| t.name.as_str()).collect();
    if !opening.is_empty() {
        let verb = if opening.len() == 1 { "is" } else { "are" };
        let names = text::names(&opening, MOST_NAMES);
        output::say(&format!("{names} {verb} still being opened: `tunnels ls --watch` shows what comes of it"));
    }
    Ok(())
}

/// On its way with nothing to be said against it; the list names the trouble of others.
fn is_opening(tunnel: &TunnelStatus) -> bool {
    tunnel.state == TunnelState::Connecting && tunnel.cause.is_none()
}

/// Stays until a signal, and takes down what it brought up. With `--wait` it ends too if they do not come up.
async fn attach(
    client: &Client,
    follower: &mut Follower,
    names: &[String],
    wait: Option<Duration>,
) -> Result<Exit, ApiError> {
    let outcome = tokio::select! {
        exit = interrupted() => Ok(exit),
        stayed = stay(follower, names, wait) => match stayed {
            // Without a daemon there is nothing left to take down.
            Err(error) if error.code == ErrorCode::DaemonUnreachable => return Err(error),
            stayed => stayed,
        },
    };
    client.down(names).await?;
    let goal = Goal::State(TunnelState::Down);
    follower.until(names, goal, AtTrouble::GoOn, super::down::LIMIT).await?;
    output::say(if names.len() == 1 { "it is down again" } else { "they are down again" });
    outcome
}

async fn stay(follower: &mut Follower, names: &[String], wait: Option<Duration>) -> Result<Exit, ApiError> {
    match bring_up(follower, names, wait).await {
        // Somebody is there to see it, and may mend it.
        Err(error) if wait.is_none() && error.code != ErrorCode::DaemonUnreachable => {
            output::print_error(&error, false);
        }
        brought => drop(brought?),
    }
    output::say("attached: ctrl-C takes them down");
    follower.tell(names).await.map(|()| Exit::Done)
}
