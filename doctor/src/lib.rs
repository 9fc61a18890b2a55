//! Why a tunnel does not work: one check for each thing that it needs, and the true cause first.
//!
//! ```text
//!   examine ──► check::{configuration, folders, daemon, local}      this machine
//!      │   ├──► way, check::{region, endpoint, clock, credentials}  once for each scope: whose credentials, which region
//!      │   ├──► inventory                                           once for each target of a scope
//!      │   └──► check::{target, agent, session, remote}             once for each tunnel
//!      └──► rank     causes before what follows from them
//! ```
//!
//! Each check has two halves: one asks – AWS, the resolver, the kernel – and brings back plain facts; the other is a pure
//! function from facts to a [`Finding`](tunnels_api::Finding). What is asked of AWS stands behind the traits of [`aws`]; the crate that builds the SDK
//! implements them. It knows no command line and draws nothing.

#![warn(missing_docs)]

pub mod aws;
mod case;
mod check;
mod examine;
mod inventory;
mod rank;
mod span;
mod way;

pub use case::{Case, DaemonSeen, Subject};
pub use examine::{Progress, Step, examine};
