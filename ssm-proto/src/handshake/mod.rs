//! Layer 3: who we are, which session type, which features (`docs/protocol.md` §5).
//!
//! [`client`] answers, [`agent`] asks; both are functions from one payload to the next. When which is due is known by
//! [`Handshake`], and `session.rs` moves it on.

use std::time::Instant;

pub mod agent;
pub(crate) mod client;
pub mod features;
pub mod payload;

/// How far the handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// Client: the agent speaks first.
    AwaitRequest,
    /// Client: answered; data must wait, since the agent acknowledges and discards it until completion (§4.8).
    AwaitComplete,
    /// Client: complete, but the agent may not have noticed yet.
    Settling {
        /// When the probe goes out.
        until: Instant,
    },
    /// Client: a lone smux NOP is on its way; its acknowledgement says that data may flow (§4.8).
    Probing {
        /// Sequence number of the message with the NOP.
        sequence: i64,
    },
    /// Agent: the request is due.
    SendRequest,
    /// Agent: the request was sent.
    AwaitResponse,
    /// Agent: the response was good; completion is due, behind the acknowledgement of the response (§5.5).
    SendComplete,
    /// Data flows.
    Done,
}
