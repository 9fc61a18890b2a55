//! Completion in the shell: commands and options from clap, names and groups from the daemon.
//!
//! The shell runs this program with [`VARIABLE`] set and reads candidates from standard output. It does so
//! while somebody types, so an answer comes soon or not at all, and nothing that goes wrong is shown.

use crate::{help, link};
use clap_complete::env::{CompleteEnv, Shells};
use clap_complete::{CompletionCandidate, Shell};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tunnels_api::{Client, TunnelStatus};
use tunnels_daemon::config;

/// Set by the script that [`script`] prints.
const VARIABLE: &str = "TUNNELS_COMPLETE";
/// A daemon that answers later than this is left aside: a key that is pressed has to have its effect.
const PATIENCE: Duration = Duration::from_millis(50);

/// Answers the shell if it is the one that runs us; says whether it was.
pub(crate) fn answered() -> bool {
    let Some(shell) = std::env::var_os(VARIABLE).filter(|shell| !shell.is_empty()) else { return false };
    // Whatever goes wrong, the shell has no use for it, nor for what this program does otherwise.
    let _ = CompleteEnv::with_factory(help::command)
        .var(VARIABLE)
        .try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref());
    shell != "0"
}

/// The script that teaches a shell to ask us.
pub(crate) fn script(shell: Shell) -> io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let Some(adapter) = shells.completer(&shell.to_string()) else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, format!("nothing is known of {shell}")));
    };
    let mut script = Vec::new();
    adapter.write_registration(VARIABLE, "tunnels", "tunnels", &own_name(), &mut script)?;
    Ok(script)
}

/// How the script calls us: as we were called, which finds the program behind an alias too.
fn own_name() -> String {
    let name = std::env::args_os().next().map_or_else(|| "tunnels".into(), PathBuf::from);
    let is_path = name.components().count() > 1;
    let name = if is_path { std::path::absolute(&name).unwrap_or(name) } else { name };
    name.to_string_lossy().into_owned()
}

/// Names of tunnels that begin with `current`.
pub(crate) fn names(current: &OsStr) -> Vec<CompletionCandidate> {
    current.to_str().map_or_else(Vec::new, |current| fitting(current, &known(), &[]))
}

/// Names of tunnels, and `@` with the name of a group.
pub(crate) fn selectors(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let known = known();
    fitting(current, &known, &groups(&known))
}

/// A tunnel or group, and what a shell that shows more than names says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    name: String,
    groups: Vec<String>,
    help: String,
}

impl From<TunnelStatus> for Known {
    fn from(tunnel: TunnelStatus) -> Self {
        Self { help: format!("{}, {}", tunnel.state, tunnel.local), name: tunnel.name, groups: tunnel.groups }
    }
}

impl From<config::TunnelConfig> for Known {
    fn from(tunnel: config::TunnelConfig) -> Self {
        Self { help: format!("to {}", tunnel.remote), name: tunnel.name, groups: tunnel.groups }
    }
}

fn groups(tunnels: &[Known]) -> Vec<Known> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for group in tunnels.iter().flat_map(|tunnel| &tunnel.groups) {
        *counts.entry(group).or_default() += 1;
    }
    let group = |(name, count): (&str, usize)| Known {
        name: format!("@{name}"),
        groups: Vec::new(),
        help: if count == 1 { "1 tunnel".to_owned() } else { format!("{count} tunnels") },
    };
    counts.into_iter().map(group).collect()
}

fn fitting(current: &str, tunnels: &[Known], groups: &[Known]) -> Vec<CompletionCandidate> {
    let fits = |known: &&Known| known.name.starts_with(current);
    let candidate = |known: &Known| CompletionCandidate::new(&known.name).help(Some(known.help.clone().into()));
    tunnels.iter().chain(groups).filter(fits).map(candidate).collect()
}

/// The tunnels of the daemon; where none answers, those of the configuration.
fn known() -> Vec<Known> {
    running().unwrap_or_else(|| configured(named_config(std::env::args_os()).as_deref()).unwrap_or_default())
}

fn running() -> Option<Vec<Known>> {
    let client = Client::new(link::places().ok()?.socket().ok()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, client.tunnels()).await });
    Some(answer.ok()?.ok()?.tunnels.into_iter().map(Known::from).collect())
}

fn configured(named: Option<&Path>) -> Option<Vec<Known>> {
    let config = config::load(&config::find(named)?).ok()?;
    Some(config.tunnels.into_iter().map(Known::from).collect())
}

/// `--config` on the line that is being completed: its parser is not reached with half a command.
fn named_config(line: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut words = line.skip_while(|word| word != "--config" && !word.to_string_lossy().starts_with("--config="));
    let option = words.next()?;
    if let Some(path) = option.to_str().and_then(|option| option.strip_prefix("--config=")) {
        return Some(path.into());
    }
    // bash takes `--config=FILE` apart into three words.
    words.find(|word| word != "=").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnels() -> Vec<Known> {
        let known = |name: &str, groups: &[&str]| Known {
            name: name.into(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            help: "to a database".into(),
        };
        vec![known("orders-db", &["db", "orders"]), known("billing-db", &["db"]), known("web", &[])]
    }

    fn values(candidates: &[CompletionCandidate]) -> Vec<&str> {
        candidates.iter().filter_map(|candidate| candidate.get_value().to_str()).collect()
    }

    #[test]
    fn names_and_groups_that_fit() {
        let tunnels = tunnels();
        let fitting = |current| fitting(current, &tunnels, &groups(&tunnels));
        assert_eq!(values(&fitting("")), ["orders-db", "billing-db", "web", "@db", "@orders"]);
        assert_eq!(values(&fitting("o")), ["orders-db"]);
        assert_eq!(values(&fitting("@d")), ["@db"]);
        assert_eq!(values(&fitting("x")), [""; 0]);
        let help = |at: usize| fitting("@")[at].get_help().unwrap().to_string();
        assert_eq!((help(0), help(1)), ("2 tunnels".to_owned(), "1 tunnel".to_owned()));
    }

    #[test]
    fn the_configuration_of_the_line_is_found() {
        let named = |line: &str| named_config(line.split(' ').map(OsString::from));
        for line in ["tunnels -- tunnels --config /c up ", "tunnels --config=/c up", "tunnels --config = /c up"] {
            assert_eq!(named(line), Some("/c".into()), "{line}");
        }
        assert_eq!(named("tunnels -- tunnels up --wait"), None);
        assert_eq!(named("tunnels -- tunnels up --config"), None);
    }

    #[test]
    fn without_a_daemon_the_configuration_knows_the_names_and_mistakes_are_silent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        assert_eq!(configured(Some(&path)), None);
        std::fs::write(&path, "[tunnels.web]\nremote = 80\nlocal = 18080\ntarget = \"i-0123456789abcdef0\"\n").unwrap();
        let known = configured(Some(&path)).unwrap();
        assert_eq!(values(&fitting("", &known, &[])), ["web"]);
        std::fs::write(&path, "[tunnels.web").unwrap();
        assert_eq!(configured(Some(&path)), None);
    }

    #[test]
    fn each_shell_has_a_script_that_asks_us() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let script = String::from_utf8(script(shell).unwrap()).unwrap();
            assert!(script.contains(VARIABLE), "{shell}: {script}");
        }
    }
}
