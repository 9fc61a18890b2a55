//! The dashboard: `tunnels` on a terminal.
//!
//! ```text
//!   terminal, daemon, clock ──Message──► update(model) ──Effect──► run: daemon, clipboard, programs
//!                                           │
//!                                           ▼
//!                                      view(model) ──► cells
//! ```
//!
//! `model` is everything on the screen; `update` (pure) is the only one that writes it, `view` (pure) the only one
//! that draws it. `keys` is the one table of keys. `run` is the loop: it joins what happens and does what is wanted;
//! `terminal` owns the terminal's modes, `perform` asks the daemon, `tmux` has a clipboard of its own.

mod effect;
#[cfg(test)]
mod fixture;
mod geometry;
mod keys;
mod model;
mod perform;
mod rows;
mod run;
mod terminal;
mod theme;
mod tmux;
mod update;
mod view;

pub use run::{Ended, Options, StartDaemon, run};
