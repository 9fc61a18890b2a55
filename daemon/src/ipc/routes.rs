//! The routes: each reads the status board or hands a command to the daemon.
//!
//! Reads are answered at once; a command is answered as soon as it is accepted. Bodies are JSON
//! whatever their content type says, and none is needed where every field has a default, so that a
//! bare `curl -X POST` works. Documented one by one in `docs/ipc.md`.

use super::{events, inspect, logs, takeover};
use crate::handle::DaemonHandle;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get, post};
use serde::de::DeserializeOwned;
use std::fmt::Write as _;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tunnels_api::{
    Accepted, ApiError, DaemonVersion, ErrorBody, ErrorCode, History, Reloaded, SelectRequest, StopRequest,
    TargetState, TunnelState, TunnelStatus, Tunnels, UpRequest,
};

/// What every route can reach.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) daemon: DaemonHandle,
    pub(super) shutdown: CancellationToken,
}

pub(super) fn router(daemon: DaemonHandle, shutdown: CancellationToken) -> Router {
    Router::new()
        .route("/v1/tunnels", get(tunnels))
        .route("/v1/tunnels/{name}", get(tunnel))
        .route("/v1/tunnels/{name}/history", get(history))
        .route("/v1/tunnels/{name}/connections", get(inspect::connections))
        .route("/v1/tunnels/{name}/sessions", get(inspect::sessions))
        .route("/v1/tunnels/{name}/traffic", get(inspect::traffic))
        .route("/v1/tunnels/{name}/config", get(inspect::config))
        .route("/v1/tunnels/{name}/up", post(tunnel_up))
        .route("/v1/tunnels/{name}/down", post(tunnel_down))
        .route("/v1/tunnels/{name}/restart", post(tunnel_restart))
        .route("/v1/up", post(up))
        .route("/v1/down", post(down))
        .route("/v1/events", get(events::events))
        .route("/v1/reload", post(reload))
        .route("/v1/logs", get(logs::logs))
        .route("/v1/stop", post(stop))
        .route("/v1/takeover", post(takeover::takeover))
        .route("/v1/version", get(version))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Served { daemon, shutdown })
}

/// An [`ApiError`] as a response.
pub(super) struct Failure(ApiError);

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.code {
            ErrorCode::Usage => StatusCode::BAD_REQUEST,
            ErrorCode::NoSuchTunnel | ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::ConfigInvalid => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::Stopping | ErrorCode::HandedOver => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        };
        (status, Json(ErrorBody { error: self.0 })).into_response()
    }
}

pub(super) type Answer<T> = Result<Json<T>, Failure>;

async fn tunnels(State(served): State<Served>) -> Json<Tunnels> {
    Json(Tunnels { tunnels: served.daemon.tunnels(), config_error: served.daemon.config_error() })
}

async fn tunnel(State(served): State<Served>, Path(name): Path<String>) -> Answer<TunnelStatus> {
    Ok(Json(existing(&served.daemon, &name)?))
}

async fn history(State(served): State<Served>, Path(name): Path<String>) -> Answer<History> {
    match served.daemon.history(&name) {
        Some(history) => Ok(Json(history)),
        None => Err(unknown(&served.daemon, &name).into()),
    }
}

async fn tunnel_up(State(served): State<Served>, Path(name): Path<String>, body: Bytes) -> Answer<Accepted> {
    existing(&served.daemon, &name)?;
    let UpRequest { reason } = read(&body)?;
    note("up", std::slice::from_ref(&name), "");
    accepted(served.daemon.up(vec![name], checked_reason(reason)?).await)
}

async fn tunnel_down(State(served): State<Served>, Path(name): Path<String>) -> Answer<Accepted> {
    existing(&served.daemon, &name)?;
    note("down", std::slice::from_ref(&name), "");
    accepted(served.daemon.down(vec![name]).await)
}

async fn tunnel_restart(State(served): State<Served>, Path(name): Path<String>) -> Answer<Accepted> {
    existing(&served.daemon, &name)?;
    note("restart", std::slice::from_ref(&name), "");
    accepted(served.daemon.restart(vec![name]).await)
}

async fn up(State(served): State<Served>, body: Bytes) -> Answer<Accepted> {
    let SelectRequest { select, reason } = read(&body)?;
    note("up", &select, "all with `auto`");
    accepted(served.daemon.up(select, checked_reason(reason)?).await)
}

async fn down(State(served): State<Served>, body: Bytes) -> Answer<Accepted> {
    let SelectRequest { select, reason } = read(&body)?;
    if reason.is_some() {
        return Err(ApiError::new(ErrorCode::Usage, "`reason` is for `up` only").into());
    }
    note("down", &select, "all");
    accepted(served.daemon.down(select).await)
}

async fn reload(State(served): State<Served>) -> Answer<Reloaded> {
    Ok(Json(served.daemon.reload().await?))
}

async fn stop(State(served): State<Served>, body: Bytes) -> Answer<Accepted> {
    let StopRequest { drain_ms } = read(&body)?;
    served.daemon.stop(drain_ms.map(Duration::from_millis)).await?;
    accepted(Ok(Vec::new()))
}

async fn version(State(served): State<Served>) -> Json<DaemonVersion> {
    Json(served.daemon.version())
}

/// 200 when everything that should be up is: for health checks of containers and for CI.
async fn readyz(State(served): State<Served>) -> Response {
    let mut waiting = String::new();
    for tunnel in served.daemon.tunnels() {
        let there = matches!(tunnel.state, TunnelState::Ready | TunnelState::Listening);
        if tunnel.wanted == TargetState::Up && !there {
            let _ = writeln!(waiting, "{} {}", tunnel.name, tunnel.state);
        }
    }
    if waiting.is_empty() { "ok\n".into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, waiting).into_response() }
}

async fn not_found(uri: Uri) -> Failure {
    Failure(ApiError::new(ErrorCode::NotFound, format!("there is no route {}", uri.path())))
}

async fn wrong_method(uri: Uri) -> Response {
    let error = ApiError::new(ErrorCode::Usage, format!("{} does not take this method", uri.path()));
    (StatusCode::METHOD_NOT_ALLOWED, Json(ErrorBody { error })).into_response()
}

/// What users ask for is in the log, before what follows from it.
fn note(command: &str, select: &[String], all: &str) {
    let what = if select.is_empty() { all.to_owned() } else { select.join(" ") };
    tracing::info!("asked for `{command}`: {what}");
}

/// A route with a name in it means exactly that tunnel; patterns are for `/v1/up` and `/v1/down`.
pub(super) fn existing(daemon: &DaemonHandle, name: &str) -> Result<TunnelStatus, ApiError> {
    daemon.tunnel(name).ok_or_else(|| unknown(daemon, name))
}

pub(super) fn unknown(daemon: &DaemonHandle, name: &str) -> ApiError {
    let tunnels = daemon.tunnels();
    let hint = match tunnels_api::similar(name, tunnels.iter().map(|tunnel| &*tunnel.name)) {
        Some(similar) => format!("did you mean `{similar}`? `tunnels ls` shows the names"),
        None => "`tunnels ls` shows the names".to_owned(),
    };
    ApiError::new(ErrorCode::NoSuchTunnel, format!("no tunnel is named `{name}`")).with_hint(hint)
}

/// What AWS takes as the reason of a session (docs/protocol.md §1.2).
fn checked_reason(reason: Option<String>) -> Result<Option<String>, ApiError> {
    match reason.as_ref().map(|reason| reason.chars().count()) {
        None | Some(1..=256) => Ok(reason),
        Some(length) => {
            let text = format!("AWS takes a reason of 1 to 256 characters, and this one has {length}");
            Err(ApiError::new(ErrorCode::Usage, text))
        }
    }
}

fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::new(ErrorCode::Usage, format!("the request's body is not understood: {error}")))
}

fn accepted(tunnels: Result<Vec<String>, ApiError>) -> Answer<Accepted> {
    Ok(Json(Accepted { tunnels: tunnels? }))
}
