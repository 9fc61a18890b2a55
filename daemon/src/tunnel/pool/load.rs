//! How busy a session is, from what it carried and what queues in it. Pure.
//!
//! The official agent sends at most 1 024 bytes, then pauses for a millisecond, for the whole session (docs/protocol.md
//! §10.1): some 700 messages a second, 0.7 MiB/s, however short or long they are. So messages count as much as bytes.

use crate::tunnel::seats::Moved;
use std::time::{Duration, Instant};

/// A session is measured this often while anything moves in it.
pub(in crate::tunnel) const INTERVAL: Duration = Duration::from_millis(250);
/// Half of what the official agent can send in a session, a second: a connection that joins then waits behind others more often
/// than not. It is also near what a service was reported to carry towards the target (600 kB/s).
const BUSY_BYTES: u64 = 350 * 1024;
const BUSY_MESSAGES: u64 = 350;
/// Bytes on their way to the agent, or waiting for it: at the above rate a fifth of a second.
const BUSY_QUEUE: usize = 64 * 1024;
/// A round trip that takes so much longer than it could is one behind a queue.
const BUSY_DELAY: Duration = Duration::from_millis(50);
/// Measurements in a row after which a busy session is taken for one that stays busy: half a second, longer than the answer to
/// one question takes.
const STAYS_BUSY: u32 = 2;
/// The same for one that is not busy and always carries something: two seconds, longer than one person's question.
const STAYS_ACTIVE: u32 = 8;

/// In the order in which new connections prefer sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::tunnel) enum Level {
    /// Nothing moves.
    #[default]
    Quiet,
    /// It carries something, and has room.
    Active,
    /// What joins waits behind others.
    Busy,
    /// An application does not read, which holds up all of the session sooner or later (docs/protocol.md §6.2).
    Stalled,
}

/// What a measurement has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::tunnel) struct Load {
    pub(in crate::tunnel) level: Level,
    /// Connections that carry something all the while.
    pub(in crate::tunnel) active: usize,
    /// It has been busy, or active, for so long that it will be when the next connection comes.
    pub(in crate::tunnel) lasts: bool,
}

/// What a session says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::tunnel) struct Figures {
    /// Messages with stream data received since it began.
    pub(in crate::tunnel) messages_in: u64,
    /// Bytes written and not acknowledged.
    pub(in crate::tunnel) queued: usize,
    pub(in crate::tunnel) is_stalled: bool,
    pub(in crate::tunnel) rtt: Option<Duration>,
    /// The shortest of late.
    pub(in crate::tunnel) base_rtt: Option<Duration>,
}

/// Turns figures of one session into its load.
#[derive(Debug)]
pub(in crate::tunnel) struct Gauge {
    at: Instant,
    messages_in: u64,
    busy_for: u32,
    active_for: u32,
}

impl Gauge {
    pub(in crate::tunnel) fn new(now: Instant) -> Self {
        Self { at: now, messages_in: 0, busy_for: 0, active_for: 0 }
    }

    /// A measurement; `moved` is what moved since the last one.
    pub(in crate::tunnel) fn read(&mut self, figures: Figures, moved: Moved, now: Instant) -> Load {
        let elapsed = now.saturating_duration_since(std::mem::replace(&mut self.at, now));
        let messages =
            figures.messages_in.saturating_sub(std::mem::replace(&mut self.messages_in, figures.messages_in));
        // After a pause there is no telling when in it something moved: it counts as the last interval's.
        let millis = u64::try_from(elapsed.min(INTERVAL * 2).as_millis()).unwrap_or(u64::MAX).max(1);
        let exceeds = |amount: u64, a_second: u64| amount.saturating_mul(1000) >= a_second * millis;
        let waits = figures.rtt.zip(figures.base_rtt).is_some_and(|(rtt, base)| rtt > 2 * base + BUSY_DELAY);
        let is_busy = exceeds(moved.bytes, BUSY_BYTES)
            || exceeds(messages, BUSY_MESSAGES)
            || figures.queued >= BUSY_QUEUE
            || (waits && figures.queued > 0);
        let level = match () {
            () if figures.is_stalled => Level::Stalled,
            () if is_busy => Level::Busy,
            () if moved.bytes > 0 => Level::Active,
            () => Level::Quiet,
        };
        self.busy_for = if level >= Level::Busy { self.busy_for + 1 } else { 0 };
        self.active_for = if level >= Level::Active { self.active_for + 1 } else { 0 };
        let lasts = self.busy_for >= STAYS_BUSY || self.active_for >= STAYS_ACTIVE;
        Load { level, active: moved.active, lasts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1024;

    fn moved(bytes: u64) -> Moved {
        Moved { bytes, active: usize::from(bytes > 0) }
    }

    /// The loads of measurements at their interval.
    fn loads(measured: impl IntoIterator<Item = (Figures, Moved)>) -> Vec<Load> {
        let mut now = Instant::now();
        let mut gauge = Gauge::new(now);
        let read = |(figures, moved)| {
            now += INTERVAL;
            gauge.read(figures, moved, now)
        };
        measured.into_iter().map(read).collect()
    }

    #[test]
    fn half_of_what_the_agent_sends_is_busy_and_a_query_is_not() {
        // 0.7 MiB/s, as the official agent does it.
        let bulk = loads([(Figures::default(), moved(179 * KIB)); 2]);
        assert_eq!((bulk[0].level, bulk[0].lasts), (Level::Busy, false));
        assert_eq!((bulk[1].level, bulk[1].lasts), (Level::Busy, true));
        let query = loads([(Figures::default(), moved(20 * KIB)), (Figures::default(), moved(0))]);
        assert_eq!(query.iter().map(|load| load.level).collect::<Vec<_>>(), [Level::Active, Level::Quiet]);
        assert!(query.iter().all(|load| !load.lasts));
    }

    #[test]
    fn short_messages_use_up_the_agent_s_ticks_as_well() {
        let figures = |count| Figures { messages_in: count, ..Figures::default() };
        let loads = loads([(figures(150), moved(150)), (figures(180), moved(30))]);
        assert_eq!(loads.iter().map(|load| load.level).collect::<Vec<_>>(), [Level::Busy, Level::Active]);
    }

    #[test]
    fn what_queues_is_busy_however_little_it_is() {
        let slow = Duration::from_millis(300);
        let behind =
            Figures { queued: 1, rtt: Some(slow), base_rtt: Some(Duration::from_millis(50)), ..Figures::default() };
        let far = Figures { base_rtt: Some(slow), ..behind };
        let piled = Figures { queued: BUSY_QUEUE, ..Figures::default() };
        let stalled = Figures { is_stalled: true, ..piled };
        let loads = loads([behind, far, piled, stalled].map(|figures| (figures, moved(1))));
        let levels: Vec<_> = loads.iter().map(|load| load.level).collect();
        assert_eq!(levels, [Level::Busy, Level::Active, Level::Busy, Level::Stalled]);
    }

    #[test]
    fn what_always_carries_a_little_lasts_and_a_pause_ends_that() {
        let mut measured = vec![(Figures::default(), moved(100)); 9];
        measured.push((Figures::default(), moved(0)));
        measured.push((Figures::default(), moved(100)));
        let lasts: Vec<bool> = loads(measured).iter().map(|load| load.lasts).collect();
        assert_eq!(lasts, [false, false, false, false, false, false, false, true, true, false, false]);
    }

    #[test]
    fn a_pause_does_not_thin_out_what_came_at_its_end() {
        let now = Instant::now();
        let mut gauge = Gauge::new(now);
        let load = gauge.read(Figures::default(), moved(400 * KIB), now + Duration::from_mins(10));
        assert_eq!(load.level, Level::Busy);
    }
}
