//! Watches when the credentials of the tunnels that are wanted run out, shows it on the board, and warns before.
//!
//! Only those are meant that somebody has to renew: by a login, by a code. It changes no tunnel's state: what is open
//! goes on, and what needs a call then says so itself.

use crate::aws::{AwsConnector, Expiry};
use crate::clock;
use crate::status::{Expiries, KnownExpiry, StatusBoard};
use crate::tunnel::{Nudge, Nudges};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval, timeout};
use tunnels_api::{DaemonEvent, Timestamp};

/// Whether other tunnels are wanted is seen so often.
const TICK: Duration = Duration::from_secs(1);
/// The files are read so often where nothing tells of a change.
const LOOK: Duration = Duration::from_secs(30);
/// For one profile: a program that renews its credentials may be slow.
const ONE: Duration = Duration::from_secs(30);
/// So long before people are warned, and events sent. As the views have it (`TunnelStatus::credentials_expire_soon`).
const WARNING: Duration = Duration::from_mins(30);

/// Watches until it is dropped.
pub(crate) async fn keep_watched(aws: Arc<dyn AwsConnector>, board: StatusBoard, nudges: Nudges) {
    let mut nudged = nudges.subscribe();
    let mut tick = interval(TICK);
    let mut warned = Warned::default();
    let mut looked: Option<(Instant, BTreeSet<Option<String>>)> = None;
    loop {
        tokio::select! {
            // Cancel-safe, both.
            _ = tick.tick() => {}
            nudge = nudged.next() => if nudge == Nudge::Login { looked = None },
        }
        let in_use = board.profiles_in_use();
        let is_known = |(at, profiles): &(Instant, BTreeSet<Option<String>>)| {
            at.elapsed() < LOOK && profiles.iter().eq(in_use.keys())
        };
        if looked.as_ref().is_some_and(is_known) {
            continue;
        }
        let known = find(aws.as_ref(), in_use.keys()).await;
        board.expiries_found(&known);
        for event in warned.news(&known, &in_use, clock::timestamp()) {
            tell(&event);
            board.announce(event);
        }
        looked = Some((Instant::now(), in_use.into_keys().collect()));
    }
}

async fn find(aws: &dyn AwsConnector, profiles: impl Iterator<Item = &Option<String>>) -> Expiries {
    let mut known = Expiries::new();
    for profile in profiles {
        let found = timeout(ONE, aws.expiry(profile.as_deref())).await.ok().flatten();
        if let Some(Expiry { at, renew }) = found
            && let Ok(at) = Timestamp::try_from(at)
        {
            known.insert(profile.clone(), KnownExpiry { at, renew });
        }
    }
    known
}

/// What people were warned of, once for each time at which something runs out.
#[derive(Debug, Default)]
struct Warned(BTreeMap<Option<String>, Timestamp>);

impl Warned {
    fn news(
        &mut self,
        known: &Expiries,
        in_use: &BTreeMap<Option<String>, Vec<String>>,
        now: Timestamp,
    ) -> Vec<DaemonEvent> {
        self.0.retain(|profile, _| known.contains_key(profile));
        let mut news = Vec::new();
        for (profile, KnownExpiry { at, renew }) in known {
            // What has run out already is in the tunnels' states as soon as it matters.
            let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            if left.is_zero() || left > WARNING || self.0.insert(profile.clone(), *at) == Some(*at) {
                continue;
            }
            let tunnels = in_use.get(profile).cloned().unwrap_or_default();
            news.push(DaemonEvent::CredentialsExpire {
                profile: profile.clone(),
                at: *at,
                renew: renew.clone(),
                tunnels,
            });
        }
        news
    }
}

/// The same for the log.
fn tell(event: &DaemonEvent) {
    let DaemonEvent::CredentialsExpire { profile, at, renew, .. } = event else { return };
    let whose = profile
        .as_ref()
        .map_or_else(|| "the AWS credentials".to_owned(), |name| format!("the credentials of profile `{name}`"));
    let next = renew.as_ref().map_or_else(String::new, |command| format!("; `{command}` renews them"));
    tracing::warn!("{whose} run out at {at:.0}{next}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    #[test]
    fn each_end_is_warned_of_once_and_before_it() {
        let profile = || Some("dev".to_owned());
        let in_use: BTreeMap<_, _> = [(profile(), vec!["a".to_owned(), "b".to_owned()])].into();
        let known =
            |minutes| Expiries::from([(profile(), KnownExpiry { at: at(minutes), renew: Some("log in".into()) })]);
        let mut warned = Warned::default();
        let mut count = |end, now| warned.news(&known(end), &in_use, at(now)).len();
        assert_eq!(count(100, 0), 0, "far away");
        assert_eq!(count(100, 70), 1);
        assert_eq!(count(100, 80), 0, "told");
        assert_eq!(count(100, 101), 0, "over");
        assert_eq!(count(500, 102), 0, "renewed");
        assert_eq!(count(500, 480), 1, "another end");
        assert!(warned.news(&Expiries::new(), &in_use, at(481)).is_empty());
        let news = warned.news(&known(500), &in_use, at(482));
        let [DaemonEvent::CredentialsExpire { profile: whose, renew, tunnels, .. }] = &news[..] else {
            panic!("{news:?}");
        };
        assert_eq!((whose, renew.as_deref(), tunnels.len()), (&profile(), Some("log in"), 2));
    }
}
