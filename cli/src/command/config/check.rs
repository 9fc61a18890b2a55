//! `tunnels config check`: every mistake at once, and what is only worth a warning.

use crate::exit::Exit;
use crate::output;
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_daemon::config::{self, ConfigError, Resolved};

const EXAMPLES: &str = "\
Examples:
  tunnels config check
  tunnels config check ./tunnels.toml
  tunnels config check --json | jq -r '.errors[].message'";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Check {
    /// Check this file instead, with all that it includes
    file: Option<PathBuf>,
    /// Print one JSON value: files, number of tunnels, errors and warnings
    #[arg(long)]
    pub(super) json: bool,
}

impl Check {
    pub(super) fn run(self, named: Option<&Path>) -> Result<Exit, ApiError> {
        let path = super::find(self.file.as_deref().or(named))?;
        if let Err(missing) = super::must_exist(&path) {
            if self.json {
                let error = json!({ "message": missing.message, "help": missing.hint });
                output::print_json(&report(&[path], None, &[error], &[]))?;
            }
            return Err(missing);
        }
        let checked = config::resolve(&path);
        if self.json {
            output::print_json(&match &checked {
                Ok(resolved) => {
                    let config = &resolved.config;
                    report(&config.files, Some(config.tunnels.len()), &[], &resolved.warnings)
                }
                Err(errors) => report(errors.files(), None, &errors.iter().map(entry).collect::<Vec<_>>(), &[]),
            })?;
        }
        let resolved = checked.map_err(|errors| {
            // In JSON everything is in the result.
            if self.json { ApiError::new(ErrorCode::ConfigInvalid, errors.summary()) } else { super::invalid(&errors) }
        })?;
        if !self.json {
            // The result is that it is sound; warnings stand beside it.
            if !resolved.warnings.is_empty() {
                output::say(&format!("{}\n", config::render_warnings(&resolved.warnings, true).trim_end()));
            }
            output::print(&format!("{}: {}\n", path.display(), summary(&resolved)))?;
        }
        Ok(Exit::Done)
    }
}

fn summary(resolved: &Resolved) -> String {
    let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut text = count(resolved.config.tunnels.len(), "tunnel");
    if resolved.config.files.len() > 1 {
        text = format!("{text} in {} files", resolved.config.files.len());
    }
    text.push_str(", no mistakes");
    if !resolved.warnings.is_empty() {
        text = format!("{text}, {}", count(resolved.warnings.len(), "warning"));
    }
    text
}

/// The shape that the README documents.
fn report(files: &[PathBuf], tunnels: Option<usize>, errors: &[Value], warnings: &[ConfigError]) -> Value {
    json!({
        "valid": errors.is_empty(),
        "files": files,
        "tunnels": tunnels,
        "errors": errors,
        "warnings": warnings.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn entry(error: &ConfigError) -> Value {
    let mut entry = json!({ "message": error.message() });
    if let Some((file, line, column)) = error.position() {
        entry["file"] = json!(file);
        entry["line"] = json!(line);
        entry["column"] = json!(column);
    }
    if let Some(help) = error.hint() {
        entry["help"] = json!(help);
    }
    entry
}
