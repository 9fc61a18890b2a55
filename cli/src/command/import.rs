//! `tunnels import`: port forwards of other programs into the configuration.

use super::add::Book;
use super::config as configuration;
use crate::exit::Exit;
use crate::{ask, output};
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_config_file::{NewTunnel, Planned, Target, Wanted, plan, with_tunnels};
use tunnels_daemon::config::{LocalAddr, Remote};
use tunnels_imports::{Format, Forward, Report};

/// Far more than any such file has.
const MAX_SIZE: u64 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  tunnels import ~/bin/orders-db.sh --dry-run        show what it understands, change nothing
  tunnels import ~/.aws/cli/alias
  tunnels import .basti.yaml --target Name=bastion
  tunnels import - --yes < line-from-the-wiki.txt";

/// Take tunnels over from `aws ssm start-session` scripts, AWS CLI aliases or .basti.yaml
///
/// Nothing in the file is run. What is understood is shown, and you are asked before it is added; a name or port that is
/// taken gives way to a free one. What cannot be taken is said with its line and the reason. Exit code 1 means that
/// nothing could be taken.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Import {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the file is [default: found out by its name and content]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Kind>,
    /// Who carries those that name no target: an instance id, or a tag
    #[arg(long, value_name = "ID|KEY=VALUE")]
    target: Option<String>,
    /// Put all of them into this group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Add them without asking
    #[arg(long, short)]
    yes: bool,
    /// Show what would be added, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Shell commands with `aws ssm start-session`
    Script,
    /// ~/.aws/cli/alias
    Aliases,
    /// .basti.yaml or .basti.json
    Basti,
}

impl Import {
    pub(crate) fn run(self, named: Option<&Path>) -> Result<Exit, ApiError> {
        let is_stdin = self.file == Path::new("-");
        let text = read(&self.file)?;
        let format = match self.format {
            Some(Kind::Script) => Format::Script,
            Some(Kind::Aliases) => Format::Aliases,
            Some(Kind::Basti) => Format::Basti,
            None => Format::guess(&self.file, &text),
        };
        let book = Book::open(&configuration::find(named)?)?;
        let name = if is_stdin { "standard input".to_owned() } else { self.file.display().to_string() };
        let report = tunnels_imports::read(format, &text, &|path| self.beside(path));
        let (tunnels, notes) = self.planned(&book, report, &name);
        for note in notes {
            output::say(&note);
        }
        if tunnels.is_empty() {
            let text = format!("there is nothing to take over in {name}; nothing was changed");
            return Err(ApiError::new(ErrorCode::Failed, text));
        }
        // Judged before anybody is asked.
        book.add(&tunnels, true)?;
        let shown = with_tunnels("", &tunnels).map_err(|error| ApiError::new(ErrorCode::Failed, error.to_string()))?;
        output::print(&shown)?;
        if self.dry_run {
            output::say("nothing was changed");
            return Ok(Exit::Done);
        }
        let count = format!("{} tunnel{}", tunnels.len(), if tunnels.len() == 1 { "" } else { "s" });
        if !self.yes {
            if !ask::is_attended() {
                let text = "there is no terminal to ask on; nothing was changed";
                return Err(ApiError::new(ErrorCode::Usage, text).with_hint("add --yes if it is meant, or --dry-run"));
            }
            if !ask::agrees(&format!("Add {count}?"))? {
                return Err(ApiError::new(ErrorCode::Failed, "nothing was changed"));
            }
        }
        let resolved = book.add(&tunnels, false)?;
        output::say(&format!("added {count} to {}", resolved.config.path.display()));
        output::say("  \x1b[1mnext\x1b[0m: tunnels up");
        Ok(Exit::Done)
    }

    /// A file that the imported one names: seen from here, as the AWS CLI does, else from the folder of that file.
    fn beside(&self, path: &str) -> Result<String, String> {
        let path = Path::new(path);
        let beside = self.file.parent().map(|folder| folder.join(path));
        let found = if path.exists() { path.to_owned() } else { beside.unwrap_or_else(|| path.to_owned()) };
        read(&found).map_err(|error| error.message)
    }

    /// What is to be added, and what there is to say about it, each with its line.
    fn planned(&self, book: &Book, report: Report, name: &str) -> (Vec<NewTunnel>, Vec<String>) {
        let place = |line: usize| format!("\x1b[1m{name}:{line}\x1b[0m");
        let mut notes: Vec<(usize, String)> = Vec::new();
        let refused = |line: usize, why: &str, next: Option<&str>| {
            let mut text = format!("{}: not taken: {why}", place(line));
            if let Some(next) = next {
                let _ = write!(text, "\n  \x1b[1mnext\x1b[0m: {next}");
            }
            (line, text)
        };
        notes.extend(report.refusals.iter().map(|one| refused(one.line, &one.why, one.next.as_deref())));
        let default_targets = book.default_targets();
        let mut wanted = Vec::new();
        let mut lines = Vec::new();
        let mut said = Vec::new();
        for forward in report.forwards {
            let line = forward.line;
            if forward.target.is_none() && self.target.is_none() && default_targets.is_empty() {
                let why = format!("`{}` names no target, and [defaults] has none", forward.name);
                let next = "name the instance that carries it: --target i-0123456789abcdef0, or --target Name=bastion";
                notes.push(refused(line, &why, Some(next)));
                continue;
            }
            said.push(forward.notes.iter().map(|note| (line, format!("{}: {note}", place(line)))).collect::<Vec<_>>());
            lines.push(line);
            wanted.push(self.wanted(forward, name));
        }
        // One that is wrong keeps no other from being added.
        let tunnels: Vec<&NewTunnel> = wanted.iter().map(|wanted| &wanted.tunnel).collect();
        let mistakes = book.mistakes(&tunnels);
        let mut sound = Vec::new();
        for (((wanted, line), said), mistake) in wanted.into_iter().zip(lines).zip(said).zip(mistakes) {
            if let Some((why, next)) = mistake {
                notes.push(refused(line, &format!("`{}`: {why}", wanted.tunnel.name), next.as_deref()));
                continue;
            }
            notes.extend(said);
            sound.push((wanted, line));
        }
        let (wanted, lines): (Vec<Wanted>, Vec<usize>) = sound.into_iter().unzip();
        let names: Vec<String> = wanted.iter().map(|wanted| wanted.tunnel.name.clone()).collect();
        let mut tunnels = Vec::new();
        for ((planned, line), name) in plan(book.config(), &default_targets, wanted).into_iter().zip(lines).zip(names) {
            match planned {
                Planned::Add(tunnel, changes) => {
                    let changes = changes.iter().map(|change| format!("{}: `{}`: {change}", place(line), tunnel.name));
                    notes.extend(changes.map(|change| (line, change)));
                    tunnels.push(*tunnel);
                }
                Planned::Known(known) => {
                    notes.push(refused(line, &format!("`{known}` leads there already"), None));
                }
                Planned::NoPort => {
                    notes.push(refused(line, &format!("there is no free port for `{name}`"), None));
                }
            }
        }
        notes.sort_by_key(|(line, _)| *line);
        (tunnels, notes.into_iter().map(|(_, note)| note).collect())
    }

    fn wanted(&self, forward: Forward, name: &str) -> Wanted {
        let remote = Remote { host: forward.host, port: forward.port };
        // A place of its own it has only if the text says so; the plan finds one otherwise.
        let local = LocalAddr::Loopback(forward.local_port.unwrap_or(forward.port));
        let target = match forward.target {
            Some(tunnels_imports::Target::Id(id)) => Some(Target::Id(id)),
            Some(tunnels_imports::Target::Tag(tag)) => Some(Target::Tag(tag)),
            None => self.target.as_deref().map(Target::from_word),
        };
        let tunnel = NewTunnel {
            comment: vec![format!("from {name}:{}", forward.line)],
            targets: target.into_iter().collect(),
            profile: forward.profile,
            region: forward.region,
            endpoint: forward.endpoint,
            groups: self.group.iter().cloned().collect(),
            document: forward.document,
            reason: forward.reason,
            ..NewTunnel::new(forward.name, remote, local)
        };
        Wanted { tunnel, has_local: forward.local_port.is_some() }
    }
}

/// A text of bounded size.
fn read(path: &Path) -> Result<String, ApiError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_SIZE + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_SIZE + 1).read_to_string(&mut text))
    };
    match read {
        Ok(size) if size as u64 > MAX_SIZE => {
            let text = format!("{} is larger than {} KiB", path.display(), MAX_SIZE >> 10);
            Err(ApiError::new(ErrorCode::Failed, text))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(ApiError::new(ErrorCode::Failed, format!("cannot read {}: {error}", path.display()))),
    }
}
