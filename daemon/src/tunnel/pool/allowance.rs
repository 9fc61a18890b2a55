//! How often further sessions may be opened: each is a call that AWS counts, an entry in CloudTrail, and a process on
//! the target. The first session of a tunnel is never asked for here.

use crate::aws::AwsScope;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many at once for all tunnels that call as one, then two a second.
const SHARED_BURST: u32 = 40;
const SHARED_EVERY: Duration = Duration::from_millis(500);
/// AWS has said that it is too much: what is not needed waits so long.
const THROTTLED: Duration = Duration::from_secs(30);

/// So many at once, then one in so long. Pure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    every: Duration,
    tolerance: Duration,
    /// When all of it is there again.
    full_at: Instant,
}

impl Allowance {
    pub(super) fn new(burst: u32, every: Duration, now: Instant) -> Self {
        Self { every, tolerance: every * burst.saturating_sub(1), full_at: now }
    }

    /// Takes one, or says when there is one again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let full_at = self.full_at.max(now);
        let due = full_at.checked_sub(self.tolerance).unwrap_or(now);
        if due > now {
            return Err(due);
        }
        self.full_at = full_at + self.every;
        Ok(())
    }

    /// There is none for so long.
    fn empty(&mut self, pause: Duration, now: Instant) {
        self.full_at = self.full_at.max(now + self.tolerance + pause);
    }
}

/// What the tunnels of a daemon may open together; a cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowances(Arc<Mutex<HashMap<AwsScope, Allowance>>>);

impl Allowances {
    /// Takes one for who calls by this scope, or says when there is one again.
    pub(in crate::tunnel) fn take(&self, scope: &AwsScope, now: Instant) -> Result<(), Instant> {
        self.with(scope, now, |allowance| allowance.take(now))
    }

    /// A call of somebody with this scope was throttled.
    pub(in crate::tunnel) fn throttled(&self, scope: &AwsScope, now: Instant) {
        self.with(scope, now, |allowance| allowance.empty(THROTTLED, now));
    }

    fn with<T>(&self, scope: &AwsScope, now: Instant, act: impl FnOnce(&mut Allowance) -> T) -> T {
        let mut scopes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is full again is as good as new: edits of the configuration would pile them up.
        scopes.retain(|known, allowance| known == scope || allowance.full_at > now);
        act(scopes.entry(scope.clone()).or_insert_with(|| Allowance::new(SHARED_BURST, SHARED_EVERY, now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let now = Instant::now();
        let mut allowance = Allowance::new(3, Duration::from_secs(10), now);
        for _ in 0..3 {
            assert_eq!(allowance.take(now), Ok(()));
        }
        let next = now + Duration::from_secs(10);
        assert_eq!(allowance.take(now), Err(next));
        assert_eq!(allowance.take(next), Ok(()));
        assert!(allowance.take(next).is_err());
        let later = now + Duration::from_hours(1);
        let taken = std::iter::from_fn(|| allowance.take(later).ok()).count();
        assert_eq!(taken, 3, "it fills up and no further");
    }

    #[test]
    fn who_is_throttled_pauses_and_others_do_not() {
        let (now, allowances) = (Instant::now(), Allowances::default());
        let [a, b] = ["a", "b"].map(|name| AwsScope { profile: Some(name.into()), ..AwsScope::default() });
        allowances.throttled(&a, now);
        assert_eq!(allowances.take(&a, now), Err(now + THROTTLED));
        assert_eq!(allowances.take(&b, now), Ok(()));
        assert_eq!(allowances.take(&a, now + THROTTLED), Ok(()));
        assert_eq!(allowances.take(&a, now + Duration::from_hours(1)), Ok(()));
        assert_eq!(allowances.0.lock().unwrap().len(), 1, "who has not called for a while is forgotten");
    }
}
