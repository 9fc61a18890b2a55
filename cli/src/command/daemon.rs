//! `tunnels daemon`: starts the daemon, in the background or, with `--foreground`, as this process.

use super::version::{VERSION, commit};
use super::{block_on, block_on_all_cores, config};
use crate::exit::Exit;
use crate::link::{self, Link};
use crate::logging::{self, Log, LogFile, LogFormat, Outputs, file};
use crate::signals::Signals;
use crate::spawn::{self, Report};
use crate::{open_files, output};
use clap::Args;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tunnels_api::{ApiError, ErrorCode, Places};
use tunnels_aws::SdkConnector;
use tunnels_daemon::{DRAIN, LogBuffer, Options, StartError};

#[derive(Debug, Clone, Args)]
pub(crate) struct Daemon {
    /// Stay in the foreground and log to standard error
    #[arg(long)]
    foreground: bool,
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
            return start_in_background(named);
        }
        let outcome = link::places().and_then(|places| {
            let Log { buffer, last_words: _last_words, file_error } = logging::init_daemon(self.outputs(&places));
            let warnings = Warnings { most_files: open_files::raise_limit(), log_file: file_error };
            block_on_all_cores(self.serve(named, places, buffer, warnings))
        });
        if let (true, Err(error)) = (self.report, &outcome) {
            Report::Error(error.clone()).write();
        }
        outcome
    }

    fn outputs(&self, places: &Places) -> Outputs {
        let path = file::path_in(&places.state_dir);
        if self.report {
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
    ) -> Result<Exit, ApiError> {
        // Before anything is opened: a signal from here on ends it in order.
        let mut signals = Signals::listen()?;
        let connector = SdkConnector::from_env();
        let config_path = config::find(named.as_deref())?;
        config::must_exist(&config_path)?;
        let log_path = file::path_in(&places.state_dir);
        let daemon = tunnels_daemon::Daemon::start(Options {
            config_path,
            runtime_dir: places.runtime_dir,
            state_dir: places.state_dir,
            connector: Arc::new(connector),
            drain: DRAIN,
            version: VERSION.to_owned(),
            commit: commit(),
            logs,
        })
        .map_err(|error| not_started(&error))?;
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

fn not_started(error: &StartError) -> ApiError {
    match error {
        StartError::Config(errors) => config::invalid(errors),
        StartError::Claim(claim) => claim.into(),
        StartError::State { .. } => ApiError::new(ErrorCode::Failed, error.to_string())
            .with_hint("TUNNELS_STATE_DIR names another folder for the state"),
        _ => ApiError::new(ErrorCode::Failed, error.to_string()),
    }
}
