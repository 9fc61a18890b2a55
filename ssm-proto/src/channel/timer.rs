//! The timers of a session in one table, so that one call tells when to wake up.

use std::time::Instant;

/// What a session waits for. Retransmission is not among them: the send queue has a deadline per message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The handshake must be complete.
    Handshake,
    /// The agent has had time to notice its own HandshakeComplete.
    Settle,
    /// The pause after a stream message is over.
    Pace,
    /// A `pause_publication` has lasted long enough.
    Pause,
    /// The next smux NOP is due.
    KeepAlive,
    /// What is unacknowledged makes the session suspect.
    Suspicion,
    /// A silent session is given up.
    Patience,
    /// After traffic it has been quiet for long enough to ask.
    Question,
}

impl Timer {
    const ALL: [Self; 8] = [
        Self::Handshake,
        Self::Settle,
        Self::Pace,
        Self::Pause,
        Self::KeepAlive,
        Self::Suspicion,
        Self::Patience,
        Self::Question,
    ];
}

#[derive(Debug, Default)]
pub(crate) struct TimerTable([Option<Instant>; Timer::ALL.len()]);

impl TimerTable {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// Takes one timer that has expired.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = Timer::ALL.into_iter().find(|&timer| self.0[timer as usize].is_some_and(|at| at <= now))?;
        self.stop(timer);
        Some(timer)
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }
}
