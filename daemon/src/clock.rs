//! Where the daemon reads time.
//!
//! `Instant`s are tokio's, so that tests can pause them; dates are for people.

use std::time::{Duration, Instant};
use tunnels_api::Timestamp;

/// Now, for deadlines and measurements.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Now, as a date.
pub(crate) fn timestamp() -> Timestamp {
    Timestamp::now()
}

/// The date of a moment that is still to come.
pub(crate) fn timestamp_of(at: Instant, now: Instant) -> Timestamp {
    let ahead = at.saturating_duration_since(now);
    // Rounded to what people read; a countdown is not exact to the microsecond.
    let ahead = Duration::from_millis(u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX));
    timestamp().checked_add(ahead).unwrap_or(Timestamp::MAX)
}
