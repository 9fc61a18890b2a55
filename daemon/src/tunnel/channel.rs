//! How soon a session's lost data channel is resumed. Pure.
//!
//! Resuming is cheap and open connections wait for it, so the first try is made at once; a channel that breaks
//! right after each resume is backed off. It never gives up by itself: only AWS says that a session is gone.

use super::backoff::Backoff;
use super::cause::Retry;
use std::time::{Duration, Instant};

/// A channel that carried for so long was a good one: its loss is a new incident.
pub(super) const CHANNEL_STABLE: Duration = Duration::from_secs(1);

/// What is remembered of one session's data channels.
#[derive(Debug)]
pub(super) struct Channel {
    /// Since when the present one carries.
    since: Instant,
    /// Channels lost since one was stable.
    flaps: u32,
    backoff: Backoff,
}

impl Channel {
    pub(super) fn new(seed: u64, now: Instant) -> Self {
        Self { since: now, flaps: 0, backoff: Backoff::new(seed) }
    }

    /// A channel carries, be it the session's first or a new one.
    pub(super) fn carries(&mut self, now: Instant) {
        self.since = now;
    }

    /// The channel is gone; the first try to resume is due in so long. `during_resume`: nothing had been heard on
    /// it yet.
    pub(super) fn lost(&mut self, during_resume: bool, retry: Retry, now: Instant) -> Duration {
        if !during_resume && now.duration_since(self.since) >= CHANNEL_STABLE {
            self.reset();
        }
        self.flaps += 1;
        if self.flaps == 1 { Duration::ZERO } else { self.backoff.pause(retry) }
    }

    /// A try to resume failed; the next is due in so long.
    pub(super) fn failed(&mut self, retry: Retry) -> Duration {
        self.backoff.pause(retry)
    }

    /// Whatever was in the way may not be there any more.
    pub(super) fn reset(&mut self) {
        self.flaps = 0;
        self.backoff.reset();
    }

    /// Some moment within `spread`.
    pub(super) fn within(&mut self, spread: Duration) -> Duration {
        self.backoff.within(spread)
    }
}
