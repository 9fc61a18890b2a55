//! libpq's connection parameters: what psql, pg_dump and everything that links it understands.
//!
//! libpq keeps the name whose certificate is checked (`host`) apart from the address that it connects to (`hostaddr`), so
//! that it can verify the server through a tunnel as it is ("34.1.2 Parameter Key Words", PostgreSQL's documentation).

use crate::{Endpoint, Impossible, Local, Options, Security, Tls};
use std::path::Path;

/// A server's parameters, all but the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Libpq {
    pub(crate) host: String,
    /// Where `host` is not where to connect to.
    pub(crate) hostaddr: Option<String>,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) dbname: Option<String>,
    pub(crate) sslmode: Option<&'static str>,
    pub(crate) sslrootcert: Option<String>,
    /// Whether `host` is the folder of a Unix socket.
    pub(crate) is_socket: bool,
}

impl Libpq {
    /// The parameters that reach the server behind a tunnel.
    pub(crate) fn of(endpoint: &Endpoint, options: &Options) -> Result<Self, Impossible> {
        let address = match &endpoint.local {
            Local::Tcp(address) => *address,
            Local::Unix(path) => return Self::of_socket(endpoint, path, options),
        };
        let security = options.security(endpoint);
        let host = match security {
            Security::Verified => Some(certificate_name(endpoint)?),
            // Even if nothing was said: whoever asks for verify-full by a variable gets it.
            _ => endpoint.remote.name(),
        };
        let ip = address.ip().to_string();
        Ok(Self {
            hostaddr: host.map(|_| ip.clone()),
            host: host.map_or(ip, str::to_owned),
            port: address.port(),
            user: options.user.clone(),
            dbname: options.database.clone(),
            sslmode: sslmode(security),
            sslrootcert: options.ca.clone().filter(|_| security == Security::Verified),
            is_socket: false,
        })
    }

    /// libpq finds a socket by its folder and a port: `/run/x/.s.PGSQL.5432`.
    fn of_socket(endpoint: &Endpoint, path: &Path, options: &Options) -> Result<Self, Impossible> {
        if matches!(options.tls, Tls::Verify | Tls::Require) {
            return Err(Impossible::new(
                format!("libpq speaks no TLS over a Unix socket, and {} listens on one", endpoint.name),
                "give the tunnel a port as `local`",
            ));
        }
        let port = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_prefix(".s.PGSQL."))
            .and_then(|port| port.parse().ok());
        let folder = path.parent().and_then(Path::to_str);
        let (Some(port), Some(folder)) = (port, folder) else {
            return Err(Impossible::new(
                format!("libpq finds a Unix socket by its folder and a port, and cannot be led to {}", path.display()),
                "name the socket in the configuration as libpq does: local = \"unix:/FOLDER/.s.PGSQL.5432\"",
            ));
        };
        Ok(Self {
            host: folder.to_owned(),
            hostaddr: None,
            port,
            user: options.user.clone(),
            dbname: options.database.clone(),
            sslmode: None,
            sslrootcert: None,
            is_socket: true,
        })
    }

    /// Everything that is said, in the order of the documentation.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let sslmode = self.sslmode.map(str::to_owned);
        [
            ("host", Some(self.host.clone())),
            ("hostaddr", self.hostaddr.clone()),
            ("port", Some(self.port.to_string())),
            ("dbname", self.dbname.clone()),
            ("user", self.user.clone()),
            ("sslmode", sslmode),
            ("sslrootcert", self.sslrootcert.clone()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }
}

/// libpq's word, which pgjdbc shares.
pub(crate) fn sslmode(security: Security) -> Option<&'static str> {
    match security {
        Security::Unsaid => None,
        Security::Off => Some("disable"),
        Security::Encrypted => Some("require"),
        Security::Verified => Some("verify-full"),
    }
}

/// What the server's certificate has to be made out to.
pub(crate) fn certificate_name(endpoint: &Endpoint) -> Result<&str, Impossible> {
    endpoint.remote.host.as_deref().ok_or_else(|| {
        Impossible::new(
            format!(
                "{} leads to a port of the target itself, so that it is not known to which name a certificate has to be made out",
                endpoint.name
            ),
            "write `remote` with the name: \"NAME:PORT\"; or ask for --tls require",
        )
    })
}
