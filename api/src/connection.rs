//! Who uses a tunnel: the answer of `GET /v1/tunnels/{name}/connections`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The local connections of one tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Its name.
    pub tunnel: String,
    /// The oldest first, at most 1000.
    pub connections: Vec<Connection>,
    /// How many more there are.
    #[serde(default)]
    pub left_out: u64,
}

/// One accepted connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Tells it from the others of the tunnel, for as long as the daemon runs.
    pub id: u64,
    /// When it was accepted.
    pub since: Timestamp,
    /// Whether it has a stream yet.
    pub state: ConnectionState,
    /// The application's address; absent for a Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The application, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Bytes towards the user.
    pub bytes_in: u64,
    /// Bytes towards the remote.
    pub bytes_out: u64,
    /// Bytes per second towards the user.
    pub rate_in: u64,
    /// Bytes per second towards the remote.
    pub rate_out: u64,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// It waits for a session.
    Held,
    /// It has a stream of one.
    Open,
    /// A state that this version does not know. Never sent.
    #[serde(other)]
    Unknown,
}

impl ConnectionState {
    /// The word used in JSON and in views.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Open => "open",
            Self::Unknown => "unknown",
        }
    }
}

/// A program of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its command's name, without arguments: these may hold secrets.
    pub command: String,
    /// Its process id.
    pub pid: u32,
}
