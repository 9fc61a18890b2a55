//! One port: a task for each connection, so many at once and no more; all of them end with it.

use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Connections of one port at once, more than the pool of a desktop program opens; further ones wait in the
/// system's queue. What each may hold in memory is its server's to bound; all of them together may hold so many
/// times as much.
const CONNECTIONS: usize = 128;
/// After an error of `accept` (no descriptors left) a pause, or the loop would spin until one is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves each connection until it ends, and accepts new ones until it is dropped.
pub(crate) async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // Both are cancel-safe.
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    // Answers are small, and somebody waits for each.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream));
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
