//! A tunnel's connections, counted: how many there are, and what became of them since its last change of state.
//!
//! Connections report through a [`Ticket`] that each holds for as long as it lives; the tunnel's publisher
//! closes the account with every change. It knows no states and no tunnels.

use crate::clock;
use crate::meter::Meter;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tunnels_api::{Timestamp, Toll};

/// Connections and the tunnel learn of a session's end in any order. What was lost so shortly before a change
/// that leaves no session was lost with it.
const SAME_MOMENT: Duration = Duration::from_secs(1);

/// The account of one tunnel.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    /// The open ones, in the order in which they came.
    open: BTreeMap<u64, Entry>,
    next: u64,
    /// Counts the changes of the tunnel; a connection knows its own from its ticket.
    period: u64,
    /// Of the open ones, those that were there when the period began.
    older: u32,
    lost: u32,
    turned_away: u32,
    /// Of the lost ones, those of the last moment.
    just_lost: Option<(Instant, u32)>,
}

#[derive(Debug)]
struct Entry {
    since: Timestamp,
    peer: Peer,
    is_carried: bool,
    meter: Arc<Meter>,
}

/// Who is at the other end of a local connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The application's address and ours.
    Tcp { theirs: SocketAddr, ours: SocketAddr },
    /// The application's process, where the system tells.
    Unix { pid: Option<u32> },
    /// Nobody can tell.
    #[default]
    Unknown,
}

/// An open connection as it is now.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) id: u64,
    pub(crate) since: Timestamp,
    pub(crate) peer: Peer,
    /// It has a stream.
    pub(crate) is_carried: bool,
    pub(crate) meter: Arc<Meter>,
}

/// What becomes of the losses of the last moment when an account is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastLosses {
    /// They stay where they were counted.
    Stay,
    /// They belong to what begins now.
    MoveOn,
}

impl Connections {
    /// Counts a connection for as long as the ticket lives.
    pub(crate) fn enter(self: &Arc<Self>, peer: Peer) -> Ticket {
        let mut account = self.account();
        let id = account.next;
        account.next += 1;
        let meter = Arc::new(Meter::default());
        let entry = Entry { since: clock::timestamp(), peer, is_carried: false, meter: Arc::clone(&meter) };
        account.open.insert(id, entry);
        Ticket { id, period: account.period, fate: Fate::TurnedAway, meter, of: Arc::clone(self) }
    }

    /// How many there are.
    pub(crate) fn open(&self) -> u32 {
        self.account().open_count()
    }

    /// The oldest of them, at most so many.
    pub(crate) fn list(&self, most: usize) -> Vec<Open> {
        let account = self.account();
        let open = account.open.iter().take(most).map(|(&id, entry)| Open {
            id,
            since: entry.since,
            peer: entry.peer,
            is_carried: entry.is_carried,
            meter: Arc::clone(&entry.meter),
        });
        open.collect()
    }

    /// Computes the rates of each; called about once a second.
    pub(crate) fn sample(&self, now: Instant) {
        for entry in self.account().open.values() {
            entry.meter.sample(now);
        }
    }

    /// What became of them since the last [`Self::close_account`].
    pub(crate) fn toll(&self) -> Toll {
        self.account().toll()
    }

    /// Ends a period and begins the next; returns what became of connections in the one that ends.
    pub(crate) fn close_account(&self, losses: LastLosses, now: Instant) -> Toll {
        let mut account = self.account();
        let moved = match account.just_lost.take() {
            Some((at, count)) if losses == LastLosses::MoveOn && is_same_moment(at, now) => count,
            _ => 0,
        };
        let toll = account.toll();
        account.period += 1;
        account.older = account.open_count();
        account.lost = moved;
        account.turned_away = 0;
        Toll { lost: toll.lost - moved, ..toll }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        // Plain numbers: a panic elsewhere leaves none of them half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn open_count(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    fn toll(&self) -> Toll {
        Toll { lived: self.older, lost: self.lost, turned_away: self.turned_away }
    }

    fn lose(&mut self, now: Instant) {
        self.lost += 1;
        let before = self.just_lost.filter(|(at, _)| is_same_moment(*at, now)).map_or(0, |(_, count)| count);
        self.just_lost = Some((now, before + 1));
    }
}

fn is_same_moment(earlier: Instant, now: Instant) -> bool {
    now.saturating_duration_since(earlier) <= SAME_MOMENT
}

/// One connection in the account, from its being accepted to its end.
#[derive(Debug)]
pub(crate) struct Ticket {
    of: Arc<Connections>,
    id: u64,
    period: u64,
    meter: Arc<Meter>,
    /// What has become of it if it ends now.
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    TurnedAway,
    Lost,
    Over,
}

impl Ticket {
    /// It has a stream: from now on its end is a loss unless it is told to be over.
    pub(crate) fn carried(&mut self) {
        self.fate = Fate::Lost;
        if let Some(entry) = self.of.account().open.get_mut(&self.id) {
            entry.is_carried = true;
        }
    }

    /// Where its bytes are counted.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The remote refused it.
    pub(crate) fn turned_away(&mut self) {
        self.fate = Fate::TurnedAway;
    }

    /// It ended as connections do: one of its ends closed it.
    pub(crate) fn over(&mut self) {
        self.fate = Fate::Over;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut account = self.of.account();
        account.open.remove(&self.id);
        if self.period < account.period {
            account.older -= 1;
        }
        match self.fate {
            Fate::TurnedAway => account.turned_away += 1,
            Fate::Lost => account.lose(clock::now()),
            Fate::Over => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toll(lived: u32, lost: u32, turned_away: u32) -> Toll {
        Toll { lived, lost, turned_away }
    }

    #[test]
    fn who_was_there_before_and_is_there_after_has_lived() {
        let connections = Arc::new(Connections::default());
        let mut stays = connections.enter(Peer::default());
        stays.carried();
        let mut leaves = connections.enter(Peer::default());
        leaves.carried();
        let now = Instant::now();
        assert_eq!(connections.close_account(LastLosses::Stay, now), toll(0, 0, 0));
        assert_eq!(connections.toll(), toll(2, 0, 0));
        // One that comes and goes meanwhile changes nothing, nor does one that stays but came later.
        let late = connections.enter(Peer::default());
        connections.enter(Peer::default()).over();
        leaves.over();
        drop(leaves);
        assert_eq!(connections.close_account(LastLosses::Stay, now), toll(1, 0, 0));
        assert_eq!((connections.open(), connections.toll()), (2, toll(2, 0, 0)));
        drop((stays, late));
        assert_eq!((connections.open(), connections.toll()), (0, toll(0, 1, 1)));
    }

    #[test]
    fn what_is_lost_a_moment_before_a_change_is_lost_with_it_once() {
        let connections = Arc::new(Connections::default());
        let lose = || connections.enter(Peer::default()).carried();
        lose();
        let now = Instant::now();
        assert_eq!(connections.close_account(LastLosses::MoveOn, now + SAME_MOMENT * 2), toll(0, 1, 0), "long ago");
        lose();
        lose();
        let now = Instant::now();
        assert_eq!(connections.close_account(LastLosses::MoveOn, now), toll(0, 0, 0));
        assert_eq!(connections.toll(), toll(0, 2, 0));
        assert_eq!(connections.close_account(LastLosses::MoveOn, now), toll(0, 2, 0));
        lose();
        assert_eq!(connections.close_account(LastLosses::Stay, Instant::now()), toll(0, 1, 0));
        assert_eq!(connections.toll(), toll(0, 0, 0));
    }

    #[test]
    fn a_refused_connection_is_turned_away() {
        let connections = Arc::new(Connections::default());
        let mut refused = connections.enter(Peer::default());
        refused.carried();
        refused.turned_away();
        drop(refused);
        assert_eq!(connections.toll(), toll(0, 0, 1));
    }

    #[test]
    fn open_connections_are_listed_with_what_went_through_each() {
        let connections = Arc::new(Connections::default());
        let peer = Peer::Unix { pid: Some(7) };
        let held = connections.enter(Peer::default());
        let mut carried = connections.enter(peer);
        carried.carried();
        carried.meter().add_in(12);
        let list = connections.list(10);
        let seen: Vec<_> = list.iter().map(|open| (open.peer, open.is_carried, open.meter.read().bytes_in)).collect();
        assert_eq!(seen, [(Peer::Unknown, false, 0), (peer, true, 12)]);
        assert!(list[0].id < list[1].id);
        assert_eq!(connections.list(1).len(), 1);
        drop(held);
        assert_eq!(connections.list(10).len(), 1);
    }
}
