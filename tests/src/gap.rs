//! The longest time that a receiver waited for its next byte: what a user feels of a fault.

use std::time::{Duration, Instant};

/// Watches one connection's reads.
#[derive(Debug, Default)]
pub(crate) struct GapMeter {
    last: Option<Instant>,
    worst: Duration,
}

impl GapMeter {
    /// Something was received. The wait for the first byte is no gap.
    pub(crate) fn mark(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.worst = self.worst.max(now - last);
        }
    }

    /// The longest wait so far.
    pub(crate) fn worst(&self) -> Duration {
        self.worst
    }
}
