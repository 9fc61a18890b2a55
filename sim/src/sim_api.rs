//! `/_sim/…`: what tests and the demo may ask of the simulator, and do to it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use ssm_proto::channel::open::Role;

use crate::call_log::ApiCall;
use crate::faults::{FaultError, Faults};
use crate::service::Service;
use crate::session::{EndReason, SessionReport, SocketCommand};

/// Everything that `GET /_sim/sessions` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionsReport {
    /// All sessions, oldest first.
    pub sessions: Vec<SessionReport>,
    /// The last API calls, oldest first.
    pub calls: Vec<ApiCall>,
}

/// Which side's data channel a cut hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The caller of StartSession.
    Client,
    /// The node.
    Agent,
}

/// How a data channel is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Close frame `1000 Bye`.
    Bye,
    /// TCP reset, no close frame.
    Reset,
    /// The connection stays, and nothing passes in either direction. What waits when it passes again
    /// arrives, as with TCP.
    Blackhole,
    /// The gateway forgets the connection, the other end does not: nothing is read or answered, and
    /// what was on its way to it is gone.
    #[serde(alias = "half-open")]
    HalfOpen,
    /// A frame of more than 16 MiB: nobody takes it, and a websocket that is sent one is closed.
    Oversized,
}

/// `POST /_sim/cut`: acts once on open data channels.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Whose channel.
    pub side: Side,
    /// In which way.
    pub how: How,
    /// Of this session only.
    #[serde(default)]
    pub session: Option<String>,
    /// Black hole: until it passes again; half-open: until the other end is told by a reset. Seconds;
    /// without it, never.
    #[serde(default, deserialize_with = "seconds")]
    pub for_s: Option<f64>,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let given = Option::<f64>::deserialize(deserializer)?;
    match given.map(Duration::try_from_secs_f64) {
        Some(Err(error)) => Err(D::Error::custom(error)),
        _ => Ok(given),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Close {
    output: String,
}

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/sessions", get(show_sessions))
        .route("/sessions/{id}/close", post(close_session))
        .route("/faults", get(show_faults).put(put_faults).delete(delete_faults))
        .route("/cut", post(post_cut))
        .route("/agent/restart", post(restart_agent))
}

/// A refused request: status and reason.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": { "message": self.1 } }))).into_response()
    }
}

impl From<FaultError> for Refusal {
    fn from(error: FaultError) -> Self {
        Self(StatusCode::BAD_REQUEST, error.to_string())
    }
}

pub(crate) fn report(service: &Service) -> SessionsReport {
    SessionsReport {
        sessions: service.registry.all().iter().map(|session| session.report()).collect(),
        calls: service.calls.all(),
    }
}

/// Changes some faults; the whole state afterwards.
pub(crate) fn patch_faults(service: &Service, patch: &Value) -> Result<Faults, FaultError> {
    let faults = service.faults.patch(patch)?;
    service.cut_offline_nodes();
    Ok(faults)
}

pub(crate) fn replace_faults(service: &Service, faults: Faults) {
    service.faults.replace(faults);
    service.cut_offline_nodes();
}

/// Cuts; the number of channels that were hit.
pub(crate) fn cut(service: &Service, cut: &Cut) -> usize {
    let role = match cut.side {
        Side::Client => Role::Client,
        Side::Agent => Role::Agent,
    };
    let time = cut.for_s.and_then(|time| Duration::try_from_secs_f64(time).ok());
    let command = match cut.how {
        How::Bye => SocketCommand::Bye,
        How::Reset => SocketCommand::Reset,
        How::Blackhole => SocketCommand::Blackhole(time),
        How::HalfOpen => SocketCommand::HalfOpen(time),
        How::Oversized => SocketCommand::Oversized,
    };
    service.command(role, cut.session.as_deref(), &command)
}

/// Ends a session as the service does; false: there is none with that id.
pub(crate) fn close(service: &Service, id: &str, output: String) -> bool {
    let session = service.registry.get(id);
    session.inspect(|session| session.end(EndReason::Closed, output)).is_some()
}

async fn show_sessions(State(service): State<Arc<Service>>) -> Json<SessionsReport> {
    Json(report(&service))
}

async fn show_faults(State(service): State<Arc<Service>>) -> Json<Faults> {
    Json(Faults::clone(&service.faults.get()))
}

// Bodies are read whatever their content type says: these routes are for curl.
async fn put_faults(State(service): State<Arc<Service>>, body: String) -> Result<Json<Faults>, Refusal> {
    Ok(Json(patch_faults(&service, &parse(&body)?)?))
}

async fn delete_faults(State(service): State<Arc<Service>>) -> Json<Faults> {
    service.faults.clear();
    Json(Faults::clone(&service.faults.get()))
}

async fn post_cut(State(service): State<Arc<Service>>, body: String) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({ "cut": cut(&service, &parse(&body)?) })))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Restart {
    session: Option<String>,
}

async fn restart_agent(State(service): State<Arc<Service>>, body: String) -> Result<Json<Value>, Refusal> {
    let Restart { session } = if body.is_empty() { Restart::default() } else { parse(&body)? };
    Ok(Json(json!({ "restarted": service.restart_agents(session.as_deref()) })))
}

async fn close_session(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    body: String,
) -> Result<Json<Value>, Refusal> {
    let Close { output } = if body.is_empty() { Close::default() } else { parse(&body)? };
    if !close(&service, &id, output) {
        return Err(Refusal(StatusCode::NOT_FOUND, format!("no session {id}")));
    }
    Ok(Json(json!({})))
}

fn parse<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, Refusal> {
    serde_json::from_str(body).map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))
}
