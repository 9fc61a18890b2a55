//! Keeps the configured tunnels in the state the user wants.
//!
//! ```text
//!   ipc ──► handle ──► daemon ──► supervisor ──► tunnel (one task each)
//!    ▲                                              │
//!    └───────────── status ◄────────────────────────┘
//! ```
//!
//! Commands go down by bounded queues, state comes up by the status board. AWS is a trait ([`aws`]); its
//! implementation over the SDK is a crate of its own. The wire is `ssm-session`'s matter. What users see is
//! in `tunnels-api`'s words.

#![warn(missing_docs)]

mod accept;
pub mod aws;
mod chain;
mod claim;
mod clock;
pub mod config;
mod config_source;
mod connections;
mod daemon;
mod disturbance;
mod doors;
mod expiry;
mod handle;
mod history;
mod ipc;
mod leftovers;
mod log_buffer;
mod log_layer;
mod log_limit;
mod logins;
mod manager;
mod meter;
mod sessions;
mod sockets;
mod state;
mod status;
mod supervisor;
mod takeover;
mod traffic;
mod tunnel;
mod watch;

pub use chain::chain;
pub use claim::{ClaimError, check_folder};
pub use daemon::{DRAIN, Daemon, Options, StartError, run};
pub use handle::{DaemonCommand, DaemonHandle, ReloadReply, Reply};
pub use log_buffer::LogBuffer;
pub use log_layer::{LogLayer, LogSink};
pub use manager::ServiceManager;
pub use sockets::{Holder, holder_of, holder_of_path};
pub use status::{StatusBoard, Subscription};
pub use takeover::{Asked, TAKEOVER_DRAIN};
pub use tunnel::{Trial, TrialFailure, TrialStep, explain, try_session};
