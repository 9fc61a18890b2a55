//! News from the daemon: the items of `GET /v1/events`.
//!
//! On the wire each is one server-sent event whose `event:` is [`DaemonEvent::name`] and whose
//! `data:` is the JSON of the value. A stream starts with a [`DaemonEvent::Snapshot`].

use crate::status::TunnelStatus;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a `TunnelChanged`: a box would be one more allocation for each"
)]
pub enum DaemonEvent {
    /// Everything there is: at the start of a stream, and again when its reader was too slow and
    /// missed something, or when tunnels came, left or changed places.
    Snapshot {
        /// All configured tunnels, in the order of the configuration.
        tunnels: Vec<TunnelStatus>,
        /// The report on the last edit of the configuration, if it was rejected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config_error: Option<String>,
    },
    /// A tunnel changed its state, cause or figures, or is new.
    TunnelChanged {
        /// The tunnel as it is now.
        tunnel: TunnelStatus,
    },
    /// A tunnel left the configuration.
    TunnelRemoved {
        /// Its name.
        name: String,
    },
    /// A changed configuration was read and applied.
    ConfigReloaded,
    /// A changed configuration is invalid; the one before it stays in force.
    ConfigRejected {
        /// The whole report, as `tunnels config check` prints it.
        report: String,
    },
    /// Credentials run out within half an hour unless somebody renews them; told once for each such time.
    CredentialsExpire {
        /// Whose; absent for those of the environment or of the default profile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        /// When.
        at: Timestamp,
        /// The command that renews them, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renew: Option<String>,
        /// The tunnels that need them, by name.
        tunnels: Vec<String>,
    },
    /// The daemon is going down; nothing follows.
    Stopping,
    /// An event that this version does not know.
    #[serde(other)]
    Unknown,
}

impl DaemonEvent {
    /// The value of `event:` in the stream, equal to `type` in the JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Snapshot { .. } => "snapshot",
            Self::TunnelChanged { .. } => "tunnel-changed",
            Self::TunnelRemoved { .. } => "tunnel-removed",
            Self::ConfigReloaded => "config-reloaded",
            Self::ConfigRejected { .. } => "config-rejected",
            Self::CredentialsExpire { .. } => "credentials-expire",
            Self::Stopping => "stopping",
            Self::Unknown => "unknown",
        }
    }
}
