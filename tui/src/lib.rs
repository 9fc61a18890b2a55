//! What a person sees of the tunnels on a terminal.
//!
//! `conn` listens to the daemon and reconnects by itself, `model` holds everything that is shown,
//! `table`, `log` and `units` turn it into text, and `live` keeps a table on the screen up to date. The
//! crate knows the daemon through `tunnels-api` only: it has no path to AWS or to the protocol.

#![warn(missing_docs)]

pub mod conn;
pub mod live;
pub mod log;
pub mod model;
pub mod table;
pub mod units;
