//! [`Network`]: how connections leave this machine – through which proxy, and trusting whom.
//!
//! The one place that opens a connection: websockets go through it, and whoever makes API calls should as well, so that both
//! follow the same rules. It speaks TCP, CONNECT and TLS; what is said inside is the caller's.

use std::{io, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use crate::{
    dial::{Deadline, Reach, dial},
    error::{ConnectError, ConnectPhase, ProxyError, tls_failed},
    http_connect::open_tunnel,
    proxy::{Proxies, Proxy},
    tls::Tls,
};

/// What is needed of a connection.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open connection. Boxed: there are three kinds, a TLS stream is 10 kB by value, and callers keep it in their futures.
pub type Stream = Box<dyn Io>;

/// Proxies and trust: settings of a program, or of an AWS profile. Clones share what was loaded.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Whom to trust.
    pub tls: Tls,
    /// Which connections to open through a proxy.
    pub proxies: Proxies,
}

/// Where a connection leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    /// A name or an address, without brackets.
    pub host: &'a str,
    /// Port to connect to.
    pub port: u16,
    /// Whether the connection is secured, with a certificate for `host`.
    pub tls: bool,
}

impl Network {
    /// Opens a connection. What is not secured goes to addresses as they are given, but of names to loopback only; see
    /// [`Proxies`] for what is proxied.
    ///
    /// Cancel-safe: dropping the future closes whatever was open.
    ///
    /// # Errors
    /// [`ConnectError`], by the step that failed; `limit` is for all of them together.
    pub async fn open(&self, to: Destination<'_>, limit: Duration) -> Result<Stream, ConnectError> {
        self.open_until(to, Deadline::after(limit)).await
    }

    pub(crate) async fn open_until(&self, to: Destination<'_>, deadline: Deadline) -> Result<Stream, ConnectError> {
        if !to.tls {
            return Ok(Box::new(dial(to.host, to.port, Reach::NamesToLoopback, deadline).await?));
        }
        let Some(proxy) = self.proxies.for_host(to.host, to.port)? else {
            let socket = Box::new(dial(to.host, to.port, Reach::Anywhere, deadline).await?);
            return self.secure(to.host, socket, deadline).await;
        };
        let through_it = async {
            let tunnel = self.through(proxy, to, deadline).await?;
            self.secure(to.host, tunnel, deadline).await
        };
        through_it.await.map_err(|error| error.through(&proxy.name))
    }

    /// A tunnel through the proxy, not yet secured.
    async fn through(&self, proxy: &Proxy, to: Destination<'_>, deadline: Deadline) -> Result<Stream, ConnectError> {
        let mut stream = self.to_proxy(proxy, deadline).await.map_err(|error| match error {
            timeout @ ConnectError::Timeout { .. } => timeout,
            error => ProxyError::Unreachable { proxy: proxy.name.clone(), source: Box::new(error) }.into(),
        })?;
        tracing::debug!(proxy = %proxy.name, host = to.host, "opening a tunnel through the proxy");
        let tunnel = async { Ok(open_tunnel(&mut stream, proxy, to.host, to.port).await?) };
        deadline.bound(ConnectPhase::Proxy, tunnel).await?;
        Ok(stream)
    }

    async fn to_proxy(&self, proxy: &Proxy, deadline: Deadline) -> Result<Stream, ConnectError> {
        // Encrypted or not: what goes through it is secured by itself.
        let socket = Box::new(dial(&proxy.host, proxy.port, Reach::Anywhere, deadline).await?);
        if proxy.tls { self.secure(&proxy.host, socket, deadline).await } else { Ok(socket) }
    }

    async fn secure(&self, host: &str, stream: Stream, deadline: Deadline) -> Result<Stream, ConnectError> {
        let handshake = async {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|error| ConnectError::Tls { host: host.to_owned(), source: io::Error::other(error) })?;
            let config = self.tls.config().await?;
            let secured = TlsConnector::from(config).connect(name, stream).await;
            Ok(Box::new(secured.map_err(|error| tls_failed(host, error))?) as Stream)
        };
        deadline.bound(ConnectPhase::Tls, Box::pin(handshake)).await
    }
}
