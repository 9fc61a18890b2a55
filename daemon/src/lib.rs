//! Keeps the configured tunnels in the state the user wants.

#![warn(missing_docs)]

mod handle;
mod ipc;
mod status;

pub use handle::{DaemonCommand, DaemonHandle, Reply};
pub use ipc::{ClaimError, Instance};
pub use status::{StatusBoard, Subscription};
