//! The status board: the only way out for what the tunnels are and do.
//!
//! Each tunnel's task is the only writer of its entry; everybody else reads a copy or listens to the
//! broadcast. Byte and connection counters are atomics that the forwarding tasks bump without asking
//! anybody; they are read when somebody looks. The board decides nothing.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tunnels_api::{DaemonEvent, TunnelStatus};

/// How many events a slow subscriber may lag behind. One that lags more gets a new snapshot instead,
/// so the number only bounds memory: 1 000 tunnels that all change state once still fit.
const EVENT_BACKLOG: usize = 1024;

/// Asks the session a tunnel has for its smoothed round trip.
pub(crate) type RttSource = Box<dyn Fn() -> Option<Duration> + Send>;

/// The figures of one tunnel that change with every byte, shared with its forwarding tasks.
#[derive(Default)]
pub(crate) struct Gauges {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    streams: AtomicU32,
    rate_in: AtomicU64,
    rate_out: AtomicU64,
    /// Set while a session is attached.
    rtt: Mutex<Option<RttSource>>,
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges")
            .field("bytes_in", &self.bytes_in)
            .field("bytes_out", &self.bytes_out)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

impl Gauges {
    /// Counts bytes that went towards the user.
    pub(crate) fn add_in(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts bytes that went towards the remote.
    pub(crate) fn add_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts a forwarded connection for as long as the guard lives.
    pub(crate) fn stream(self: &Arc<Self>) -> StreamGuard {
        self.streams.fetch_add(1, Relaxed);
        StreamGuard(Arc::clone(self))
    }

    /// Forwarded connections that are open.
    pub(crate) fn streams(&self) -> u32 {
        self.streams.load(Relaxed)
    }

    /// Says where the round trip is read from, or that there is no session to ask.
    pub(crate) fn set_rtt_source(&self, source: Option<RttSource>) {
        *lock(&self.rtt) = source;
    }

    /// Overlays the live figures on a status.
    fn fill(&self, status: &mut TunnelStatus) {
        status.bytes_in = self.bytes_in.load(Relaxed);
        status.bytes_out = self.bytes_out.load(Relaxed);
        status.streams = self.streams();
        status.rate_in = self.rate_in.load(Relaxed);
        status.rate_out = self.rate_out.load(Relaxed);
        if let Some(rtt) = lock(&self.rtt).as_ref().and_then(|ask| ask()) {
            status.rtt_ms = Some((rtt.as_secs_f64() * 1e6).round() / 1e3);
        }
    }
}

/// One forwarded connection in the count of [`Gauges::streams`].
#[derive(Debug)]
pub(crate) struct StreamGuard(Arc<Gauges>);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

/// What a subscriber gets: the state of things, and what happens after it, with nothing between lost.
#[derive(Debug)]
pub struct Subscription {
    /// All tunnels at the moment of subscribing.
    pub snapshot: Vec<TunnelStatus>,
    /// What happened since. On `Lagged`, ask for a new snapshot.
    pub events: broadcast::Receiver<DaemonEvent>,
}

/// The board itself: a cheap handle.
#[derive(Debug, Clone)]
pub struct StatusBoard {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    entries: Mutex<Vec<Entry>>,
    events: broadcast::Sender<DaemonEvent>,
}

#[derive(Debug)]
struct Entry {
    status: TunnelStatus,
    gauges: Arc<Gauges>,
    /// Byte counters at the last sample, for the rates.
    sampled: (u64, u64, Instant),
}

impl Entry {
    fn live(&self) -> TunnelStatus {
        let mut status = self.status.clone();
        self.gauges.fill(&mut status);
        status
    }
}

impl Default for StatusBoard {
    fn default() -> Self {
        Self::new()
    }
}

impl StatusBoard {
    /// An empty board.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared { entries: Mutex::new(Vec::new()), events: broadcast::Sender::new(EVENT_BACKLOG) }),
        }
    }

    /// All tunnels in the order of the configuration.
    pub fn tunnels(&self) -> Vec<TunnelStatus> {
        lock(&self.shared.entries).iter().map(Entry::live).collect()
    }

    /// One tunnel by its exact name.
    pub fn tunnel(&self, name: &str) -> Option<TunnelStatus> {
        lock(&self.shared.entries).iter().find(|entry| entry.status.name == name).map(Entry::live)
    }

    /// Everything there is now and everything that happens after it.
    pub fn subscribe(&self) -> Subscription {
        // Under the lock that `publish` holds while it sends: nothing falls between the two.
        let entries = lock(&self.shared.entries);
        Subscription { events: self.shared.events.subscribe(), snapshot: entries.iter().map(Entry::live).collect() }
    }

    /// Adds a tunnel at the end of the board.
    pub(crate) fn add(&self, status: TunnelStatus, gauges: Arc<Gauges>, now: Instant) {
        let mut entries = lock(&self.shared.entries);
        let entry = Entry { status, gauges, sampled: (0, 0, now) };
        self.send(DaemonEvent::TunnelChanged { tunnel: entry.live() });
        entries.push(entry);
    }

    /// Replaces the status of a tunnel that is on the board; called by its own task only.
    pub(crate) fn publish(&self, status: TunnelStatus) {
        let mut entries = lock(&self.shared.entries);
        if let Some(entry) = entries.iter_mut().find(|entry| entry.status.name == status.name) {
            entry.status = status;
            self.send(DaemonEvent::TunnelChanged { tunnel: entry.live() });
        }
    }

    /// Tells every subscriber something that is not about one tunnel.
    pub(crate) fn announce(&self, event: DaemonEvent) {
        let _entries = lock(&self.shared.entries);
        self.send(event);
    }

    /// Turns the byte counters into rates; called about once a second.
    pub(crate) fn sample(&self, now: Instant) {
        for entry in &mut *lock(&self.shared.entries) {
            let gauges = &entry.gauges;
            let (old_in, old_out, then) = entry.sampled;
            let (new_in, new_out) = (gauges.bytes_in.load(Relaxed), gauges.bytes_out.load(Relaxed));
            let micros = now.saturating_duration_since(then).as_micros().max(1);
            let rate = |new: u64, old: u64| {
                u64::try_from(u128::from(new.saturating_sub(old)) * 1_000_000 / micros).unwrap_or(u64::MAX)
            };
            gauges.rate_in.store(rate(new_in, old_in), Relaxed);
            gauges.rate_out.store(rate(new_out, old_out), Relaxed);
            entry.sampled = (new_in, new_out, now);
        }
    }

    fn send(&self, event: DaemonEvent) {
        // An error only says that nobody listens.
        drop(self.shared.events.send(event));
    }
}

/// A panic elsewhere cannot leave these plain values half written, so poison is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
