//! Why a tunnel is not ready, and whether trying again can help.
//!
//! Owns the translation from errors of AWS, the websocket, the session and the probe into the cause a
//! user reads. It decides nothing about states: the lifecycle looks only at [`Retry`] and the kind.

use crate::aws::AwsError;
use ssm_proto::CloseReason;
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

    /// The session ended because nobody used it: by the account's policy it stays closed until
    /// somebody does.
    pub(crate) fn is_idle_policy(&self) -> bool {
        self.cause.kind == CauseKind::IdlePolicy
    }

    /// Why a session ended, from what the other side said.
    pub(crate) fn from_close(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::ChannelClosed { output } => channel_closed(output),
            CloseReason::MultiplexingUnsupported { .. } => {
                Self::new(CauseKind::AgentTooOld, Retry::Never, reason.to_string())
                    .with_next("update the SSM agent on the target")
            }
            CloseReason::UnsupportedSession { .. } => {
                Self::new(CauseKind::DocumentMissing, Retry::Never, reason.to_string())
                    .with_next("check `document`; it must be a session document of type Port")
            }
            CloseReason::ProtocolViolation(_) => Self::new(CauseKind::Protocol, Retry::Answered, reason.to_string()),
            CloseReason::Unresponsive(_) => Self::new(CauseKind::AgentRestarted, Retry::Answered, reason.to_string()),
            _ => Self::new(CauseKind::Other, Retry::Answered, reason.to_string()),
        }
    }
}

/// `channel_closed` says why only in prose that AWS may reword: matched loosely, kept verbatim
/// (docs/protocol.md §7.1).
fn channel_closed(output: &str) -> DownCause {
    let lower = output.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let said = if output.trim().is_empty() {
        "AWS closed the session".to_owned()
    } else {
        format!("AWS closed the session: {}", output.trim())
    };
    if has(&["inactiv", "idle"]) {
        DownCause::new(CauseKind::IdlePolicy, Retry::Answered, said).with_next(
            "the account's idle policy ended it; `keep_alive = \"connected\"` keeps a session with open connections alive",
        )
    } else if has(&["maximum", "max session", "duration"]) {
        DownCause::new(CauseKind::MaxDuration, Retry::Answered, said)
    } else if has(&["forbidden", "no such host", "lookup "]) {
        // The agent resolves and checks the host when the session starts (docs/protocol.md §6.4).
        DownCause::new(CauseKind::RemoteRefused, Retry::Answered, said)
            .with_next("check the host in `remote`: the target resolves it, not this machine")
    } else if has(&["agent"]) && has(&["restart", "shut", "stopp"]) {
        DownCause::new(CauseKind::AgentRestarted, Retry::Answered, said)
    } else {
        DownCause::new(CauseKind::Other, Retry::Answered, said)
    }
}

impl From<AwsError> for DownCause {
    fn from(error: AwsError) -> Self {
        let text = error.to_string();
        match error {
            AwsError::Unreachable(_) => Self::new(CauseKind::Network, Retry::Unreachable, text)
                .with_next("check the network, VPN, proxy variables and AWS_ENDPOINT_URL*"),
            AwsError::NoCredentials { login, .. } | AwsError::ExpiredCredentials { login, .. } => {
                let next = login.map_or_else(
                    || "log in again, or renew the credentials".to_owned(),
                    |command| format!("run `{command}`"),
                );
                Self::new(CauseKind::Credentials, Retry::Login, text).with_next(next)
            }
            AwsError::BadSignature(_) => Self::new(CauseKind::Credentials, Retry::Login, text)
                .with_next("check the access key and this machine's clock"),
            AwsError::AccessDenied(_) => Self::new(CauseKind::AccessDenied, Retry::Never, text)
                .with_next("ask for ssm:StartSession on the target and on the session document"),
            AwsError::TargetNotConnected(_) => Self::new(CauseKind::TargetOffline, Retry::Answered, text)
                .with_next("check that the instance runs, and the profile and region"),
            AwsError::InvalidDocument(_) => Self::new(CauseKind::DocumentMissing, Retry::Never, text)
                .with_next("check `document`; it must be a session document of type Port"),
            AwsError::InvalidRequest(_) => {
                Self::new(CauseKind::Config, Retry::Never, text).with_next("check `target`, `remote` and `document`")
            }
            AwsError::NoSuchSession(_) | AwsError::Unknown(_) => {
                Self::new(CauseKind::ServiceError, Retry::Answered, text)
            }
            AwsError::Throttled(_) => Self::new(CauseKind::Throttled, Retry::Answered, text),
            AwsError::Service(_) => Self::new(CauseKind::ServiceError, Retry::Answered, text),
            AwsError::Config(_) => Self::new(CauseKind::Config, Retry::Never, text)
                .with_next("check `profile`, `region` and `endpoints`, the AWS_* variables, and ~/.aws/config"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_whether_retrying_helps() {
        let m = || "m".to_owned();
        for (error, kind, retry) in [
            (AwsError::Unreachable(m()), CauseKind::Network, Retry::Unreachable),
            (AwsError::AccessDenied(m()), CauseKind::AccessDenied, Retry::Never),
            (AwsError::TargetNotConnected(m()), CauseKind::TargetOffline, Retry::Answered),
            (AwsError::InvalidDocument(m()), CauseKind::DocumentMissing, Retry::Never),
            (AwsError::InvalidRequest(m()), CauseKind::Config, Retry::Never),
            (AwsError::Throttled(m()), CauseKind::Throttled, Retry::Answered),
            (AwsError::Service(m()), CauseKind::ServiceError, Retry::Answered),
            (AwsError::BadSignature(m()), CauseKind::Credentials, Retry::Login),
        ] {
            let cause = DownCause::from(error);
            assert_eq!((cause.cause.kind, cause.retry), (kind, retry), "{cause:?}");
        }
    }

    #[test]
    fn an_endpoint_that_does_not_answer_has_a_next_step() {
        let cause = DownCause::from(AwsError::Unreachable("ssm.example: refused".into())).cause;
        assert_eq!(cause.text, "AWS cannot be reached: ssm.example: refused");
        assert!(cause.next.is_some_and(|next| next.contains("VPN") && next.contains("AWS_ENDPOINT_URL")));
    }

    #[test]
    fn a_login_is_named_by_its_command() {
        let error = AwsError::from_answer(Some("ExpiredToken"), Some(400), "m")
            .with_login(Some("aws sso login --profile dev".into()));
        let cause = DownCause::from(error);
        assert_eq!(cause.retry, Retry::Login);
        assert_eq!(cause.cause.next.as_deref(), Some("run `aws sso login --profile dev`"));
    }

    #[test]
    fn the_service_s_parting_words_are_matched_loosely_and_kept() {
        for (output, kind) in [
            ("Your session timed out due to inactivity.", CauseKind::IdlePolicy),
            ("Session reached its maximum duration", CauseKind::MaxDuration),
            ("Session terminated by admin", CauseKind::Other),
            ("lookup db.local: no such host", CauseKind::RemoteRefused),
            ("The agent is restarting", CauseKind::AgentRestarted),
            ("", CauseKind::Other),
        ] {
            let cause = DownCause::from_close(&CloseReason::ChannelClosed { output: output.to_owned() });
            assert_eq!(cause.cause.kind, kind, "{output}");
            assert!(cause.cause.text.contains(output), "{output}");
        }
    }
}
