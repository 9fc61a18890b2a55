//! Whether the other side still answers: the suspicion, the patience, and the one question after a silence.
//!
//! A websocket only shows that the gateway is there. That the agent's session has died behind it nothing tells (`docs/protocol.md`
//! §7.6), so it is concluded: something is on its way, the websocket is open, we listen, and nothing comes. How long that has
//! lasted on this websocket makes a session suspect; what it adds up to over several ends it. A sign of life – any
//! acknowledgement, or stream data that is new – takes all of it back. A copy of what we have is none: an agent whose reader
//! hangs goes on repeating its oldest message for ever.

use std::time::{Duration, Instant};

use super::{PortSession, Side};
use crate::channel::timer::Timer;
use crate::event::{CloseReason, Event};

/// How long the other side has kept us waiting.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// After a reconnect nothing was heard yet.
    awaits_life: bool,
    /// The suspicion has been told on this websocket.
    suspect: bool,
    /// Since when we wait, if we do.
    waiting_since: Option<Instant>,
    /// Patience used up before that, since the last sign of life.
    spent: Duration,
}

impl PortSession {
    /// A later websocket is up: something must be heard on it, and it is suspected anew.
    pub(super) fn await_life(&mut self, now: Instant) {
        self.stop_waiting(now);
        self.liveness.awaits_life = true;
        self.liveness.suspect = false;
        // docs/protocol.md §7.6: a dead session opens and stays silent. Something must be on its way to be acknowledged.
        if self.side == Side::Client && self.is_done() && self.channel.send.messages_in_flight() == 0 {
            self.mux.queue_nop();
        }
        self.watch_silence(now);
    }

    /// The websocket is gone: whatever has to be heard will not be heard on it.
    pub(super) fn await_websocket(&mut self, now: Instant) {
        self.stop_waiting(now);
        self.liveness.awaits_life = false;
        self.liveness.suspect = false;
    }

    /// The other side is there. What it is still owed is seen by the next [`Self::watch_silence`].
    pub(super) fn show_life(&mut self, now: Instant) {
        self.stop_waiting(now);
        let was = std::mem::take(&mut self.liveness);
        if (was.awaits_life || was.suspect) && self.is_done() {
            self.events.push_back(Event::Resumed);
        }
    }

    /// Begins or ends the wait, as what was sent, heard and read demands. Called after each of these.
    pub(super) fn watch_silence(&mut self, now: Instant) {
        let owed = self.liveness.awaits_life || self.channel.send.messages_in_flight() > 0;
        // Nothing can be heard while our own applications do not read: that silence is ours.
        let listens = self.connected && self.mux.has_receive_budget();
        if !(owed && listens && self.is_done() && self.closed.is_none()) {
            self.stop_waiting(now);
        } else if self.liveness.waiting_since.is_none() {
            self.liveness.waiting_since = Some(now);
            if !self.liveness.suspect {
                self.timers.set(Timer::Suspicion, now + self.config.suspect_after);
            }
            self.timers.set(Timer::Patience, now + self.config.patience.saturating_sub(self.liveness.spent));
        }
    }

    /// There was traffic: if a silence follows it, one question shall end it.
    pub(super) fn restart_question(&mut self, now: Instant) {
        if self.side == Side::Client {
            self.timers.set(Timer::Question, now + self.config.ask_after);
        }
    }

    /// A download sends nothing that could stay unacknowledged, so the agent's end looks like a quiet remote. The question is
    /// a single NOP: more would keep a session alive that an idle policy means to end (§7.2).
    pub(super) fn handle_question(&mut self) {
        let nothing_owed = self.channel.send.messages_in_flight() == 0 && !self.mux.has_output();
        if self.connected && self.is_done() && nothing_owed && self.mux.len() > 0 {
            self.mux.queue_nop();
        }
    }

    pub(super) fn handle_suspicion(&mut self) {
        self.liveness.suspect = true;
        self.events.push_back(Event::Suspect);
    }

    pub(super) fn handle_patience(&mut self, now: Instant) {
        if self.mux.unanswered() < self.config.stall_explains {
            self.close(CloseReason::Unresponsive(self.config.patience.as_secs()));
            return;
        }
        // docs/protocol.md §10.3: an agent whose target does not read stops reading itself, losslessly, for as long as that
        // takes. What was sent may be just there.
        self.liveness.waiting_since = Some(now);
        self.liveness.spent = Duration::ZERO;
        self.timers.set(Timer::Patience, now + self.config.patience);
    }

    fn stop_waiting(&mut self, now: Instant) {
        if let Some(since) = self.liveness.waiting_since.take() {
            self.liveness.spent += now.saturating_duration_since(since);
            self.timers.stop(Timer::Suspicion);
            self.timers.stop(Timer::Patience);
        }
    }
}
