//! A tunnel's own keys over those of `[defaults]` over those that are built in.

use super::document::Entry;
use super::keys::{Keys, Local, Written};
use super::model::{KeepAlive, Probe, TunnelConfig};
use crate::aws::{AwsScope, Endpoints};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const PARK_AFTER: Duration = Duration::from_mins(15);
pub(super) const HOLD: Duration = Duration::from_secs(30);
const MAX_SESSIONS: u8 = 4;
/// What the official programs send: the only size that is certain to get through (docs/protocol.md §10.2).
const PAYLOAD: usize = 1024;
/// An agent takes up to so long to find that its own websocket is dead (docs/protocol.md §2.5).
const PATIENCE: Duration = Duration::from_mins(2);
/// Below the idle limits of common middleboxes.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(20);
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A tunnel's values, and where those that are written stand.
pub(super) type Merged = (TunnelConfig, BTreeMap<&'static str, Written>);

/// What is written, else what is inherited.
pub(super) fn inherit(keys: Keys, inherited: &Keys) -> Keys {
    let base = inherited.clone();
    let mut written = base.written;
    written.extend(keys.written);
    Keys {
        remote: keys.remote,
        local: keys.local,
        target: keys.target.or(base.target),
        profile: keys.profile.or(base.profile),
        region: keys.region.or(base.region),
        endpoints: Endpoints {
            ssm: keys.endpoints.ssm.or(base.endpoints.ssm),
            ssmmessages: keys.endpoints.ssmmessages.or(base.endpoints.ssmmessages),
            kms: keys.endpoints.kms.or(base.endpoints.kms),
            sts: keys.endpoints.sts.or(base.endpoints.sts),
        },
        groups: keys.groups.or(base.groups),
        auto: keys.auto.or(base.auto),
        on_demand: keys.on_demand.or(base.on_demand),
        park_after: keys.park_after.or(base.park_after),
        keep_alive: keys.keep_alive.or(base.keep_alive),
        hold: keys.hold.or(base.hold),
        patience: keys.patience.or(base.patience),
        ping_interval: keys.ping_interval.or(base.ping_interval),
        ping_timeout: keys.ping_timeout.or(base.ping_timeout),
        max_sessions: keys.max_sessions.or(base.max_sessions),
        payload: keys.payload.or(base.payload),
        probe: keys.probe.or(base.probe),
        document: keys.document.or(base.document),
        reason: keys.reason.or(base.reason),
        protected: keys.protected.or(base.protected),
        written,
        wrong: [keys.wrong, base.wrong].concat(),
        incomplete: keys.incomplete || base.incomplete,
    }
}

/// Fills in what is built in. `None` for one that lacks what only its user can know.
pub(super) fn complete(Entry { name, keys, .. }: Entry) -> Option<Merged> {
    let (remote, Local::At(local), targets) = (keys.remote?, keys.local?, keys.target?) else { return None };
    let ping_interval = keys.ping_interval.unwrap_or(PING_INTERVAL);
    let tunnel = TunnelConfig {
        name,
        probe: keys.probe.flatten().unwrap_or_else(|| Probe::guess(remote.port)),
        remote,
        local,
        targets,
        scope: AwsScope { profile: keys.profile, region: keys.region, endpoints: keys.endpoints },
        groups: keys.groups.unwrap_or_default(),
        auto: keys.auto.unwrap_or(true),
        on_demand: keys.on_demand.unwrap_or(false),
        park_after: keys.park_after.unwrap_or(Some(PARK_AFTER)),
        keep_alive: keys.keep_alive.unwrap_or(KeepAlive::Policy),
        hold: keys.hold.unwrap_or(HOLD),
        patience: keys.patience.unwrap_or(PATIENCE),
        ping_interval,
        // Only one that is written can be wrong, and then it was reported.
        ping_timeout: keys.ping_timeout.unwrap_or(PING_TIMEOUT).min(ping_interval),
        max_sessions: keys.max_sessions.unwrap_or(MAX_SESSIONS),
        payload: keys.payload.unwrap_or(PAYLOAD),
        document: keys.document,
        reason: keys.reason,
        protected: keys.protected.unwrap_or(false),
    };
    Some((tunnel, keys.written))
}
