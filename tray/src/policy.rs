//! Which news of tunnels become desktop notifications, and when.
//!
//! Pure: the time comes in with each call. A tunnel is told of when it needs a login, has failed, or carries again after
//! more than a minute; a login when it runs out soon. What is already so when the tray starts counts as news: somebody
//! who comes to their desk wants to know. Nobody is flooded: what comes within [`GATHER`] is told together, there is at
//! most one notification of a kind in [`PAUSE`], and a tunnel is told of in the same way once in [`QUIET`]. What is
//! over before it could be told is not told.

use crate::notice::{About, Expiry, Notice};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use tunnels_api::{TargetState, Timestamp, TunnelState, TunnelStatus};

/// Trouble seldom comes alone: one login, one VPN, one region is behind many tunnels.
const GATHER: Duration = Duration::from_secs(2);
/// Between two notifications of the same kind.
const PAUSE: Duration = Duration::from_secs(30);
/// Between two notifications of the same kind about the same tunnel.
const QUIET: Duration = Duration::from_mins(10);
/// Trouble that was shorter is not worth a word: the hourly reconnect, a short sleep, a VPN that flaps.
const WORTH_A_WORD: Duration = Duration::from_mins(1);

/// What notifications are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    NeedsLogin,
    Failed,
    Recovered,
    Expiring,
}

/// What was seen and told.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    seen: BTreeMap<String, Seen>,
    /// What is to be told of tunnels, by name.
    waiting: BTreeMap<Kind, BTreeMap<String, About>>,
    expiring: Vec<Expiry>,
    /// When each kind that waits is due.
    due: BTreeMap<Kind, Instant>,
    /// When there was a notification of a kind, and of a kind about a tunnel.
    told: BTreeMap<Kind, Instant>,
    told_of: BTreeMap<(Kind, String), Instant>,
    /// For which end of a profile's credentials people were warned.
    warned: BTreeMap<Option<String>, Timestamp>,
}

#[derive(Debug)]
struct Seen {
    state: TunnelState,
    /// Since when it does not do what is wanted of it.
    troubled_since: Option<Instant>,
}

impl Policy {
    /// Takes in all tunnels as they are.
    pub(crate) fn observe(&mut self, tunnels: &[TunnelStatus], at: Instant, now: Timestamp) {
        self.forget_all_but(tunnels, at);
        for tunnel in tunnels {
            self.observe_one(tunnel, at);
        }
        for expiry in soon(tunnels, now) {
            self.expires(expiry, at, now);
        }
    }

    /// Takes in that credentials run out soon.
    pub(crate) fn expires(&mut self, expiry: Expiry, at: Instant, now: Timestamp) {
        self.warned.retain(|_, end| *end > now);
        // What has run out already is in the tunnels' states as soon as it matters.
        if expiry.at <= now || self.warned.insert(expiry.profile.clone(), expiry.at) == Some(expiry.at) {
            return;
        }
        self.expiring.retain(|known| known.profile != expiry.profile);
        self.expiring.push(expiry);
        self.schedule(Kind::Expiring, at);
    }

    /// When there is something to tell.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// What is to be told now.
    pub(crate) fn take(&mut self, at: Instant, now: Timestamp) -> Vec<Notice> {
        let due: Vec<Kind> = self.due.iter().filter(|(_, due)| **due <= at).map(|(kind, _)| *kind).collect();
        due.into_iter().filter_map(|kind| self.take_kind(kind, at, now)).collect()
    }

    fn take_kind(&mut self, kind: Kind, at: Instant, now: Timestamp) -> Option<Notice> {
        self.due.remove(&kind);
        let about: Vec<About> = self.waiting.remove(&kind).unwrap_or_default().into_values().collect();
        let notice = match kind {
            Kind::Expiring => {
                let expiring: Vec<Expiry> = std::mem::take(&mut self.expiring);
                let left: Vec<Expiry> = expiring.into_iter().filter(|expiry| expiry.at > now).collect();
                (!left.is_empty()).then(|| Notice::expiring(&left, now))
            }
            _ if about.is_empty() => None,
            Kind::NeedsLogin => Some(Notice::needs_login(&about)),
            Kind::Failed => Some(Notice::failed(&about)),
            Kind::Recovered => Some(Notice::recovered(&about)),
        }?;
        self.told.insert(kind, at);
        self.told_of.extend(about.into_iter().map(|about| ((kind, about.tunnel), at)));
        Some(notice)
    }

    fn observe_one(&mut self, tunnel: &TunnelStatus, at: Instant) {
        let name = &tunnel.name;
        let seen = self.seen.entry(name.clone()).or_insert(Seen { state: TunnelState::Down, troubled_since: None });
        let before = std::mem::replace(&mut seen.state, tunnel.state);
        let mut lasted = Duration::ZERO;
        match Standing::of(tunnel) {
            Standing::Unwanted => seen.troubled_since = None,
            Standing::Troubled => {
                seen.troubled_since.get_or_insert(at);
            }
            Standing::Carries => lasted = seen.troubled_since.take().map_or(lasted, |since| at - since),
            Standing::OnItsWay => {}
        }
        let is_wanted = tunnel.wanted == TargetState::Up;
        for (kind, state) in [(Kind::NeedsLogin, TunnelState::NeedsLogin), (Kind::Failed, TunnelState::Failed)] {
            match tunnel.state == state && is_wanted {
                true if before != state => self.tell(kind, tunnel, lasted, at),
                true => {}
                false => self.over(kind, name),
            }
        }
        if lasted > WORTH_A_WORD {
            self.tell(Kind::Recovered, tunnel, lasted, at);
        } else if Standing::of(tunnel) != Standing::Carries {
            self.over(Kind::Recovered, name);
        }
    }

    fn tell(&mut self, kind: Kind, tunnel: &TunnelStatus, lasted: Duration, at: Instant) {
        let is_fresh = |told: &Instant| at.duration_since(*told) < QUIET;
        if self.told_of.get(&(kind, tunnel.name.clone())).is_some_and(is_fresh) {
            return;
        }
        let about = About { tunnel: tunnel.name.clone(), cause: tunnel.cause.clone(), lasted };
        self.waiting.entry(kind).or_default().insert(tunnel.name.clone(), about);
        self.schedule(kind, at);
    }

    fn schedule(&mut self, kind: Kind, at: Instant) {
        let earliest = self.told.get(&kind).map_or(at, |told| *told + PAUSE);
        self.due.entry(kind).or_insert(earliest.max(at + GATHER));
    }

    fn over(&mut self, kind: Kind, name: &str) {
        if let Some(waiting) = self.waiting.get_mut(&kind) {
            waiting.remove(name);
        }
    }

    fn forget_all_but(&mut self, tunnels: &[TunnelStatus], at: Instant) {
        let names: BTreeSet<&str> = tunnels.iter().map(|tunnel| tunnel.name.as_str()).collect();
        self.seen.retain(|name, _| names.contains(name.as_str()));
        for waiting in self.waiting.values_mut() {
            waiting.retain(|name, _| names.contains(name.as_str()));
        }
        self.told_of.retain(|_, told| at.duration_since(*told) < QUIET);
    }
}

/// What a state means for whoever waits for the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unwanted,
    Carries,
    Troubled,
    /// Not there yet: neither the beginning of a trouble nor its end.
    OnItsWay,
}

impl Standing {
    fn of(tunnel: &TunnelStatus) -> Self {
        match tunnel.state {
            _ if tunnel.wanted == TargetState::Down => Self::Unwanted,
            TunnelState::Ready | TunnelState::Listening => Self::Carries,
            TunnelState::NeedsLogin | TunnelState::Failed | TunnelState::Degraded | TunnelState::Reconnecting => {
                Self::Troubled
            }
            TunnelState::Connecting if tunnel.cause.is_some() => Self::Troubled,
            TunnelState::Connecting | TunnelState::Down | TunnelState::Unknown => Self::OnItsWay,
        }
    }
}

/// The credentials that run out soon, as the tunnels have it: the daemon's own warning may have been before our time.
fn soon(tunnels: &[TunnelStatus], now: Timestamp) -> Vec<Expiry> {
    let mut soon: Vec<Expiry> = Vec::new();
    for tunnel in tunnels {
        let Some(at) = tunnel.credentials_expire_soon(now) else { continue };
        match soon.iter_mut().find(|expiry| expiry.profile == tunnel.profile) {
            Some(expiry) => expiry.tunnels.push(tunnel.name.clone()),
            None => soon.push(Expiry {
                profile: tunnel.profile.clone(),
                at,
                renew: tunnel.credentials_renew.clone(),
                tunnels: vec![tunnel.name.clone()],
            }),
        }
    }
    soon
}

#[cfg(test)]
mod tests;
