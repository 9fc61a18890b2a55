//! Panics go to the log, with the tunnel that they happened in: a daemon has nobody who reads its standard
//! error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;
use tracing::Level;

pub(super) const TARGET: &str = "panic";

/// Logs every panic from now on, in place of what Rust prints; with `RUST_BACKTRACE`, with its backtrace.
pub(super) fn log_them() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !tracing::event_enabled!(target: TARGET, Level::ERROR) {
            return usual(panic);
        }
        let what = panic.payload_as_str().unwrap_or("a panic");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!(target: TARGET, place, "a bug: {what}\n{backtrace}");
        } else {
            tracing::error!(target: TARGET, place, "a bug: {what}");
        }
    }));
}
