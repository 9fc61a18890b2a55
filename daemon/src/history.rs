//! The last changes of one tunnel, each with its cause. Pure.
//!
//! The tunnel's publisher writes it, `tunnels why` reads it. In memory only: a daemon that starts anew has
//! seen nothing yet.

use std::collections::VecDeque;
use tunnels_api::{Cause, CauseKind, StateChange, Timestamp, Toll, TunnelState};

/// So many changes are kept: a bad day of one tunnel. Some 300 bytes each.
const KEPT: usize = 100;

/// A tunnel got from one state into another, or stays for another reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: Timestamp,
    pub(crate) from: TunnelState,
    pub(crate) to: TunnelState,
    pub(crate) cause: Cause,
    /// What became of connections between the change before and this one.
    pub(crate) before: Toll,
}

impl Change {
    /// What changes with these two, if anything; what stood in the way and does not any more is no change yet.
    pub(crate) fn between(
        (from, old_cause): (TunnelState, Option<&Cause>),
        (to, cause): (TunnelState, Option<&Cause>),
        at: Timestamp,
    ) -> Option<Self> {
        let cause = if from == to {
            cause.filter(|&cause| Some(cause) != old_cause)?.clone()
        } else {
            // The cause of a failure is kept while it is tried again, and is not why it is.
            cause
                .filter(|&cause| from != TunnelState::Failed || Some(cause) != old_cause)
                .map_or_else(|| plain(from, to), Cause::clone)
        };
        Some(Self { at, from, to, cause, before: Toll::default() })
    }

    /// Whether it leaves connections without the session that carried them.
    pub(crate) fn costs_connections(&self) -> bool {
        use TunnelState::{Connecting, Degraded, Down, Failed, Listening, NeedsLogin, Ready, Reconnecting};
        matches!(self.from, Ready | Degraded | Reconnecting | NeedsLogin)
            && matches!(self.to, Connecting | Listening | Failed | Down)
    }
}

/// Why a tunnel gets from one state into another where nothing is wrong.
fn plain(from: TunnelState, to: TunnelState) -> Cause {
    use TunnelState::{Connecting, Degraded, Down, Failed, Listening, NeedsLogin, Ready, Reconnecting};
    let (kind, text) = match (from, to) {
        (_, Down) => (CauseKind::User, "taken down"),
        (Down, _) => (CauseKind::User, "brought up"),
        (Failed, Connecting) => (CauseKind::User, "tried again"),
        (NeedsLogin, _) => (CauseKind::Recovered, "there are credentials again"),
        // Its own again, or one that has taken its place.
        (Reconnecting, _) => (CauseKind::Recovered, "a session carries again"),
        (Connecting | Degraded, Ready) => (CauseKind::Recovered, "the remote answers"),
        (Listening, Connecting) => (CauseKind::Connection, "a connection needs a session"),
        (_, Listening) => (CauseKind::Config, "the next connection opens a session"),
        _ => (CauseKind::Recovered, "what stood in the way is gone"),
    };
    Cause::new(kind, text)
}

/// The changes of one tunnel.
#[derive(Debug, Default)]
pub(crate) struct History {
    changes: VecDeque<Change>,
    forgotten: u64,
}

impl History {
    /// Adds what has happened now, and forgets the oldest that there is no room for.
    pub(crate) fn add(&mut self, change: Change) {
        if self.changes.len() == KEPT {
            self.changes.pop_front();
            self.forgotten += 1;
        }
        self.changes.push_back(change);
    }

    /// All of it; `now` is what became of connections since the last change.
    pub(crate) fn report(&self, tunnel: &str, now: Toll) -> tunnels_api::History {
        let next = self.changes.iter().skip(1).map(Some).chain([None]);
        let changes = self.changes.iter().zip(next).map(|(change, next)| StateChange {
            at: change.at,
            from: change.from,
            to: change.to,
            cause: change.cause.clone(),
            lasted_ms: next.map(|next| milliseconds(change.at, next.at)),
            connections: next.map_or(now, |next| next.before),
        });
        tunnels_api::History { tunnel: tunnel.to_owned(), forgotten: self.forgotten, changes: changes.collect() }
    }
}

/// From one to the other; none if the clock was set back between them.
fn milliseconds(from: Timestamp, to: Timestamp) -> u64 {
    to.duration_since(from).as_millis().try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TunnelState::{Connecting, Degraded, Down, Failed, Listening, NeedsLogin, Ready, Reconnecting};

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn cause(text: &str) -> Cause {
        Cause::new(CauseKind::Network, text)
    }

    fn change(from: TunnelState, to: TunnelState, now: i64) -> Change {
        Change::between((from, None), (to, None), at(now)).unwrap()
    }

    #[test]
    fn every_change_has_a_cause() {
        let states = TunnelState::ALL;
        for (from, to) in states.iter().flat_map(|from| states.iter().map(move |to| (*from, *to))) {
            let given = cause("no network");
            let told = Change::between((from, None), (to, Some(&given)), at(0)).unwrap();
            assert_eq!(told.cause, given, "{from} → {to}");
            let plain = Change::between((from, Some(&given)), (to, None), at(0));
            assert_eq!(plain.is_some(), from != to, "{from} → {to}");
            assert!(plain.is_none_or(|plain| plain.cause != given && !plain.cause.text.is_empty()));
        }
        for (from, to, kind, text) in [
            (Down, Connecting, CauseKind::User, "brought up"),
            (Failed, Down, CauseKind::User, "taken down"),
            (Connecting, Ready, CauseKind::Recovered, "the remote answers"),
            (Reconnecting, Ready, CauseKind::Recovered, "a session carries again"),
            (NeedsLogin, Connecting, CauseKind::Recovered, "there are credentials again"),
            (Listening, Connecting, CauseKind::Connection, "a connection needs a session"),
        ] {
            assert_eq!(change(from, to, 0).cause, Cause::new(kind, text));
        }
    }

    #[test]
    fn a_retry_is_no_change_and_no_cause_of_one() {
        let known = cause("offline");
        let still = Some(&known);
        assert_eq!(Change::between((Connecting, still), (Connecting, still), at(0)), None);
        assert_eq!(Change::between((Connecting, still), (Connecting, None), at(0)), None);
        let again = Change::between((Failed, still), (Connecting, still), at(0)).unwrap();
        assert_eq!(again.cause.kind, CauseKind::User);
        let other = cause("no network");
        let news = Change::between((Connecting, still), (Connecting, Some(&other)), at(0)).unwrap();
        assert_eq!(news.cause, other);
    }

    #[test]
    fn the_last_hundred_are_kept_and_the_others_counted() {
        let mut history = History::default();
        assert_eq!(history.report("a", Toll::default()).changes, []);
        for number in 0..250_i64 {
            let (from, to) = if number % 2 == 0 { (Ready, Degraded) } else { (Degraded, Ready) };
            let before = Toll { lived: u32::try_from(number).unwrap(), ..Toll::default() };
            history.add(Change { before, ..change(from, to, number * 10) });
        }
        let now = Toll { lost: 7, ..Toll::default() };
        let report = history.report("a", now);
        assert_eq!((report.tunnel.as_str(), report.forgotten, report.changes.len()), ("a", 150, 100));
        assert_eq!((report.changes[0].at, report.changes[0].lasted_ms), (at(1500), Some(10)));
        assert_eq!(report.changes[0].connections.lived, 151, "counted up to the next change");
        let last = report.changes.last().unwrap();
        assert_eq!((last.at, last.lasted_ms, last.connections), (at(2490), None, now));
    }

    #[test]
    fn a_clock_that_was_set_back_is_no_time_at_all() {
        let mut history = History::default();
        history.add(change(Down, Connecting, 5_000));
        history.add(change(Connecting, Ready, 1_000));
        assert_eq!(history.report("a", Toll::default()).changes[0].lasted_ms, Some(0));
    }

    #[test]
    fn connections_are_lost_where_their_session_is() {
        assert!(change(Ready, Connecting, 0).costs_connections());
        assert!(change(Ready, Down, 0).costs_connections());
        assert!(!change(Ready, Reconnecting, 0).costs_connections());
        assert!(!change(Connecting, Ready, 0).costs_connections());
    }
}
