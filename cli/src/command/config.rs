//! `tunnels config`: where the configuration is, and whether it is sound.

use crate::exit::Exit;
use crate::output;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_daemon::config;

#[derive(Debug, Clone, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Report everything that is wrong with the configuration
    Check,
    /// Print where the configuration is
    Path,
}

impl Config {
    pub(crate) fn run(self, named: Option<&Path>) -> Result<Exit, ApiError> {
        let path = find(named)?;
        match self.action {
            Action::Path => output::print(&format!("{}\n", path.display()))?,
            Action::Check => {
                must_exist(&path)?;
                let config = config::load(&path).map_err(|errors| invalid(&errors))?;
                let count = config.tunnels.len();
                let noun = if count == 1 { "tunnel" } else { "tunnels" };
                output::print(&format!("{}: {count} {noun}, no mistakes\n", path.display()))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The configuration file that is meant.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, ApiError> {
    config::find(named).ok_or_else(|| {
        ApiError::new(ErrorCode::ConfigInvalid, "there is no home directory to look for a configuration in")
            .with_hint("name one with --config or TUNNELS_CONFIG")
    })
}

/// What a newcomer needs to see instead of "no such file".
const FIRST_STEPS: &str = "create it, for example with

    [tunnels.orders-db]
    remote = \"orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432\"
    local  = 15432
    target = \"i-0123456789abcdef0\"    # a managed node from which the database can be reached

  or name another file with --config or TUNNELS_CONFIG; `tunnels sim` is for a try without AWS";

/// Says how to begin when there is no configuration yet.
pub(crate) fn must_exist(path: &Path) -> Result<(), ApiError> {
    if path.exists() {
        return Ok(());
    }
    let text = format!("there is no configuration at {}", path.display());
    Err(ApiError::new(ErrorCode::ConfigInvalid, text).with_hint(FIRST_STEPS))
}

/// All mistakes as one error.
pub(super) fn invalid(errors: &config::ConfigErrors) -> ApiError {
    // Whoever prints it takes the colours out where none are wanted.
    ApiError::new(ErrorCode::ConfigInvalid, errors.render(true))
}
