//! [`CongestionWindow`]: how many bytes may be on their way (`docs/protocol.md` §4.7).
//!
//! The path is TCP from end to end. It loses nothing and marks nothing, it only queues: in our own kernel, at a service that
//! caps a session, in an agent that is slow. So the signal is delay, as in Vegas and LEDBAT: the window is what keeps the
//! path busy with a short queue. A loss-based window would fill every buffer on the way and never be told to stop.
//!
//! Each acknowledgement is a whole measurement, since it names its message: `flight` bytes were on their way when that was
//! sent, itself included, and all of them were taken in after `rtt`. Hence the path carries `flight / rtt`, and the window
//! that gives it `base + queue` of work is `flight × (base + queue) / rtt`. That needs no filter for the rate and does not
//! lag behind the window's own changes; the best measurement of a round trip counts, so that jitter does not.
//!
//! The base, the round-trip time without a queue, is the least that was measured, for ten seconds. Then it is measured anew:
//! for a round trip so little is sent that nothing of ours can queue. Owns no message and no clock.

use std::time::{Duration, Instant};

use crate::config::Config;

/// The window before anything was measured: no queue worth mentioning on any path that carries a database.
const INITIAL: usize = 64 << 10;
/// Smallest window. At 600 kB/s this queues for less than 30 ms, and still hides that an agent acknowledges in bursts.
const MIN: usize = 16 << 10;
/// The wanted queue: half of the base, so that the window may grow by half in a round trip, within these bounds. The lower
/// one outlasts what a busy machine takes to have us look at acknowledgements, the upper is what a user hardly notices.
const MIN_QUEUE: Duration = Duration::from_millis(10);
const MAX_QUEUE: Duration = Duration::from_millis(100);
/// The window shrinks to no less than this part of it in one round, however long a stall was measured as a queue.
const MAX_CUT: usize = 4;
/// How long a base is believed: the path may have become a longer one.
const BASE_LIFETIME: Duration = Duration::from_secs(10);

/// One message that was acknowledged and sent only once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    /// Bytes in flight when it was sent, its own included.
    pub(crate) flight: usize,
    /// From then to its acknowledgement.
    pub(crate) rtt: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Base {
    rtt: Duration,
    expires_at: Instant,
}

/// How the window grows on a path of which it is not known how much it holds, until something queues.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// It doubles in each round trip, however long that is.
    Doubling,
    /// The path seems to have become a much longer one, as measured with so many bytes in flight: a quarter more shall show
    /// whether it was the path, or these on a slow line. Is it the path, the window doubles.
    Trial { flight: usize },
    /// Something has queued.
    Over,
}

/// The window of one direction of one session, in bytes of whole messages.
#[derive(Debug)]
pub(crate) struct CongestionWindow {
    /// Without control the window is always `max`.
    is_controlled: bool,
    min: usize,
    max: usize,
    window: usize,
    base: Option<Base>,
    /// The base is too old: the window is small until a message was sent and acknowledged without a queue.
    is_probing: bool,
    start: Start,
    /// The best window that a measurement of this round gave.
    best: Option<usize>,
    /// The same of the last round that had one: `window` may still be on its way there.
    supported: usize,
    /// The round ends with the acknowledgement of this sequence number or a later one, or when it has lasted for as long as
    /// it should: the longer it takes, the more urgent is what it has measured.
    round_end: (i64, Option<Instant>),
}

impl CongestionWindow {
    pub(crate) fn new(config: &Config) -> Self {
        let max = config.max_in_flight_bytes;
        // Two messages keep an agent busy that acknowledges each of them at once.
        let min = MIN.max(2 * config.max_payload.max(config.larger_payload.unwrap_or(0))).min(max);
        Self {
            is_controlled: config.congestion_control,
            min,
            max,
            window: INITIAL.clamp(min, max),
            base: None,
            is_probing: false,
            start: Start::Doubling,
            best: None,
            supported: max,
            round_end: (0, None),
        }
    }

    /// Bytes that may be in flight; a message that begins below may exceed it.
    pub(crate) fn bytes(&self) -> usize {
        match self.is_controlled {
            false => self.max,
            true if self.is_probing => self.unqueued(),
            true => self.window,
        }
    }

    /// The round-trip time without a queue.
    pub(crate) fn base(&self) -> Option<Duration> {
        self.base.map(|base| base.rtt)
    }

    /// Another websocket may be another path: nothing measured on the old one counts.
    pub(crate) fn reset(&mut self, next_sequence: i64) {
        self.window = INITIAL.clamp(self.min, self.max);
        (self.base, self.is_probing, self.start, self.best) = (None, false, Start::Doubling, None);
        (self.supported, self.round_end) = (self.max, (next_sequence, None));
    }

    /// Takes the acknowledgement of `sequence`, with what it measures, if that is certain. `next_sequence` is that of the next
    /// message sent.
    pub(crate) fn acknowledge(
        &mut self,
        sequence: i64,
        measurement: Option<Measurement>,
        next_sequence: i64,
        now: Instant,
    ) {
        if let Some(measurement) = measurement {
            self.measure_base(measurement, now);
            self.measure_window(measurement);
        }
        let (last, at) = self.round_end;
        if sequence < last && at.is_none_or(|at| now < at) {
            return;
        }
        self.round_end = (next_sequence, self.base().map(|base| now + base + wanted_queue(base)));
        let Some(best) = self.best.take() else { return };
        self.supported = best;
        self.window = best.clamp(self.window / MAX_CUT, self.window * 2).clamp(self.min, self.max);
        if best < self.min
            && let Some(base) = &mut self.base
        {
            // As little as this queues nowhere: the way itself has become longer.
            base.expires_at = now;
        }
    }

    fn measure_base(&mut self, measurement: Measurement, now: Instant) {
        let is_good = match self.base {
            Some(base) if measurement.rtt > base.rtt => {
                let is_old = base.expires_at <= now;
                let is_unqueued = measurement.flight <= self.unqueued() + self.min / 2;
                self.is_probing = is_old && !is_unqueued;
                is_old && is_unqueued
            }
            _ => true,
        };
        if is_good {
            // So long a path is not filled by the wanted queue in any useful time, and how much it holds is as unknown as at
            // first. But if the flight itself has queued for so long, then a quarter of it for more than half a `MAX_QUEUE`,
            // which the trial ends with.
            if matches!(self.start, Start::Over)
                && self.base.is_some_and(|base| measurement.rtt > base.rtt + 2 * MAX_QUEUE)
            {
                self.start = Start::Trial { flight: measurement.flight };
            }
            self.base = Some(Base { rtt: measurement.rtt, expires_at: now + BASE_LIFETIME });
            self.is_probing = false;
        }
    }

    fn measure_window(&mut self, Measurement { flight, rtt }: Measurement) {
        // With little on its way the window was not what limited, and a longer way is not of its making.
        let Some(base) = self.base.filter(|_| flight >= self.window / 2) else {
            return;
        };
        self.start = match self.start {
            _ if rtt > base.rtt + wanted_queue(base.rtt) / 2 => Start::Over,
            Start::Trial { flight: tried } if flight >= quarter_more(tried) => Start::Doubling,
            start => start,
        };
        let supported = match self.start {
            Start::Doubling => 2 * flight,
            Start::Trial { flight: tried } => quarter_more(tried),
            Start::Over => scale(flight, base.rtt + wanted_queue(base.rtt), rtt),
        };
        if !matches!(self.start, Start::Over) {
            // The flight is that of a round trip ago: this cannot run away, and need not wait for the round's end.
            self.window = self.window.max(supported).min(self.max);
        }
        self.best = self.best.max(Some(supported));
    }

    /// In flight without any queue: three quarters of what the path itself holds.
    fn unqueued(&self) -> usize {
        let Some(base) = self.base() else { return self.min };
        scale(self.window.min(self.supported) * 3 / 4, base, base + wanted_queue(base)).max(self.min)
    }
}

fn quarter_more(flight: usize) -> usize {
    flight + flight / 4
}

fn wanted_queue(base: Duration) -> Duration {
    (base / 2).clamp(MIN_QUEUE, MAX_QUEUE)
}

/// `bytes` × `part` / `whole`.
fn scale(bytes: usize, part: Duration, whole: Duration) -> usize {
    let scaled = bytes as u128 * part.as_nanos() / whole.as_nanos().max(1);
    usize::try_from(scaled).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
