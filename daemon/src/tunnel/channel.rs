//! How soon a session's lost data channel is resumed. Pure.
//!
//! Resuming is cheap and open connections wait for it, so the first try is made at once; a channel that breaks
//! right after each resume is backed off. Tries that came to nothing are backed off as well, and forgotten when one
//! works: the next loss is none of theirs. It never gives up by itself: only AWS says that a session is gone.

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
    /// Grows with them.
    flapping: Backoff,
    /// Grows with tries to resume that came to nothing since a channel carried.
    trying: Backoff,
}

impl Channel {
    pub(super) fn new(seed: u64, now: Instant) -> Self {
        Self { since: now, flaps: 0, flapping: Backoff::new(seed), trying: Backoff::new(seed.rotate_left(8)) }
    }

    /// A channel carries, be it the session's first or a new one.
    pub(super) fn carries(&mut self, now: Instant) {
        self.since = now;
        self.trying.reset();
    }

    /// The channel is gone; the first try to resume is due in so long. `during_resume`: nothing had been heard on
    /// it yet.
    pub(super) fn lost(&mut self, during_resume: bool, retry: Retry, now: Instant) -> Duration {
        if !during_resume && now.duration_since(self.since) >= CHANNEL_STABLE {
            self.reset();
        }
        self.flaps += 1;
        if self.flaps == 1 { Duration::ZERO } else { self.flapping.pause(retry) }
    }

    /// A try to resume failed; the next is due in so long.
    pub(super) fn failed(&mut self, retry: Retry) -> Duration {
        self.trying.pause(retry)
    }

    /// Whatever was in the way may not be there any more.
    pub(super) fn reset(&mut self) {
        self.flaps = 0;
        self.flapping.reset();
        self.trying.reset();
    }

    /// Some moment within `spread`.
    pub(super) fn within(&mut self, spread: Duration) -> Duration {
        self.trying.within(spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTLY: Duration = Duration::from_millis(300);
    /// The longest first pause of a back-off.
    const FIRST: Duration = Duration::from_millis(200);

    #[test]
    fn tries_that_came_to_nothing_do_not_put_off_what_comes_after_one_that_worked() {
        for seed in 0..50 {
            let mut now = Instant::now();
            let mut channel = Channel::new(seed, now);
            assert_eq!(channel.lost(false, Retry::Unreachable, now), Duration::ZERO);
            let pauses = [0; 6].map(|_| channel.failed(Retry::Answered));
            assert!(pauses[5] > Duration::from_secs(3), "{pauses:?}");
            channel.carries(now);
            now += SHORTLY;
            assert!(channel.lost(false, Retry::Unreachable, now) <= FIRST, "it flaps, but has done so once only");
            assert!(channel.failed(Retry::Answered) <= FIRST);
        }
    }

    #[test]
    fn a_channel_that_breaks_after_each_resume_is_backed_off_until_one_is_stable() {
        let mut now = Instant::now();
        let mut channel = Channel::new(1, now);
        let mut last = Duration::ZERO;
        for _ in 0..7 {
            last = channel.lost(false, Retry::Unreachable, now);
            channel.carries(now);
            now += SHORTLY;
        }
        assert!(last >= Duration::from_secs(2), "{last:?}");
        now += CHANNEL_STABLE;
        assert_eq!(channel.lost(false, Retry::Unreachable, now), Duration::ZERO);
        assert!(channel.lost(true, Retry::Unreachable, now) > Duration::ZERO, "nothing was heard on it");
    }
}
