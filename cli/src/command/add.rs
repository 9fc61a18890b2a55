//! `tunnels add`: a tunnel, or a team's file, into the configuration.

mod include;

use super::config as configuration;
use crate::exit::Exit;
use crate::{ask, output};
use clap::Args;
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_config_file::{Local, NewTunnel, Original, Target, free_port, with_tunnels};
use tunnels_daemon::aws::Candidate;
use tunnels_daemon::config::{self, ConfigError, ConfigErrors, LocalAddr, Origin, Remote, Resolved};

/// A name that nobody has.
const NOBODY: &str = "a-name-that-nobody-has";

const EXAMPLES: &str = "\
Examples:
  tunnels add                                    asks for what it has to know
  tunnels add orders-db --remote orders.abc.eu-west-1.rds.amazonaws.com:5432
  tunnels add web --remote 8080 --target Name=bastion --profile dev --group web
  tunnels add --include ./tunnels.toml           a team's file: shows what it names, and asks";

/// Add a tunnel to the configuration, or take a team's file in
///
/// The configuration keeps its comments and its order, or is made if there is none. What is missing is asked for on a
/// terminal. Without --local the tunnel gets a free port that stays its own: 15432 for 5432, or the next that is free;
/// with --local auto it gets an address of its own and keeps the remote's port. A name or an address that is taken is
/// refused, and both places are shown. A running daemon brings the tunnel up by itself.
///
/// With --include a file of tunnels is taken in, as a team has it in its repository. Such a file is never read by
/// itself, because it decides where you connect to: what it names is shown first.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Add {
    /// What to call it
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Where it leads, as the target sees it; a port alone is one of the target's own
    #[arg(long, value_name = "HOST:PORT")]
    remote: Option<Remote>,
    /// Where it listens: a port, IP:PORT, unix:/path, or auto [default: a free port]
    #[arg(long, value_name = "ADDR")]
    local: Option<Local>,
    /// Who carries it: an instance id, or a tag; again for further candidates [default: that of [defaults]]
    #[arg(long = "target", value_name = "ID|KEY=VALUE")]
    targets: Vec<String>,
    /// The AWS profile
    #[arg(long)]
    profile: Option<String>,
    /// The region
    #[arg(long)]
    region: Option<String>,
    /// A label, again for each
    #[arg(long = "group", short, value_name = "GROUP")]
    groups: Vec<String>,
    /// Open the session with the first connection
    #[arg(long)]
    on_demand: bool,
    /// Let `up` ask first
    #[arg(long)]
    protected: bool,
    /// A session document of the account's own
    #[arg(long, value_name = "NAME")]
    document: Option<String>,
    /// What AWS records with each session
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Take the tunnels of this file in
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "name", "remote", "local", "targets", "profile", "region", "groups", "on_demand", "protected", "document",
            "reason",
        ]
    )]
    include: Option<PathBuf>,
    /// Take a file in without asking
    #[arg(long, short, requires = "include")]
    yes: bool,
    /// Show what would be added, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Add {
    pub(crate) fn run(self, named: Option<&Path>) -> Result<Exit, ApiError> {
        let path = configuration::find(named)?;
        let book = Book::open(&path)?;
        match &self.include {
            Some(file) => include::run(&book, file, self.yes, self.dry_run),
            None => self.tunnel(&book),
        }
    }

    fn tunnel(self, book: &Book) -> Result<Exit, ApiError> {
        let dry_run = self.dry_run;
        let tunnel = self.complete(book)?;
        if let Some(known) = book.place_of(&tunnel.name) {
            let text = format!(
                "there is a tunnel `{}` already: {known}, and this one would lead to {} on {}; nothing was changed",
                tunnel.name, tunnel.remote, tunnel.local
            );
            return Err(ApiError::new(ErrorCode::ConfigInvalid, text)
                .with_hint("give this one another name, or change that one: tunnels config edit"));
        }
        let shown = with_tunnels("", std::slice::from_ref(&tunnel)).map_err(|error| failed(&error))?;
        let resolved = book.add(std::slice::from_ref(&tunnel), dry_run)?;
        output::print(&shown)?;
        if dry_run {
            output::say("nothing was changed");
            return Ok(Exit::Done);
        }
        let name = &tunnel.name;
        output::say(&format!("added to {}", resolved.config.path.display()));
        output::say(&format!("  \x1b[1mnext\x1b[0m: tunnels up {name}"));
        Ok(Exit::Done)
    }

    /// With what is missing asked for, where there is somebody to ask.
    fn complete(self, book: &Book) -> Result<NewTunnel, ApiError> {
        let missing: Vec<&str> = [("NAME", self.name.is_none()), ("--remote HOST:PORT", self.remote.is_none())]
            .into_iter()
            .filter_map(|(what, is_missing)| is_missing.then_some(what))
            .collect();
        if !missing.is_empty() && !ask::is_attended() {
            let text = format!("{} is missing, and there is no terminal to ask on", missing.join(" and "));
            return Err(ApiError::new(ErrorCode::Usage, text).with_hint("tunnels add NAME --remote HOST:PORT"));
        }
        let read = |text: &str| text.parse::<Remote>().map_err(|wrong| wrong.to_string());
        let remote = match self.remote {
            Some(remote) => remote,
            None => ask::value("Where it leads, as the target sees it (host:port)", None, read)?,
        };
        let name = if let Some(name) = self.name {
            name
        } else {
            let host = remote.host.as_deref().unwrap_or_default();
            let suggestion = tunnels_imports::slug(host.split('.').next().unwrap_or_default());
            let suggestion = (!suggestion.is_empty()).then_some(suggestion);
            ask::value("What to call it", suggestion.as_deref(), |text| match text {
                "" => Err("a name has letters, digits, `-` and `_`".to_owned()),
                name => Ok(name.to_owned()),
            })?
        };
        let local = if let Some(local) = self.local {
            local
        } else {
            let port = free_port(remote.port, &book.addresses()).ok_or_else(|| failed(&"every local port is taken"))?;
            if missing.is_empty() {
                LocalAddr::Loopback(port).into()
            } else {
                let read = |text: &str| text.parse::<Local>().map_err(|wrong| wrong.to_string());
                ask::value("Where it listens", Some(&port.to_string()), read)?
            }
        };
        let mut targets = self.targets;
        if targets.is_empty() && book.default_targets().is_empty() && ask::is_attended() {
            let question = "Who carries it (an instance id such as i-0123456789abcdef0, or a tag such as Name=bastion)";
            targets.push(ask::value(question, None, |text| match text {
                "" => Err("a tunnel needs a target".to_owned()),
                word => Ok(word.to_owned()),
            })?);
        }
        Ok(NewTunnel {
            targets: targets.iter().map(|word| Target::from_word(word)).collect(),
            profile: self.profile,
            region: self.region,
            groups: self.groups,
            on_demand: self.on_demand,
            document: self.document,
            reason: self.reason,
            protected: self.protected,
            ..NewTunnel::new(name, remote, local)
        })
    }
}

/// The configuration that something is to be added to; there may be none yet.
pub(super) struct Book {
    path: PathBuf,
    original: Original,
    /// What is in force before.
    before: Option<Resolved>,
}

impl Book {
    /// Reads it; one with mistakes has to be mended first.
    pub(super) fn open(path: &Path) -> Result<Self, ApiError> {
        let original = Original::read(path)
            .map_err(|error| ApiError::new(ErrorCode::Failed, format!("cannot read {}: {error}", path.display())))?;
        let before = if original.exists() {
            Some(config::resolve(path).map_err(|errors| configuration::invalid(&errors))?)
        } else {
            None
        };
        Ok(Self { path: path.to_owned(), original, before })
    }

    /// What is in force, if there is a configuration.
    pub(super) fn config(&self) -> Option<&config::Config> {
        self.before.as_ref().map(|resolved| &resolved.config)
    }

    fn addresses(&self) -> Vec<LocalAddr> {
        self.config().into_iter().flat_map(|config| &config.tunnels).map(|tunnel| tunnel.local.clone()).collect()
    }

    /// Where a tunnel of this name stands and where it leads.
    fn place_of(&self, name: &str) -> Option<String> {
        let resolved = self.before.as_ref()?;
        let at = resolved.config.tunnels.iter().position(|tunnel| tunnel.name == name)?;
        let tunnel = &resolved.config.tunnels[at];
        let settings = resolved.settings(at, &|_| None);
        let place = settings.iter().find(|setting| setting.key == "remote").map(|setting| match &setting.origin {
            Origin::File { path, line, .. } => format!("{}:{line}", path.display()),
            _ => String::new(),
        });
        Some(format!("{} leads to {} on {}", place.unwrap_or_default(), tunnel.remote, tunnel.local))
    }

    /// The targets that a tunnel would have which names none.
    pub(super) fn default_targets(&self) -> Vec<Candidate> {
        let bare = NewTunnel::new("", Remote { host: None, port: 1 }, LocalAddr::Loopback(1));
        let tunnels = self.with_probes(&[&bare]).map(|resolved| resolved.config.tunnels).unwrap_or_default();
        let probe = tunnels.into_iter().find(|tunnel| tunnel.name.starts_with(NOBODY));
        probe.map(|tunnel| tunnel.targets).unwrap_or_default()
    }

    /// Why each of these could not be added whatever its name and address were: what is wrong, and what to write.
    pub(super) fn mistakes(&self, tunnels: &[&NewTunnel]) -> Vec<Option<(String, Option<String>)>> {
        if self.with_probes(tunnels).is_ok() {
            return vec![None; tunnels.len()];
        }
        let mistakes = |tunnel: &&NewTunnel| {
            let errors = self.with_probes(&[*tunnel]).err()?;
            let wrong: Vec<&str> = errors.iter().map(ConfigError::message).collect();
            Some((wrong.join("; "), errors.iter().find_map(ConfigError::hint).map(str::to_owned)))
        };
        tunnels.iter().map(mistakes).collect()
    }

    /// What would be in force with these under names and addresses that nobody has.
    fn with_probes(&self, tunnels: &[&NewTunnel]) -> Result<Resolved, ConfigErrors> {
        let probe = |(at, tunnel): (usize, &&NewTunnel)| NewTunnel {
            name: format!("{NOBODY}-{at}"),
            local: LocalAddr::Unix(format!("/{NOBODY}-{at}").into()).into(),
            ..(*tunnel).clone()
        };
        let probes: Vec<NewTunnel> = tunnels.iter().enumerate().map(probe).collect();
        // What cannot be written at all is said when it is to be written.
        let text = with_tunnels(self.original.text(), &probes).unwrap_or_else(|_| self.original.text().to_owned());
        config::resolve_edit(&self.path, &self.path, text)
    }

    /// Adds tunnels, unless the outcome has mistakes; `dry_run` only looks at it.
    pub(super) fn add(&self, tunnels: &[NewTunnel], dry_run: bool) -> Result<Resolved, ApiError> {
        let text = with_tunnels(self.original.text(), tunnels).map_err(|error| failed(&error))?;
        let resolved = self.checked(&text)?;
        if !dry_run {
            self.write(&text, &resolved)?;
        }
        Ok(resolved)
    }

    /// What would be in force with this text.
    fn checked(&self, text: &str) -> Result<Resolved, ApiError> {
        config::resolve_edit(&self.path, &self.path, text.to_owned()).map_err(|errors| configuration::invalid(&errors))
    }

    fn write(&self, text: &str, resolved: &Resolved) -> Result<(), ApiError> {
        self.original.replace(text).map_err(|error| failed(&error))?;
        if !resolved.warnings.is_empty() {
            output::say(config::render_warnings(&resolved.warnings, true).trim_end());
        }
        Ok(())
    }
}

fn failed(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::Failed, error.to_string())
}
