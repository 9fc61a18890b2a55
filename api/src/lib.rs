//! What the daemon and its clients say to each other, and nothing else.
//!
//! This crate owns the JSON shapes, where the socket lives, and the HTTP client over that socket.
//! It knows neither AWS nor the wire protocol: the daemon translates both into the words used here.
//!
//! **Version rule.** Scripts rely on these shapes. A field may be added; none is renamed or removed
//! within `/v1`. Readers ignore fields they do not know, and an unknown [`CauseKind`] reads as
//! [`CauseKind::Other`], an unknown [`TunnelState`] as [`TunnelState::Unknown`], so a newer daemon does not
//! break an older client.
//!
//! **Adding a route:** the types here, a method of [`Client`], the route in the daemon's `ipc/routes.rs`,
//! a section with a curl line in `docs/ipc.md`, an end-to-end test.
//!
//! Secrets (session tokens, stream URLs, credentials) have no type here: they never travel.

#![warn(missing_docs)]

mod client;
mod connection;
mod error;
mod event;
mod finding;
mod history;
mod log;
mod selector;
mod session;
mod setting;
mod socket;
mod sse;
mod status;
mod traffic;
mod types;

pub use client::{Client, ClientError, Events, LogEvents, TAKEOVER};
pub use connection::{Connection, ConnectionState, Connections, Process};
pub use error::{ApiError, ErrorBody, ErrorCode};
pub use event::DaemonEvent;
pub use finding::{Check, Checkup, Finding, Verdict};
pub use history::{History, StateChange, Toll};
pub use log::{LogEvent, LogLevel, LogLine, LogQuery, Logs};
pub use selector::{Selector, SelectorError, similar};
pub use session::{Session, SessionState, Sessions};
pub use setting::{Setting, SettingOrigin, Settings};
pub use socket::{PlaceError, Places, socket_in};
pub use status::{CREDENTIALS_WARNING, Cause, CauseKind, TargetState, TunnelState, TunnelStatus};
pub use traffic::{Sample, Span, Traffic, TrafficQuery};
pub use types::{
    Accepted, DaemonVersion, Reloaded, SelectRequest, StopRequest, Tunnels, UpRequest, Version, aws_environment,
};

/// Re-exported so that both sides agree on one timestamp type.
pub use jiff::Timestamp;
