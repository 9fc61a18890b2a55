//! Waiting for a condition, the only kind of waiting that tests do.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at. Short: most conditions hold within a few milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Returns the first value that `condition` gives, or panics with `what` when the deadline passes.
#[track_caller]
pub fn wait_until<T>(what: impl Display, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < deadline, "waited {deadline:?} in vain for: {what}");
        thread::sleep(LOOK_EVERY);
    }
}
