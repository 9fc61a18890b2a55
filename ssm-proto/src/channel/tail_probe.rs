//! [`TailProbe`]: when the newest message goes once more, because nothing answers (`docs/protocol.md` §4.2).
//!
//! What is lost in the middle is overtaken and known by that. Behind a lost tail nothing comes, and the resend timeout is long
//! on purpose. So the newest message is sent again much sooner, once: its acknowledgement says that the path carries, and
//! overtakes whatever else is missing (the idea is TCP's, RFC 8985 §7). To a path that only stands still it is one copy.
//! Knows times only; the messages are [`SendQueue`](super::send_queue::SendQueue)'s.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct TailProbe {
    is_enabled: bool,
    at: Option<Instant>,
    /// Asked already, and nothing has been acknowledged since.
    is_spent: bool,
}

impl TailProbe {
    pub(crate) fn new(is_enabled: bool) -> Self {
        Self { is_enabled, at: None, is_spent: false }
    }

    /// A message was sent for the first time. `after`: how soon an answer is late, once that is known.
    pub(crate) fn handle_sent(&mut self, after: Option<Duration>, now: Instant) {
        if self.is_enabled && !self.is_spent {
            self.at = after.map(|after| now + after);
        }
    }

    /// A message was acknowledged; `is_waiting`: others are not.
    pub(crate) fn handle_progress(&mut self, is_waiting: bool, after: Option<Duration>, now: Instant) {
        self.is_spent = false;
        self.at = None;
        if is_waiting {
            self.handle_sent(after, now);
        }
    }

    /// Resends of another kind have begun: their acknowledgements tell as much.
    pub(crate) fn give_way(&mut self) {
        (self.at, self.is_spent) = (None, true);
    }

    /// The path is another one.
    pub(crate) fn reset(&mut self) {
        (self.at, self.is_spent) = (None, false);
    }

    /// Whether the newest message is to be sent again now; says so once.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.at.is_some_and(|at| at <= now);
        if is_due {
            self.give_way();
        }
        is_due
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.at
    }
}
