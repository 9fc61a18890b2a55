//! A new daemon takes over from one that runs, and nobody who connects notices more than a pause.
//!
//! ```text
//!   new                                     old
//!    │ POST /v1/takeover, Upgrade ─────────► │ serves as before
//!    │ Begin ──────────────────────────────► │ takes no more commands: its API waits, its tunnels go on
//!    │ ◄───── Offer, Socket… (descriptors)   │
//!    │ Take ───────────────────────────────► │ writes its state file no more
//!    │ ◄─────────────────────────────── Yours │
//!    │ serves: binds nothing, it has all     │
//!    │ Serving ────────────────────────────► │ closes its listeners, lets its connections come to an end
//!    │ ◄──────────────────────────── Uses… ─ │ which sessions it still has, until it ends them
//!    │ End ────────────────────────────────► │ hurries: the new one is to stop, too
//! ```
//!
//! What is handed over are descriptors of the open sockets and locks themselves. Both daemons have them for a moment, so there is none
//! in which nobody listens or a lock is free; a connection that waits in a socket is accepted by one of them. Whenever the new one
//! ends before it serves, its side of the conversation closes, and the old one goes on as if nothing had been.
//!
//! Connections that the old daemon has accepted stay with it: their streams belong to its sessions. It ends each tunnel's sessions when
//! the tunnel's last connection has ended, or when its time is up.
//!
//! This module is the conversation. What a daemon does on either side of it is in `daemon.rs`.

mod channel;
mod heir;
mod new;
mod old;

pub(crate) use heir::Heir;
pub(crate) use new::{Predecessor, Taken, ask};
pub(crate) use old::{Belongings, hand_over};

use crate::state::{Estate, Used};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::UnixStream;

/// Raised when daemons of either kind would misunderstand each other.
pub(crate) const PROTOCOL: u32 = 1;

/// Either waits so long for the other's next step; each takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the connections of the old daemon may go on, unless the new one says otherwise: longer than a day's work has pauses
/// between two queries, shorter than a forgotten client keeps an old version in memory.
pub const TAKEOVER_DRAIN: Duration = Duration::from_hours(1);

/// A daemon's connection to the one that asks to take over, with what it has said before anybody listened.
#[derive(Debug)]
pub struct Asked {
    /// The connection.
    pub(crate) stream: UnixStream,
    /// Bytes that were read from it already.
    pub(crate) read: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FromNew {
    Begin,
    /// With how long the old daemon's connections may go on.
    Take {
        drain_ms: u64,
    },
    Serving,
    /// With how long they may go on from now.
    End {
        drain_ms: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FromOld {
    /// With the API's socket, its lock, and the state folder's lock.
    Offer(Box<Offer>),
    /// With a listening socket.
    Socket,
    Yours,
    Uses(Used),
}

#[derive(Debug, Serialize, Deserialize)]
struct Offer {
    pid: u32,
    version: String,
    state_dir: PathBuf,
    /// The API socket's path is the service manager's.
    stays: bool,
    estate: Estate,
    /// What users gave as the reason of tunnels that are up.
    reasons: BTreeMap<String, String>,
    /// How many sockets follow.
    sockets: usize,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
