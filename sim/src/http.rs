//! Serves HTTP/1.1 with upgrades on one port: API, gateway and `/_sim`, or the agent's TLS port.
//!
//! Owns what is wrong with the way here: requests that are held or whose connection ends without an
//! answer. `/_sim` is never affected.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::faults::{Faults, Reach};
use crate::service::Service;
use crate::{external, gateway, sim_api, ssm_api, sso, strict};

/// What the client's port answers.
pub(crate) fn client_routes(service: &Arc<Service>) -> Router {
    Router::new()
        .route("/", post(ssm_api::handle).layer(from_fn_with_state(Arc::clone(service), way_to_the_api)))
        .route(
            "/v1/data-channel/{session}",
            get(gateway::data_channel).layer(from_fn_with_state(Arc::clone(service), way_to_the_gateway)),
        )
        .route("/federation/credentials", get(sso::role_credentials))
        .route("/token", post(sso::create_token))
        .nest("/_sim", sim_api::routes())
        .with_state(Arc::clone(service))
}

/// What the agent's TLS port answers.
pub(crate) fn agent_routes(service: &Arc<Service>) -> Router {
    Router::new()
        .route("/v1/control-channel/{node}", get(external::control_channel).post(external::create_control_channel))
        .route("/v1/data-channel/{session}", get(gateway::data_channel).post(external::create_data_channel))
        .with_state(Arc::clone(service))
}

/// Ends the connection that a request came on, without an answer to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct HangUp(CancellationToken);

impl HangUp {
    /// Never returns: whoever waits for it goes down with the connection.
    pub(crate) async fn now(&self) -> ! {
        self.0.cancel();
        std::future::pending().await
    }
}

async fn way_to_the_api(
    State(service): State<Arc<Service>>,
    Extension(line): Extension<HangUp>,
    request: Request,
    next: Next,
) -> Response {
    passable(&service, &line, |faults| faults.api).await;
    let mut response = next.run(request).await;
    let ahead = service.clock_ahead();
    if ahead != 0 {
        let date = strict::now(ahead).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
    }
    response
}

async fn way_to_the_gateway(
    State(service): State<Arc<Service>>,
    Extension(line): Extension<HangUp>,
    request: Request,
    next: Next,
) -> Response {
    passable(&service, &line, |faults| faults.gateway).await;
    if service.faults.take_upgrade_refusal() {
        return gateway::Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "The service is unavailable.").into_response();
    }
    next.run(request).await
}

/// Returns when the way is free.
async fn passable(service: &Service, line: &HangUp, part: impl Fn(&Faults) -> Reach) {
    loop {
        match service.faults.look(&part) {
            Reach::Up => return,
            Reach::Silent => service.faults.until_not(Reach::Silent, &part).await,
            Reach::Closed => line.now().await,
        }
    }
}

/// Accepts connections until shutdown; behind TLS if there is an acceptor.
pub(crate) async fn serve(service: Arc<Service>, listener: TcpListener, tls: Option<TlsAcceptor>, routes: Router) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = service.shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(Arc::clone(&service), stream, tls.clone(), routes.clone());
                service.tasks.spawn(connection);
            }
            Err(error) => {
                // Out of descriptors, mostly: the loop must not spin on it.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(service: Arc<Service>, stream: TcpStream, tls: Option<TlsAcceptor>, routes: Router) {
    // Acknowledgements are small and each one matters.
    let _ = stream.set_nodelay(true);
    let serving = async {
        match tls {
            None => answer(stream, routes).await,
            Some(acceptor) => match acceptor.accept(stream).await {
                Ok(stream) => answer(stream, routes).await,
                Err(error) => tracing::debug!(%error, "TLS handshake failed"),
            },
        }
    };
    tokio::select! {
        () = serving => {}
        () = service.shutdown.cancelled() => {}
    }
}

async fn answer<T>(stream: T, routes: Router)
where
    TokioIo<T>: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let line = HangUp::default();
    let (hung_up, routes) = (line.0.clone(), TowerToHyperService::new(routes));
    let routes = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(line.clone());
        routes.call(request)
    });
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), routes).with_upgrades();
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        },
        () = hung_up.cancelled() => {}
    }
}
