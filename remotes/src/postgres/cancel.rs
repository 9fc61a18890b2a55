//! Requests to cancel a query: they come over a connection of their own, with the key of the other one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Of each connection its number, its secret, and what ends its query.
#[derive(Debug, Default)]
pub(super) struct Cancels {
    connections: Mutex<HashMap<i32, (i32, CancellationToken)>>,
}

impl Cancels {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, (i32, CancellationToken)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection in, under a number that no other has.
    pub(super) fn register(self: &Arc<Self>) -> Registered {
        let mut connections = self.lock();
        let free = |pid: &i32| !connections.contains_key(pid);
        // As large as process ids are: clients show it.
        let pid = std::iter::repeat_with(|| fastrand::i32(1000..4_000_000)).find(free).unwrap_or(0);
        let secret = fastrand::i32(..);
        connections.insert(pid, (secret, CancellationToken::new()));
        drop(connections);
        Registered { cancels: Arc::clone(self), pid, secret }
    }

    /// Ends the query of the connection that has this key; a wrong one does nothing, and nobody is told.
    pub(super) fn cancel(&self, pid: i32, secret: i32) {
        if let Some((known, query)) = self.lock().get(&pid)
            && *known == secret
        {
            query.cancel();
        }
    }
}

/// A connection that can be asked to cancel; until it is dropped.
#[derive(Debug)]
pub(super) struct Registered {
    cancels: Arc<Cancels>,
    pub(super) pid: i32,
    pub(super) secret: i32,
}

impl Registered {
    /// What ends the query that begins now: earlier requests do not count.
    pub(super) fn query(&self) -> CancellationToken {
        let query = CancellationToken::new();
        self.cancels.lock().insert(self.pid, (self.secret, query.clone()));
        query
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.cancels.lock().remove(&self.pid);
    }
}
