//! The behaviour switches of `/_sim/faults`: what is to go wrong, and how often.
//!
//! Owns the switches' values and how a partial change is merged; docs/simulator.md explains each to
//! users. The effects live where the behaviour lives: the API refuses, the lane delays, the warden
//! ends sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod board;

pub(crate) use self::board::FaultBoard;

/// All switches; the default is a service without faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// One-way latency between client and agent, milliseconds.
    pub latency_ms: u64,
    /// Up to so much more latency, different for each message; order is kept.
    pub jitter_ms: u64,
    /// Probability that a message is held up by `spike_ms`, and everything behind it.
    pub spike: f64,
    /// How long a delay spike is, milliseconds.
    pub spike_ms: u64,
    /// So much more latency for acknowledgements alone, milliseconds; data overtakes them.
    pub ack_delay_ms: u64,
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
    /// Probability that a stream message arrives with a bit wrong, so that its digest does not fit.
    pub corrupt: f64,
    /// Probability that a frame comes before a message that is none: cut short, nonsense lengths, noise.
    pub garbage: f64,
    /// Larger websocket messages are not relayed, bytes with the header.
    pub max_message_bytes: Option<usize>,
    /// What becomes of those that are larger.
    pub too_large: TooLarge,
    /// What becomes of messages for a side that is away.
    pub away: Away,
    /// Whether clients reach the API.
    pub api: Reach,
    /// Whether clients reach the gateway: those that are connected, and those that come.
    pub gateway: Reach,
    /// So many next ResumeSession calls answer `InternalServerError`.
    pub resume_refusals: u32,
    /// So many next StartSession calls answer `InternalServerError`.
    pub start_refusals: u32,
    /// The answer of each ResumeSession call is on its way for so long, milliseconds.
    pub resume_delay_ms: u64,
    /// The answer of each StartSession call is on its way for so long, milliseconds.
    pub start_delay_ms: u64,
    /// So many next ResumeSession calls take effect, and their answer is lost.
    pub resume_lost: u32,
    /// So many next StartSession calls take effect, and their answer is lost.
    pub start_lost: u32,
    /// So many next clients' websocket upgrades answer HTTP 503.
    pub upgrade_refusals: u32,
    /// ResumeSession answers without a token, as for a session that has timed out.
    pub empty_token: Switch,
    /// The stream URL before the last ResumeSession is no longer accepted.
    pub reject_old_url: bool,
    /// Nodes that cannot be reached.
    pub offline: Vec<String>,
    /// Nodes on which the caller may neither start nor resume sessions: `AccessDeniedException`.
    pub access_denied: Vec<String>,
    /// Actions that no policy allows the caller, as `ssm:StartSession`: `AccessDeniedException`.
    pub denied_actions: Vec<String>,
    /// What is denied is denied in so many words, by a service control policy.
    pub explicit_deny: bool,
    /// Nodes whose agent answers pings, and has no channel for sessions.
    pub unconnected: Vec<String>,
    /// By so much the service's clock is ahead of this machine's, seconds.
    pub clock_ahead_s: i64,
    /// An agent gives its channel up when nothing was answered on it for so long, seconds: 54 to
    /// 114 with the official one (docs/protocol.md §2.5).
    pub agent_patience_s: f64,
    /// Session documents that do not exist for as long as they are named here: `InvalidDocument`.
    pub missing_documents: Vec<String>,
    /// So many next sessions have an agent that never comes.
    pub absent_agents: u32,
    /// So many next times that a client opens a data channel, its session is ended at once.
    pub close_at_open: u32,
    /// The text for the user of a session that is ended so.
    pub close_output: String,
    /// A session without client input for so long is ended, seconds.
    pub idle_timeout_s: Option<f64>,
    /// A session is ended when it is so old, seconds.
    pub max_duration_s: Option<f64>,
    /// API calls answer `ExpiredTokenException`, signed websocket upgrades HTTP 403.
    pub expired_credentials: Switch,
    /// The same for whoever signs with one of these access keys.
    pub expired_keys: Vec<String>,
    /// Temporary credentials that STS or the SSO portal hands out last for so long, seconds.
    pub credentials_life_s: f64,
    /// SSO tokens, access or refresh, that are no longer accepted.
    pub expired_tokens: Vec<String>,
    /// Roles that nobody may have: ARNs for STS, names for the SSO portal.
    pub denied_roles: Vec<String>,
    /// ARNs of roles that STS gives only to whoever sends a code of an MFA device.
    pub mfa_roles: Vec<String>,
    /// API calls answer `ThrottlingException`.
    pub throttle: Switch,
    /// The version that the built-in agent of new sessions, and the inventory, say it has.
    pub agent_version: Option<String>,
    /// Largest payload that the built-in agent of new sessions sends, bytes.
    pub agent_payload: Option<usize>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            jitter_ms: 0,
            spike: 0.0,
            spike_ms: 1000,
            ack_delay_ms: 0,
            rate_bytes_per_s: None,
            close_every_s: None,
            duplicate: 0.0,
            reorder: 0.0,
            drop_acks: 0.0,
            corrupt: 0.0,
            garbage: 0.0,
            max_message_bytes: None,
            too_large: TooLarge::Drop,
            away: Away::Drop,
            api: Reach::Up,
            gateway: Reach::Up,
            resume_refusals: 0,
            start_refusals: 0,
            resume_delay_ms: 0,
            start_delay_ms: 0,
            resume_lost: 0,
            start_lost: 0,
            upgrade_refusals: 0,
            empty_token: Switch::OFF,
            reject_old_url: false,
            offline: Vec::new(),
            access_denied: Vec::new(),
            denied_actions: Vec::new(),
            explicit_deny: false,
            unconnected: Vec::new(),
            clock_ahead_s: 0,
            agent_patience_s: 60.0,
            missing_documents: Vec::new(),
            absent_agents: 0,
            close_at_open: 0,
            close_output: "Session terminated by the service.".to_owned(),
            idle_timeout_s: None,
            max_duration_s: None,
            expired_credentials: Switch::OFF,
            expired_keys: Vec::new(),
            credentials_life_s: 3600.0,
            expired_tokens: Vec::new(),
            denied_roles: Vec::new(),
            mfa_roles: Vec::new(),
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

/// What the gateway does about a message that is too large for it. Neither its limit nor this is known
/// (docs/protocol.md §10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TooLarge {
    /// The message is lost, and nobody is told.
    #[default]
    Drop,
    /// The message is lost, and the websocket that it came on is closed.
    Close,
}

/// Whether a part of the service can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// It can.
    #[default]
    Up,
    /// The path swallows everything: connections stay, nothing is answered. What is still waiting
    /// when the path is back goes on, as TCP does.
    Silent,
    /// Connections are closed without an answer.
    Closed,
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

    pub(crate) fn spike(&self) -> Duration {
        Duration::from_millis(self.spike_ms)
    }

    pub(crate) fn ack_delay(&self) -> Duration {
        Duration::from_millis(self.ack_delay_ms)
    }

    /// Whether a fault is in force that is not about all kinds of messages alike.
    pub(crate) fn sort_messages(&self) -> bool {
        self.drop_acks > 0.0 || self.ack_delay_ms > 0 || self.corrupt > 0.0
    }

    /// What becomes of a message of `length` bytes if it is too large.
    pub(crate) fn refuses(&self, length: usize) -> Option<TooLarge> {
        self.max_message_bytes.is_some_and(|most| length > most).then_some(self.too_large)
    }

    /// How long temporary credentials last.
    pub(crate) fn credentials_life(&self) -> Duration {
        // As below.
        Duration::try_from_secs_f64(self.credentials_life_s).unwrap_or(Duration::MAX)
    }

    /// When an agent gives up a channel that answers nothing.
    pub(crate) fn agent_patience(&self) -> Duration {
        // Validated; what no clock can hold is never.
        Duration::try_from_secs_f64(self.agent_patience_s).unwrap_or(Duration::MAX)
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
        for (key, probability) in [
            ("spike", self.spike),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("drop_acks", self.drop_acks),
            ("corrupt", self.corrupt),
            ("garbage", self.garbage),
        ] {
            if !(0.0..=1.0).contains(&probability) {
                return Err(FaultError::Probability { key, value: probability });
            }
        }
        for (key, seconds) in [
            ("close_every_s", self.close_every_s),
            ("idle_timeout_s", self.idle_timeout_s),
            ("max_duration_s", self.max_duration_s),
            ("agent_patience_s", Some(self.agent_patience_s)),
            ("credentials_life_s", Some(self.credentials_life_s)),
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
