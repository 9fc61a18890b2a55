//! Keeps the configured tunnels in the state the user wants.

#![warn(missing_docs)]

pub mod aws;
pub mod config;
mod handle;
mod status;
mod tunnel;

pub use handle::{DaemonCommand, DaemonHandle, Reply};
pub use status::{StatusBoard, Subscription};
