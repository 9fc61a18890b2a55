//! Environment variables that lead programs to a tunnel.

use crate::libpq::Libpq;
use crate::mysql::{Mysql, reachable_host};
use crate::url::{socket_note, url};
use crate::{Endpoint, Engine, Impossible, Local, Options, Security, redis};

/// What has to be set, and what has to go because it would count for more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// Names and values.
    pub set: Vec<(&'static str, String)>,
    /// Names.
    pub unset: Vec<&'static str>,
}

impl Variables {
    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.set.push((name, value.into()));
    }

    fn set_or_unset(&mut self, name: &'static str, value: Option<String>) {
        match value {
            Some(value) => self.set(name, value),
            None => self.unset.push(name),
        }
    }
}

/// The variables for one tunnel, and what their user has to know.
///
/// `TUNNEL_NAME`, `TUNNEL_HOST` and `TUNNEL_PORT` (or `TUNNEL_SOCKET`), `TUNNEL_REMOTE_HOST` and `TUNNEL_REMOTE_PORT`,
/// `TUNNEL_URL`, and those that the engine's own programs read.
///
/// # Errors
/// If the engine's programs cannot be led there, or not as securely as asked for.
pub fn variables(endpoint: &Endpoint, options: &Options) -> Result<(Variables, Vec<String>), Impossible> {
    let mut all = Variables::default();
    let mut notes = Vec::new();
    all.set("TUNNEL_NAME", &endpoint.name);
    let (host, port, socket) = match &endpoint.local {
        Local::Tcp(address) => (Some(address.ip().to_string()), Some(address.port().to_string()), None),
        Local::Unix(path) => (None, None, Some(path.display().to_string())),
    };
    all.set_or_unset("TUNNEL_HOST", host);
    all.set_or_unset("TUNNEL_PORT", port);
    all.set_or_unset("TUNNEL_SOCKET", socket);
    all.set_or_unset("TUNNEL_REMOTE_HOST", endpoint.remote.host.clone());
    all.set("TUNNEL_REMOTE_PORT", endpoint.remote.port.to_string());
    // MySQL's variables say nothing of TLS, so that its URL is the only one that is by name.
    let connection = url(endpoint, options)?;
    all.set("TUNNEL_URL", connection.text.clone());
    match endpoint.engine {
        Engine::Postgres => {
            postgres(&mut all, &Libpq::of(endpoint, options)?);
            notes.extend(socket_note(endpoint, options));
        }
        Engine::Mysql => {
            mysql(&mut all, endpoint, options)?;
            if options.security(endpoint) == Security::Verified && endpoint.address().is_some() {
                notes.push(mysql_note(endpoint));
            }
        }
        Engine::Redis => {
            all.set("REDIS_URL", connection.text);
            notes.extend(redis::url_note(endpoint, options));
        }
        Engine::Http | Engine::Tls | Engine::Other => notes = connection.notes,
    }
    Ok((all, notes))
}

fn postgres(all: &mut Variables, server: &Libpq) {
    // A service counts for more than the variables.
    all.unset.push("PGSERVICE");
    all.set("PGHOST", &server.host);
    all.set_or_unset("PGHOSTADDR", server.hostaddr.clone());
    all.set("PGPORT", server.port.to_string());
    for (name, value) in [
        ("PGUSER", server.user.clone()),
        ("PGDATABASE", server.dbname.clone()),
        ("PGSSLMODE", server.sslmode.map(str::to_owned)),
        ("PGSSLROOTCERT", server.sslrootcert.clone()),
    ] {
        // What is not said stays as its user has it.
        if let Some(value) = value {
            all.set(name, value);
        }
    }
}

fn mysql(all: &mut Variables, endpoint: &Endpoint, options: &Options) -> Result<(), Impossible> {
    match Mysql::of(endpoint, options)? {
        // A host counts for more than a socket, and is there if the shell has the variables of another tunnel.
        Mysql::Socket(path) => {
            all.unset.extend(["MYSQL_HOST", "MYSQL_TCP_PORT"]);
            all.set("MYSQL_UNIX_PORT", path);
        }
        // MySQL's programs that do not read MYSQL_HOST would take the socket.
        Mysql::Tcp { port, .. } => {
            all.unset.push("MYSQL_UNIX_PORT");
            all.set_or_unset("MYSQL_HOST", reachable_host(endpoint));
            all.set("MYSQL_TCP_PORT", port.to_string());
        }
    }
    Ok(())
}

fn mysql_note(endpoint: &Endpoint) -> String {
    let check = "`--ssl-mode=VERIFY_IDENTITY` makes mysql check the certificate (MariaDB's: --ssl-verify-server-cert)";
    if endpoint.is_named_here() {
        return format!("MySQL's variables say nothing of TLS: {check}");
    }
    format!(
        "mysql checks a certificate only against the name that it connects to: `tunnels hosts apply` lets the server's name \
         lead here, and then {check}"
    )
}
