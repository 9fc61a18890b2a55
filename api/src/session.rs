//! What carries a tunnel: the answer of `GET /v1/tunnels/{name}/sessions`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The SSM sessions of one tunnel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sessions {
    /// Its name.
    pub tunnel: String,
    /// The oldest first; those that only stay for the connections they have are among them.
    pub sessions: Vec<Session>,
}

/// One SSM session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// As AWS knows it.
    pub id: String,
    /// The managed node that carries it.
    pub target: String,
    /// The region it was opened in.
    pub region: String,
    /// The session document.
    pub document: String,
    /// What the agent on the target calls its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// Whether it carries.
    pub state: SessionState,
    /// When it was opened.
    pub since: Timestamp,
    /// Connections that use it.
    pub connections: u32,
    /// Smoothed round trip to the agent, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// Data flows.
    Open,
    /// Its agent acknowledges nothing, on a websocket that is open.
    Silent,
    /// Its websocket was lost; its connections are frozen while it is resumed.
    Resuming,
    /// It is over.
    Closed,
    /// A state that this version does not know. Never sent.
    #[serde(other)]
    Unknown,
}

impl SessionState {
    /// The word used in JSON and in views.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Silent => "silent",
            Self::Resuming => "resuming",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}
