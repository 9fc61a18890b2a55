//! `tunnels daemon`: starts the daemon, in the background or, with `--foreground`, as this process.

use super::version::{VERSION, commit};
use super::{block_on, block_on_all_cores, config};
use crate::exit::Exit;
use crate::link::{self, Link};
use crate::logging::{self, Log, LogFile, LogFormat, Outputs, file};
use crate::signals::Signals;
use crate::spawn::{self, Report};
use crate::{activation, duration, open_files, output, services};
use clap::Args;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tunnels_api::{ApiError, DaemonVersion, ErrorCode, Places};
use tunnels_aws::SdkConnector;
use tunnels_daemon::{DRAIN, LogBuffer, Options, ServiceManager, StartError, TAKEOVER_DRAIN};

const EXAMPLES: &str = "\
Examples:
  tunnels daemon                          in the background; `tunnels up` does so by itself
  tunnels daemon --foreground             here, with its log
  tunnels daemon --takeover               this version, with this shell's variables, in place of the one that runs";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Daemon {
    /// Stay in the foreground and log to standard error
    #[arg(long)]
    foreground: bool,
    /// Take over from the daemon that runs, if one does: its ports stay open, so that nobody is refused, and its connections
    /// go on there until they end
    ///
    /// It is the way to upgrade, and to give the daemon this shell's AWS variables. `tunnels version` says whether the daemon that
    /// runs is another version than this program.
    #[arg(long)]
    takeover: bool,
    /// How long connections of the daemon before may go on at most; for a service it is what its unit says
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration::parse, requires = "takeover")]
    drain: Duration,
    /// How lines are written to standard error
    #[arg(long, value_name = "FORMAT", default_value = "text", requires = "foreground")]
    log_format: LogFormat,
    /// Tell on standard output, in one line of JSON, whether it came up
    #[arg(long, hide = true, requires = "foreground")]
    report: bool,
}

/// What may have to be said once it runs.
struct Warnings {
    /// How many files may be open; none is no limit.
    most_files: Option<u64>,
    /// What is wrong with the log file.
    log_file: Option<io::Error>,
}

impl Daemon {
    pub(crate) fn run(self, named: Option<PathBuf>) -> Result<Exit, ApiError> {
        if !self.foreground {
            return if self.takeover { take_over(named, self.drain) } else { start_in_background(named) };
        }
        let activated = activation::socket();
        let outcome = link::places().and_then(|places| {
            let Log { buffer, last_words: _last_words, file_error } = logging::init_daemon(self.outputs(&places));
            let warnings = Warnings { most_files: open_files::raise_limit(), log_file: file_error };
            block_on_all_cores(self.serve(named, places, buffer, warnings, activated))
        });
        if let (true, Err(error)) = (self.report, &outcome) {
            Report::Error(error.clone()).write();
        }
        outcome
    }

    fn outputs(&self, places: &Places) -> Outputs {
        let path = file::path_in(&places.state_dir);
        if self.report && services::own_name().is_none() {
            // Started by another command: nobody reads its standard error.
            Outputs { file: LogFile::taking_stderr(path), stderr: None }
        } else {
            Outputs { file: LogFile::new(path), stderr: Some(self.log_format) }
        }
    }

    async fn serve(
        &self,
        named: Option<PathBuf>,
        places: Places,
        logs: LogBuffer,
        warnings: Warnings,
        activated: Option<UnixListener>,
    ) -> Result<Exit, ApiError> {
        // Before anything is opened: a signal from here on ends it in order.
        let mut signals = Signals::listen()?;
        let connector = SdkConnector::from_env();
        let config_path = config::find(named.as_deref())?;
        config::must_exist(&config_path)?;
        let log_path = file::path_in(&places.state_dir);
        let options = Options {
            config_path,
            runtime_dir: places.runtime_dir,
            state_dir: places.state_dir,
            connector: Arc::new(connector),
            drain: DRAIN,
            version: VERSION.to_owned(),
            commit: commit(),
            logs,
            activated,
            manager: ServiceManager::from_env(|name| std::env::var_os(name)),
            service: services::own_name(),
        };
        let started = if self.takeover {
            tunnels_daemon::Daemon::take_over(options, self.drain).await
        } else {
            tunnels_daemon::Daemon::start(options)
        };
        let daemon = started.map_err(|error| not_started(&error))?;
        let handle = daemon.handle();
        let version = handle.version();
        tracing::info!(
            pid = version.pid,
            socket = version.socket,
            config = version.config,
            "tunnels {VERSION} ({}) runs",
            commit().as_deref().unwrap_or("unknown")
        );
        if let Some(error) = warnings.log_file {
            tracing::warn!("the log is not kept in {}: {error}", log_path.display());
        }
        if let Some(warning) = open_files::warning(warnings.most_files, daemon.tunnel_count()) {
            tracing::warn!("{warning}");
        }
        if self.report {
            Report::Ready(true).write();
        }

        let shutdown = CancellationToken::new();
        let running = daemon.run(shutdown.clone());
        let ended = tokio::select! {
            ended = running => ended,
            exit = async {
                signals.end(&handle).await;
                tracing::info!("asked to end by a signal");
                shutdown.cancel();
                // Whoever asks twice does not want to wait for open connections; the next start ends
                // the sessions that stay.
                signals.end(&handle).await
            } => return Ok(exit),
        };
        tracing::info!("stopped");
        ended.map_err(|error| ApiError::new(ErrorCode::Failed, format!("the socket cannot be served: {error}")))?;
        Ok(Exit::Done)
    }
}

fn start_in_background(named: Option<PathBuf>) -> Result<Exit, ApiError> {
    block_on(async {
        let link = Link::new(named)?;
        if link.client.version().await.is_ok() {
            let daemon = link.running().await?.version().await?;
            return Err(ApiError::new(
                ErrorCode::AlreadyRunning,
                format!("a daemon is already running (pid {})", daemon.pid),
            )
            .with_hint("`tunnels ls` shows its tunnels, `tunnels stop` ends it"));
        }
        let client = link.started().await?;
        let log = spawn::log_path(&link.places);
        output::say(&format!("it listens on {} and logs to {}", client.socket().display(), log.display()));
        Ok(Exit::Done)
    })
}

/// Starts a daemon that takes the place of the one that runs; within a service the service does it.
fn take_over(named: Option<PathBuf>, drain: Duration) -> Result<Exit, ApiError> {
    block_on(async {
        let link = Link::new(named)?.with_notes(false);
        let before = match link.client.version().await {
            Ok(before) => before,
            Err(error) if error.is_unreachable() => {
                link.started().await?;
                return Ok(Exit::Done);
            }
            Err(error) => return Err(error.into()),
        };
        let client = link.running().await?;
        let mut drain = drain;
        if services::reloaded(&before)? {
            output::say(&format!("the service {} has reloaded", before.service.as_deref().unwrap_or_default()));
            // Its unit has the command line.
            drain = TAKEOVER_DRAIN;
        } else {
            let config = before.config.as_deref().map(Path::new);
            spawn::daemon(&link.places, client, config, Some(drain)).await?;
        }
        let now = client.version().await?;
        let named = |daemon: &DaemonVersion| {
            let commit = daemon.commit.as_deref().unwrap_or("unknown");
            format!("{} ({commit}), pid {}", daemon.version, daemon.pid)
        };
        if now.pid == before.pid {
            return Err(ApiError::new(
                ErrorCode::Failed,
                format!("the daemon is still the one before: {}", named(&now)),
            )
            .with_hint("its log says why: tunnels logs"));
        }
        output::say(&format!("{} has taken over from {}", named(&now), named(&before)));
        output::say(&format!(
            "connections that were open go on there, for {} at most",
            tunnels_tui::units::span(drain)
        ));
        Ok(Exit::Done)
    })
}

fn not_started(error: &StartError) -> ApiError {
    match error {
        StartError::Config(errors) => config::invalid(errors),
        StartError::Claim(claim) => claim.into(),
        StartError::Takeover(error) => error.clone(),
        StartError::State { .. } => ApiError::new(ErrorCode::Failed, error.to_string())
            .with_hint("TUNNELS_STATE_DIR names another folder for the state"),
        _ => ApiError::new(ErrorCode::Failed, error.to_string()),
    }
}
