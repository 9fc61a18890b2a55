//! Turns the injected [`Instant`]s into message timestamps.

use std::time::Instant;

/// A pair of wall-clock and monotonic time taken by the caller; CreatedDate is counted on from it.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    unix_ms: u64,
    at: Instant,
}

impl WallClock {
    /// `unix_ms` is the Unix time in milliseconds at the instant `at`.
    pub fn new(unix_ms: u64, at: Instant) -> Self {
        Self { unix_ms, at }
    }

    /// Unix time at `now`, in milliseconds; never 0, which readers reject (`docs/protocol.md` §3.1).
    pub(crate) fn unix_ms(&self, now: Instant) -> u64 {
        let elapsed = u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        self.unix_ms.saturating_add(elapsed).max(1)
    }
}
