//! How a running tunnel takes over another configuration, or a reason that stands in for the configured one.

use super::super::connect::Connector;
use super::super::lifecycle::{Event, Policy};
use super::TunnelTask;
use crate::clock;
use crate::config::{Impact, TunnelConfig};
use std::sync::Arc;

impl TunnelTask {
    /// Takes the next configuration over, if there is one.
    pub(super) fn reconfigure(&mut self) {
        let next = Arc::clone(&self.edits.edits.borrow_and_update());
        let old = std::mem::replace(&mut self.config, Arc::clone(&next));
        if old == next {
            return;
        }
        let impact = Impact::of(&old, &next);
        tracing::debug!(?impact, "the configuration has changed");
        self.connect_as_configured();
        self.publisher.reconfigure(&next);
        self.lifecycle.handle_config(Policy::of(&next), impact, clock::now());
        self.pool.set_most(next.max_sessions.into());
        if self.pool.is_wanted() {
            self.measure_soon();
        }
        if old.probe != next.probe {
            self.lifecycle.handle_event(Event::ProbeChanged, clock::now());
        }
        if old.keep_alive != next.keep_alive {
            self.keep_alive();
        }
    }

    pub(super) fn give_reason(&mut self, reason: Option<String>) {
        if self.reason != reason {
            self.reason = reason;
            self.connect_as_configured();
        }
    }

    /// From now on; a session that is open, or being opened, stays its own connector's.
    fn connect_as_configured(&mut self) {
        let config = match self.reason.clone() {
            reason @ Some(_) => Arc::new(TunnelConfig { reason, ..(*self.config).clone() }),
            None => Arc::clone(&self.config),
        };
        self.connector = Connector::new(config, &self.around, Arc::clone(self.gauges.sessions()));
    }
}
