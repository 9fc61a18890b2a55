//! What `tunnels doctor` finds: the shape of `doctor --json`.
//!
//! Owns the words of the verdicts and of the checks. What is checked and how causes are ranked is the crate `doctor`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The output of `tunnels doctor --json`: what is worst comes first, and a cause before what follows from it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkup {
    /// One for each check of each thing that was checked.
    pub findings: Vec<Finding>,
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check it was.
    pub check: Check,
    /// The tunnel, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// The tunnels, if it is about several and not about all that were checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tunnels: Vec<String>,
    /// What it came to.
    pub verdict: Verdict,
    /// One sentence without a full stop at its end.
    pub text: String,
    /// What it rests on: what AWS, the resolver or the system said, as they said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// A statement for an IAM policy that allows what was denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<serde_json::Value>,
}

/// What a check came to, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A tunnel does not work because of it.
    Fail,
    /// It works, and something about it is worth a look.
    Warn,
    /// It was not checked; the text says why.
    Skipped,
    /// Nothing is wrong.
    Ok,
}

impl Verdict {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::Fail, Self::Warn, Self::Skipped, Self::Ok];

    /// The word used in JSON and views.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Skipped => "skipped",
            Self::Ok => "ok",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is checked, in the order in which one thing needs the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Check {
    /// The configuration's files.
    Configuration,
    /// The folders of socket and state.
    Folders,
    /// The daemon that runs, if one does: its version, its configuration, its environment.
    Daemon,
    /// The region that calls go to.
    Region,
    /// The way to the SSM API: name, address, proxy, certificate.
    SsmEndpoint,
    /// This machine's clock against AWS's.
    Clock,
    /// Whose credentials they are, and how long they last.
    Credentials,
    /// The way to where data channels are opened.
    MessagesEndpoint,
    /// The local address of a tunnel.
    Local,
    /// The managed node that is to carry a tunnel.
    Target,
    /// The version of the SSM agent there.
    Agent,
    /// What IAM allows.
    Permission,
    /// The session document.
    Document,
    /// A session, opened and ended again.
    Session,
    /// The remote host and port, asked through that session.
    Remote,
    /// What the running daemon makes of a tunnel.
    Tunnel,
}

impl Check {
    /// All of them, in their order.
    pub const ALL: [Self; 16] = [
        Self::Configuration,
        Self::Folders,
        Self::Daemon,
        Self::Region,
        Self::SsmEndpoint,
        Self::Clock,
        Self::Credentials,
        Self::MessagesEndpoint,
        Self::Local,
        Self::Target,
        Self::Agent,
        Self::Permission,
        Self::Document,
        Self::Session,
        Self::Remote,
        Self::Tunnel,
    ];

    /// The word used in JSON and views.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Folders => "folders",
            Self::Daemon => "daemon",
            Self::Region => "region",
            Self::SsmEndpoint => "ssm-endpoint",
            Self::Clock => "clock",
            Self::Credentials => "credentials",
            Self::MessagesEndpoint => "messages-endpoint",
            Self::Local => "local",
            Self::Target => "target",
            Self::Agent => "agent",
            Self::Permission => "permission",
            Self::Document => "document",
            Self::Session => "session",
            Self::Remote => "remote",
            Self::Tunnel => "tunnel",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Finding {
    fn new(check: Check, verdict: Verdict, text: impl Into<String>) -> Self {
        Self {
            check,
            tunnel: None,
            tunnels: Vec::new(),
            verdict,
            text: text.into(),
            evidence: None,
            next: None,
            policy: None,
        }
    }

    /// Nothing is wrong.
    pub fn ok(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, text)
    }

    /// Worth a look.
    pub fn warn(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, text)
    }

    /// Why a tunnel does not work.
    pub fn fail(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, text)
    }

    /// Not checked, and why.
    pub fn skipped(check: Check, why: impl Into<String>) -> Self {
        Self::new(check, Verdict::Skipped, why)
    }

    /// Adds what it rests on.
    #[must_use]
    pub fn with_evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = Some(evidence.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds the policy statement that is missing.
    #[must_use]
    pub fn with_policy(mut self, statement: serde_json::Value) -> Self {
        self.policy = Some(statement);
        self
    }

    /// Says which tunnel it is about.
    #[must_use]
    pub fn of(mut self, tunnel: &str) -> Self {
        self.tunnel = Some(tunnel.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_views_are_those_in_json() {
        for verdict in Verdict::ALL {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
        }
        for check in Check::ALL {
            assert_eq!(serde_json::to_value(check).unwrap(), check.as_str());
        }
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let finding = Finding::ok(Check::Clock, "the clock is right").of("db");
        let json = serde_json::to_string(&finding).unwrap();
        assert_eq!(json, r#"{"check":"clock","tunnel":"db","verdict":"ok","text":"the clock is right"}"#);
    }
}
