//! Serves HTTP/1.1 with upgrades on one port: API, gateway and `/_sim`, or the agent's TLS port.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::service::Service;
use crate::{external, gateway, sim_api, ssm_api};

/// What the client's port answers.
pub(crate) fn client_routes(service: &Arc<Service>) -> Router {
    Router::new()
        .route("/", post(ssm_api::handle))
        .route("/v1/data-channel/{session}", get(gateway::data_channel))
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
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}
