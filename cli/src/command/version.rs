//! `tunnels version`: of this program and of the daemon that runs.

use super::block_on;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use std::fmt::Write as _;
use tunnels_api::{ApiError, Version as Versions};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that this program was built from, where known.
pub(crate) fn commit() -> Option<String> {
    Some(env!("TUNNELS_COMMIT")).filter(|commit| *commit != "unknown").map(str::to_owned)
}

#[derive(Debug, Clone, Args)]
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
            let versions = Versions { version: VERSION.to_owned(), commit: env!("TUNNELS_COMMIT").to_owned(), daemon };
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
    let mut text = format!("tunnels {} ({})\n", versions.version, versions.commit);
    let Some(daemon) = &versions.daemon else {
        text.push_str("no daemon is running\n");
        return text;
    };
    let _ = writeln!(text, "daemon  {} (pid {}, {})", daemon.version, daemon.pid, daemon.socket);
    if daemon.version != versions.version {
        text.push_str("they differ: `tunnels stop && tunnels up` starts this version\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_whether_a_daemon_runs_and_whether_it_is_the_same() {
        let mut versions = Versions { version: "0.2.0".into(), commit: "abc".into(), daemon: None };
        assert_eq!(describe(&versions), "tunnels 0.2.0 (abc)\nno daemon is running\n");
        versions.daemon = serde_json::from_str(r#"{"version":"0.1.0","pid":7,"socket":"/d.sock"}"#).unwrap();
        let text = describe(&versions);
        assert!(text.contains("daemon  0.1.0 (pid 7, /d.sock)\nthey differ"), "{text}");
    }
}
