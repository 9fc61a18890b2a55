//! What the log says of a tunnel's states: one line for each change, with its cause. Pure.
//!
//! A retry that ends where it began says nothing, so a tunnel that stays broken in one way has one line. One
//! that changes all the time has a few, and a count of what was left out.

use crate::log_limit::LogLimit;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tunnels_api::{Cause, TunnelState, TunnelStatus};

/// So many changes of one tunnel are told at once: more than coming up, a cut and a restart make together.
const AT_ONCE: u32 = 20;
/// Then one in so much time.
const PAUSE: Duration = Duration::from_secs(15);

/// What has been told.
#[derive(Debug)]
pub(super) struct StateLog {
    told: Place,
    seen: Place,
    /// What was seen last could not be told.
    owed: bool,
    left_out: u64,
    limit: LogLimit,
}

/// Where a tunnel stands, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    state: TunnelState,
    cause: Option<Cause>,
}

/// A line to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StateLine {
    pub(super) text: String,
    /// It is about something that does not work.
    pub(super) is_trouble: bool,
}

impl StateLog {
    /// Begins with a tunnel that is down.
    pub(super) fn new() -> Self {
        let down = Place { state: TunnelState::Down, cause: None };
        let limit = LogLimit::new(AT_ONCE, PAUSE);
        Self { told: down.clone(), seen: down, owed: false, left_out: 0, limit }
    }

    /// What is to be told of this status, if anything; `is_waiting` for one that waits for its next try.
    pub(super) fn line(&mut self, status: &TunnelStatus, is_waiting: bool, now: Instant) -> Option<StateLine> {
        if self.seen.state != status.state || self.seen.cause != status.cause {
            self.seen = Place { state: status.state, cause: status.cause.clone() };
            if std::mem::take(&mut self.owed) {
                // The way back to what was told is a change, too.
                self.left_out += if self.seen == self.told { 2 } else { 1 };
            }
        }
        if self.seen == self.told || self.is_retry() {
            return None;
        }
        if self.seen.state == self.told.state && self.seen.cause.is_none() {
            // What stood in the way does not any more; where that leads will be told.
            self.told.cause = None;
            return None;
        }
        if self.limit.pass(now).is_none() {
            self.owed = true;
            return None;
        }
        let mut text = String::new();
        if self.seen.state != self.told.state {
            let _ = write!(text, "{} → ", self.told.state);
        }
        let _ = write!(text, "{}", self.seen.state);
        if let Some(cause) = &self.seen.cause {
            let _ = write!(text, ": {cause}");
        }
        match std::mem::take(&mut self.left_out) {
            0 => {}
            1 => text.push_str(" (1 change before it left out)"),
            count => drop(write!(text, " ({count} changes before it left out)")),
        }
        self.owed = false;
        self.told = self.seen.clone();
        let is_trouble =
            is_waiting || matches!(status.state, TunnelState::Failed | TunnelState::NeedsLogin | TunnelState::Degraded);
        Some(StateLine { text, is_trouble })
    }

    /// It is tried again, and what was told of the last try still holds.
    fn is_retry(&self) -> bool {
        matches!(self.seen.state, TunnelState::Connecting | TunnelState::Reconnecting)
            && self.seen.cause.is_some()
            && self.seen.cause == self.told.cause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TunnelState::{Connecting, Degraded, Down, Failed, NeedsLogin, Ready, Reconnecting};
    use tunnels_api::CauseKind;

    fn status(state: TunnelState, cause: &str) -> TunnelStatus {
        let mut status: TunnelStatus = serde_json::from_value(serde_json::json!({
            "name": "a", "state": "down", "wanted": "up", "local": "127.0.0.1:1", "remote": ":1",
            "sessions": 0, "streams": 0, "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0,
            "since": "2026-11-21T06:00:00Z",
        }))
        .unwrap();
        status.state = state;
        status.cause = (!cause.is_empty()).then(|| Cause::new(CauseKind::Other, cause));
        status
    }

    /// What is told of these places, one a second.
    fn told(places: &[(TunnelState, &str)]) -> Vec<String> {
        let start = Instant::now();
        let mut log = StateLog::new();
        let lines = places.iter().zip(0..).filter_map(|(&(state, cause), second)| {
            let status = status(state, cause);
            let now = start + Duration::from_secs(second);
            // As the task does: it looks more often than something changes.
            let line = log.line(&status, false, now);
            let again = log.line(&status, false, now);
            assert!(again.is_none(), "{again:?}");
            line
        });
        lines.map(|line| line.text).collect()
    }

    #[test]
    fn each_change_is_told_once_with_its_cause() {
        let places = [
            (Down, ""),
            (Connecting, ""),
            (Ready, ""),
            (Reconnecting, "1000 Bye"),
            (Reconnecting, "no network"),
            (Ready, ""),
        ];
        assert_eq!(
            told(&places),
            [
                "down → connecting",
                "connecting → ready",
                "ready → reconnecting: 1000 Bye",
                "reconnecting: no network",
                "reconnecting → ready",
            ]
        );
    }

    #[test]
    fn retries_that_end_where_they_began_say_nothing() {
        for (state, first) in [
            (Failed, "connecting → failed: x"),
            (NeedsLogin, "connecting → needs-login: x"),
            (Connecting, "connecting: x"),
            (Degraded, "connecting → degraded: x"),
        ] {
            let mut places = vec![(Connecting, "")];
            for _ in 0..1000 {
                places.extend([(state, "x"), (Connecting, "x")]);
            }
            assert_eq!(told(&places), ["down → connecting", first], "{state}");
            places.extend([(state, "y"), (Connecting, "y"), (Connecting, ""), (Ready, "")]);
            let news = &told(&places)[2..];
            assert!(news[0].ends_with(": y") && news.last().unwrap().ends_with("→ ready"), "{news:?}");
        }
    }

    #[test]
    fn a_tunnel_that_flaps_has_few_lines_and_the_last_state_is_told_in_the_end() {
        let start = Instant::now();
        let mut log = StateLog::new();
        let mut lines = Vec::new();
        for change in 0..10_000_u32 {
            let status = if change % 2 == 0 { status(Ready, "") } else { status(Degraded, "refused") };
            lines.extend(log.line(&status, false, start + Duration::from_millis(10) * change));
        }
        assert!(lines.len() <= 27, "{} lines in 100 seconds", lines.len());
        assert!(lines.last().unwrap().text.contains("changes before it left out)"), "{lines:?}");
        // Nothing more happens but that somebody looks.
        let last = log.line(&status(Degraded, "refused"), false, start + Duration::from_secs(200));
        let counted: u64 = lines
            .iter()
            .chain(&last)
            .filter_map(|line| line.text.split(['(', ' ']).rev().nth(5)?.parse::<u64>().ok())
            .sum();
        let told = (lines.len() + usize::from(last.is_some())) as u64;
        assert!(counted + told <= 10_000 && counted + told > 9_000, "{counted} + {told}");
    }

    #[test]
    fn trouble_is_marked() {
        let mut log = StateLog::new();
        let now = Instant::now();
        assert!(!log.line(&status(Connecting, ""), false, now).unwrap().is_trouble);
        assert!(log.line(&status(Connecting, "no network"), true, now).unwrap().is_trouble);
        assert!(log.line(&status(NeedsLogin, "expired"), false, now).unwrap().is_trouble);
        assert!(!log.line(&status(Ready, ""), false, now).unwrap().is_trouble);
    }
}
