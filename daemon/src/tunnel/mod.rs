//! One tunnel.

mod backoff;
mod cause;
mod lifecycle;
