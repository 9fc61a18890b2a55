//! What a person sees of the tunnels on a terminal.
//!
//! `conn` listens to the daemon and reconnects by itself, and `model` holds everything that is shown. Pure
//! modules turn that into text: `table` the rows (of each `column` that `layout` finds room for),
//! `notes` what is said below them, `list` both together, `detail` one tunnel, `timeline` what
//! happened to it, `checkup` what the doctor found, `progress` what a command
//! waits for, `log` the daemon's lines; `words`, `units`, `text`, `style`, `engine` and `login` are their vocabulary. `dashboard` is where one looks at all of it and acts. `live` and
//! `region` draw on a terminal. The crate knows the daemon through `tunnels-api` only: it has no path to AWS
//! or to the protocol.

#![warn(missing_docs)]

pub mod checkup;
mod column;
pub mod conn;
pub mod dashboard;
pub mod detail;
mod engine;
#[cfg(test)]
mod fixture;
mod layout;
pub mod list;
pub mod live;
pub mod log;
pub mod login;
pub mod model;
pub mod notes;
pub mod progress;
mod region;
pub mod style;
pub mod table;
pub mod text;
pub mod timeline;
pub mod units;
pub mod words;
