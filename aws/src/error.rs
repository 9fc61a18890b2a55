//! SDK errors into the daemon's. An answer is told apart by its name; what never got an answer, by what
//! stands at the root of its chain.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use tunnels_daemon::aws::AwsError;

/// So much of an answer that is no error document is shown.
const BODY_SHOWN: usize = 200;

pub(crate) fn from_sdk<E>(error: &SdkError<E, Response>) -> AwsError
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
        SdkError::TimeoutError(_) => AwsError::Unreachable("the call took too long".into()),
        other => match find::<CredentialsError>(other) {
            Some(credentials) => from_credentials(credentials),
            None => AwsError::Unreachable(chain(other.source().unwrap_or(other))),
        },
    }
}

pub(crate) fn from_credentials(error: &CredentialsError) -> AwsError {
    match error {
        // Nothing answered: that is no reason to log in.
        CredentialsError::ProviderTimedOut(_) => AwsError::Unreachable(chain(error)),
        CredentialsError::CredentialsNotLoaded(_) => {
            AwsError::NoCredentials { message: "none are configured".into(), login: None }
        }
        // Its own words only say that something went wrong.
        _ => AwsError::NoCredentials { message: innermost(error), login: None },
    }
}

/// An answer without a message: a proxy's page, or nothing at all.
fn unexplained(answer: &Response) -> String {
    let status = answer.status().as_u16();
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    let start: String = body.trim().chars().filter(|c| !c.is_control()).take(BODY_SHOWN).collect();
    if start.is_empty() { format!("HTTP {status} without a message") } else { format!("HTTP {status}: {start}") }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
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
    chain(error).trim_end().to_owned()
}

/// All texts of a chain; the SDK often repeats the outer one in the inner, which is shown once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_say_what_their_source_said() {
        let said = |error: &CredentialsError| match from_credentials(error) {
            AwsError::NoCredentials { message, login: None } => message,
            other => panic!("{other:?}"),
        };
        let process = || CredentialsError::provider_error("exit status 1. Stderr: ");
        assert_eq!(said(&process()), "exit status 1. Stderr:");
        assert_eq!(said(&CredentialsError::provider_error(process())), "exit status 1. Stderr:");
        assert_eq!(said(&CredentialsError::not_loaded("no providers in chain")), "none are configured");
        let late = CredentialsError::provider_timed_out(std::time::Duration::from_secs(1));
        assert!(matches!(from_credentials(&late), AwsError::Unreachable(_)));
    }
}
