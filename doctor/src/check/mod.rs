//! The checks: each asks for facts where it has to, and turns facts into findings by a pure function.

pub(crate) mod agent;
pub(crate) mod clock;
pub(crate) mod configuration;
pub(crate) mod credentials;
pub(crate) mod daemon;
pub(crate) mod endpoint;
pub(crate) mod folders;
pub(crate) mod local;
pub(crate) mod permission;
pub(crate) mod refused;
pub(crate) mod session;
pub(crate) mod target;

#[cfg(test)]
pub(crate) mod fixture;
