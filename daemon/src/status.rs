//! The status board: the only way out for what the tunnels are and do.
//!
//! Each tunnel's task is the only writer of its entry; everybody else reads a copy or listens to the
//! broadcast. Byte and connection counters are atomics that the forwarding tasks bump without asking
//! anybody; they are read when somebody looks. The board decides nothing.

use crate::config::Resolved;
use crate::connections::{Connections, Open};
use crate::history::{Change, History};
use crate::meter::{Meter, Reading};
use crate::sessions::Sessions;
use crate::traffic::Traffic;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tunnels_api::{DaemonEvent, Sample, Session, Span, TargetState, Timestamp, TunnelState, TunnelStatus};

/// How many events a slow subscriber may lag behind. One that lags more gets a new snapshot instead,
/// so the number only bounds memory: 1 000 tunnels that all change state once still fit.
const EVENT_BACKLOG: usize = 1024;

/// Asks the session a tunnel has for its smoothed round trip.
pub(crate) type RttSource = Box<dyn Fn() -> Option<Duration> + Send>;

/// The figures of one tunnel that change with every byte, shared with its forwarding tasks.
#[derive(Default)]
pub(crate) struct Gauges {
    meter: Meter,
    connections: Arc<Connections>,
    sessions: Arc<Sessions>,
    /// Set while a session is attached.
    rtt: Mutex<Option<RttSource>>,
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges")
            .field("meter", &self.meter)
            .field("connections", &self.connections)
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}

impl Gauges {
    /// Where the bytes of all its connections are counted.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Its forwarded connections, and what became of them.
    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Its sessions.
    pub(crate) fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
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
        let Reading { bytes_in, bytes_out, rate_in, rate_out } = self.meter.read();
        status.bytes_in = bytes_in;
        status.bytes_out = bytes_out;
        status.streams = self.streams();
        status.rate_in = rate_in;
        status.rate_out = rate_out;
        status.rtt_ms = self.rtt();
    }

    fn rtt(&self) -> Option<f64> {
        lock(&self.rtt).as_ref().and_then(|ask| ask()).map(milliseconds)
    }
}

/// As clients get it, to the microsecond.
pub(crate) fn milliseconds(rtt: Duration) -> f64 {
    (rtt.as_secs_f64() * 1e6).round() / 1e3
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
    /// The configuration in force; none before the first.
    resolved: Option<Arc<Resolved>>,
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
    /// What it carried lately.
    traffic: Traffic,
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
        gauges.meter.sample(now);
        gauges.connections.sample(now);
        // Most tunnels of many are never up.
        if self.status.state != TunnelState::Down || !self.traffic.is_empty() {
            let Reading { rate_in, rate_out, .. } = gauges.meter.read();
            self.traffic.add(Sample { rate_in, rate_out, rtt_ms: gauges.rtt() });
        }
    }
}

impl StatusBoard {
    /// An empty board, its configuration read at that time.
    pub fn new(loaded: Timestamp) -> Self {
        let config = ConfigState { loaded, error: None };
        let board = Board { entries: Vec::new(), config, resolved: None, next_slot: 0 };
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

    /// The open connections of one tunnel, the oldest first and at most so many, and how many more there are.
    pub(crate) fn connections(&self, name: &str, most: usize) -> Option<(Vec<Open>, u64)> {
        let connections = Arc::clone(self.gauges(name)?.connections());
        let list = connections.list(most);
        let left_out = u64::from(connections.open()).saturating_sub(list.len() as u64);
        Some((list, left_out))
    }

    /// The sessions of one tunnel.
    pub fn sessions(&self, name: &str) -> Option<Vec<Session>> {
        // Each of them has a lock of its own: not while the board is locked.
        Some(self.gauges(name)?.sessions.look())
    }

    /// What one tunnel carried lately.
    pub fn traffic(&self, name: &str, span: Span) -> Option<Vec<Sample>> {
        let board = self.lock();
        let entry = board.entries.iter().find(|entry| entry.status.name == name)?;
        Some(entry.traffic.samples(span))
    }

    /// The configuration in force; none before the first.
    pub(crate) fn resolved(&self) -> Option<Arc<Resolved>> {
        self.lock().resolved.clone()
    }

    /// This configuration is in force.
    pub(crate) fn set_resolved(&self, resolved: Resolved) {
        self.lock().resolved = Some(Arc::new(resolved));
    }

    fn gauges(&self, name: &str) -> Option<Arc<Gauges>> {
        let board = self.lock();
        board.entries.iter().find(|entry| entry.status.name == name).map(|entry| Arc::clone(&entry.gauges))
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
    pub(crate) fn add(&self, status: TunnelStatus, gauges: Arc<Gauges>) -> Slot {
        let mut board = self.lock();
        let slot = Slot(board.next_slot);
        board.next_slot += 1;
        let entry =
            Entry { slot, status, history: History::default(), gauges, expiry: None, traffic: Traffic::default() };
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
