//! SDK errors into the daemon's. An answer is told apart by its name; what never got an answer, by what
//! stands at the root of its chain.

use crate::credentials::NeedsCode;
use crate::credentials_cache::{NotAccepted, SharedError};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ssm_session::ConnectError;
use std::error::Error;
use tunnels_daemon::aws::AwsError;
use tunnels_daemon::chain;

/// So much of an answer that is no error document is shown.
const BODY_SHOWN: usize = 200;
/// So much of what a source of credentials says is shown.
const MESSAGE_SHOWN: usize = 600;

/// `host` is where the call went; `has_login` says whether people log in to get the credentials.
pub(crate) fn from_sdk<E>(error: &SdkError<E, Response>, host: &str, has_login: bool) -> AwsError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let name = answer.err().code();
            let message = match answer.err().message() {
                Some(message) => message.to_owned(),
                None => unexplained(answer.raw()),
            };
            AwsError::from_answer(name, Some(status), message)
        }
        SdkError::ResponseError(answer) => {
            AwsError::from_answer(None, Some(answer.raw().status().as_u16()), unexplained(answer.raw()))
        }
        other => {
            if let Some(credentials) = find::<CredentialsError>(other) {
                return from_credentials(credentials, has_login);
            }
            if let Some(connection) = find::<ConnectError>(other) {
                return AwsError::from(connection);
            }
            let cause = chain(other.source().unwrap_or(other));
            match other {
                // Nothing was sent: the settings contradict each other, or name something the SDK does not know.
                SdkError::ConstructionFailure(_) => AwsError::Config(cause),
                SdkError::TimeoutError(_) => AwsError::NoAnswer(format!("{host}: the call took too long")),
                _ => AwsError::NoAnswer(format!("{host}: {cause}")),
            }
        }
    }
}

pub(crate) fn from_credentials(error: &CredentialsError, has_login: bool) -> AwsError {
    if let Some(SharedError(shared)) = find(error) {
        return from_credentials(shared, has_login);
    }
    if let Some(NotAccepted(error)) = find(error) {
        return error.clone();
    }
    if let Some(NeedsCode { device, command }) = find(error) {
        return AwsError::NeedsCode { device: device.clone(), command: command.clone() };
    }
    // A service that gives credentials, and does not answer: that is no reason to log in.
    if let Some(connection) = find::<ConnectError>(error) {
        return AwsError::from(connection);
    }
    if let Some(answer) = answered(error) {
        return answer;
    }
    match error {
        CredentialsError::ProviderTimedOut(_) => AwsError::Unreachable(shortened(&chain(error))),
        CredentialsError::CredentialsNotLoaded(_) => {
            AwsError::NoCredentials { message: "none are configured".into(), login: None }
        }
        CredentialsError::InvalidConfiguration(_) if !has_login => AwsError::Config(innermost(error)),
        // Its own words only say that something went wrong.
        _ => AwsError::NoCredentials { message: innermost(error), login: None },
    }
}

/// What a service that gives credentials has answered, where it says more than that there are none.
fn answered(error: &CredentialsError) -> Option<AwsError> {
    let (code, message) = if let Some(error) = find::<AssumeRoleError>(error) {
        (error.code(), error.message())
    } else if let Some(error) = find::<GetRoleCredentialsError>(error) {
        // The role is not given to whoever is logged in; any other refusal is of the login.
        let code = error.code().filter(|code| *code != "UnauthorizedException");
        (code.map(|code| if code == "ForbiddenException" { "AccessDenied" } else { code }), error.message())
    } else {
        return None;
    };
    match AwsError::from_answer(code, None, shortened(message?)) {
        AwsError::Unknown(_) | AwsError::InvalidRequest(_) => None,
        answer => Some(answer),
    }
}

/// An answer without a message: a proxy's page, or nothing at all.
fn unexplained(answer: &Response) -> String {
    let status = answer.status().as_u16();
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    let start: String = body.trim().chars().filter(|c| !c.is_control()).take(BODY_SHOWN).collect();
    if start.is_empty() { format!("HTTP {status} without a message") } else { format!("HTTP {status}: {start}") }
}

pub(crate) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The texts of a chain without those credentials errors that wrap others: one for each provider asked.
fn innermost(error: &CredentialsError) -> String {
    let mut error: &dyn Error = error;
    while error.is::<CredentialsError>() {
        let Some(source) = error.source() else { break };
        error = source;
    }
    shortened(&chain(error))
}

/// On one line, and not without end: a program may have written anything to its standard error.
fn shortened(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.retain(|c| !c.is_control());
    match words.char_indices().nth(MESSAGE_SHOWN) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_say_what_their_source_said() {
        let said = |error: &CredentialsError| match from_credentials(error, false) {
            AwsError::NoCredentials { message, login: None } => message,
            other => panic!("{other:?}"),
        };
        let process = || CredentialsError::provider_error("exit status 1. Stderr: ");
        assert_eq!(said(&process()), "exit status 1. Stderr:");
        assert_eq!(said(&CredentialsError::provider_error(process())), "exit status 1. Stderr:");
        assert_eq!(said(&CredentialsError::not_loaded("no providers in chain")), "none are configured");
        let endless = said(&CredentialsError::provider_error("so\nmany\twords ".repeat(1000)));
        assert!(endless.starts_with("so many words so") && endless.chars().count() == MESSAGE_SHOWN + 1);
        let late = CredentialsError::provider_timed_out(std::time::Duration::from_secs(1));
        assert!(matches!(from_credentials(&late, false), AwsError::Unreachable(_)));
        let broken = CredentialsError::invalid_configuration("a profile refers to itself");
        assert_eq!(from_credentials(&broken, false), AwsError::Config("a profile refers to itself".into()));
        assert!(from_credentials(&broken, true).needs_login(), "what a login writes may be missing");
    }

    #[test]
    fn a_service_of_credentials_that_does_not_answer_is_no_reason_to_log_in() {
        let refused = ConnectError::Dns { host: "sts.example".into(), source: std::io::Error::other("no such name") };
        let error = CredentialsError::provider_error(CredentialsError::provider_error(refused));
        assert_eq!(
            from_credentials(&error, true),
            AwsError::Unreachable("cannot resolve sts.example: no such name".into())
        );
    }
}
