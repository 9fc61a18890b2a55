//! The daemon's front door: HTTP with JSON over a Unix socket.
//!
//! `server` owns the folder, the lock, the socket and who may connect, each a `visitor`; `routes` turns requests into
//! calls of the [`DaemonHandle`](crate::DaemonHandle), `inspect` those that look into one tunnel; `events` and `logs` turn the status
//! board and the log into server-sent events; `takeover` lets another daemon have the connection. Nothing here decides anything about tunnels.

mod events;
mod inspect;
mod logs;
mod routes;
mod server;
mod takeover;
mod visitor;

pub(crate) use server::{Instance, Post};
