//! Where the built-in agent's streams go: one lookup per session, then one dial per stream.
//!
//! docs/protocol.md §6.4: a host is resolved once when the session starts and its addresses are
//! tried in order; without a host it is `localhost`, looked up for each stream. Some addresses are
//! forbidden.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use ssm_proto::is_denied_by_default;
use tokio::net::{TcpStream, lookup_host};

use crate::document::PortDocument;

/// Knows the addresses of one session's remote.
#[derive(Debug)]
pub(crate) struct Dialer {
    remote: Remote,
}

#[derive(Debug)]
enum Remote {
    Node { port: u16 },
    Host { addresses: Vec<SocketAddr> },
}

/// Why a session cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("Forwarding to IP address {0} is forbidden.")]
    Forbidden(String),
    #[error("lookup {host}: {source}")]
    Lookup { host: String, source: io::Error },
}

impl Dialer {
    /// `names` are known without asking anybody.
    pub(crate) async fn resolve(
        document: &PortDocument,
        names: &BTreeMap<String, IpAddr>,
    ) -> Result<Self, ResolveError> {
        let port = document.port;
        let Some(host) = document.host.as_deref() else {
            return Ok(Self { remote: Remote::Node { port } });
        };
        let known = names.get(&host.to_ascii_lowercase()).map(IpAddr::to_string);
        let found = lookup_host((known.as_deref().unwrap_or(host), port)).await;
        let addresses: Vec<_> =
            found.map_err(|source| ResolveError::Lookup { host: host.to_owned(), source })?.collect();
        if addresses.iter().any(|address| is_denied_by_default(address.ip())) {
            return Err(ResolveError::Forbidden(host.to_owned()));
        }
        Ok(Self { remote: Remote::Host { addresses } })
    }

    /// Connects, without a timeout of its own.
    pub(crate) async fn dial(&self) -> io::Result<TcpStream> {
        let stream = match &self.remote {
            Remote::Node { port } => TcpStream::connect(("localhost", *port)).await?,
            Remote::Host { addresses } => TcpStream::connect(addresses.as_slice()).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Parameters;

    fn document(host: &str) -> PortDocument {
        let parameters = Parameters::from([
            ("host".to_owned(), vec![host.to_owned()]),
            ("portNumber".to_owned(), vec!["80".to_owned()]),
        ]);
        PortDocument::resolve("AWS-StartPortForwardingSessionToRemoteHost", &parameters, &[]).unwrap()
    }

    #[tokio::test]
    async fn the_metadata_service_is_forbidden() {
        let names = BTreeMap::new();
        let refused = Dialer::resolve(&document("169.254.169.254"), &names).await.unwrap_err();
        assert_eq!(refused.to_string(), "Forwarding to IP address 169.254.169.254 is forbidden.");
        assert!(Dialer::resolve(&document("127.0.0.1"), &names).await.is_ok());
    }

    #[tokio::test]
    async fn a_name_that_was_given_leads_where_it_was_said() {
        let names = BTreeMap::from([("orders.rds.example".to_owned(), IpAddr::from([127, 0, 0, 9]))]);
        let dialer = Dialer::resolve(&document("Orders.RDS.example"), &names).await.unwrap();
        let Remote::Host { addresses } = dialer.remote else { panic!("a host") };
        assert_eq!(addresses, [SocketAddr::from(([127, 0, 0, 9], 80))]);
    }
}
