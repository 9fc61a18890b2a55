//! Why a tunnel is not ready, and whether trying again can help.
//!
//! Owns the causes; their words are `cause/about.rs`'s. It decides nothing about states: the lifecycle looks
//! only at [`Retry`] and the kind.

mod about;

pub(crate) use about::About;

use tunnels_api::{Cause, CauseKind};

/// Whether and how trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Retry {
    /// Nothing answered; try often, it costs nobody anything.
    Unreachable,
    /// Something answered with an error; try with longer pauses.
    Answered,
    /// Only new credentials help.
    Login,
    /// Nothing helps but the user.
    Never,
}

/// A cause with what it means for retrying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DownCause {
    /// What views show.
    pub(crate) cause: Cause,
    /// What the lifecycle looks at.
    pub(crate) retry: Retry,
}

impl DownCause {
    pub(crate) fn new(kind: CauseKind, retry: Retry, text: impl Into<String>) -> Self {
        Self { cause: Cause::new(kind, text), retry }
    }

    pub(crate) fn with_next(mut self, next: impl Into<String>) -> Self {
        self.cause = self.cause.with_next(next);
        self
    }

    /// It comes from this machine's files and settings: AWS has not been asked.
    pub(crate) fn is_local(&self) -> bool {
        use CauseKind::{Certificate, Config, NoCredentials, NoProfile, NoRegion, Proxy};
        matches!(self.cause.kind, Certificate | Config | NoCredentials | NoProfile | NoRegion | Proxy)
    }

    /// The session ended because nobody used it: by the account's policy it stays closed until
    /// somebody does.
    pub(crate) fn is_idle_policy(&self) -> bool {
        self.cause.kind == CauseKind::IdlePolicy
    }
}
