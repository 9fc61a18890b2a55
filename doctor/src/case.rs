//! What is to be examined: the configuration as it was read, the tunnels that were picked, the daemon that runs.

use std::sync::Arc;
use tunnels_api::{DaemonVersion, Places, TunnelStatus};
use tunnels_daemon::config::{ConfigErrors, Resolved, TunnelConfig};

/// Everything that is known before the first question is asked.
#[derive(Debug)]
pub struct Case {
    /// The configuration, or why there is none.
    pub subject: Subject,
    /// Folders of socket and state.
    pub places: Places,
    /// The daemon, if one runs.
    pub daemon: Option<DaemonSeen>,
    /// Whether sessions may be opened to see how far they come.
    pub sessions: bool,
    /// Whether they may be on protected tunnels, too.
    pub protected: bool,
}

/// What is examined.
#[derive(Debug)]
pub enum Subject {
    /// There is no configuration.
    Missing {
        /// What is not there.
        text: String,
        /// How to begin.
        next: Option<String>,
    },
    /// It has mistakes.
    Invalid(ConfigErrors),
    /// It is sound.
    Tunnels {
        /// The whole of it.
        resolved: Resolved,
        /// Those that were picked.
        picked: Vec<Arc<TunnelConfig>>,
    },
}

/// The daemon as it answers.
#[derive(Debug)]
pub struct DaemonSeen {
    /// Which it is.
    pub version: DaemonVersion,
    /// Its tunnels.
    pub tunnels: Vec<TunnelStatus>,
    /// How its version differs from ours, if it does.
    pub skew: Option<String>,
    /// How its AWS variables differ from ours, each in words.
    pub variables: Vec<String>,
    /// The configuration that this command is about, if it is another.
    pub other_config: Option<String>,
}

impl DaemonSeen {
    /// What it says of a tunnel, if what it says is about the tunnel as it is configured here.
    pub(crate) fn tunnel(&self, name: &str) -> Option<&TunnelStatus> {
        if self.other_config.is_some() || self.version.config_error.is_some() {
            return None;
        }
        self.tunnels.iter().find(|tunnel| tunnel.name == name)
    }
}
