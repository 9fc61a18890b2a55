//! Whose turn it is to bind a local address.
//!
//! At a restart, or when an edit moves a port from one tunnel to another, the last holder of an address is
//! ourselves: whoever comes next waits until the sockets are closed, instead of finding them in use. It knows
//! nothing of other programs.

use crate::config::LocalAddr;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// The right to bind an address, held until its sockets are closed.
pub(super) type Turn = OwnedMutexGuard<()>;

type Place = tokio::sync::Mutex<()>;

/// All addresses of a daemon that are bound or about to be; a cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<LocalAddr, Weak<Place>>>>);

impl Turns {
    /// Waits for the turn of `address`. Cancel-safe: a future that is dropped gives its place up.
    pub(super) async fn wait(&self, address: &LocalAddr) -> Turn {
        // No two tunnels of a configuration clash, so whoever holds one of these is on the way out.
        for overlapping in self.overlapping(address) {
            drop(overlapping.lock_owned().await);
        }
        self.place(address).lock_owned().await
    }

    /// The places of other addresses that cannot be bound together with this one, as `0.0.0.0:1` and `127.0.0.1:1`.
    fn overlapping(&self, address: &LocalAddr) -> Vec<Arc<Place>> {
        let places = self.lock();
        let others = places.iter().filter(|(other, _)| *other != address && other.clashes(address));
        others.filter_map(|(_, place)| place.upgrade()).collect()
    }

    fn place(&self, address: &LocalAddr) -> Arc<Place> {
        let mut places = self.lock();
        // Addresses that nobody holds or waits for are forgotten: edits would pile them up.
        places.retain(|_, place| place.strong_count() > 0);
        if let Some(place) = places.get(address).and_then(Weak::upgrade) {
            return place;
        }
        let place = Arc::default();
        places.insert(address.clone(), Arc::downgrade(&place));
        place
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LocalAddr, Weak<Place>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn one_at_a_time_for_each_address_and_none_is_kept() {
        let turns = Turns::default();
        let (a, b) = (LocalAddr::Loopback(1), LocalAddr::Loopback(2));
        let first = turns.wait(&a).await;
        assert!(turns.wait(&a).now_or_never().is_none());
        let _other = turns.wait(&b).await;
        drop(first);
        drop(turns.wait(&a).now_or_never().expect("the first is gone"));
        drop(turns.place(&b));
        assert_eq!(turns.lock().len(), 1);
    }

    #[tokio::test]
    async fn an_address_waits_for_those_that_overlap_with_it() {
        let turns = Turns::default();
        let everywhere = turns.wait(&LocalAddr::Ip("0.0.0.0:1".parse().unwrap())).await;
        let _elsewhere = turns.wait(&LocalAddr::Ip("0.0.0.0:2".parse().unwrap())).await;
        assert!(turns.wait(&LocalAddr::Loopback(1)).now_or_never().is_none());
        drop(everywhere);
        assert!(turns.wait(&LocalAddr::Loopback(1)).now_or_never().is_some());
    }
}
