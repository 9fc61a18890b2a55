//! Where a MySQL client connects to, and what it is told of TLS.
//!
//! It has one host only, which it both connects to and checks the certificate against (`--ssl-mode=VERIFY_IDENTITY`;
//! MariaDB's: `--ssl-verify-server-cert`).

use crate::libpq::certificate_name;
use crate::{Endpoint, Engine, Impossible, Local, Options, Security};

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mysql {
    Tcp { host: String, port: u16 },
    Socket(String),
}

impl Mysql {
    /// By name where the certificate is to be checked, or where the name leads here anyway.
    pub(crate) fn of(endpoint: &Endpoint, options: &Options) -> Result<Self, Impossible> {
        Ok(match &endpoint.local {
            Local::Unix(path) => Self::Socket(path.display().to_string()),
            Local::Tcp(address) => {
                let host = match options.security(endpoint) {
                    Security::Verified => certificate_name(endpoint)?.to_owned(),
                    _ => reachable_host(endpoint).unwrap_or_else(|| address.ip().to_string()),
                };
                Self::Tcp { host, port: address.port() }
            }
        })
    }
}

/// The remote's name where it leads here, else the local address; none for a Unix socket.
pub(crate) fn reachable_host(endpoint: &Endpoint) -> Option<String> {
    let ip = endpoint.address()?.ip().to_string();
    // By that name MySQL's programs mean the Unix socket of this machine's own server, whatever the port.
    let is_socket = |name: &str| endpoint.engine == Engine::Mysql && name.eq_ignore_ascii_case("localhost");
    let name = endpoint.remote.name().filter(|name| endpoint.is_named_here() && !is_socket(name));
    Some(name.map_or(ip, str::to_owned))
}

/// `--ssl-mode`'s word.
pub(crate) fn ssl_mode(security: Security) -> Option<&'static str> {
    match security {
        Security::Unsaid => None,
        Security::Off => Some("DISABLED"),
        Security::Encrypted => Some("REQUIRED"),
        Security::Verified => Some("VERIFY_IDENTITY"),
    }
}
