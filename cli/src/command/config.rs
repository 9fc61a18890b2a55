//! `tunnels config`: where the configuration is, whether it is sound, and what is in force.

mod check;
mod edit;
mod path;
mod schema;
mod show;

use crate::exit::Exit;
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
    Check(check::Check),
    /// Print where the configuration is, whether it exists or not
    Path(path::Where),
    /// Show the configuration as it is in force, and where each value comes from
    Show(show::Show),
    /// Print the JSON Schema of the configuration, for editors
    Schema(schema::Schema),
    Edit(edit::Edit),
}

impl Config {
    /// Whether results and errors are to be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        match &self.action {
            Action::Check(check) => check.json,
            Action::Show(show) => show.json,
            Action::Path(_) | Action::Schema(_) | Action::Edit(_) => false,
        }
    }

    pub(crate) fn run(self, named: Option<&Path>) -> Result<Exit, ApiError> {
        match self.action {
            Action::Check(check) => check.run(named),
            Action::Path(path) => path.run(&find(named)?),
            Action::Show(show) => show.run(&find(named)?),
            Action::Schema(schema::Schema) => schema::Schema::run(),
            Action::Edit(edit) => edit.run(named),
        }
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
const FIRST_STEPS: &str = "`tunnels add` makes one; or create it yourself, for example with

    [tunnels.orders-db]
    remote = \"orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432\"
    local  = 15432
    target = \"i-0123456789abcdef0\"    # a managed node from which the database can be reached

  or name another file with --config or TUNNELS_CONFIG; `tunnels sim` is for a try without AWS";

/// Says how to begin when there is no configuration yet.
pub(crate) fn must_exist(path: &Path) -> Result<(), ApiError> {
    // A link to nothing, or a folder that may not be entered, is another mistake, and `load` says which.
    if !path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(());
    }
    let text = format!("there is no configuration at {}", path.display());
    Err(ApiError::new(ErrorCode::ConfigInvalid, text).with_hint(FIRST_STEPS))
}

/// All mistakes as one error.
pub(crate) fn invalid(errors: &config::ConfigErrors) -> ApiError {
    // Whoever prints it takes the colours out where none are wanted.
    ApiError::new(ErrorCode::ConfigInvalid, errors.render(true))
}
