//! A tunnel's entry on the status board: written when something changed that a user would notice.

use super::lifecycle::Lifecycle;
use crate::clock;
use crate::config::TunnelConfig;
use crate::status::{Gauges, StatusBoard};
use std::sync::Arc;
use std::time::Instant;
use tunnels_api::{TargetState, TunnelState, TunnelStatus};

/// The only writer of the entry.
#[derive(Debug)]
pub(super) struct Publisher {
    board: StatusBoard,
    shown: TunnelStatus,
    /// When the next try that is shown is due.
    retry_at: Option<Instant>,
    /// What stands for the target and the region while no session says better.
    candidates: String,
    region: Option<String>,
}

impl Publisher {
    /// Puts the tunnel on the board, down; `wanted` is what was remembered of it.
    pub(super) fn new(config: &TunnelConfig, board: StatusBoard, gauges: Arc<Gauges>, wanted: TargetState) -> Self {
        let candidates: Vec<String> = config.targets.iter().map(ToString::to_string).collect();
        let candidates = candidates.join(", ");
        let region = config.scope.region.clone();
        let shown = TunnelStatus {
            name: config.name.clone(),
            state: TunnelState::Down,
            wanted,
            cause: None,
            local: config.local.to_string(),
            remote: config.remote.to_string(),
            target: Some(candidates.clone()),
            profile: config.scope.profile.clone(),
            region: region.clone(),
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
        };
        board.add(shown.clone(), gauges, clock::now());
        Self { board, shown, retry_at: None, candidates, region }
    }

    /// Shows where the tunnel stands; `carrier` is the target and region of its session.
    pub(super) fn show(&mut self, lifecycle: &Lifecycle, wanted: TargetState, carrier: Option<(&str, &str)>) {
        let (sessions, sessions_resuming) = lifecycle.sessions();
        let next = TunnelStatus {
            state: lifecycle.state(),
            wanted,
            cause: lifecycle.cause().cloned(),
            target: Some(carrier.map_or(&*self.candidates, |(target, _)| target).to_owned()),
            region: carrier.map(|(_, region)| region.to_owned()).or_else(|| self.region.clone()),
            sessions,
            sessions_resuming,
            ..self.shown.clone()
        };
        let retry_at = lifecycle.retry_at();
        if next == self.shown && retry_at == self.retry_at {
            return;
        }
        let moved = next.state != self.shown.state;
        if moved {
            let cause = next.cause.as_ref().map(tracing::field::display);
            tracing::info!(from = %self.shown.state, to = %next.state, cause, "state");
        }
        self.shown = TunnelStatus {
            since: if moved { clock::timestamp() } else { next.since },
            retry_at: retry_at.map(|at| clock::timestamp_of(at, clock::now())),
            ..next
        };
        self.retry_at = retry_at;
        self.board.publish(self.shown.clone());
    }
}
