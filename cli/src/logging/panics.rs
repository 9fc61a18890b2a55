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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tunnels_api::{LogLevel, LogLine};
    use tunnels_daemon::{LogLayer, LogSink};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<Arc<LogLine>>>>);

    impl LogSink for Lines {
        fn write(&self, line: &Arc<LogLine>) {
            self.0.lock().unwrap().push(Arc::clone(line));
        }
    }

    #[test]
    fn a_panic_is_in_the_log_with_its_tunnel() {
        log_them();
        let lines = Lines::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(LogLayer::new(lines.clone())), || {
            tracing::error_span!("tunnel", name = "orders-db").in_scope(|| {
                assert!(panic::catch_unwind(|| panic!("the moon {}", "fell")).is_err());
            });
        });
        let lines = lines.0.lock().unwrap();
        assert_eq!((lines[0].level, lines[0].tunnel.as_deref()), (LogLevel::Error, Some("orders-db")));
        assert!(lines[0].message.starts_with("a bug: the moon fell"), "{:?}", lines[0]);
        assert!(lines[0].fields["place"].contains("panics.rs:"), "{:?}", lines[0]);
    }
}
