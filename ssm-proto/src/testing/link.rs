//! One direction of a path: rate, delay, jitter, loss, duplication, reordering, all from one seed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::event::WsFrame;

/// What a [`Link`] does to frames. Probabilities lie in 0.0..=1.0.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkConfig {
    /// One-way delay.
    pub delay: Duration,
    /// Up to so much more, at random; order is kept.
    pub jitter: Duration,
    /// Probability that a frame vanishes.
    pub loss: f64,
    /// Probability that a frame comes twice.
    pub duplicate: f64,
    /// Bytes per second that get through; what comes faster queues in order, without end. `None`: any number.
    pub rate: Option<u32>,
    /// Probability that a frame is held for a further delay, so that later ones overtake it.
    pub reorder: f64,
}

impl LinkConfig {
    /// A link that does nothing but delay.
    pub const fn with_delay(delay: Duration) -> Self {
        Self { delay, jitter: Duration::ZERO, rate: None, loss: 0.0, duplicate: 0.0, reorder: 0.0 }
    }
}

/// One direction of a path.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    rng: fastrand::Rng,
    /// By time of arrival; the counter keeps frames of one instant in order.
    in_transit: BTreeMap<(Instant, u64), WsFrame>,
    count: u64,
    /// Frames behind each other stay so, whatever the jitter.
    last_arrival: Option<Instant>,
    /// Until when the frames before keep a link with a rate busy.
    busy_until: Option<Instant>,
    lost: u64,
    largest: Option<usize>,
}

impl Link {
    /// A link whose choices all come from `seed`.
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            config,
            rng: fastrand::Rng::with_seed(seed),
            in_transit: BTreeMap::new(),
            count: 0,
            last_arrival: None,
            busy_until: None,
            lost: 0,
            largest: None,
        }
    }

    /// Changes the link's behaviour for frames to come.
    pub fn configure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// Drops frames of more bytes from now on.
    pub fn drop_above(&mut self, size: Option<usize>) {
        self.largest = size;
    }

    /// Puts a frame on the way.
    pub fn send(&mut self, frame: WsFrame, now: Instant) {
        if self.largest.is_some_and(|size| frame.len() > size) || self.chance(self.config.loss) {
            self.lost += 1;
            return;
        }
        if self.chance(self.config.duplicate) {
            self.schedule(frame.clone(), now);
        }
        self.schedule(frame, now);
    }

    /// When the next frame arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.in_transit.keys().next().map(|(at, _)| *at)
    }

    /// The next frame that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<WsFrame> {
        let entry = self.in_transit.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// Everything on the way is lost.
    pub fn clear(&mut self) {
        self.lost += self.in_transit.len() as u64;
        self.in_transit.clear();
        (self.last_arrival, self.busy_until) = (None, None);
    }

    /// How long a frame sent now would wait for those before it.
    pub fn queueing(&self, now: Instant) -> Duration {
        self.busy_until.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// Frames lost so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn schedule(&mut self, frame: WsFrame, now: Instant) {
        let jitter = self.config.jitter.mul_f64(self.rng.f64());
        let mut arrival = self.departure(frame.len(), now) + self.config.delay + jitter;
        if self.chance(self.config.reorder) {
            arrival += self.config.delay + jitter + Duration::from_millis(self.rng.u64(1..20));
        } else {
            arrival = arrival.max(self.last_arrival.unwrap_or(arrival));
            self.last_arrival = Some(arrival);
        }
        self.count += 1;
        self.in_transit.insert((arrival, self.count), frame);
    }

    /// When the link has sent so many bytes.
    fn departure(&mut self, bytes: usize, now: Instant) -> Instant {
        let Some(rate) = self.config.rate else { return now };
        let start = self.busy_until.map_or(now, |at| at.max(now));
        let end = start + Duration::from_secs_f64(bytes as f64 / f64::from(rate));
        self.busy_until = Some(end);
        end
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.f64() < probability
    }
}
