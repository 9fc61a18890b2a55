//! A tunnel's entry on the status board: written when something changed that a user would notice.

use super::lifecycle::Lifecycle;
use super::state_log::{StateLine, StateLog};
use crate::clock;
use crate::config::TunnelConfig;
use crate::connections::LastLosses;
use crate::history::Change;
use crate::status::{Gauges, Slot, StatusBoard};
use std::sync::Arc;
use std::time::Instant;
use tunnels_api::{Cause, TargetState, Timestamp, TunnelState, TunnelStatus};

/// The only writer of the entry.
#[derive(Debug)]
pub(super) struct Publisher {
    board: StatusBoard,
    slot: Slot,
    gauges: Arc<Gauges>,
    /// What the configuration says; the candidates stand for the target while no session has one.
    configured: TunnelStatus,
    shown: TunnelStatus,
    /// When the next try that is shown is due.
    retry_at: Option<Instant>,
    /// Until when payloads are small, against the configuration; the date is for people.
    small_payloads: Option<(Instant, Timestamp)>,
    log: StateLog,
}

impl Publisher {
    /// Puts the tunnel on the board, down; `wanted` is what was remembered of it.
    pub(super) fn new(config: &TunnelConfig, board: StatusBoard, gauges: Arc<Gauges>, wanted: TargetState) -> Self {
        let configured = configured(config);
        let shown = TunnelStatus { wanted, ..configured.clone() };
        let slot = board.add(shown.clone(), Arc::clone(&gauges));
        Self { board, slot, gauges, configured, shown, retry_at: None, small_payloads: None, log: StateLog::new() }
    }

    /// The configuration has changed, which shows from the next [`Self::show`] on.
    pub(super) fn reconfigure(&mut self, config: &TunnelConfig) {
        self.configured = configured(config);
    }

    /// Takes until when payloads are small, which shows from the next [`Self::show`] on. Whether that is news.
    pub(super) fn small_payloads_until(&mut self, until: Option<Instant>) -> bool {
        if until == self.small_payloads.map(|(at, _)| at) {
            return false;
        }
        self.small_payloads = until.map(|at| (at, clock::timestamp_of(at, clock::now())));
        true
    }

    /// Shows where the tunnel stands; `carrier` is the target and region of its session.
    /// `kept` counts the sessions that only stay for their connections, and those of them that are being resumed.
    pub(super) fn show(
        &mut self,
        lifecycle: &Lifecycle,
        wanted: TargetState,
        carrier: Option<(&str, &str)>,
        kept: (u32, u32),
    ) {
        let (sessions, sessions_resuming) = lifecycle.sessions();
        let mut next = TunnelStatus {
            state: lifecycle.state(),
            wanted,
            cause: lifecycle.cause().cloned(),
            sessions: sessions + kept.0,
            sessions_resuming: sessions_resuming + kept.1,
            since: self.shown.since,
            retry_at: self.shown.retry_at,
            small_payloads_until: self.small_payloads.map(|(_, date)| date),
            ..self.configured.clone()
        };
        if let Some((target, region)) = carrier {
            next.target = Some(target.to_owned());
            next.region = Some(region.to_owned());
        }
        let retry_at = lifecycle.retry_at();
        self.log(&next, retry_at.is_some());
        if next == self.shown && retry_at == self.retry_at {
            return;
        }
        let at = clock::timestamp();
        let change = self.change(&next, at);
        let moved = next.state != self.shown.state;
        self.shown = TunnelStatus {
            since: if moved { at } else { next.since },
            retry_at: retry_at.map(|at| clock::timestamp_of(at, clock::now())),
            ..next
        };
        self.retry_at = retry_at;
        self.board.publish(self.slot, self.shown.clone(), change);
    }

    /// Adds to the history what changes no state and yet is what users will ask about.
    pub(super) fn note(&mut self, cause: Cause) {
        let state = self.shown.state;
        let before = self.gauges.connections().close_account(LastLosses::MoveOn, clock::now());
        self.board.note(self.slot, Change { at: clock::timestamp(), from: state, to: state, cause, before });
    }

    /// What goes into the history, with the account of the connections up to now.
    fn change(&self, next: &TunnelStatus, at: Timestamp) -> Option<Change> {
        let old = (self.shown.state, self.shown.cause.as_ref());
        let mut change = Change::between(old, (next.state, next.cause.as_ref()), at)?;
        let losses = if change.costs_connections() { LastLosses::MoveOn } else { LastLosses::Stay };
        change.before = self.gauges.connections().close_account(losses, clock::now());
        Some(change)
    }

    fn log(&mut self, next: &TunnelStatus, is_waiting: bool) {
        match self.log.line(next, is_waiting, clock::now()) {
            Some(StateLine { text, is_trouble: true }) => tracing::warn!("{text}"),
            Some(StateLine { text, is_trouble: false }) => tracing::info!("{text}"),
            None => {}
        }
    }
}

/// A tunnel that is down.
fn configured(config: &TunnelConfig) -> TunnelStatus {
    let candidates: Vec<String> = config.targets.iter().map(ToString::to_string).collect();
    TunnelStatus {
        name: config.name.clone(),
        state: TunnelState::Down,
        wanted: TargetState::Down,
        cause: None,
        local: config.local.to_string(),
        exposed: config.local.is_exposed(),
        remote: config.remote.to_string(),
        target: Some(candidates.join(", ")),
        profile: config.scope.profile.clone(),
        region: config.scope.region.clone(),
        probe: Some(config.probe.to_string()),
        groups: config.groups.clone(),
        auto: config.auto,
        protected: config.protected,
        sessions: 0,
        sessions_resuming: 0,
        streams: 0,
        bytes_in: 0,
        bytes_out: 0,
        rate_in: 0,
        rate_out: 0,
        rtt_ms: None,
        since: clock::timestamp(),
        retry_at: None,
        credentials_expire: None,
        credentials_renew: None,
        small_payloads_until: None,
    }
}
