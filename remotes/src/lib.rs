//! What the demo's tunnels lead to: a small database, a cache and a web server on loopback.
//!
//! They answer the real protocols of PostgreSQL, Redis and HTTP with made-up data, so that psql, redis-cli and
//! curl have something to talk to on a machine that has none of these. They keep everything in memory, bound
//! what each connection can make them hold, and how many there are, and end when [`Remotes`] is dropped. That is
//! enough against accidents, not against a program on this machine that opens all connections to fill the memory.
//! They know nothing of tunnels.
//!
//! They are no substitute for the real servers in tests: those decide whether a tunnel carries them.

#![warn(missing_docs)]

mod acceptor;
mod glob;
mod http;
mod postgres;
mod redis;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The running servers, each on a loopback port that the system chose. Dropping it ends them and their
/// connections.
#[derive(Debug)]
pub struct Remotes {
    postgres: SocketAddr,
    redis: SocketAddr,
    http: SocketAddr,
    _serving: JoinSet<()>,
}

impl Remotes {
    /// Binds the ports and starts to serve.
    ///
    /// # Errors
    /// No port can be bound on loopback.
    pub async fn start() -> io::Result<Self> {
        let (postgres_listener, postgres) = listen().await?;
        let (redis_listener, redis) = listen().await?;
        let (http_listener, http) = listen().await?;
        let mut serving = JoinSet::new();
        serving.spawn(postgres::serve(postgres_listener));
        serving.spawn(redis::serve(redis_listener));
        serving.spawn(http::serve(http_listener));
        Ok(Self { postgres, redis, http, _serving: serving })
    }

    /// Where the database listens: user and database are up to the client, there is no password.
    pub fn postgres(&self) -> SocketAddr {
        self.postgres
    }

    /// Where the cache listens.
    pub fn redis(&self) -> SocketAddr {
        self.redis
    }

    /// Where the web server listens.
    pub fn http(&self) -> SocketAddr {
        self.http
    }
}

async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
