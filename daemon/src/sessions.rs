//! The sessions that a tunnel has, for whoever wants to see them.
//!
//! A session is on the list for as long as its [`Listed`] lives. Nothing is decided here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tunnels_api::Session;

/// Looks at a session as it is now.
pub(crate) type Look = Box<dyn Fn() -> Session + Send>;

/// The sessions of one tunnel, the oldest first.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<List>);

#[derive(Default)]
struct List {
    next: u64,
    all: BTreeMap<u64, Look>,
}

impl Sessions {
    /// Puts a session on the list.
    pub(crate) fn enter(self: &Arc<Self>, look: Look) -> Listed {
        let mut list = self.lock();
        let number = list.next;
        list.next += 1;
        list.all.insert(number, look);
        Listed { of: Arc::clone(self), number }
    }

    /// All of them, as they are now.
    pub(crate) fn look(&self) -> Vec<Session> {
        self.lock().all.values().map(|look| look()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // A map of closures: a panic elsewhere leaves none of them half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("count", &self.lock().all.len()).finish()
    }
}

/// One session's place on the list.
#[derive(Debug)]
pub(crate) struct Listed {
    of: Arc<Sessions>,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        // Outside of the lock: it may hold the last handle of the session.
        let look = self.of.lock().all.remove(&self.number);
        drop(look);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::{SessionState, Timestamp};

    #[test]
    fn sessions_are_listed_for_as_long_as_they_are_there() {
        let sessions = Arc::new(Sessions::default());
        let session = |id: &str| Session {
            id: id.to_owned(),
            target: "i-1".to_owned(),
            region: "eu-west-1".to_owned(),
            document: "d".to_owned(),
            agent_version: None,
            state: SessionState::Open,
            since: Timestamp::UNIX_EPOCH,
            connections: 0,
            rtt_ms: None,
        };
        let ids = || sessions.look().into_iter().map(|session| session.id).collect::<Vec<_>>();
        let first = sessions.enter(Box::new(move || session("first")));
        let second = sessions.enter(Box::new(move || session("second")));
        assert_eq!(ids(), ["first", "second"]);
        drop(first);
        assert_eq!(ids(), ["second"]);
        drop(second);
        assert_eq!(ids(), [""; 0]);
    }
}
