//! How long to wait before the next try: exponential, jittered, capped. Pure.
//!
//! Full-range jitter would sometimes retry at once; half of each pause is kept fixed so that a service
//! in trouble gets a rest, the other half is random so that tunnels do not march in step.

use super::cause::Retry;
use std::time::Duration;

/// The first pause. Short: most failures of a first try are a network that is just coming back.
const FIRST: Duration = Duration::from_millis(200);
/// So many pauses are too short where each try opens a session in vain; the next is 1.6 s.
const SHORT_PAUSES: u32 = 3;
/// While nothing answers a try costs nobody anything, and the user waits for the network.
const CAP_UNREACHABLE: Duration = Duration::from_secs(5);
/// A service that answers with an error is spared, as AWS throttles per account.
const CAP_ANSWERED: Duration = Duration::from_secs(30);
/// A login is looked for this often; without credentials no call leaves the machine.
const LOGIN: Duration = Duration::from_secs(5);

/// Counts failures in a row and turns them into pauses.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// Forgets the failures: something worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Leaves the short pauses out: a try costs more than a call.
    pub(crate) fn skip_short(&mut self) {
        self.failures = self.failures.max(SHORT_PAUSES);
    }

    /// Counts a failure and says how long to wait after it.
    pub(crate) fn pause(&mut self, retry: Retry) -> Duration {
        let cap = match retry {
            Retry::Unreachable => CAP_UNREACHABLE,
            Retry::Answered | Retry::Never => CAP_ANSWERED,
            Retry::Login => return self.jitter(LOGIN),
        };
        let pause = FIRST.saturating_mul(1 << self.failures).min(cap);
        // Not counted beyond the cap: after an hour without a network the first real answer must not be
        // waited on as if the service had been failing all the while.
        if pause < cap {
            self.failures += 1;
        }
        self.jitter(pause)
    }

    /// Some moment within `spread`.
    pub(crate) fn within(&mut self, spread: Duration) -> Duration {
        spread.mul_f64(self.random.f64())
    }

    /// Between half of `pause` and all of it.
    fn jitter(&mut self, pause: Duration) -> Duration {
        pause / 2 + (pause / 2).mul_f64(self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_cap_and_never_leave_their_half() {
        for seed in 0..50 {
            for (retry, cap) in [(Retry::Unreachable, CAP_UNREACHABLE), (Retry::Answered, CAP_ANSWERED)] {
                let mut backoff = Backoff::new(seed);
                for failure in 0..40 {
                    let full = FIRST.saturating_mul(1 << failure.min(16)).min(cap);
                    let pause = backoff.pause(retry);
                    assert!(pause >= full / 2 && pause <= full, "{seed} {failure} {pause:?}");
                }
                backoff.reset();
                assert!(backoff.pause(retry) <= FIRST);
            }
        }
    }

    #[test]
    fn two_tunnels_do_not_march_in_step() {
        let (mut a, mut b) = (Backoff::new(1), Backoff::new(2));
        let pauses =
            |backoff: &mut Backoff| -> Vec<Duration> { (0..5).map(|_| backoff.pause(Retry::Answered)).collect() };
        assert_ne!(pauses(&mut a), pauses(&mut b));
    }

    #[test]
    fn costly_tries_begin_with_a_long_pause() {
        let mut backoff = Backoff::new(3);
        backoff.skip_short();
        assert!(backoff.pause(Retry::Answered) >= Duration::from_millis(800));
        backoff.skip_short();
        assert!(backoff.pause(Retry::Answered) >= Duration::from_millis(1600), "they still grow");
    }

    #[test]
    fn looking_for_a_login_does_not_count_as_failures() {
        let mut backoff = Backoff::new(7);
        for _ in 0..100 {
            assert!(backoff.pause(Retry::Login) <= LOGIN);
        }
        assert!(backoff.pause(Retry::Unreachable) <= FIRST);
    }
}
