//! The behaviour switches of `/_sim/faults`: what is to go wrong, and how often.
//!
//! Owns the switches' values and how a partial change is merged. The effects live where the
//! behaviour lives: the API refuses, the lane delays, the warden ends sessions.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

/// All switches; the default is a service without faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// One-way latency between client and agent, milliseconds.
    pub latency_ms: u64,
    /// Up to so much more latency, different for each message; order is kept.
    pub jitter_ms: u64,
    /// Most bytes per second of one session in one direction.
    pub rate_bytes_per_s: Option<u64>,
    /// The client's websocket is closed with `1000 Bye` when it is so old, seconds.
    pub close_every_s: Option<f64>,
    /// Probability that a relayed message is delivered twice.
    pub duplicate: f64,
    /// Probability that a relayed message is overtaken by the next one.
    pub reorder: f64,
    /// Probability that an acknowledgement is lost.
    pub drop_acks: f64,
    /// What becomes of messages for a side that is away.
    pub away: Away,
    /// So many next ResumeSession calls answer `InternalServerError`.
    pub resume_refusals: u32,
    /// So many next StartSession calls answer `InternalServerError`.
    pub start_refusals: u32,
    /// ResumeSession answers without a token, as for a session that has timed out.
    pub empty_token: Switch,
    /// The stream URL before the last ResumeSession is no longer accepted.
    pub reject_old_url: bool,
    /// Nodes that cannot be reached.
    pub offline: Vec<String>,
    /// Nodes on which the caller may neither start nor resume sessions: `AccessDeniedException`.
    pub access_denied: Vec<String>,
    /// Session documents that do not exist for as long as they are named here: `InvalidDocument`.
    pub missing_documents: Vec<String>,
    /// A session without client input for so long is ended, seconds.
    pub idle_timeout_s: Option<f64>,
    /// A session is ended when it is so old, seconds.
    pub max_duration_s: Option<f64>,
    /// API calls answer `ExpiredTokenException`, signed websocket upgrades HTTP 403.
    pub expired_credentials: Switch,
    /// The same for whoever signs with one of these access keys.
    pub expired_keys: Vec<String>,
    /// API calls answer `ThrottlingException`.
    pub throttle: Switch,
    /// The version that the built-in agent of new sessions says it has.
    pub agent_version: Option<String>,
    /// Largest payload that the built-in agent of new sessions sends, bytes.
    pub agent_payload: Option<usize>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            jitter_ms: 0,
            rate_bytes_per_s: None,
            close_every_s: None,
            duplicate: 0.0,
            reorder: 0.0,
            drop_acks: 0.0,
            away: Away::Drop,
            resume_refusals: 0,
            start_refusals: 0,
            empty_token: Switch::OFF,
            reject_old_url: false,
            offline: Vec::new(),
            access_denied: Vec::new(),
            missing_documents: Vec::new(),
            idle_timeout_s: None,
            max_duration_s: None,
            expired_credentials: Switch::OFF,
            expired_keys: Vec::new(),
            throttle: Switch::OFF,
            agent_version: None,
            agent_payload: None,
        }
    }
}

/// What the gateway does with messages for a side that was connected and is away now. The real
/// policy is unknown (docs/protocol.md §9.8); dropping is the harder one for the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Away {
    /// They are lost; their sender has to send them again.
    #[default]
    Drop,
    /// They are kept, up to a bound, and delivered when the side is back.
    Buffer,
}

/// A fault that is off, always on (`true`), or on for the next so many times (a number).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Switch {
    /// Off or on for good.
    Always(bool),
    /// On for so many more times.
    Next(u32),
}

impl Switch {
    /// The switch that does nothing.
    pub const OFF: Self = Self::Always(false);

    /// Whether it acts now; counts down.
    fn take(&mut self) -> bool {
        match self {
            Self::Always(on) => *on,
            Self::Next(0) => false,
            Self::Next(left) => {
                *left -= 1;
                true
            }
        }
    }
}

impl Faults {
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    pub(crate) fn jitter(&self) -> Duration {
        Duration::from_millis(self.jitter_ms)
    }

    /// The same with the members of `patch` in place of its own; `null` stands for the default.
    ///
    /// # Errors
    /// [`FaultError`]: an unknown member, or a value out of its range.
    pub fn patched(&self, patch: &Value) -> Result<Self, FaultError> {
        let Value::Object(changes) = patch else {
            return Err(FaultError::NoObject);
        };
        let mut merged = serde_json::to_value(self).map_err(FaultError::Value)?;
        if let Value::Object(merged) = &mut merged {
            for (key, value) in changes {
                if value.is_null() {
                    merged.remove(key);
                } else {
                    merged.insert(key.clone(), value.clone());
                }
            }
        }
        let faults: Self = serde_json::from_value(merged).map_err(FaultError::Value)?;
        faults.validate()?;
        Ok(faults)
    }

    fn validate(&self) -> Result<(), FaultError> {
        for (key, probability) in
            [("duplicate", self.duplicate), ("reorder", self.reorder), ("drop_acks", self.drop_acks)]
        {
            if !(0.0..=1.0).contains(&probability) {
                return Err(FaultError::Probability { key, value: probability });
            }
        }
        for (key, seconds) in [
            ("close_every_s", self.close_every_s),
            ("idle_timeout_s", self.idle_timeout_s),
            ("max_duration_s", self.max_duration_s),
        ] {
            if let Some(value) = seconds
                && Duration::try_from_secs_f64(value).map_or(true, |time| time.is_zero())
            {
                return Err(FaultError::Seconds { key, value });
            }
        }
        if self.rate_bytes_per_s == Some(0) {
            return Err(FaultError::Rate);
        }
        Ok(())
    }
}

/// Why a change of the faults was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The change is no JSON object.
    #[error("faults are a JSON object")]
    NoObject,
    /// An unknown key or a value of the wrong type.
    #[error(transparent)]
    Value(serde_json::Error),
    /// A probability outside 0 to 1.
    #[error("{key} is a probability from 0 to 1, not {value}")]
    Probability {
        /// The member.
        key: &'static str,
        /// What it was given.
        value: f64,
    },
    /// A time that is not positive.
    #[error("{key} is a number of seconds above 0, not {value}")]
    Seconds {
        /// The member.
        key: &'static str,
        /// What it was given.
        value: f64,
    },
    /// A rate of nothing.
    #[error("rate_bytes_per_s is at least 1; use null for no limit")]
    Rate,
}

/// The faults in force, shared: one writer at a time, everybody may watch.
#[derive(Debug)]
pub(crate) struct FaultBoard {
    current: watch::Sender<Arc<Faults>>,
}

impl FaultBoard {
    pub(crate) fn new(initial: Faults) -> Self {
        Self { current: watch::Sender::new(Arc::new(initial)) }
    }

    /// The faults of this moment.
    pub(crate) fn get(&self) -> Arc<Faults> {
        Arc::clone(&self.current.borrow())
    }

    /// Looks at the faults without copying them; keep the closure short.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Faults) -> T) -> T {
        at(&self.current.borrow())
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Faults>> {
        self.current.subscribe()
    }

    pub(crate) fn patch(&self, patch: &Value) -> Result<Faults, FaultError> {
        let mut outcome = Err(FaultError::NoObject);
        self.current.send_if_modified(|faults| {
            outcome = faults.patched(patch);
            outcome.as_ref().is_ok_and(|patched| {
                *faults = Arc::new(patched.clone());
                true
            })
        });
        outcome
    }

    pub(crate) fn clear(&self) {
        self.current.send_replace(Arc::default());
    }

    pub(crate) fn is_offline(&self, node: &str) -> bool {
        self.look(|faults| faults.offline.iter().any(|id| id == node))
    }

    pub(crate) fn is_access_denied(&self, node: &str) -> bool {
        self.look(|faults| faults.access_denied.iter().any(|id| id == node))
    }

    pub(crate) fn is_document_missing(&self, name: &str) -> bool {
        self.look(|faults| faults.missing_documents.iter().any(|missing| missing == name))
    }

    pub(crate) fn take_start_refusal(&self) -> bool {
        self.take(|faults| count_down(&mut faults.start_refusals))
    }

    pub(crate) fn take_resume_refusal(&self) -> bool {
        self.take(|faults| count_down(&mut faults.resume_refusals))
    }

    pub(crate) fn take_empty_token(&self) -> bool {
        self.take(|faults| faults.empty_token.take())
    }

    /// Whether credentials have expired, of everybody or of whoever signs with `access_key`.
    pub(crate) fn take_expired_credentials(&self, access_key: Option<&str>) -> bool {
        let of_this_key = |faults: &Faults| faults.expired_keys.iter().any(|key| Some(key.as_str()) == access_key);
        self.look(of_this_key) || self.take(|faults| faults.expired_credentials.take())
    }

    pub(crate) fn take_throttle(&self) -> bool {
        self.take(|faults| faults.throttle.take())
    }

    fn take(&self, from: impl FnOnce(&mut Faults) -> bool) -> bool {
        let mut taken = false;
        self.current.send_if_modified(|faults| {
            let mut counted = Faults::clone(faults);
            taken = from(&mut counted);
            if taken {
                *faults = Arc::new(counted);
            }
            taken
        });
        taken
    }
}

fn count_down(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_subset_changes_only_itself_and_null_clears() {
        let board = FaultBoard::new(Faults::default());
        board.patch(&json!({"latency_ms": 25, "rate_bytes_per_s": 1000})).unwrap();
        let faults = board.patch(&json!({"throttle": 2, "rate_bytes_per_s": null})).unwrap();
        assert_eq!(faults.latency_ms, 25);
        assert_eq!(faults.rate_bytes_per_s, None);
        assert_eq!(faults.throttle, Switch::Next(2));
        board.clear();
        assert_eq!(*board.get(), Faults::default());
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let board = FaultBoard::new(Faults::default());
        for patch in [
            json!({"latency": 1}),
            json!({"duplicate": 2.0}),
            json!({"idle_timeout_s": -1.0}),
            json!({"rate_bytes_per_s": 0}),
            json!([]),
        ] {
            assert!(board.patch(&patch).is_err(), "{patch} was accepted");
        }
        assert_eq!(*board.get(), Faults::default());
    }

    #[test]
    fn counted_faults_run_out() {
        let board = FaultBoard::new(Faults::default());
        board.patch(&json!({"resume_refusals": 1, "throttle": 1, "expired_credentials": true})).unwrap();
        assert!(board.take_resume_refusal());
        assert!(!board.take_resume_refusal());
        assert!(board.take_throttle());
        assert!(!board.take_throttle());
        assert!(board.take_expired_credentials(None) && board.take_expired_credentials(None));
    }

    #[test]
    fn named_keys_expire_alone() {
        let board = FaultBoard::new(Faults::default());
        board.patch(&json!({"expired_keys": ["AKIAOLD"]})).unwrap();
        for (key, expired) in [(Some("AKIAOLD"), true), (Some("AKIANEW"), false), (None, false)] {
            assert_eq!(board.take_expired_credentials(key), expired, "{key:?}");
        }
    }
}
