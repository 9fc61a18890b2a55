//! `tunnels config edit`: the user's editor on a copy, which takes the file's place once it is sound.
//!
//! What is edited is never what a daemon reads: nobody sees half an edit, and a mistake costs nothing.

use super::super::block_on;
use crate::exit::Exit;
use crate::signals::Signals;
use crate::{ask, output};
use clap::Args;
use std::path::{Path, PathBuf};
use tempfile::TempPath;
use tokio::process::Command;
use tunnels_api::{ApiError, ErrorCode};
use tunnels_config_file::{Original, ReplaceError};
use tunnels_daemon::config::{self, Resolved};

const EXAMPLES: &str = "\
Examples:
  tunnels config edit
  EDITOR='code --wait' tunnels config edit
  tunnels config edit ~/src/orders/tunnels.toml     a file that it includes";

/// With what a new configuration begins.
const NEW: &str = "\
# Tunnels; `tunnels config check` says what is wrong, docs/configuration.md what each key means.

# [defaults]
# profile = \"dev\"
# region = \"eu-west-1\"
# target = { tag = \"Name=bastion\" }

# [tunnels.orders-db]
# remote = \"orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432\"
# local = 15432
";

/// Edit the configuration, and replace it only by a sound one
///
/// Opens a copy of it in $VISUAL, $EDITOR or vi. What comes back is checked: if it has mistakes they are shown, and you
/// can go on editing or discard it. A sound one takes the place of the file in one step and keeps its mode; a running
/// daemon then applies it by its differences. If somebody else changed the file meanwhile, you are asked.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Edit {
    /// Edit this file instead, such as one that the configuration includes
    file: Option<PathBuf>,
}

impl Edit {
    pub(super) fn run(self, named: Option<&Path>) -> Result<Exit, ApiError> {
        let main = super::find(named)?;
        let file = match self.file {
            Some(file) => std::path::absolute(&file).unwrap_or(file),
            None => main.clone(),
        };
        // A file of its own is judged by itself.
        let main = if is_part_of(&main, &file) { main } else { file.clone() };
        edit(&main, &file)
    }
}

fn edit(main: &Path, file: &Path) -> Result<Exit, ApiError> {
    let mut original = Original::read(file).map_err(|error| failed("read", file, &error))?;
    let begin = if original.exists() { original.text() } else { NEW }.to_owned();
    let copy = original.copy(&begin).map_err(|error| failed("make a copy of", file, &error))?;
    loop {
        launch(&copy)?;
        let text = std::fs::read_to_string(&copy).map_err(|error| failed("read the edited copy of", file, &error))?;
        if text == begin {
            output::print(&format!("{}: nothing was changed\n", file.display()))?;
            return Ok(Exit::Done);
        }
        let resolved = match config::resolve_edit(main, file, text.clone()) {
            Ok(resolved) => resolved,
            Err(errors) => {
                mend(&super::invalid(&errors), file)?;
                continue;
            }
        };
        let replaced = match original.replace(&text) {
            Err(ReplaceError::Changed(_)) => {
                if !ask::is_attended() {
                    return Err(kept(copy, file));
                }
                if !overwrites(file)? {
                    continue;
                }
                original = Original::read(file).map_err(|error| failed("read", file, &error))?;
                original.replace(&text)
            }
            replaced => replaced,
        };
        replaced.map_err(|error| ApiError::new(ErrorCode::Failed, error.to_string()))?;
        return saved(file, &resolved);
    }
}

/// Whether the configuration reads this file.
fn is_part_of(main: &Path, file: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let file = canonical(file);
    let files = match config::load(main) {
        Ok(config) => config.files,
        Err(errors) => errors.files().to_vec(),
    };
    files.iter().any(|known| canonical(known) == file)
}

/// Runs the editor until it ends; ctrl-C is for it.
fn launch(copy: &Path) -> Result<(), ApiError> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    let status = block_on(async {
        let mut signals = Signals::listen()?;
        // By a shell, as git does it: the variable may hold arguments and quotes.
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(copy);
        let mut child =
            shell.spawn().map_err(|error| ApiError::new(ErrorCode::Failed, format!("cannot run sh: {error}")))?;
        loop {
            tokio::select! {
                status = child.wait() => {
                    break status.map_err(|error| ApiError::new(ErrorCode::Failed, format!("lost the editor: {error}")));
                }
                exit = signals.next() => if exit == Exit::Terminated {
                    break Err(ApiError::new(ErrorCode::Failed, "asked to end; nothing was changed"));
                },
            }
        }
    })?;
    if status.success() {
        return Ok(());
    }
    let text = format!("the editor `{editor}` ended with {status}; nothing was changed");
    Err(ApiError::new(ErrorCode::Failed, text).with_hint("set VISUAL or EDITOR to one that waits until you are done"))
}

fn saved(file: &Path, resolved: &Resolved) -> Result<Exit, ApiError> {
    if !resolved.warnings.is_empty() {
        output::say(&format!("{}\n", config::render_warnings(&resolved.warnings, true).trim_end()));
    }
    let count = resolved.config.tunnels.len();
    output::print(&format!("{}: saved; {count} tunnel{}\n", file.display(), if count == 1 { "" } else { "s" }))?;
    Ok(Exit::Done)
}

/// Shows what is wrong; returns if the edit is to go on.
fn mend(report: &ApiError, file: &Path) -> Result<(), ApiError> {
    if !ask::is_attended() {
        return Err(report.clone());
    }
    output::say(&report.message);
    match ask::choice("What now:", &["edit again", "discard"])? {
        'e' => Ok(()),
        _ => Err(discarded(file)),
    }
}

/// Asks whether an edit is to take the place of what somebody else has written meanwhile; if not, it goes on.
fn overwrites(file: &Path) -> Result<bool, ApiError> {
    output::say(&format!("{} was changed by somebody else meanwhile.", file.display()));
    match ask::choice("What now:", &["edit again", "overwrite it with yours", "discard yours"])? {
        'o' => Ok(true),
        'e' => Ok(false),
        _ => Err(discarded(file)),
    }
}

fn discarded(file: &Path) -> ApiError {
    ApiError::new(ErrorCode::Failed, format!("discarded; {} is as it was", file.display()))
}

/// Nobody can be asked, but nobody's work is thrown away either: the copy stays where it is.
fn kept(copy: TempPath, file: &Path) -> ApiError {
    let error = ApiError::new(ErrorCode::Failed, format!("{} was changed by somebody else meanwhile", file.display()));
    match copy.keep() {
        Ok(path) => error.with_hint(format!("your edit is in {}", path.display())),
        Err(_) => error,
    }
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> ApiError {
    ApiError::new(ErrorCode::Failed, format!("cannot {what} {}: {error}", path.display()))
}
