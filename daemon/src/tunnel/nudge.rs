//! News that concern many tunnels at once: somebody has logged in, the network is another, an endpoint answers again.
//!
//! Who notices sends; each tunnel decides for itself what it means and when it acts, so that a hundred of them do
//! not march in step. Nothing waits for anybody: a tunnel that could not keep up is told that it missed some.

use crate::aws::AwsScope;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// More news than come together, unless a machine sleeps and wakes all the time.
const KEPT: usize = 16;

/// Something has changed that may help tunnels that wait, or hurt those that carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nudge {
    /// The files that hold credentials have changed: calls may work again.
    Login,
    /// Addresses or routes of this machine have changed: data channels may be dead, and calls may work.
    Network,
    /// The machine has slept: as [`Self::Network`].
    Woke,
    /// An endpoint that could not be reached has answered.
    Reached(Endpoint),
}

impl Nudge {
    /// Each of the tunnels that it helps tries within so long: after an outage of an endpoint all of them want to
    /// use it.
    pub(super) fn spread(&self) -> Duration {
        match self {
            Self::Login | Self::Network | Self::Woke => Duration::from_millis(500),
            Self::Reached(_) => Duration::from_secs(2),
        }
    }

    /// Whether it is any news for who calls by this scope.
    pub(super) fn concerns(&self, scope: &AwsScope) -> bool {
        !matches!(self, Self::Reached(endpoint) if *endpoint != Endpoint::of(scope))
    }
}

/// What tunnels reach together, whoever's credentials they use: region and addresses of the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint(AwsScope);

impl Endpoint {
    pub(crate) fn of(scope: &AwsScope) -> Self {
        // Without a region of the tunnel's own it is the profile that says which.
        let profile = scope.profile.clone().filter(|_| scope.region.is_none());
        Self(AwsScope { profile, ..scope.clone() })
    }
}

/// The way to all tunnels; a cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Nudges {
    news: broadcast::Sender<Nudge>,
    /// Endpoints that somebody could not reach since they last answered.
    unreachable: Arc<Mutex<HashSet<Endpoint>>>,
}

impl Nudges {
    pub(crate) fn new() -> Self {
        Self { news: broadcast::Sender::new(KEPT), unreachable: Arc::default() }
    }

    /// Tells all tunnels.
    pub(crate) fn send(&self, nudge: Nudge) {
        tracing::debug!(?nudge, "told to all tunnels");
        // An error is a daemon without tunnels.
        let _ = self.news.send(nudge);
    }

    pub(crate) fn subscribe(&self) -> Nudged {
        Nudged(self.news.subscribe())
    }

    /// A call could not be made.
    pub(crate) fn not_reached(&self, endpoint: &Endpoint) {
        self.lock().insert(endpoint.clone());
    }

    /// A call was answered. Only the first one after an outage is told to the others.
    pub(crate) fn reached(&self, endpoint: &Endpoint) {
        if self.lock().remove(endpoint) {
            self.send(Nudge::Reached(endpoint.clone()));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Endpoint>> {
        self.unreachable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One tunnel's ear.
#[derive(Debug)]
pub(crate) struct Nudged(broadcast::Receiver<Nudge>);

impl Nudged {
    /// The next news; never ready once nobody can send any more. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Nudge {
        match self.0.recv().await {
            Ok(nudge) => nudge,
            // Whatever was missed: looking at everything covers it.
            Err(RecvError::Lagged(_)) => Nudge::Network,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn only_the_first_answer_after_an_outage_is_told() {
        let nudges = Nudges::new();
        let mut ear = nudges.subscribe();
        let [here, there] = ["here", "there"]
            .map(|region| Endpoint::of(&AwsScope { region: Some(region.into()), ..AwsScope::default() }));
        nudges.reached(&here);
        assert!(ear.next().now_or_never().is_none(), "there was no outage");
        nudges.not_reached(&here);
        nudges.not_reached(&here);
        nudges.reached(&there);
        nudges.reached(&here);
        nudges.reached(&here);
        assert_eq!(ear.next().now_or_never(), Some(Nudge::Reached(here)));
        assert!(ear.next().now_or_never().is_none());
    }

    #[test]
    fn profiles_share_the_endpoint_of_a_region() {
        let scope = |profile: &str, region: Option<&str>| {
            let (profile, region) = (Some(profile.to_owned()), region.map(str::to_owned));
            Endpoint::of(&AwsScope { profile, region, ..AwsScope::default() })
        };
        assert_eq!(scope("a", Some("eu-west-1")), scope("b", Some("eu-west-1")));
        assert_ne!(scope("a", Some("eu-west-1")), scope("a", Some("eu-west-2")));
        assert_ne!(scope("a", None), scope("b", None), "each may name another region");
    }

    #[tokio::test]
    async fn who_could_not_keep_up_looks_at_everything() {
        let nudges = Nudges::new();
        let mut ear = nudges.subscribe();
        for _ in 0..=KEPT {
            nudges.send(Nudge::Login);
        }
        assert_eq!(ear.next().now_or_never(), Some(Nudge::Network));
        assert_eq!(ear.next().now_or_never(), Some(Nudge::Login));
    }
}
