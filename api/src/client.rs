//! The client side of the API: one async method a route, over the daemon's Unix socket.
//!
//! Each request is a connection of its own: on a Unix socket that costs tens of microseconds, and
//! no request can be held up by another. It does not start a daemon; that is the command line's.

use crate::connection::Connections;
use crate::error::{ApiError, ErrorBody, ErrorCode};
use crate::event::DaemonEvent;
use crate::history::History;
use crate::log::{LogEvent, LogQuery, Logs};
use crate::session::Sessions;
use crate::setting::Settings;
use crate::sse::{SseReader, TooLarge};
use crate::status::TunnelStatus;
use crate::traffic::{Span, Traffic};
use crate::types::{Accepted, DaemonVersion, Reloaded, SelectRequest, StopRequest, Tunnels};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// How long the daemon may take to begin an answer. It answers from memory, so this is far beyond
/// anything but a daemon that hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// So many daemons are asked, one after the other, each of which has handed over to the next meanwhile.
const MOST_DAEMONS: usize = 5;

/// The most bytes of one answer that are read.
const MAX_ANSWER: usize = 16 << 20;

/// The protocol that a connection is upgraded to on which one daemon takes over from another.
pub const TAKEOVER: &str = "tunnels-takeover";

/// Talks to the daemon behind one socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Why a request has no useful answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no daemon answers on {}", socket.display())]
    Unreachable {
        /// The socket that was tried.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon did not answer in time.
    #[error("the daemon on {} did not answer within {} s", socket.display(), ANSWER_TIMEOUT.as_secs())]
    Silent {
        /// The socket that was tried.
        socket: PathBuf,
    },
    /// The daemon refused, and says why.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The daemon has no such route: it is older than this program.
    #[error("the running daemon is older than this command: it does not know {route}")]
    Older {
        /// The path that was asked for.
        route: String,
    },
    /// The connection broke in the middle.
    #[error("the connection to the daemon broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not what this version understands.
    #[error("the daemon's answer is not understood; is it of another version?")]
    Unintelligible(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ClientError {
    /// Whether no daemon runs, so that starting one would help.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { source, .. }
            if matches!(source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory))
    }
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(refused) => refused,
            ClientError::Unreachable { ref source, .. } => {
                if error.is_unreachable() {
                    return Self::new(ErrorCode::DaemonUnreachable, error.to_string())
                        .with_hint("start it with `tunnels up` or `tunnels daemon`");
                }
                Self::new(ErrorCode::DaemonUnreachable, format!("{error}: {source}"))
                    .with_hint("look whose that folder is, or name another one with TUNNELS_RUNTIME_DIR")
            }
            ClientError::Silent { .. } => ApiError::new(ErrorCode::DaemonUnreachable, error.to_string())
                .with_hint("it may hang: `tunnels daemon` after ending its process starts a new one"),
            ClientError::Older { .. } => ApiError::new(ErrorCode::Failed, error.to_string())
                .with_hint("put this version in its place: tunnels stop && tunnels up"),
            ClientError::Broken(ref source) => {
                ApiError::new(ErrorCode::DaemonUnreachable, format!("{error}: {source}"))
                    .with_hint("see whether it still runs: `tunnels version`")
            }
            ClientError::Unintelligible(ref source) => ApiError::new(ErrorCode::Failed, format!("{error} ({source})"))
                .with_hint("restart the daemon: `tunnels stop`, then `tunnels up`"),
        }
    }
}

impl Client {
    /// A client for the daemon behind `socket`; connects with each request.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// The socket this client talks to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `GET /v1/tunnels`: all tunnels, in the order of the configuration.
    ///
    /// # Errors
    /// As every request: see [`ClientError`].
    pub async fn tunnels(&self) -> Result<Tunnels, ClientError> {
        self.get("/v1/tunnels").await
    }

    /// `GET /v1/tunnels/{name}`: one tunnel.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn tunnel(&self, name: &str) -> Result<TunnelStatus, ClientError> {
        self.get(&tunnel_path(name, "")).await
    }

    /// `GET /v1/tunnels/{name}/history`: its last changes and their causes.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn history(&self, name: &str) -> Result<History, ClientError> {
        self.get(&tunnel_path(name, "/history")).await
    }

    /// `GET /v1/tunnels/{name}/connections`: who uses it.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn connections(&self, name: &str) -> Result<Connections, ClientError> {
        self.get(&tunnel_path(name, "/connections")).await
    }

    /// `GET /v1/tunnels/{name}/sessions`: what carries it.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn sessions(&self, name: &str) -> Result<Sessions, ClientError> {
        self.get(&tunnel_path(name, "/sessions")).await
    }

    /// `GET /v1/tunnels/{name}/traffic`: its rates and round trips lately.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn traffic(&self, name: &str, span: Span) -> Result<Traffic, ClientError> {
        self.get(&tunnel_path(name, &format!("/traffic?span={}", span.as_str()))).await
    }

    /// `GET /v1/tunnels/{name}/config`: its configuration in force, and where each value comes from.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn settings(&self, name: &str) -> Result<Settings, ClientError> {
        self.get(&tunnel_path(name, "/config")).await
    }

    /// `POST /v1/tunnels/{name}/restart`: closes its sessions and opens new ones.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn restart(&self, name: &str) -> Result<Accepted, ClientError> {
        self.post(&tunnel_path(name, "/restart"), &serde_json::json!({})).await
    }

    /// `POST /v1/up`: wants tunnels up; none selected means all with `auto`.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], [`ErrorCode::Usage`] for a reason that AWS would not take, and as every
    /// request.
    pub async fn up(&self, request: &SelectRequest) -> Result<Accepted, ClientError> {
        self.post("/v1/up", request).await
    }

    /// `POST /v1/down`: wants these tunnels down; none selected means all.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn down(&self, select: &[String]) -> Result<Accepted, ClientError> {
        let select = select.to_vec();
        self.post("/v1/down", &SelectRequest { select, reason: None }).await
    }

    /// `POST /v1/reload`: reads the configuration again and applies what has changed.
    ///
    /// # Errors
    /// [`ErrorCode::ConfigInvalid`] with the whole report, and as every request.
    pub async fn reload(&self) -> Result<Reloaded, ClientError> {
        self.post("/v1/reload", &serde_json::json!({})).await
    }

    /// `POST /v1/stop`: asks the daemon to end. It has ended when its event stream does.
    ///
    /// # Errors
    /// As every request: see [`ClientError`].
    pub async fn stop(&self, request: &StopRequest) -> Result<Accepted, ClientError> {
        self.post("/v1/stop", request).await
    }

    /// `POST /v1/takeover`: asks the daemon to hand everything over on the connection that is returned. What is said there, in
    /// which version, is the daemons' own matter.
    ///
    /// # Errors
    /// As every request: see [`ClientError`].
    pub async fn takeover(&self, protocol: u32) -> Result<UnixStream, ClientError> {
        let response = self.send(Method::POST, &format!("/v1/takeover?protocol={protocol}"), Bytes::new()).await?;
        let upgraded = hyper::upgrade::on(response).await.map_err(|e| ClientError::Broken(e.into()))?;
        let parts = upgraded.downcast::<TokioIo<UnixStream>>();
        let parts = parts.map_err(|_| ClientError::Broken("the connection is of another kind".into()))?;
        // The daemon says nothing before it is spoken to, so nothing was read ahead.
        Ok(parts.io.into_inner())
    }

    /// `GET /v1/version`: which daemon this is.
    ///
    /// # Errors
    /// As every request: see [`ClientError`].
    pub async fn version(&self) -> Result<DaemonVersion, ClientError> {
        self.get("/v1/version").await
    }

    /// `GET /v1/events`: subscribes; the first event is a snapshot.
    ///
    /// # Errors
    /// As every request: see [`ClientError`].
    pub async fn events(&self) -> Result<Events, ClientError> {
        let response = self.send(Method::GET, "/v1/events", Bytes::new()).await?;
        Ok(Events(Sse::new(response)))
    }

    /// `GET /v1/logs`: the lines that the daemon still has; [`LogQuery::follow`] is ignored.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchTunnel`], and as every request.
    pub async fn logs(&self, query: &LogQuery) -> Result<Logs, ClientError> {
        self.get(&logs_path(query, false)).await
    }

    /// `GET /v1/logs?follow=true`: the lines that the daemon still has, and those that come.
    ///
    /// # Errors
    /// As [`Self::logs`].
    pub async fn follow_logs(&self, query: &LogQuery) -> Result<LogEvents, ClientError> {
        let response = self.send(Method::GET, &logs_path(query, true), Bytes::new()).await?;
        Ok(LogEvents(Sse::new(response)))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        read_json(response).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|e| ClientError::Broken(e.into()))?;
        let response = self.send(Method::POST, path, body.into()).await?;
        read_json(response).await
    }

    /// Sends, and again if another daemon was just taking over: the one that was asked has not done it, and that one will.
    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        for _ in 1..MOST_DAEMONS {
            match self.send_once(method.clone(), path, body.clone()).await {
                Err(ClientError::Refused(error)) if error.code == ErrorCode::HandedOver => {}
                answer => return answer,
            }
        }
        self.send_once(method, path, body).await
    }

    /// Connects, sends, and waits for the head of a successful answer.
    async fn send_once(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(method, path, body)).await;
        let response = answer.map_err(|_| ClientError::Silent { socket: self.socket.clone() })??;
        if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        Err(match refusal(response).await {
            ClientError::Refused(error) if error.code == ErrorCode::NotFound => {
                let route = path.split('?').next().unwrap_or(path).to_owned();
                ClientError::Older { route }
            }
            other => other,
        })
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|source| ClientError::Unreachable { socket: self.socket.clone(), source })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| ClientError::Broken(e.into()))?;
        // Ends when the answer's body is read or dropped: `sender` is gone by then.
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json");
        if path.starts_with("/v1/takeover") {
            request = request.header(header::CONNECTION, "upgrade").header(header::UPGRADE, TAKEOVER);
        }
        let request = request.body(Full::new(body)).map_err(|e| ClientError::Broken(e.into()))?;
        sender.send_request(request).await.map_err(|e| ClientError::Broken(e.into()))
    }
}

/// News from the daemon, as they happen.
#[derive(Debug)]
pub struct Events(Sse);

impl Events {
    /// The next event; `None` when the daemon has ended. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<DaemonEvent, ClientError>> {
        self.0.next().await
    }
}

/// Lines of the daemon's log, as they are written.
#[derive(Debug)]
pub struct LogEvents(Sse);

impl LogEvents {
    /// The next event; `None` when the daemon has ended. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<LogEvent, ClientError>> {
        self.0.next().await
    }
}

/// An answer that is a stream of server-sent events.
#[derive(Debug)]
struct Sse {
    body: Incoming,
    reader: SseReader,
}

impl Sse {
    fn new(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), reader: SseReader::default() }
    }

    async fn next<T: DeserializeOwned>(&mut self) -> Option<Result<T, ClientError>> {
        loop {
            if let Some(data) = self.reader.next_event() {
                let event = serde_json::from_slice(&data);
                return Some(event.map_err(|e| ClientError::Unintelligible(e.into())));
            }
            // Cancel-safe: a frame is either returned or still in the connection.
            match self.body.frame().await? {
                Ok(frame) => {
                    let fed = frame.data_ref().map_or(Ok(()), |data| self.reader.feed(data));
                    if let Err(error @ TooLarge) = fed {
                        return Some(Err(ClientError::Unintelligible(error.into())));
                    }
                }
                Err(error) => return Some(Err(ClientError::Broken(error.into()))),
            }
        }
    }
}

/// The path of a tunnel's route, its name percent-encoded.
fn tunnel_path(name: &str, action: &str) -> String {
    let mut path = String::from("/v1/tunnels/");
    encode(&mut path, name);
    path + action
}

fn logs_path(query: &LogQuery, follow: bool) -> String {
    use std::fmt::Write as _;
    let mut path = format!("/v1/logs?follow={follow}");
    if let Some(tunnel) = &query.tunnel {
        path.push_str("&tunnel=");
        encode(&mut path, tunnel);
    }
    if let Some(level) = query.level {
        let _ = write!(path, "&level={}", level.as_str());
    }
    if let Some(lines) = query.lines {
        let _ = write!(path, "&lines={lines}");
    }
    path
}

fn encode(path: &mut String, text: &str) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

async fn read_body(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = Limited::new(response.into_body(), MAX_ANSWER);
    let collected = body.collect().await.map_err(ClientError::Broken)?;
    Ok(collected.to_bytes())
}

async fn read_json<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    let body = read_body(response).await?;
    serde_json::from_slice(&body).map_err(|e| ClientError::Unintelligible(e.into()))
}

/// The error in an answer that is not a success.
async fn refusal(response: Response<Incoming>) -> ClientError {
    let status = response.status();
    let body = match read_body(response).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    if let Ok(ErrorBody { error }) = serde_json::from_slice(&body) {
        return ClientError::Refused(error);
    }
    let code = match status {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::BAD_REQUEST => ErrorCode::Usage,
        _ => ErrorCode::Failed,
    };
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    ClientError::Refused(ApiError::new(code, format!("the daemon answered {status}: {text}")))
}

#[cfg(test)]
mod tests;
