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
use tunnels_client_config::posix_line;
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
/// daemon then applies it by its differences. If somebody else changed the file meanwhile, you are asked. An edit that cannot
/// be saved is kept beside the file, unless you discard it.
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

/// How an edit ended without being saved.
enum Stopped {
    /// By the user's word.
    Discarded,
    Signal(Exit),
    Failed(ApiError),
}

impl From<ApiError> for Stopped {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

fn edit(main: &Path, file: &Path) -> Result<Exit, ApiError> {
    let original = read(file)?;
    let place = original.path().to_owned();
    let begin = if original.exists() { original.text() } else { NEW }.to_owned();
    let copy = original.copy(&begin).map_err(|error| failed("make a copy of", file, &error))?;
    let ended = block_on(async {
        let mut signals = Signals::listen()?;
        Ok(rounds(main, file, original, &begin, &copy, &mut signals).await)
    })?;
    match ended {
        Ok(Some(resolved)) => saved(file, &resolved),
        Ok(None) => {
            output::print(&format!("{}: nothing was changed\n", file.display()))?;
            Ok(Exit::Done)
        }
        Err(Stopped::Discarded) => {
            Err(ApiError::new(ErrorCode::Failed, format!("discarded; {} is as it was", file.display())))
        }
        Err(Stopped::Signal(exit)) => {
            output::say(&format!("ended by a signal; {} is as it was", file.display()));
            output::say_notes(kept(copy, &begin, &place));
            Ok(exit)
        }
        Err(Stopped::Failed(error)) => {
            let hints: Vec<String> = error.hint.clone().into_iter().chain(kept(copy, &begin, &place)).collect();
            Err(if hints.is_empty() { error } else { error.with_hint(hints.join("; ")) })
        }
    }
}

/// Edits the copy until it has taken the file's place; none if there was nothing to do.
async fn rounds(
    main: &Path,
    file: &Path,
    mut original: Original,
    begin: &str,
    copy: &Path,
    signals: &mut Signals,
) -> Result<Option<Resolved>, Stopped> {
    loop {
        launch(copy, signals).await?;
        let text = std::fs::read_to_string(copy).map_err(|error| failed("read the edited copy of", file, &error))?;
        if text == begin {
            return Ok(None);
        }
        let resolved = match config::resolve_edit(main, file, text.clone()) {
            Ok(resolved) => resolved,
            Err(errors) => {
                mend(&super::invalid(&errors), signals).await?;
                continue;
            }
        };
        loop {
            match original.replace(&text) {
                Ok(()) => return Ok(Some(resolved)),
                Err(ReplaceError::Changed(_)) if ask::is_attended() => {}
                Err(error) => return Err(ApiError::new(ErrorCode::Failed, error.to_string()).into()),
            }
            if !overwrites(file, signals).await? {
                break;
            }
            original = read(file)?;
        }
    }
}

fn read(file: &Path) -> Result<Original, ApiError> {
    Original::read(file).map_err(|error| failed("read", file, &error))
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
async fn launch(copy: &Path, signals: &mut Signals) -> Result<(), Stopped> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // By a shell, as git does it: the variable may hold arguments and quotes.
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(copy);
    let failed = |text: String| ApiError::new(ErrorCode::Failed, text);
    let mut child = shell.spawn().map_err(|error| failed(format!("cannot run sh: {error}")))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(|error| failed(format!("lost the editor: {error}")))?,
            exit = signals.next() => if exit == Exit::Terminated {
                return Err(Stopped::Signal(exit));
            },
        }
    };
    if status.success() {
        return Ok(());
    }
    let error = failed(format!("the editor `{editor}` ended with {status}; nothing was changed"));
    Err(error.with_hint("set VISUAL or EDITOR to one that waits until you are done").into())
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
async fn mend(report: &ApiError, signals: &mut Signals) -> Result<(), Stopped> {
    if !ask::is_attended() {
        return Err(report.clone().into());
    }
    output::say(&report.message);
    match choice(&["edit again", "discard"], signals).await? {
        'e' => Ok(()),
        _ => Err(Stopped::Discarded),
    }
}

/// Asks whether an edit is to take the place of what somebody else has written meanwhile; if not, it goes on.
async fn overwrites(file: &Path, signals: &mut Signals) -> Result<bool, Stopped> {
    output::say(&format!("{} was changed by somebody else meanwhile.", file.display()));
    match choice(&["edit again", "overwrite it with yours", "discard yours"], signals).await? {
        'o' => Ok(true),
        'e' => Ok(false),
        _ => Err(Stopped::Discarded),
    }
}

/// Asks; the signals, which would end it by themselves if nobody listened, end it here, too.
async fn choice(choices: &'static [&'static str], signals: &mut Signals) -> Result<char, Stopped> {
    let answer = tokio::task::spawn_blocking(|| ask::choice("What now:", choices));
    tokio::select! {
        answer = answer => {
            let lost = |error| ApiError::new(ErrorCode::Failed, format!("cannot ask: {error}"));
            Ok(answer.map_err(lost)??)
        }
        exit = signals.next() => {
            output::say("");
            Err(Stopped::Signal(exit))
        }
    }
}

/// Nobody's work is thrown away but by his own word: a copy that was edited stays where it is. Says where, and how to go on.
fn kept(copy: TempPath, begin: &str, place: &Path) -> Option<String> {
    // One that cannot be read is kept as well, if it is there.
    if !copy.exists() || std::fs::read(&copy).is_ok_and(|bytes| bytes == begin.as_bytes()) {
        return None;
    }
    let path = copy.keep().ok()?.display().to_string();
    let line = posix_line(&["mv", &path, &place.display().to_string()]);
    Some(format!("your edit is in {path}; when it is right, `{line}` puts it in place"))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> ApiError {
    ApiError::new(ErrorCode::Failed, format!("cannot {what} {}: {error}", path.display()))
}
