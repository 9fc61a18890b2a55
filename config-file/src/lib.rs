//! Changes to the configuration file that a person wrote: tunnels and includes are added with its comments and its
//! order kept, and it is replaced as a whole or not at all.
//!
//! What a key means is `tunnels-daemon`'s matter (`config`), which also judges every result. Nothing here asks or prints.

mod document;
mod original;
mod plan;
mod port;
mod tunnel;

pub use document::{NotToml, with_include, with_tunnels};
pub use original::{Original, ReplaceError};
pub use plan::{Planned, Wanted, plan};
pub use port::free_port;
pub use tunnel::{Local, NewTunnel, Target};
