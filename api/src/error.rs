//! What an API call or a command answers when it cannot do what was asked.
//!
//! The same shape goes over the socket and, with `--json`, to the standard error of the command
//! line: `{"error": {"code", "message", "hint"?}}`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which kind of failure, for programs; the command line turns each into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request or the command line makes no sense.
    Usage,
    /// The configuration is missing or invalid.
    ConfigInvalid,
    /// A daemon with another configuration is running.
    ConfigMismatch,
    /// No daemon answers on the socket.
    DaemonUnreachable,
    /// A daemon is already running.
    AlreadyRunning,
    /// No tunnel has that name, group or pattern.
    NoSuchTunnel,
    /// Credentials are missing or expired.
    NeedsLogin,
    /// It did not happen in time.
    TimedOut,
    /// A tunnel failed for good.
    TunnelFailed,
    /// The daemon is going down.
    Stopping,
    /// Another daemon has taken over, and answers the same command on the same socket; it was not carried out.
    HandedOver,
    /// There is no such route.
    NotFound,
    /// Everything else.
    #[serde(other)]
    Failed,
}

impl ErrorCode {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::ConfigInvalid => "config-invalid",
            Self::ConfigMismatch => "config-mismatch",
            Self::DaemonUnreachable => "daemon-unreachable",
            Self::AlreadyRunning => "already-running",
            Self::NoSuchTunnel => "no-such-tunnel",
            Self::NeedsLogin => "needs-login",
            Self::TimedOut => "timed-out",
            Self::TunnelFailed => "tunnel-failed",
            Self::Stopping => "stopping",
            Self::HandedOver => "handed-over",
            Self::NotFound => "not-found",
            Self::Failed => "failed",
        }
    }
}

/// A failure: what happened and why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// For programs.
    pub code: ErrorCode,
    /// What happened and why.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

/// The body that carries an [`ApiError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The failure.
    pub error: ApiError,
}
