//! Round-trip time and the retransmission timeout that follows from it (`docs/protocol.md` §4.1).

use std::time::Duration;

use crate::config::{Config, Resend};

/// Clock granularity of the official formula.
const GRANULARITY: Duration = Duration::from_millis(10);
/// How much later than two round trips an answer is at least before the last message is sent again: what a busy machine takes
/// to have both ends look.
const TAIL_MARGIN: Duration = Duration::from_millis(20);
/// The back-off doubles this often at most; `max_rto` binds long before.
const MAX_BACKOFF: u32 = 10;
/// A sender with a shorter `max_rto` waits for so long all the same, once the path is seen to take more than that.
const LONGEST: Duration = Duration::from_secs(10);

/// Smoothed round-trip time and its variation, with gains 1/8 and 1/4 as both official programs have them.
#[derive(Clone, Debug)]
pub(crate) struct RttEstimator {
    smoothed: Option<Duration>,
    variation: Duration,
    initial: Duration,
    margin: Duration,
    max: Duration,
    longest: Duration,
    backoff: u32,
    /// The longest that an acknowledgement may have taken since the last sample.
    possible: Duration,
}

impl RttEstimator {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            smoothed: None,
            variation: Duration::ZERO,
            initial: config.initial_rto,
            margin: config.rto_margin,
            max: config.max_rto,
            longest: match config.resend {
                Resend::AllUnacknowledged => config.max_rto.max(LONGEST),
                // The official agent's bound is one.
                Resend::HeadOnly { .. } => config.max_rto,
            },
            backoff: 0,
            possible: Duration::ZERO,
        }
    }

    /// Takes the time from a message's only transmission to its acknowledgement. After a retransmission it is not known
    /// which copy was acknowledged, so the caller leaves those out (Karn's rule, which the official programs lack).
    pub(crate) fn sample(&mut self, rtt: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(rtt);
                self.variation = rtt / 2;
            }
            Some(smoothed) => {
                self.variation = self.variation * 3 / 4 + smoothed.abs_diff(rtt) / 4;
                self.smoothed = Some(smoothed * 7 / 8 + rtt / 8);
            }
        }
        (self.backoff, self.possible) = (0, Duration::ZERO);
    }

    /// Takes the time from a message's first transmission to an acknowledgement that may be of a later one. Where the path takes
    /// longer than the longest timeout, every message is sent twice and no sample ever comes: so the timeout may grow beyond
    /// that, until one does. An outage brings no acknowledgements, and its timeouts stay short; what took longer than any
    /// timeout was itself one, and says nothing of the path.
    pub(crate) fn possible_sample(&mut self, rtt: Duration) {
        if rtt <= LONGEST {
            self.possible = self.possible.max(rtt);
        }
    }

    /// A message timed out: until the next sample every timeout is twice as long.
    pub(crate) fn back_off(&mut self) {
        self.backoff = (self.backoff + 1).min(MAX_BACKOFF);
    }

    /// Forgets the back-off and what it may have been for: after a reconnect the path is another one.
    pub(crate) fn reset_backoff(&mut self) {
        (self.backoff, self.possible) = (0, Duration::ZERO);
    }

    /// Smoothed round-trip time; `None` before the first sample.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.smoothed
    }

    /// How long to wait for an acknowledgement, back-off included.
    pub(crate) fn timeout(&self) -> Duration {
        let base = self.smoothed.map_or(self.initial, |smoothed| smoothed + (self.variation * 4).max(self.margin));
        let max = self.max.max(base).max(self.possible * 2).min(self.longest);
        (base * 2u32.pow(self.backoff)).min(max)
    }

    /// How long to wait for any acknowledgement at all before the last message is sent again; `None` before the first sample.
    pub(crate) fn tail(&self) -> Option<Duration> {
        self.smoothed.map(|smoothed| smoothed * 2 + (self.variation * 4).max(TAIL_MARGIN))
    }

    /// How long an acknowledgement takes at most on a path that behaves: for messages that were overtaken.
    pub(crate) fn expected(&self) -> Duration {
        self.smoothed
            .map_or(self.initial, |smoothed| smoothed + (self.variation * 4).max(smoothed / 4).max(GRANULARITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn timeout_follows_the_path_within_its_bounds() {
        let mut rtt = RttEstimator::new(&Config::default());
        assert_eq!(rtt.timeout(), Config::default().initial_rto);
        for _ in 0..100 {
            rtt.sample(50 * MS);
        }
        assert!(rtt.rtt().unwrap().abs_diff(50 * MS) < MS);
        assert!(rtt.timeout().abs_diff(50 * MS + Config::default().rto_margin) < MS);
        assert!(rtt.expected() < 70 * MS);
        for _ in 0..100 {
            rtt.sample(1700 * MS);
        }
        assert!(rtt.timeout() > 1700 * MS, "a queueing path must not cause resends");
    }

    #[test]
    fn back_off_doubles_and_ends_with_a_sample() {
        let mut rtt = RttEstimator::new(&Config::default());
        rtt.sample(MS);
        let base = rtt.timeout();
        rtt.back_off();
        assert_eq!(rtt.timeout(), base * 2);
        for _ in 0..50 {
            rtt.back_off();
        }
        assert_eq!(rtt.timeout(), Config::default().max_rto);
        rtt.sample(MS);
        assert_eq!(rtt.timeout(), base);
    }

    #[test]
    fn a_path_that_takes_longer_than_the_longest_timeout_is_awaited_until_it_was_measured() {
        let agent = Config::fast_agent();
        let mut rtt = RttEstimator::new(&agent);
        rtt.sample(MS);
        for _ in 0..50 {
            rtt.back_off();
        }
        assert_eq!(rtt.timeout(), agent.max_rto);
        rtt.possible_sample(1500 * MS);
        assert_eq!(rtt.timeout(), 3000 * MS);
        rtt.possible_sample(100_000 * MS);
        assert_eq!(rtt.timeout(), 3000 * MS, "that was an outage");
        rtt.possible_sample(9000 * MS);
        assert_eq!(rtt.timeout(), LONGEST);
        for _ in 0..100 {
            rtt.sample(1500 * MS);
        }
        assert!(rtt.timeout() > 1500 * MS && rtt.timeout() < 1600 * MS);

        let mut official = RttEstimator::new(&Config::official_agent());
        official.sample(1500 * MS);
        official.possible_sample(1500 * MS);
        assert_eq!(official.timeout(), Config::official_agent().max_rto);
    }
}
