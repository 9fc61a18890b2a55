//! `tunnels exec`: brings a tunnel up, waits until it is ready, and becomes a program that is told where it is.

use super::block_on;
use crate::client_options::{ClientOptions, authority_note, impossible};
use crate::completion;
use crate::endpoints::{hosts_text, of_status};
use crate::exit::Exit;
use crate::follow::{AtTrouble, Ending, Follower, Goal};
use crate::link::Link;
use crate::{duration, output, protection, ready};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;
use tunnels_api::{ApiError, ErrorCode, SelectRequest, TargetState, TunnelState, TunnelStatus};
use tunnels_client_config::{Variables, variables};

const EXAMPLES: &str = "\
Examples:
  tunnels exec orders-db -- psql -U me orders -c 'select 1'
  tunnels exec orders-db --user me --database orders pg_dump -Fc > orders.dump
  tunnels exec sessions-cache -- sh -c 'redis-cli -h $TUNNEL_HOST -p $TUNNEL_PORT ping'

Variables of the program:
  TUNNEL_NAME, TUNNEL_HOST and TUNNEL_PORT (or TUNNEL_SOCKET), TUNNEL_URL, TUNNEL_REMOTE_HOST, TUNNEL_REMOTE_PORT
  PostgreSQL   PGHOST (the remote's name), PGHOSTADDR (the local address), PGPORT, PGSSLMODE, …
  MySQL        MYSQL_HOST, MYSQL_TCP_PORT (or MYSQL_UNIX_PORT)
  Redis        REDIS_URL

The exit code is the program's; 127 if there is no such program, 126 if it cannot be run. The tunnel stays up.";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Exec {
    /// The tunnel
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completion::names))]
    name: String,
    /// The program and its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
    #[command(flatten)]
    client: ClientOptions,
    /// How long to wait until the tunnel is ready; exit code 7 when it is up
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    timeout: Duration,
    /// Bring a protected tunnel up without asking
    #[arg(long, short)]
    yes: bool,
    /// Recorded by AWS with the sessions, as by `up`; a protected tunnel then comes up without asking
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Exec {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        let variables = block_on(self.prepare(config))?;
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(ApiError::new(ErrorCode::Usage, "there is no program to run"));
        };
        let mut command = Command::new(program);
        command.args(arguments);
        for name in &variables.unset {
            command.env_remove(name);
        }
        command.envs(variables.set);
        // In our place: exit code and signals are the program's own. Nothing of ours is left open to it.
        let error = command.exec();
        let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NoProgram } else { Exit::NotRunnable };
        let text = format!("cannot run `{}`: {error}", program.to_string_lossy());
        output::print_error(&ApiError::new(ErrorCode::Failed, text), false);
        Ok(exit)
    }

    /// Returns when the tunnel carries.
    async fn prepare(&self, config: Option<PathBuf>) -> Result<Variables, ApiError> {
        let link = Link::new(config)?;
        let client = link.started().await?;
        let mut follower = Follower::subscribe(client).await?;
        let name = link.explained(client.tunnel(&self.name)).await?.name;
        let names = [name.clone()];
        // Before anything is opened for it.
        let wanted = tunnel(&follower, &name)?;
        let known = of_status(wanted, &hosts_text())?;
        let options = self.client.here(&known.endpoint)?;
        let (variables, notes) = variables(&known.endpoint, &options).map_err(impossible)?;

        let is_up = wanted.wanted == TargetState::Up;
        if !self.yes && self.reason.is_none() {
            protection::confirm(&protection::guarded(&names, follower.tunnels())?)?;
        }
        if !is_up || self.reason.is_some() {
            client.up(&SelectRequest { select: names.to_vec(), reason: self.reason.clone() }).await?;
        } else {
            follower.trust_snapshot();
        }
        self.until_ready(&mut follower, &names).await?;
        output::say_notes(notes.into_iter().chain(authority_note(&known.endpoint, &options)));
        Ok(variables)
    }

    async fn until_ready(&self, follower: &mut Follower, names: &[String]) -> Result<(), ApiError> {
        let start = Instant::now();
        let mut goal = Goal::Up;
        let mut ending = follower.until(names, goal, AtTrouble::Stop, self.timeout).await?;
        if ending == Ending::Reached && tunnel(follower, &names[0])?.state == TunnelState::Listening {
            goal = Goal::State(TunnelState::Ready);
            // Held until then: a connection is what opens the session of such a tunnel.
            let _knocking = ready::knock(follower.tunnels().iter().filter(|tunnel| names.contains(&tunnel.name)));
            follower.trust_snapshot();
            let left = self.timeout.saturating_sub(start.elapsed());
            ending = follower.until(names, goal, AtTrouble::Stop, left).await?;
        }
        ending.into_exit(goal, self.timeout).map(drop)
    }
}

fn tunnel<'a>(follower: &'a Follower, name: &str) -> Result<&'a TunnelStatus, ApiError> {
    follower
        .tunnels()
        .iter()
        .find(|tunnel| tunnel.name == name)
        .ok_or_else(|| ApiError::new(ErrorCode::NoSuchTunnel, format!("{name} has just left the configuration")))
}
