//! The tray: an icon in the desktop's panel that says how the tunnels are, a menu to act on them, and notifications.
//!
//! ```text
//!   daemon ──News──► scene ──view──► icon, tooltip, menu ──► item (StatusNotifierItem, by ksni)
//!                      │                                       │
//!                      └──observe──► policy ──► notice         └──Action──► perform: daemon, clipboard, terminal
//! ```
//!
//! Pure: `overall`, `icon`, `tooltip`, `menu` (what is shown of a `scene`), `policy` and `notice` (what is told, in virtual
//! time), `program` (which of the desktop's programs), `autostart`. Edges: `item` and `bus` on D-Bus, `perform`, `settings`,
//! and `run`, the loop that joins them. It knows the daemon through `tunnels-api`, and has its words, and the
//! subscription that mends itself, from `tunnels-tui`. Linux only: other systems have no StatusNotifierItem.

#![cfg(target_os = "linux")]
#![warn(missing_docs)]

mod action;
pub mod autostart;
mod bus;
#[cfg(test)]
mod fixture;
mod icon;
mod item;
mod markup;
mod menu;
mod notice;
mod overall;
mod perform;
mod policy;
mod program;
mod run;
mod scene;
mod settings;
mod tooltip;

pub use run::{Options, run};
