//! What can go wrong in a call to AWS, by what a tunnel does about it.
//!
//! Names are matched, nothing else: half of the errors come from AWS's front end and are in no service
//! model (docs/protocol.md §1.3). Turning an error into a tunnel's state is `tunnel/cause.rs`.

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// Nothing answered: DNS, TCP, TLS or time ran out.
    #[error("AWS cannot be reached: {0}")]
    Unreachable(String),
    /// The call was sent, or may have been, and no answer came: what it asked for may be done.
    #[error("AWS did not answer: {0}")]
    NoAnswer(String),
    /// Something between here and AWS is in the way: a proxy that refuses, a certificate that is not trusted.
    #[error("{message}")]
    Blocked {
        /// What kind of thing that is.
        by: Obstacle,
        /// What is in the way.
        message: String,
        /// What the user can do about it.
        next: Option<String>,
        /// Whether only a change to this machine's settings helps.
        lasting: bool,
    },
    /// No credentials, or they could not be loaded.
    #[error("no usable AWS credentials: {message}")]
    NoCredentials {
        /// What the provider said.
        message: String,
        /// The command that mends it, where known.
        login: Option<String>,
    },
    /// The credentials have expired.
    #[error("the AWS credentials have expired: {message}")]
    ExpiredCredentials {
        /// What the service said.
        message: String,
        /// The command that mends it, where known.
        login: Option<String>,
    },
    /// A role asks for a code of an MFA device, which only a person can type.
    #[error("a code of the MFA device {device} is needed")]
    NeedsCode {
        /// The device, as `mfa_serial` names it.
        device: String,
        /// The command that asks for the code, and leaves credentials where they are found.
        command: String,
    },
    /// Key, secret or clock are wrong.
    #[error("AWS does not accept the signature: {0}")]
    BadSignature(String),
    /// IAM says no.
    #[error("access denied: {0}")]
    AccessDenied(String),
    /// The target's agent is not connected (or account, region or instance profile are wrong).
    #[error("the target is not connected to Systems Manager: {0}")]
    TargetNotConnected(String),
    /// The document is missing or is no session document.
    #[error("the session document cannot be used: {0}")]
    InvalidDocument(String),
    /// A field or parameter is malformed.
    #[error("AWS refuses the request: {0}")]
    InvalidRequest(String),
    /// The session does not exist (any more).
    #[error("the session does not exist: {0}")]
    NoSuchSession(String),
    /// Too many calls.
    #[error("AWS asks to slow down: {0}")]
    Throttled(String),
    /// The service failed.
    #[error("AWS failed: {0}")]
    Service(String),
    /// Something the rules above do not know.
    #[error("AWS answered with an error: {0}")]
    Unknown(String),
    /// Neither the configuration nor the profile nor the environment names a region.
    #[error("no AWS region is set")]
    NoRegion,
    /// `~/.aws` has no such profile.
    #[error("there is no AWS profile `{name}`")]
    NoProfile {
        /// The profile that is missing.
        name: String,
        /// One that is there and has nearly that name.
        similar: Option<String>,
    },
    /// The configuration names something else that the SDK cannot use.
    #[error("the AWS configuration cannot be used: {0}")]
    Config(String),
}

/// What can stand between here and AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A proxy that refuses, or that cannot be used.
    Proxy,
    /// A certificate that is not trusted, or certificates to trust that cannot be read.
    Certificate,
}

impl AwsError {
    /// Classifies an error answer by its name, or by the HTTP status where there is no known name (a
    /// proxy's HTML page, an empty body).
    pub fn from_answer(name: Option<&str>, status: Option<u16>, message: impl Into<String>) -> Self {
        let message = message.into();
        match name.unwrap_or_default() {
            "TargetNotConnected" => Self::TargetNotConnected(message),
            "InvalidDocument" | "InvalidDocumentException" => Self::InvalidDocument(message),
            "DoesNotExistException" => Self::NoSuchSession(message),
            "InternalServerError" | "InternalFailure" | "ServiceUnavailable" => Self::Service(message),
            "AccessDeniedException" | "AccessDenied" | "OptInRequired" => Self::AccessDenied(message),
            "ExpiredTokenException" | "ExpiredToken" => Self::ExpiredCredentials { message, login: None },
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "RequestExpired"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException" => Self::BadSignature(message),
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
                Self::Throttled(message)
            }
            "ValidationException"
            | "InvalidParameters"
            | "InvalidInstanceId"
            | "InvalidFilterKey"
            | "InvalidInstanceInformationFilterValue" => Self::InvalidRequest(message),
            name => {
                let message = match name {
                    "" => message,
                    name => format!("{name}: {message}"),
                };
                match status {
                    Some(429) => Self::Throttled(message),
                    Some(500..=599) => Self::Service(message),
                    _ => Self::Unknown(message),
                }
            }
        }
    }

    /// Adds the command that mends missing or expired credentials; other errors stay as they are.
    #[must_use]
    pub fn with_login(self, command: Option<String>) -> Self {
        match self {
            Self::NoCredentials { message, login } => Self::NoCredentials { message, login: login.or(command) },
            Self::ExpiredCredentials { message, login } => {
                Self::ExpiredCredentials { message, login: login.or(command) }
            }
            other => other,
        }
    }

    /// Whether what the call asked for may be done all the same.
    pub fn may_be_done(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Service(_) | Self::Unknown(_))
    }

    /// Whether new credentials are what is missing.
    pub fn needs_login(&self) -> bool {
        use AwsError::{BadSignature, ExpiredCredentials, NeedsCode, NoCredentials};
        matches!(self, NoCredentials { .. } | ExpiredCredentials { .. } | NeedsCode { .. } | BadSignature(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_protocol_notes_has_its_class() {
        let class = |name: &str| AwsError::from_answer(Some(name), Some(400), "m");
        let m = || "m".to_owned();
        assert_eq!(class("TargetNotConnected"), AwsError::TargetNotConnected(m()));
        assert_eq!(class("InvalidDocument"), AwsError::InvalidDocument(m()));
        assert_eq!(class("DoesNotExistException"), AwsError::NoSuchSession(m()));
        assert_eq!(class("InternalServerError"), AwsError::Service(m()));
        assert_eq!(class("AccessDeniedException"), AwsError::AccessDenied(m()));
        for name in ["ExpiredTokenException", "ExpiredToken"] {
            assert!(class(name).needs_login(), "{name}");
        }
        for name in [
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "RequestExpired",
        ] {
            assert_eq!(class(name), AwsError::BadSignature(m()), "{name}");
            assert!(class(name).needs_login(), "{name}: a key that was rotated is read anew");
        }
        for name in ["ThrottlingException", "Throttling", "TooManyRequestsException"] {
            assert_eq!(class(name), AwsError::Throttled(m()), "{name}");
        }
        for name in ["ValidationException", "InvalidParameters"] {
            assert_eq!(class(name), AwsError::InvalidRequest(m()), "{name}");
        }
    }

    #[test]
    fn an_answer_without_a_known_name_is_classified_by_its_status() {
        let by = |status| AwsError::from_answer(None, Some(status), "<html>");
        assert_eq!(by(503), AwsError::Service("<html>".into()));
        assert_eq!(by(429), AwsError::Throttled("<html>".into()));
        assert_eq!(by(407), AwsError::Unknown("<html>".into()));
        assert_eq!(AwsError::from_answer(Some("Novel"), Some(400), "m"), AwsError::Unknown("Novel: m".into()));
    }
}
