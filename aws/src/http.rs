//! The HTTP client of all SDK calls, on the same connections as the websockets: same proxies, same trust, same
//! errors (`ssm_session::Network`).
//!
//! The SDK's own client reads neither `AWS_CA_BUNDLE` nor says which proxy refused and why. HTTP/1.1 only,
//! which is what these services speak.

use crate::error::find;
use crate::profile::Profile;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ssm_session::{ConnectError, Destination, Network, Stream, Tls};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

/// Calls are rare once the tunnels are up: a burst of them must not leave its connections open.
const IDLE: usize = 2;
const IDLE_TIME: Duration = Duration::from_secs(20);
/// Where the SDK names no limit for opening a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Makes connectors, one for each set of timeouts; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    network: Network,
    connectors: Arc<Mutex<HashMap<Timeouts, SharedHttpConnector>>>,
}

/// What the SDK asks for: few values, all from its own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Timeouts {
    connect: Duration,
    /// Until an answer begins.
    read: Option<Duration>,
}

impl Http {
    pub(crate) fn new(network: Network) -> Self {
        Self { network, connectors: Arc::default() }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }
}

/// Clients with the trust that each profile asks for.
#[derive(Debug)]
pub(crate) struct Clients {
    usual: Http,
    /// Those of profiles with a `ca_bundle`, by that; `None`: such keys do not count.
    of_profiles: Option<Mutex<HashMap<PathBuf, Http>>>,
}

impl Clients {
    /// All of them like this.
    pub(crate) fn alike(network: Network) -> Self {
        Self { usual: Http::new(network), of_profiles: None }
    }

    /// Like this where the profile says nothing else.
    pub(crate) fn by_profile(network: Network) -> Self {
        Self { of_profiles: Some(Mutex::default()), ..Self::alike(network) }
    }

    pub(crate) fn of(&self, profile: &Profile) -> Http {
        let (Some(of_profiles), Some(path)) = (&self.of_profiles, profile.ca_bundle()) else {
            return self.usual.clone();
        };
        let mut known = of_profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let origin = format!("`ca_bundle` of the profile `{}`", profile.name());
            let tls = Tls::native_and(origin, path.clone());
            Http::new(Network { tls, ..self.usual.network().clone() })
        };
        known.entry(path.clone()).or_insert_with(make).clone()
    }
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let timeouts =
            Timeouts { connect: settings.connect_timeout().unwrap_or(CONNECT), read: settings.read_timeout() };
        let make = || SharedHttpConnector::new(Connector::new(self.network.clone(), timeouts));
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        connectors.entry(timeouts).or_insert_with(make).clone()
    }
}

/// A pool of connections with one set of timeouts.
#[derive(Debug)]
struct Connector {
    client: Client<Dialer, SdkBody>,
    read: Option<Duration>,
}

impl Connector {
    fn new(network: Network, timeouts: Timeouts) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE)
            .build(Dialer { network, limit: timeouts.connect });
        Self { client, read: timeouts.read }
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = self.client.request(request);
        let read = self.read;
        HttpConnectorFuture::new(async move {
            let answer = match read {
                Some(limit) => tokio::time::timeout(limit, answer)
                    .await
                    .map_err(|_| ConnectorError::timeout(format!("no answer within {limit:?}").into()))?,
                None => answer.await,
            };
            let answer = answer.map_err(sorted)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Tells the SDK whether a second try at once may help. A proxy that refuses is not asked again: it may count.
fn sorted(error: legacy::Error) -> ConnectorError {
    match find(&error) {
        Some(ConnectError::Timeout { .. }) => ConnectorError::timeout(error.into()),
        Some(ConnectError::Dns { .. } | ConnectError::Tcp { .. }) | None => ConnectorError::io(error.into()),
        Some(_) => ConnectorError::other(error.into(), None),
    }
}

/// Opens connections for the pool.
#[derive(Debug, Clone)]
struct Dialer {
    network: Network,
    limit: Duration,
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Pooled>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { network, limit } = self.clone();
        Box::pin(async move {
            let tls = uri.scheme_str() != Some("http");
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
            let stream = network.open(Destination { host, port, tls }, limit).await?;
            Ok(TokioIo::new(Pooled(stream)))
        })
    }
}

/// A connection as the pool wants it.
struct Pooled(Stream);

impl Connection for Pooled {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Pooled {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Pooled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
