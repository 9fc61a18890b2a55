//! Counts the bytes of a tunnel or of one of its connections, and turns them into rates.
//!
//! Whoever moves bytes counts them without asking anybody; whoever looks reads plain numbers.

use crate::clock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Bytes both ways; `in` is towards the user.
#[derive(Debug)]
pub(crate) struct Meter {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    rate_in: AtomicU64,
    rate_out: AtomicU64,
    sampled: Mutex<Sampled>,
}

/// What the counters were at the last sample.
#[derive(Debug)]
struct Sampled {
    bytes_in: u64,
    bytes_out: u64,
    at: Instant,
}

/// What a meter shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// Bytes per second between the last two samples.
    pub(crate) rate_in: u64,
    pub(crate) rate_out: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            rate_in: AtomicU64::new(0),
            rate_out: AtomicU64::new(0),
            sampled: Mutex::new(Sampled { bytes_in: 0, bytes_out: 0, at: clock::now() }),
        }
    }
}

impl Meter {
    /// Counts bytes that went towards the user.
    pub(crate) fn add_in(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts bytes that went towards the remote.
    pub(crate) fn add_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn read(&self) -> Reading {
        Reading {
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            rate_in: self.rate_in.load(Relaxed),
            rate_out: self.rate_out.load(Relaxed),
        }
    }

    /// Computes the rates since the last sample; called about once a second.
    pub(crate) fn sample(&self, now: Instant) {
        // Plain numbers: a panic elsewhere leaves none of them half written.
        let mut sampled = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes_in, bytes_out) = (self.bytes_in.load(Relaxed), self.bytes_out.load(Relaxed));
        let micros = now.saturating_duration_since(sampled.at).as_micros().max(1);
        let rate = |new: u64, old: u64| {
            u64::try_from(u128::from(new.saturating_sub(old)) * 1_000_000 / micros).unwrap_or(u64::MAX)
        };
        self.rate_in.store(rate(bytes_in, sampled.bytes_in), Relaxed);
        self.rate_out.store(rate(bytes_out, sampled.bytes_out), Relaxed);
        *sampled = Sampled { bytes_in, bytes_out, at: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn rates_are_those_between_the_last_two_samples() {
        let meter = Meter::default();
        let start = clock::now();
        meter.sample(start);
        meter.add_in(500);
        meter.add_out(20);
        meter.sample(start + Duration::from_millis(500));
        let first = Reading { bytes_in: 500, bytes_out: 20, rate_in: 1000, rate_out: 40 };
        assert_eq!(meter.read(), first);
        meter.sample(start + Duration::from_millis(1500));
        assert_eq!(meter.read(), Reading { rate_in: 0, rate_out: 0, ..first });
    }
}
