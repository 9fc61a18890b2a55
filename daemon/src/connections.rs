//! A tunnel's connections, counted: how many there are, and what became of them since its last change of state.
//!
//! Connections report through a [`Ticket`] that each holds for as long as it lives; the tunnel's publisher
//! closes the account with every change. It knows no states and no tunnels.

use crate::clock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tunnels_api::Toll;

/// Connections and the tunnel learn of a session's end in any order. What was lost so shortly before a change
/// that leaves no session was lost with it.
const SAME_MOMENT: Duration = Duration::from_secs(1);

/// The account of one tunnel.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    open: u32,
    /// Counts the changes of the tunnel; a connection knows its own from its ticket.
    period: u64,
    /// Of the open ones, those that were there when the period began.
    older: u32,
    lost: u32,
    turned_away: u32,
    /// Of the lost ones, those of the last moment.
    just_lost: Option<(Instant, u32)>,
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
    pub(crate) fn enter(self: &Arc<Self>) -> Ticket {
        let mut account = self.account();
        account.open += 1;
        Ticket { period: account.period, fate: Fate::TurnedAway, of: Arc::clone(self) }
    }

    /// How many there are.
    pub(crate) fn open(&self) -> u32 {
        self.account().open
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
        account.older = account.open;
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
    period: u64,
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
        account.open -= 1;
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
        let mut stays = connections.enter();
        stays.carried();
        let mut leaves = connections.enter();
        leaves.carried();
        let now = Instant::now();
        assert_eq!(connections.close_account(LastLosses::Stay, now), toll(0, 0, 0));
        assert_eq!(connections.toll(), toll(2, 0, 0));
        // One that comes and goes meanwhile changes nothing, nor does one that stays but came later.
        let late = connections.enter();
        connections.enter().over();
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
        let lose = || connections.enter().carried();
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
        let mut refused = connections.enter();
        refused.carried();
        refused.turned_away();
        drop(refused);
        assert_eq!(connections.toll(), toll(0, 0, 1));
    }
}
