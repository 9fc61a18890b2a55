//! The SSO portal's `GetRoleCredentials` and the OIDC service's `CreateToken`, as far as a login of `aws sso login` is
//! made use of. Logging in itself is not simulated: any token is believed that the faults do not call expired.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call_log::ApiCall;
use crate::service::Service;

const CONTENT_TYPE: &str = "application/json";

/// How long a token lasts that was exchanged for an old one: as the service has it.
const TOKEN_LIFE_S: u64 = 3600;

#[derive(Debug, Deserialize)]
pub(crate) struct Role {
    role_name: String,
    account_id: String,
}

/// A refusal: status, name, and the body, whose form differs between the two services.
struct Refusal(StatusCode, &'static str, Value);

/// Answers `GET /federation/credentials`.
pub(crate) async fn role_credentials(
    State(service): State<Arc<Service>>,
    Query(role): Query<Role>,
    headers: HeaderMap,
) -> Response {
    let token = headers.get("x-amz-sso_bearer_token").and_then(|token| token.to_str().ok()).unwrap_or_default();
    let outcome = if token.is_empty() || service.faults.is_token_expired(token) {
        let message = json!({ "message": "Session token not found or invalid" });
        Err(Refusal(StatusCode::UNAUTHORIZED, "UnauthorizedException", message))
    } else if service.faults.is_role_denied(&role.role_name) {
        tracing::debug!(role.account_id, "no access");
        Err(Refusal(StatusCode::FORBIDDEN, "ForbiddenException", json!({ "message": "No access" })))
    } else {
        let issued = service.issuer().issue(&service.dice, service.faults.get().credentials_life());
        Ok(json!({ "roleCredentials": {
            "accessKeyId": issued.access_key,
            "secretAccessKey": issued.secret_key,
            "sessionToken": issued.session_token,
            "expiration": issued.expires.as_millisecond(),
        }}))
    };
    respond(&service, "GetRoleCredentials", outcome)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest {
    grant_type: String,
    refresh_token: Option<String>,
}

/// Answers `POST /token`.
pub(crate) async fn create_token(State(service): State<Arc<Service>>, body: Bytes) -> Response {
    let refused = |name, error: &str| {
        let body = json!({ "error": error, "error_description": "Invalid token provided" });
        Err(Refusal(StatusCode::BAD_REQUEST, name, body))
    };
    let outcome = match serde_json::from_slice(&body) {
        Ok(TokenRequest { grant_type, refresh_token: Some(token) }) if grant_type == "refresh_token" => {
            if token.is_empty() || service.faults.is_token_expired(&token) {
                refused("InvalidGrantException", "invalid_grant")
            } else {
                Ok(json!({
                    "accessToken": service.dice.token().expose(),
                    "refreshToken": token,
                    "expiresIn": TOKEN_LIFE_S,
                    "tokenType": "Bearer",
                }))
            }
        }
        _ => refused("UnsupportedGrantTypeException", "unsupported_grant_type"),
    };
    respond(&service, "CreateToken", outcome)
}

fn respond(service: &Service, operation: &str, outcome: Result<Value, Refusal>) -> Response {
    service.calls.record(ApiCall {
        at: jiff::Timestamp::now(),
        operation: operation.to_owned(),
        session: None,
        target: None,
        result: outcome.as_ref().map_or_else(|refusal| refusal.1.to_owned(), |_| "ok".to_owned()),
        signed: false,
    });
    let kind = [(header::CONTENT_TYPE, CONTENT_TYPE)];
    match outcome {
        Ok(body) => (kind, body.to_string()).into_response(),
        Err(Refusal(status, name, body)) => {
            (status, kind, [("x-amzn-errortype", name)], body.to_string()).into_response()
        }
    }
}
