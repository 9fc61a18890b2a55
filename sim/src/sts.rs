//! STS as far as credential providers ask it: `AssumeRole` and `GetCallerIdentity`, a form in and XML out.
//!
//! It shares the API's port: its calls are the forms among the `POST /`. Roles are whatever is asked for, but for
//! those that the faults refuse.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, Uri, header};
use serde::Deserialize;

use crate::call_log::ApiCall;
use crate::service::{ACCOUNT, OWNER, Service};
use crate::ssm_api::ApiError;
use crate::strict::access_key;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Form {
    action: String,
    role_arn: Option<String>,
    role_session_name: Option<String>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

/// Whether a `POST /` is for STS.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// Answers one call.
pub(crate) fn handle(service: &Service, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let form = read(body);
    let operation = form.as_ref().map_or("", |form| form.action.as_str()).to_owned();
    let outcome = service
        .guard
        .check(method, uri, headers, body, "sts", service.clock_ahead())
        .and_then(|()| answer(service, headers, form?));
    service.calls.record(ApiCall {
        at: jiff::Timestamp::now(),
        operation: operation.clone(),
        session: None,
        target: None,
        result: outcome.as_ref().map_or_else(|error| code(error.name()).to_owned(), |_| "ok".to_owned()),
        signed: headers.contains_key(header::AUTHORIZATION),
    });
    let request = service.dice.uuid();
    let (status, body) = match outcome {
        Ok(result) => (
            http::StatusCode::OK,
            format!(
                "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>{result}\
                 </{operation}Result><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{operation}Response>"
            ),
        ),
        Err(error) => (
            error.status(),
            format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{}</Code>\
                 <Message>{}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>",
                code(error.name()),
                escaped(error.message()),
            ),
        ),
    };
    (status, [(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

fn read(body: &[u8]) -> Result<Form, ApiError> {
    let malformed = || ApiError::validation("The form cannot be read.");
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let uri: Uri = format!("/?{text}").parse().map_err(|_| malformed())?;
    Query::try_from_uri(&uri).map(|Query(form)| form).map_err(|_| malformed())
}

fn answer(service: &Service, headers: &HeaderMap, form: Form) -> Result<String, ApiError> {
    if service.faults.take_expired_credentials(access_key(headers)) {
        return Err(ApiError::expired_token());
    }
    if service.faults.take_throttle() {
        return Err(ApiError::throttling());
    }
    match form.action.as_str() {
        "AssumeRole" => assume_role(service, form),
        "GetCallerIdentity" => {
            Ok(format!("<Arn>{OWNER}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{ACCOUNT}</Account>"))
        }
        other => Err(ApiError::unknown_operation(other)),
    }
}

fn assume_role(service: &Service, form: Form) -> Result<String, ApiError> {
    let (Some(role), Some(session)) = (form.role_arn, form.role_session_name) else {
        return Err(ApiError::validation("RoleArn and RoleSessionName are required."));
    };
    let has_code = form.serial_number.is_some() && form.token_code.is_some();
    if service.faults.is_role_denied(&role) || (service.faults.wants_code(&role) && !has_code) {
        // A trust policy that wants a code does not say so, either.
        return Err(ApiError::assume_role_denied(&role));
    }
    let issued = service.issuer().issue(&service.dice, service.faults.get().credentials_life());
    let (role, session) = (escaped(role.rsplit('/').next().unwrap_or_default()), escaped(&session));
    Ok(format!(
        "<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:{session}</AssumedRoleId>\
         <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>",
        issued.access_key, issued.secret_key, issued.session_token, issued.expires,
    ))
}

/// STS has names of its own for the same errors.
fn code(name: &'static str) -> &'static str {
    match name {
        "AccessDeniedException" => "AccessDenied",
        "ExpiredTokenException" => "ExpiredToken",
        "ThrottlingException" => "Throttling",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        "ValidationException" => "ValidationError",
        "UnknownOperationException" => "InvalidAction",
        other => other,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_escapes() {
        let form = read(b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fdev").unwrap();
        assert_eq!(form.role_arn.as_deref(), Some("arn:aws:iam::1:role/dev"));
        assert!(read(b"Version=1").is_err() && read(b"\xff").is_err());
        assert_eq!(escaped("<&>"), "&lt;&amp;&gt;");
    }
}
