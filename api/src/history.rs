//! What happened to a tunnel: the answer of `GET /v1/tunnels/{name}/history` and of `tunnels why NAME --json`.

use crate::status::{Cause, TunnelState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The last changes of one tunnel since the daemon started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Its name.
    pub tunnel: String,
    /// How many changes before the first of `changes` are not kept any more.
    #[serde(default)]
    pub forgotten: u64,
    /// Oldest first, at most 100; the last one led to what the tunnel is now. Empty for one that was never up.
    pub changes: Vec<StateChange>,
}

/// A tunnel got from one state into another, or stayed for another reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// When it began.
    pub at: Timestamp,
    /// What the tunnel was before.
    pub from: TunnelState,
    /// What it was from then on; the same as `from` if only the cause is another.
    pub to: TunnelState,
    /// Why.
    pub cause: Cause,
    /// How long it stayed like that, in milliseconds by the clock of the wall; absent while it still does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_ms: Option<u64>,
    /// What became of connections meanwhile.
    #[serde(default)]
    pub connections: Toll,
}

/// What became of a tunnel's connections between one change and the next. One that its application or the remote
/// has closed meanwhile counts nowhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toll {
    /// Were there when it began and still when it ended (or now).
    pub lived: u32,
    /// Were open and got reset, because their session ended or the tunnel was taken down.
    pub lost: u32,
    /// Were accepted and reset before they carried anything: no session in time, or the remote refused.
    pub turned_away: u32,
}
