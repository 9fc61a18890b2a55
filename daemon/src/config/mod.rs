//! The configuration: what tunnels there are, read from TOML and checked as a whole.
//!
//! Owns the meaning of every key and the messages about wrong ones. It knows nothing of running tunnels, and not when
//! files change (`watch`).
//!
//! ```text
//!   source ──► syntax ──► document ──► keys ──► value        one file, one table, one key, one value
//!                            │
//!   load ◄── merge ◄─────────┘                               all files: includes, defaults, clashes
//!     └──► Resolved (values, origins, warnings) or ConfigErrors
//!   diff: what an edit means to tunnels that run; schema: the keys for editors; reference: docs/configuration.md
//! ```

mod diagnostic;
mod diff;
mod document;
mod keys;
mod load;
mod merge;
mod model;
mod own_address;
mod place;
#[cfg(test)]
mod published;
mod reader;
#[cfg(test)]
mod reference;
mod resolved;
mod schema;
mod source;
mod statement;
mod suggest;
mod syntax;
mod trust;
mod value;
mod warning;

pub use diagnostic::{ConfigError, ConfigErrors, render_warnings};
pub use diff::{ConfigChange, Impact, diff};
pub use load::{find, load, parse, resolve, resolve_edit};
pub use model::{BadAddress, Config, KeepAlive, LocalAddr, Probe, Remote, TunnelConfig};
pub use resolved::{Origin, Resolved, Setting};
pub use schema::schema;
pub use value::{is_known_region, literal, nearest_region};
