//! The configuration: what tunnels there are, read from TOML and checked as a whole.
//!
//! Owns the meaning of every key and the messages about wrong ones. It knows nothing of running tunnels.

mod diagnostic;
mod diff;
mod keys;
mod load;
mod model;
mod reader;
mod value;
mod watch;

pub use diagnostic::{ConfigError, ConfigErrors};
pub use diff::{ConfigChange, Impact, diff};
pub use load::{find, load, parse};
pub use model::{Config, KeepAlive, LocalAddr, Probe, Remote, TunnelConfig};
pub use watch::{WatchError, Watcher};
