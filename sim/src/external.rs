//! The official agent's way in: the gateway's REST calls and the control channel, behind TLS.
//!
//! Owns the control channels and the start of sessions over them (docs/protocol.md §9). The agent's
//! data channels come through the gateway like the client's.

mod control_channel;
mod launch;
mod rest;
mod tls;

pub(crate) use self::control_channel::{ControlChannels, control_channel};
pub(crate) use self::launch::launch;
pub(crate) use self::rest::{create_control_channel, create_data_channel};
pub use self::tls::TlsError;
pub(crate) use self::tls::TlsIdentity;
