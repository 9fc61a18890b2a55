//! `tunnels version`: of this program and of the daemon that runs.

use super::block_on;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use std::fmt::Write as _;
use tunnels_api::{ApiError, DaemonVersion, Timestamp, Version as Versions};

/// What stands for a commit that is not known.
const UNKNOWN: &str = "unknown";
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that this program was built from, where known.
pub(crate) fn commit() -> Option<String> {
    Some(env!("TUNNELS_COMMIT")).filter(|commit| *commit != UNKNOWN).map(str::to_owned)
}

/// When that commit was made, where known.
fn date() -> Option<Timestamp> {
    Timestamp::from_second(env!("TUNNELS_SOURCE_DATE").parse().ok()?).ok()
}

/// What to say of a daemon that was not made from what this program was.
pub(crate) fn skew(daemon: &DaemonVersion) -> Option<String> {
    difference(daemon).map(|skew| format!("{skew}; to put this version in its place: tunnels daemon --takeover"))
}

/// How such a daemon differs.
pub(crate) fn difference(daemon: &DaemonVersion) -> Option<String> {
    skew_between(VERSION, commit().as_deref(), daemon)
}

fn skew_between(version: &str, commit: Option<&str>, daemon: &DaemonVersion) -> Option<String> {
    let other_commit = matches!((commit, &daemon.commit), (Some(ours), Some(theirs)) if ours != theirs);
    if version == daemon.version && !other_commit {
        return None;
    }
    let named = |version: &str, commit: Option<&str>| match commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    Some(format!(
        "the running daemon is {}, and this command {}",
        named(&daemon.version, daemon.commit.as_deref()),
        named(version, commit),
    ))
}

const EXAMPLES: &str = "\
Examples:
  tunnels version
  tunnels version --json | jq -r .daemon.pid";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Version {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Version {
    pub(crate) fn run(self) -> Result<Exit, ApiError> {
        block_on(async {
            // No daemon, or no place for its socket, is not an error here.
            let daemon = match Link::new(None) {
                Ok(link) => link.client.version().await.ok(),
                Err(_) => None,
            };
            let (version, commit) = (VERSION.to_owned(), env!("TUNNELS_COMMIT").to_owned());
            let versions = Versions { version, commit, date: date(), daemon };
            if self.json {
                output::print_json(&versions)?;
            } else {
                output::print(&describe(&versions))?;
            }
            Ok(Exit::Done)
        })
    }
}

fn describe(versions: &Versions) -> String {
    let date = versions.date.map(|date| format!(" of {}", date.strftime("%Y-%m-%d"))).unwrap_or_default();
    let mut text = format!("tunnels {} ({}{date})\n", versions.version, versions.commit);
    let Some(daemon) = &versions.daemon else {
        text.push_str("no daemon is running\n");
        return text;
    };
    let commit = daemon.commit.as_deref().unwrap_or(UNKNOWN);
    let _ = writeln!(text, "daemon  {} ({commit}), pid {}, {}", daemon.version, daemon.pid, daemon.socket);
    let ours = Some(&*versions.commit).filter(|commit| *commit != UNKNOWN);
    if skew_between(&versions.version, ours, daemon).is_some() {
        text.push_str("they differ; to put this version in its place: tunnels daemon --takeover\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_whether_a_daemon_runs_and_whether_it_is_the_same() {
        let mut versions = Versions { version: "0.2.0".into(), commit: "abc".into(), date: None, daemon: None };
        assert_eq!(describe(&versions), "tunnels 0.2.0 (abc)\nno daemon is running\n");
        versions.date = Timestamp::from_second(1_795_000_000).ok();
        assert!(describe(&versions).starts_with("tunnels 0.2.0 (abc of 2026-11-18)\n"), "{}", describe(&versions));
        versions.daemon = serde_json::from_str(r#"{"version":"0.1.0","pid":7,"socket":"/d.sock"}"#).unwrap();
        let text = describe(&versions);
        assert!(text.contains("daemon  0.1.0 (unknown), pid 7, /d.sock\nthey differ"), "{text}");
    }

    #[test]
    fn a_daemon_of_another_version_or_commit_is_told_with_the_mend() {
        let daemon = |version: &str, commit: Option<&str>| DaemonVersion {
            commit: commit.map(str::to_owned),
            ..serde_json::from_value(serde_json::json!({"version": version, "pid": 7, "socket": "/d.sock"})).unwrap()
        };
        let skew = |theirs: &DaemonVersion| skew_between("0.2.0", Some("abc"), theirs);
        assert_eq!(skew(&daemon("0.2.0", Some("abc"))), None);
        assert_eq!(skew(&daemon("0.2.0", None)), None, "nobody knows");
        let text = skew(&daemon("0.2.0", Some("def"))).unwrap();
        assert!(text.starts_with("the running daemon is 0.2.0 (def), and this command 0.2.0 (abc)"), "{text}");
        let whole = super::skew(&daemon("0.0.0", None)).unwrap();
        assert!(whole.ends_with("tunnels daemon --takeover"), "{whole}");
    }
}
