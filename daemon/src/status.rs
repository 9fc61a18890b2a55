//! The status board: the only way out for what the tunnels are and do.
//!
//! Each tunnel's task is the only writer of its entry; everybody else reads a copy or listens to the
//! broadcast. Byte and connection counters are atomics that the forwarding tasks bump without asking
//! anybody; they are read when somebody looks. The board decides nothing.

use crate::connections::Connections;
use crate::history::{Change, History};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tunnels_api::{DaemonEvent, TargetState, Timestamp, TunnelStatus};

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
    connections: Arc<Connections>,
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
            .field("connections", &self.connections)
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

    /// Its forwarded connections, and what became of them.
    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Forwarded connections that are open.
    pub(crate) fn streams(&self) -> u32 {
        self.connections.open()
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

/// What a subscriber gets: the state of things, and what happens after it, with nothing between lost.
#[derive(Debug)]
pub struct Subscription {
    /// All tunnels at the moment of subscribing.
    pub snapshot: Vec<TunnelStatus>,
    /// The report on the last edit of the configuration, if it was rejected.
    pub config_error: Option<String>,
    /// What happened since. On `Lagged`, ask for a new snapshot.
    pub events: broadcast::Receiver<DaemonEvent>,
}

/// When the credentials of a profile run out, and the command that renews them, where known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownExpiry {
    pub(crate) at: Timestamp,
    pub(crate) renew: Option<String>,
}

/// What was found out of the profiles in use, by the name that the configuration gives.
pub(crate) type Expiries = BTreeMap<Option<String>, KnownExpiry>;

/// How the configuration in force came to be.
#[derive(Debug, Clone)]
pub(crate) struct ConfigState {
    /// When it was read.
    pub(crate) loaded: Timestamp,
    /// The report on a later edit that was rejected.
    pub(crate) error: Option<String>,
}

/// The board itself: a cheap handle.
#[derive(Debug, Clone)]
pub struct StatusBoard {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    board: Mutex<Board>,
    events: broadcast::Sender<DaemonEvent>,
}

#[derive(Debug)]
struct Board {
    entries: Vec<Entry>,
    config: ConfigState,
    /// The next entry's.
    next_slot: u64,
}

impl Board {
    fn live(&self) -> Vec<TunnelStatus> {
        self.entries.iter().map(Entry::live).collect()
    }
}

/// An entry's place, given to its only writer. A tunnel that left the configuration may still be ending while
/// another of its name is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u64);

#[derive(Debug)]
struct Entry {
    slot: Slot,
    status: TunnelStatus,
    history: History,
    gauges: Arc<Gauges>,
    /// Of the credentials that its calls need.
    expiry: Option<KnownExpiry>,
    /// Byte counters at the last sample, for the rates.
    sampled: (u64, u64, Instant),
}

impl Entry {
    fn live(&self) -> TunnelStatus {
        let mut status = self.status.clone();
        self.gauges.fill(&mut status);
        if let Some(expiry) = self.expiry.as_ref().filter(|_| status.wanted == TargetState::Up) {
            status.credentials_expire = Some(expiry.at);
            status.credentials_renew.clone_from(&expiry.renew);
        }
        status
    }

    fn sample(&mut self, now: Instant) {
        let gauges = &self.gauges;
        let (old_in, old_out, then) = self.sampled;
        let (new_in, new_out) = (gauges.bytes_in.load(Relaxed), gauges.bytes_out.load(Relaxed));
        let micros = now.saturating_duration_since(then).as_micros().max(1);
        let rate = |new: u64, old: u64| {
            u64::try_from(u128::from(new.saturating_sub(old)) * 1_000_000 / micros).unwrap_or(u64::MAX)
        };
        gauges.rate_in.store(rate(new_in, old_in), Relaxed);
        gauges.rate_out.store(rate(new_out, old_out), Relaxed);
        self.sampled = (new_in, new_out, now);
    }
}

impl StatusBoard {
    /// An empty board, its configuration read at that time.
    pub fn new(loaded: Timestamp) -> Self {
        let config = ConfigState { loaded, error: None };
        let board = Board { entries: Vec::new(), config, next_slot: 0 };
        Self { shared: Arc::new(Shared { board: Mutex::new(board), events: broadcast::Sender::new(EVENT_BACKLOG) }) }
    }

    /// All tunnels in the order of the configuration.
    pub fn tunnels(&self) -> Vec<TunnelStatus> {
        self.lock().live()
    }

    /// One tunnel by its exact name.
    pub fn tunnel(&self, name: &str) -> Option<TunnelStatus> {
        self.lock().entries.iter().find(|entry| entry.status.name == name).map(Entry::live)
    }

    /// The last changes of one tunnel, by its exact name.
    pub fn history(&self, name: &str) -> Option<tunnels_api::History> {
        let board = self.lock();
        let entry = board.entries.iter().find(|entry| entry.status.name == name)?;
        Some(entry.history.report(name, entry.gauges.connections.toll()))
    }

    /// Everything there is now and everything that happens after it.
    pub fn subscribe(&self) -> Subscription {
        // Under the lock that is held while anything is sent: nothing falls between the two.
        let board = self.lock();
        Subscription {
            events: self.shared.events.subscribe(),
            snapshot: board.live(),
            config_error: board.config.error.clone(),
        }
    }

    /// How the configuration in force came to be.
    pub(crate) fn config(&self) -> ConfigState {
        self.lock().config.clone()
    }

    /// Adds a tunnel at the end of the board; the slot is for the tunnel's own task.
    pub(crate) fn add(&self, status: TunnelStatus, gauges: Arc<Gauges>, now: Instant) -> Slot {
        let mut board = self.lock();
        let slot = Slot(board.next_slot);
        board.next_slot += 1;
        let entry = Entry { slot, status, history: History::default(), gauges, expiry: None, sampled: (0, 0, now) };
        self.send(DaemonEvent::TunnelChanged { tunnel: entry.live() });
        board.entries.push(entry);
        slot
    }

    /// Replaces the status in a slot and notes what has changed with it; called by its own task only. One that
    /// is off the board stays off.
    pub(crate) fn publish(&self, slot: Slot, status: TunnelStatus, change: Option<Change>) {
        let mut board = self.lock();
        if let Some(entry) = board.entries.iter_mut().find(|entry| entry.slot == slot) {
            entry.status = status;
            if let Some(change) = change {
                entry.history.add(change);
            }
            self.send(DaemonEvent::TunnelChanged { tunnel: entry.live() });
        }
    }

    /// Adds to the history of the tunnel in a slot; called by its own task only.
    pub(crate) fn note(&self, slot: Slot, change: Change) {
        if let Some(entry) = self.lock().entries.iter_mut().find(|entry| entry.slot == slot) {
            entry.history.add(change);
        }
    }

    /// Takes a tunnel off the board, whatever its task still does.
    pub(crate) fn remove(&self, name: &str) {
        let mut board = self.lock();
        let before = board.entries.len();
        board.entries.retain(|entry| entry.status.name != name);
        if board.entries.len() < before {
            self.send(DaemonEvent::TunnelRemoved { name: name.to_owned() });
        }
    }

    /// A changed configuration is in force: `order` is that of its tunnels.
    pub(crate) fn config_loaded(&self, order: &[&str], loaded: Timestamp) {
        let mut board = self.lock();
        let place = |name: &str| order.iter().position(|known| *known == name);
        board.entries.sort_by_cached_key(|entry| place(&entry.status.name).unwrap_or(usize::MAX));
        board.config = ConfigState { loaded, error: None };
        self.send(DaemonEvent::ConfigReloaded);
        // Which tunnel stands where is in no other event.
        self.send(DaemonEvent::Snapshot { tunnels: board.live(), config_error: None });
    }

    /// An edit was rejected; says whether that is news.
    pub(crate) fn config_rejected(&self, report: String) -> bool {
        let mut board = self.lock();
        if board.config.error.as_ref() == Some(&report) {
            return false;
        }
        board.config.error = Some(report.clone());
        self.send(DaemonEvent::ConfigRejected { report });
        true
    }

    /// The profiles of the tunnels that are wanted up, with the names of these; none is the environment's.
    pub(crate) fn profiles_in_use(&self) -> BTreeMap<Option<String>, Vec<String>> {
        let mut profiles: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for entry in self.lock().entries.iter().filter(|entry| entry.status.wanted == TargetState::Up) {
            profiles.entry(entry.status.profile.clone()).or_default().push(entry.status.name.clone());
        }
        profiles
    }

    /// Takes over when credentials run out.
    pub(crate) fn expiries_found(&self, known: &Expiries) {
        for entry in &mut self.lock().entries {
            let found = known.get(&entry.status.profile).cloned();
            if entry.expiry != found {
                entry.expiry = found;
                self.send(DaemonEvent::TunnelChanged { tunnel: entry.live() });
            }
        }
    }

    /// Tells every subscriber something that is not about one tunnel.
    pub(crate) fn announce(&self, event: DaemonEvent) {
        let _board = self.lock();
        self.send(event);
    }

    /// Turns the byte counters into rates; called about once a second.
    pub(crate) fn sample(&self, now: Instant) {
        for entry in &mut self.lock().entries {
            entry.sample(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        lock(&self.shared.board)
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
