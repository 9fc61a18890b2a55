//! `POST /v1/takeover`: hands the connection itself to the control task, which gives everything to the daemon on its other end.

use super::routes::{Failure, Served};
use super::visitor::Visitor;
use crate::handle::DaemonHandle;
use crate::takeover::{Asked, PROTOCOL};
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade;
use serde::Deserialize;
use tunnels_api::{ApiError, ErrorCode, TAKEOVER};

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    protocol: u32,
}

/// Agrees, and lets the control task do the rest once this has been said.
pub(super) async fn takeover(
    State(served): State<Served>,
    Query(Parameters { protocol }): Query<Parameters>,
    mut request: Request,
) -> Result<impl IntoResponse, Failure> {
    if protocol != PROTOCOL {
        let text = format!(
            "the running daemon hands over by version {PROTOCOL} of the protocol, and was asked for {protocol}"
        );
        return Err(ApiError::new(ErrorCode::Failed, text)
            .with_hint("this once its connections have to end: tunnels stop && tunnels up")
            .into());
    }
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(ApiError::new(ErrorCode::Usage, "this is for daemons: it takes `Connection: upgrade`").into());
    };
    // It ends with the daemon: the connection does not outlive the server's.
    tokio::spawn(async move {
        if let Err(error) = pass_on(&served.daemon, upgrade).await {
            tracing::warn!("another daemon asked to take over, and this one goes on: {error}");
        }
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, TAKEOVER)];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers))
}

async fn pass_on(daemon: &DaemonHandle, upgrade: OnUpgrade) -> Result<(), ApiError> {
    let failed = |text: String| ApiError::new(ErrorCode::Failed, text);
    let upgraded = upgrade.await.map_err(|error| failed(error.to_string()))?;
    let connection = upgrade::downcast::<TokioIo<Visitor>>(upgraded);
    let connection = connection.map_err(|_| failed("the connection is of another kind".to_owned()))?;
    daemon
        .hand_over(Asked { stream: connection.io.into_inner().into_stream(), read: connection.read_buf.to_vec() })
        .await
}
