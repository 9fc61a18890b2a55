//! Both sides of a session in virtual time, over a seeded network that misbehaves on request.
//!
//! [`Pair`] steps a client and an agent from wake-up to wake-up; [`Link`] is one direction of the path between them. A run
//! is a function of its seed: print it when a test fails, and the failure comes back. Minutes of protocol time take
//! milliseconds, since nothing waits.

mod link;
mod pair;

pub use link::{Link, LinkConfig};
pub use pair::Pair;
