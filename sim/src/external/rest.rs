//! `CreateControlChannel` and `CreateDataChannel`: a token for each websocket the agent opens
//! (docs/protocol.md §9.4).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use ssm_proto::TokenValue;

use crate::call_log::ApiCall;
use crate::service::{Agents, Service};
use crate::session::SessionState;

/// `POST /v1/control-channel/{node}`.
pub(crate) async fn create_control_channel(
    State(service): State<Arc<Service>>,
    Path(node): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = check(&service, &method, &uri, &headers, &body).and_then(|()| {
        let Agents::External(channels) = &service.agents else {
            return Err(Refusal::NoExternalAgent);
        };
        if service.faults.is_offline(&node) {
            return Err(Refusal::Offline);
        }
        let token = service.dice.token();
        channels.grant(&node, token.clone());
        Ok(token)
    });
    answer(&service, "CreateControlChannel", None, Some(node), &headers, outcome)
}

/// `POST /v1/data-channel/{session}`.
pub(crate) async fn create_data_channel(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let session = service.registry.get(&id);
    let target = session.as_ref().map(|session| session.target.clone());
    let outcome = check(&service, &method, &uri, &headers, &body).and_then(|()| {
        let session =
            session.filter(|session| session.state() != SessionState::Terminated).ok_or(Refusal::Terminated)?;
        if service.faults.is_offline(&session.target) {
            return Err(Refusal::Offline);
        }
        let token = session.dice.token();
        session.grant_agent(token.clone());
        Ok(token)
    });
    answer(&service, "CreateDataChannel", Some(id), target, &headers, outcome)
}

/// Why the agent gets no token.
enum Refusal {
    Signature(&'static str),
    NoExternalAgent,
    Offline,
    Terminated,
}

impl Refusal {
    fn name(&self) -> &'static str {
        match self {
            Self::Signature(name) => name,
            Self::NoExternalAgent => "NoExternalAgent",
            Self::Offline => "InternalServerError",
            Self::Terminated => "SessionTerminated",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Signature(_) | Self::NoExternalAgent => (StatusCode::FORBIDDEN, "<AccessDeniedException/>"),
            Self::Offline => (StatusCode::INTERNAL_SERVER_ERROR, "<InternalServerError/>"),
            // The agent looks for these words and then tries no more.
            Self::Terminated => (StatusCode::BAD_REQUEST, "Session is already terminated"),
        };
        (status, text).into_response()
    }
}

fn check(service: &Service, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let checked = service.guard.check(method, uri, headers, body, "ssmmessages", service.clock_ahead());
    checked.map_err(|error| Refusal::Signature(error.name()))
}

fn answer(
    service: &Service,
    operation: &str,
    session: Option<String>,
    target: Option<String>,
    headers: &HeaderMap,
    outcome: Result<TokenValue, Refusal>,
) -> Response {
    service.calls.record(ApiCall {
        at: jiff::Timestamp::now(),
        operation: operation.to_owned(),
        session,
        target,
        result: outcome.as_ref().map_or_else(Refusal::name, |_| "ok").to_owned(),
        signed: headers.contains_key(header::AUTHORIZATION),
    });
    match outcome {
        // Exactly 201: the agent takes any other success for an error.
        Ok(token) => {
            let body = format!(
                "<{operation}Response><MessageSchemaVersion>1.0</MessageSchemaVersion>\
                 <TokenValue>{}</TokenValue></{operation}Response>",
                token.expose()
            );
            (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}
