//! The SSM data channel as pure state machines: no sockets, no clock, no ambient randomness.
//!
//! ```text
//!   application      open_stream · accept_stream · write · read · shutdown_stream · close_stream
//!        │
//!   PortSession      session.rs: the only place that knows all layers
//!        │
//!   4  smux          many streams over one ordered byte pipe
//!   3  handshake     who we are, which session type, which features
//!   2  channel       reliable, ordered, at-most-once payloads: numbers, acknowledgements, retransmission
//!   1  message       one websocket frame ⇄ one ClientMessage
//!        │
//!   a websocket      handle_connect · handle_frame · handle_disconnect · poll_transmit
//! ```
//!
//! Both sides of the wire are here, since they differ in so little: [`PortSession::client`] and [`PortSession::agent`]. The
//! protocol is described in `docs/protocol.md`, whose sections the code cites. `ssm-session` runs this on tokio.
#![warn(missing_docs)]

pub mod channel;
mod config;
mod deny_list;
mod error;
mod event;
pub mod handshake;
pub mod message;
mod session;
pub mod smux;
mod stats;
mod wall_clock;

#[cfg(feature = "testing")]
pub mod testing;

pub use config::{Config, Resend};
pub use deny_list::is_denied_by_default;
pub use error::{OpenError, StreamError};
pub use event::{CloseReason, Event, SessionState, StreamId, TokenValue, WsFrame};
pub use handshake::agent::AgentProperties;
pub use session::{PayloadTrial, PortSession, Side};
pub use smux::Read;
pub use stats::{Load, Stats};
pub use wall_clock::WallClock;
