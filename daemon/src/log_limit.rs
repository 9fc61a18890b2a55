//! How often the same thing may be logged. Pure: `now` is an argument.
//!
//! A few lines at once are let through, then one for each pause; what was left out is counted, so that the
//! next line can say so.

use std::time::{Duration, Instant};

/// A bucket of lines that may be written, refilled with time.
#[derive(Debug)]
pub(crate) struct LogLimit {
    most: u32,
    pause: Duration,
    room: u32,
    refilled: Option<Instant>,
    left_out: u64,
}

impl LogLimit {
    /// Lets `most` lines through at once, and after them one every `pause`.
    pub(crate) fn new(most: u32, pause: Duration) -> Self {
        Self { most, pause, room: most, refilled: None, left_out: 0 }
    }

    /// Whether a line may be written now, and how many were left out before it.
    pub(crate) fn pass(&mut self, now: Instant) -> Option<u64> {
        let refilled = *self.refilled.get_or_insert(now);
        let pauses = now.saturating_duration_since(refilled).as_millis() / self.pause.as_millis().max(1);
        let pauses = u32::try_from(pauses).unwrap_or(u32::MAX);
        if self.room.saturating_add(pauses) >= self.most {
            (self.room, self.refilled) = (self.most, Some(now));
        } else {
            self.room += pauses;
            self.refilled = Some(refilled + self.pause * pauses);
        }
        if self.room == 0 {
            self.left_out += 1;
            return None;
        }
        self.room -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_flood_is_cut_down_and_counted() {
        let start = Instant::now();
        let mut limit = LogLimit::new(3, 10 * SECOND);
        let passed: Vec<_> = (0..1000).map(|n| limit.pass(start + SECOND / 1000 * n)).collect();
        assert_eq!(passed[..3], [Some(0); 3]);
        assert_eq!(passed.iter().flatten().count(), 3);
        assert_eq!(limit.pass(start + 10 * SECOND), Some(997));
        assert_eq!(limit.pass(start + 19 * SECOND), None);
        assert_eq!(limit.pass(start + 20 * SECOND), Some(1));
    }

    #[test]
    fn after_a_rest_as_many_fit_as_at_first_and_not_more() {
        let start = Instant::now();
        let mut limit = LogLimit::new(3, SECOND);
        assert_eq!(limit.pass(start), Some(0));
        let later = start + 3600 * SECOND;
        assert_eq!((0..10).filter_map(|_| limit.pass(later)).count(), 3);
        assert_eq!(limit.pass(start), None, "a clock that goes back");
    }

    #[test]
    fn a_line_now_and_then_is_never_left_out() {
        let start = Instant::now();
        let mut limit = LogLimit::new(2, 10 * SECOND);
        assert!((0..500).all(|n| limit.pass(start + 11 * SECOND * n) == Some(0)));
    }
}
