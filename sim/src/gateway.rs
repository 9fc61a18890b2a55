//! The message gateway's door: websocket upgrade, open message, one-time token, seat.
//!
//! Serves both roles on either port; the open message tells them apart. What happens on a seated
//! socket is the relay's.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ssm_proto::WsFrame;
use ssm_proto::channel::open::{OpenDataChannel, Role};
use ssm_session::derive_accept_key;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::relay;
use crate::service::Service;
use crate::session::{EndReason, Session, SessionState};
use crate::socket::{DataSocket, ServerSocket, Wire, server_socket};
use crate::ssm_api::ApiError;
use crate::strict::access_key;

/// RFC 6455 §7.4.1: the endpoint's policy is violated.
const POLICY_VIOLATION: u16 = 1008;
/// How long an upgraded websocket may take to say who it is.
pub(crate) const OPEN_MESSAGE_PATIENCE: Duration = Duration::from_secs(15);

/// Why an upgrade is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    reason: String,
    /// AWS's name of the error, where it has one.
    error: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), error: None }
    }

    /// An error of AWS's front end, as its API would tell it.
    fn of_aws(error: &ApiError) -> Self {
        Self { status: StatusCode::FORBIDDEN, reason: error.message().to_owned(), error: Some(error.name()) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.reason)).into_response();
        if let Some(error) = self.error {
            response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(error));
        }
        response
    }
}

/// `GET /v1/data-channel/{session}`: the upgrade of either role.
pub(crate) async fn data_channel(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    mut request: Request,
) -> Result<Response, Refusal> {
    admit(&service, &request)?;
    let no_session = || Refusal::new(StatusCode::NOT_FOUND, format!("No session {id}."));
    let session = service.registry.get(&id).ok_or_else(no_session)?;
    let arn = || format!("arn:aws:ssm:{}:{}:session/{id}", service.region(), crate::service::ACCOUNT);
    if request.headers().contains_key(header::AUTHORIZATION) {
        service.allow("ssmmessages:OpenDataChannel", arn).map_err(|error| Refusal::of_aws(&error))?;
    }
    if session.state() == SessionState::Terminated {
        return Err(Refusal::new(StatusCode::GONE, format!("Session {id} is terminated.")));
    }
    let given_cell = request.uri().query().and_then(|query| query.split("cell-number=").nth(1));
    if service.faults.get().reject_old_url && given_cell.is_some_and(|cell| cell != session.cell_number()) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "This URL is no longer valid."));
    }
    let answer = accept(request.headers())?;
    let upgrade = hyper::upgrade::on(&mut request);
    service.tasks.spawn(open(Arc::clone(&service), session, upgrade));
    Ok(answer)
}

/// Signature and expired credentials, for both kinds of channel.
pub(crate) fn admit(service: &Service, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    if headers.contains_key(header::AUTHORIZATION) && service.faults.take_expired_credentials(access_key(headers)) {
        return Err(Refusal::of_aws(&ApiError::expired_token()));
    }
    let checked =
        service.guard.check(request.method(), request.uri(), headers, b"", "ssmmessages", service.clock_ahead());
    checked.map_err(|error| Refusal::of_aws(&error))
}

/// The `101` for a websocket upgrade; without subprotocol and extensions (docs/protocol.md §2.2).
pub(crate) fn accept(headers: &HeaderMap) -> Result<Response, Refusal> {
    let has = |name: header::HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(wanted))
    };
    let is_upgrade = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_upgrade).map(HeaderValue::as_bytes);
    let not_an_upgrade = || Refusal::new(StatusCode::BAD_REQUEST, "This is a websocket.");
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.ok_or_else(not_an_upgrade)?))
        .body(Body::empty())
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Waits for the upgrade; `None` if the connection went away before.
pub(crate) async fn upgraded(upgrade: OnUpgrade) -> Option<ServerSocket> {
    let (wire, read): (Box<dyn Wire>, Bytes) = match unwrap::<TcpStream>(upgrade.await.ok()?) {
        Ok((tcp, read)) => (Box::new(tcp), read),
        Err(other) => {
            let (tls, read) = unwrap::<TlsStream<TcpStream>>(other).ok()?;
            (Box::new(tls), read)
        }
    };
    Some(server_socket(wire, &read).await)
}

/// The connection that an upgrade ran on, and what was read from it beyond the request.
fn unwrap<T>(upgraded: Upgraded) -> Result<(T, Bytes), Upgraded>
where
    TokioIo<T>: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let parts = upgraded.downcast::<TokioIo<T>>()?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

async fn open(service: Arc<Service>, session: Arc<Session>, upgrade: OnUpgrade) {
    if let Some(socket) = upgraded(upgrade).await {
        seat(&service, &session, DataSocket::Net(Box::new(socket))).await;
    }
}

/// Lets a socket of either kind take its seat after its open message, and relays for it.
pub(crate) async fn seat(service: &Arc<Service>, session: &Arc<Session>, mut socket: DataSocket) {
    let opening = tokio::select! {
        opening = timeout(OPEN_MESSAGE_PATIENCE, first_text(&mut socket)) => opening.ok().flatten(),
        () = service.shutdown.cancelled() => return,
        _ = session.ended() => return,
    };
    let Some((role, token)) = opening else {
        return socket.close(POLICY_VIOLATION, "No open message").await;
    };
    if !session.spend(role, &token) {
        tracing::info!(session = session.id, ?role, "data channel refused: token unknown or used up");
        return socket.close(POLICY_VIOLATION, "Invalid token").await;
    }
    let seat = session.take_seat(role);
    if role == Role::Client
        && let Some(output) = service.faults.take_close_at_open()
    {
        session.end(EndReason::Closed, output);
    }
    relay::serve(service, session, seat, socket).await;
}

/// The open message; `None` if something else comes, or nothing more.
async fn first_text(socket: &mut DataSocket) -> Option<(Role, String)> {
    let Some(Ok(WsFrame::Text(text))) = socket.next().await else {
        return None;
    };
    let open: OpenDataChannel = serde_json::from_str(&text).ok()?;
    Some((open.role(), open.token_value))
}
