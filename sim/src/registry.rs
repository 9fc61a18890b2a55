//! The table of sessions: id to [`Session`], in the order of their start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::session::{Session, SessionState};

/// Ended sessions that are still shown; the oldest beyond are forgotten.
const HISTORY: usize = 1000;

/// All sessions of a simulator.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<String, Arc<Session>>,
    order: Vec<String>,
}

impl Registry {
    pub(crate) fn insert(&self, session: Arc<Session>) {
        let mut table = self.lock();
        table.order.push(session.id.clone());
        table.by_id.insert(session.id.clone(), session);
        table.forget_oldest();
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.lock().by_id.get(id).cloned()
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        let table = self.lock();
        table.order.iter().filter_map(|id| table.by_id.get(id).cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget_oldest(&mut self) {
        let ended = |table: &Self, id: &String| {
            table.by_id.get(id).is_none_or(|session| session.state() == SessionState::Terminated)
        };
        let ended_count = self.order.iter().filter(|id| ended(self, id)).count();
        if ended_count <= HISTORY {
            return;
        }
        if let Some(index) = self.order.iter().position(|id| ended(self, id)) {
            let id = self.order.remove(index);
            self.by_id.remove(&id);
        }
    }
}
