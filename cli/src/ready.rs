//! Connections that open the sessions of tunnels which wait for one.

use std::any::Any;
use std::io;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tunnels_api::{TunnelState, TunnelStatus};

/// Connects to each of these that is parked or opened on demand, and stays until this is dropped.
pub(crate) fn knock<'a>(tunnels: impl Iterator<Item = &'a TunnelStatus>) -> JoinSet<()> {
    tunnels.filter(|tunnel| tunnel.state == TunnelState::Listening).map(|tunnel| stay(tunnel.local.clone())).collect()
}

/// A port that refuses is told by the tunnel's state.
async fn stay(local: String) {
    let connected: io::Result<Box<dyn Any + Send>> = match local.strip_prefix("unix:") {
        Some(path) => UnixStream::connect(path).await.map(|stream| Box::new(stream) as _),
        None => TcpStream::connect(&local).await.map(|stream| Box::new(stream) as _),
    };
    if let Ok(_stream) = connected {
        std::future::pending::<()>().await;
    }
}
