//! `tunnels stop`: ends the daemon, and with it every session.

use super::block_on;
use crate::duration;
use crate::exit::Exit;
use crate::link::Link;
use crate::{output, services};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tunnels_api::{ApiError, ErrorCode, StopRequest};

/// How long the daemon may take beyond its drain: terminating sessions is a call to AWS each.
const BEYOND_DRAIN: Duration = Duration::from_secs(20);
/// Between two looks whether the socket is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

const EXAMPLES: &str = "\
Examples:
  tunnels stop
  tunnels stop --drain 30s       let long queries end";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Stop {
    /// How long open connections may go on
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::parse)]
    drain: Duration,
}

impl Stop {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?.with_notes(false);
            let client = match link.running().await {
                Ok(client) => client,
                // What was asked for is so already; only a daemon that hangs is an error.
                Err(_) if link.client.version().await.is_err_and(|e| e.is_unreachable()) => {
                    output::print("no daemon is running\n")?;
                    return Ok(Exit::Done);
                }
                Err(error) => return Err(error),
            };
            let daemon = client.version().await?;
            let pid = daemon.pid;
            services::listen_no_more(&daemon);
            let mut events = client.events().await?;
            let drain_ms = Some(u64::try_from(self.drain.as_millis()).unwrap_or(u64::MAX));
            client.stop(&StopRequest { drain_ms }).await?;

            let ended = async {
                // The stream ends with the daemon, however that ends.
                while let Some(Ok(_)) = events.next().await {}
                while client.version().await.is_ok() {
                    sleep(LOOK_AGAIN).await;
                }
            };
            let limit = self.drain.saturating_add(BEYOND_DRAIN);
            if timeout(limit, ended).await.is_err() {
                let text = format!("the daemon (pid {pid}) is still ending its sessions");
                return Err(ApiError::new(ErrorCode::TimedOut, text).with_hint(format!(
                    "wait a little, or end it hard: kill -9 {pid}; the next start ends its sessions"
                )));
            }
            output::print(&format!("stopped the daemon (pid {pid})\n"))?;
            if daemon.service.is_some() {
                output::say(
                    "it is a service: `tunnels up` or your next login starts it again, `tunnels service uninstall` ends that",
                );
            }
            Ok(Exit::Done)
        })
    }
}
