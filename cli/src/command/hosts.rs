//! `tunnels hosts`: a block in the hosts file by which the servers' own names lead to their tunnels.
//!
//! Who may write the file is root, and root should read as little as possible of what others wrote: so the block is made
//! with the user's rights, and root takes only names and loopback addresses from it (`--from`).

use super::block_on;
use crate::completion;
use crate::endpoints::{self, HOSTS_FILE};
use crate::exit::Exit;
use crate::hosts_file::HostsFile;
use crate::link::Link;
use crate::{output, protection};
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_client_config::hosts::{self, HostsLine};
use tunnels_client_config::{Endpoint, posix_line};

/// More than any block has.
const MAX_BLOCK_BYTES: u64 = 8 << 20;

const EXAMPLES: &str = "\
Examples:
  tunnels hosts apply              shows what would be written, and how, if it takes root
  tunnels hosts apply @db
  sudo tunnels hosts remove

With `local = \"auto\"` a tunnel has an address of its own and the remote's port, so that with this block every program uses
the server's name and port as they are, and checks its certificate. A name leads here whether its tunnel is up or not.";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Hosts {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Write the block, or bring it up to date
    Apply {
        /// Names, @groups or globs; none means all whose remote has a name
        #[arg(value_name = "SEL", conflicts_with = "from", add = ArgValueCompleter::new(completion::selectors))]
        select: Vec<String>,
        /// Take the block from a file that `tunnels export hosts` wrote; `-` for standard input
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        #[command(flatten)]
        target: Target,
    },
    /// Take the block out
    Remove {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Clone, Args)]
struct Target {
    /// The hosts file
    #[arg(long, value_name = "FILE", default_value = HOSTS_FILE)]
    file: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Hosts {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Exit, ApiError> {
        match self.action {
            Action::Apply { select, from, target } => {
                let lines = match &from {
                    Some(path) => read_block(path)?,
                    None => block_on(async { configured(&Link::new(config.map(Path::to_owned))?, &select).await })?,
                };
                let by_root = by_root_apply(config, &select, &target);
                target.write(&lines, &by_root)
            }
            Action::Remove { target } => {
                let by_root = format!("sudo {}", own_line(&["hosts", "remove", "--yes"], &target));
                target.write(&[], &by_root)
            }
        }
    }
}

impl Target {
    /// Puts these lines into the file, or takes the block out if there are none.
    fn write(&self, lines: &[HostsLine], by_root: &str) -> Result<Exit, ApiError> {
        let failed = |error: &io::Error| self.failed(error, by_root);
        let old = HostsFile::read(&self.file).map_err(|error| failed(&error))?;
        let new = hosts::apply(old.bytes(), lines).map_err(|error| {
            let text = format!("{}: {error}", self.file.display());
            ApiError::new(ErrorCode::Failed, text).with_hint("mend it by hand: take out what is between BEGIN and END")
        })?;
        let text = String::from_utf8_lossy(old.bytes()).into_owned();
        let file = self.file.display();
        let rivals = hosts::rivals(&text, lines);
        output::say_notes(
            rivals.iter().map(|name| format!("{name} has another address in {file} already, which goes first")),
        );
        if new == old.bytes() {
            output::say(&format!("{} is as it should be", self.file.display()));
            return Ok(Exit::Done);
        }
        let path = old.path().to_owned();
        if lines.is_empty() {
            output::say(&format!("{} loses the block of tunnels'", path.display()));
        } else {
            output::print(&hosts::block(lines))?;
        }
        let replacement = old.replace_with(&new).map_err(|error| failed(&error))?;
        if !self.yes {
            protection::agree(
                &format!("{} is about to be changed", path.display()),
                "change it?",
                "add --yes if it is meant",
            )?;
        }
        let backup = replacement.commit().map_err(|error| failed(&error))?;
        output::say(&format!("{} is written; what it was before is in {}", path.display(), backup.display()));
        Ok(Exit::Done)
    }

    fn failed(&self, error: &io::Error, by_root: &str) -> ApiError {
        let text = format!("{} cannot be replaced: {error}", self.file.display());
        let error_for_user = ApiError::new(ErrorCode::Failed, text);
        match error.kind() {
            io::ErrorKind::PermissionDenied => error_for_user.with_hint(format!("as root: {by_root}")),
            // A container's engine mounts it there.
            io::ErrorKind::ResourceBusy => error_for_user.with_hint(
                "it is mounted from elsewhere, as in a container, and cannot be replaced as a whole: \
                 `tunnels export hosts` prints what to add to it",
            ),
            io::ErrorKind::NotFound => error_for_user.with_hint("--file names another"),
            _ => error_for_user,
        }
    }
}

async fn configured(link: &Link, select: &[String]) -> Result<Vec<HostsLine>, ApiError> {
    let picked = endpoints::picked(link, select).await?;
    let endpoints: Vec<&Endpoint> = picked.iter().map(|known| &known.endpoint).collect();
    let (lines, notes) = hosts::lines(&endpoints);
    output::say_notes(&notes);
    if lines.is_empty() {
        return Err(ApiError::new(ErrorCode::Failed, "no tunnel that was picked leads to a server with a name")
            .with_hint("`tunnels hosts remove` takes the block out"));
    }
    Ok(lines)
}

fn read_block(path: &Path) -> Result<Vec<HostsLine>, ApiError> {
    let is_stdin = path.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let failed = |why: String| ApiError::new(ErrorCode::Failed, format!("{name}: {why}"));
    let mut text = String::new();
    let input: Box<dyn io::Read> = if is_stdin {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| failed(error.to_string()))?)
    };
    input.take(MAX_BLOCK_BYTES).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    let lines = hosts::read_block(&text).map_err(|error| failed(error.to_string()))?;
    // What was to write it has failed, and said why.
    if lines.is_empty() {
        return Err(failed("there is no line in it; nothing was changed".to_owned()));
    }
    Ok(lines)
}

/// What does the same with root's rights, and reads the configuration without them.
fn by_root_apply(config: Option<&Path>, select: &[String], target: &Target) -> String {
    let mut words = vec![own_program()];
    words.extend(config.into_iter().flat_map(|path| ["--config".to_owned(), path.display().to_string()]));
    words.extend(["export".to_owned(), "hosts".to_owned()]);
    words.extend_from_slice(select);
    format!("{} | sudo {}", posix_line(&words), own_line(&["hosts", "apply", "--from", "-", "--yes"], target))
}

fn own_line(arguments: &[&str], target: &Target) -> String {
    let mut words = vec![own_program()];
    words.extend(arguments.iter().map(|&word| word.to_owned()));
    if target.file != Path::new(HOSTS_FILE) {
        words.extend(["--file".to_owned(), target.file.display().to_string()]);
    }
    posix_line(&words)
}

/// By its path: root's shell may look for programs elsewhere.
fn own_program() -> String {
    std::env::current_exe().map_or_else(|_| "tunnels".to_owned(), |path| path.display().to_string())
}
