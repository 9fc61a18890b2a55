//! The demo's database: PostgreSQL's protocol, versions 3.0, over a small SQL of our own.
//!
//! ```text
//!  wire: bytes ⇄ messages (pgwire's types) ─► startup ─► session: simple and extended queries ─► sql
//! ```
//!
//! Messages are pgwire's. Its server part is not used: it keeps whole results in memory and trusts the counts
//! inside messages. There is no TLS, no password and nothing to write to.

mod cancel;
mod copy;
mod error;
mod extended;
mod frame;
mod result;
mod session;
mod settings;
mod simple;
mod sql;
mod startup;
mod wire;

use crate::acceptor;
use cancel::Cancels;
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use wire::Wire;

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener) {
    let cancels = Arc::new(Cancels::default());
    acceptor::accept(listener, move |stream| {
        let cancels = Arc::clone(&cancels);
        async move {
            if let Err(error) = talk(stream, &cancels).await {
                tracing::debug!(%error, "connection ended");
            }
        }
    })
    .await;
}

async fn talk(stream: TcpStream, cancels: &Arc<Cancels>) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    match startup::open(&mut wire, cancels).await? {
        Some(client) => session::Session::new(wire, client).run().await,
        None => Ok(()),
    }
}
