//! Errors of the JSON API, with the exact `__type` that clients match on.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// An error answer: HTTP status, name and text (docs/protocol.md §1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    name: &'static str,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, name: &'static str, message: impl Into<String>) -> Self {
        Self { status, name, message: message.into() }
    }

    fn bad_request(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, name, message)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// As STS words it.
    pub(crate) fn assume_role_denied(role: &str) -> Self {
        let owner = crate::service::OWNER;
        let message = format!("User: {owner} is not authorized to perform: sts:AssumeRole on resource: {role}");
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
    }

    pub(crate) fn target_not_connected(target: &str) -> Self {
        Self::bad_request("TargetNotConnected", format!("{target} is not connected."))
    }

    /// As IAM words it, with who, what and on which resource.
    pub(crate) fn access_denied(action: &str, resource: &str, explicit: bool) -> Self {
        let owner = crate::service::OWNER;
        let why = if explicit {
            "with an explicit deny in a service control policy".to_owned()
        } else {
            format!("because no identity-based policy allows the {action} action")
        };
        let message = format!("User: {owner} is not authorized to perform: {action} on resource: {resource} {why}");
        Self::bad_request("AccessDeniedException", message)
    }

    pub(crate) fn unknown_document(name: &str) -> Self {
        Self::invalid_document(format!("Document with name {name} does not exist."))
    }

    pub(crate) fn invalid_document(message: String) -> Self {
        Self::bad_request("InvalidDocument", message)
    }

    pub(crate) fn invalid_parameters(message: String) -> Self {
        Self::bad_request("InvalidParameters", message)
    }

    pub(crate) fn does_not_exist(session: &str) -> Self {
        Self::bad_request("DoesNotExistException", format!("Session {session} does not exist."))
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "An internal server error occurred.")
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::bad_request("ValidationException", message)
    }

    pub(crate) fn invalid_next_token() -> Self {
        Self::bad_request("InvalidNextToken", "The specified token isn't valid.")
    }

    pub(crate) fn invalid_filter_key(key: &str) -> Self {
        Self::bad_request("InvalidFilterKey", format!("The filter key {key} isn't valid."))
    }

    pub(crate) fn invalid_filter_value(message: impl Into<String>) -> Self {
        Self::bad_request("InvalidInstanceInformationFilterValue", message)
    }

    pub(crate) fn unknown_operation(operation: &str) -> Self {
        Self::bad_request("UnknownOperationException", format!("No operation {operation}."))
    }

    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::bad_request("SerializationException", message)
    }

    pub(crate) fn expired_token() -> Self {
        Self::bad_request("ExpiredTokenException", "The security token included in the request is expired")
    }

    pub(crate) fn throttling() -> Self {
        Self::bad_request("ThrottlingException", "Rate exceeded")
    }

    pub(crate) fn unknown_access_key() -> Self {
        Self::bad_request("UnrecognizedClientException", "The security token included in the request is invalid.")
    }

    pub(crate) fn bad_signature(message: impl Into<String>) -> Self {
        Self::bad_request("InvalidSignatureException", message)
    }

    pub(crate) fn missing_signature() -> Self {
        Self::new(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "__type": self.name, "message": self.message }).to_string();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, super::CONTENT_TYPE);
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.name));
        response
    }
}
