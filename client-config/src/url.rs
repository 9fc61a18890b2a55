//! Connection strings in the form of URLs.

use crate::libpq::Libpq;
use crate::mysql::{self, Mysql};
use crate::quote::{percent, percent_value};
use crate::{Endpoint, Engine, Impossible, Options, Security, Written, name_note, redis};

/// The connection string, as programs of that engine take it; the local address where there is no such thing.
///
/// # Errors
/// If no program of that engine can be led there, or not as securely as asked for.
pub fn url(endpoint: &Endpoint, options: &Options) -> Result<Written, Impossible> {
    let mut notes = Vec::new();
    let text = match endpoint.engine {
        Engine::Postgres => {
            notes.extend(socket_note(endpoint, options));
            postgres(&Libpq::of(endpoint, options)?)
        }
        Engine::Mysql => {
            if options.security(endpoint) == Security::Verified {
                notes.extend(name_note(endpoint, "MySQL"));
            }
            mysql(endpoint, options)?
        }
        Engine::Redis => {
            notes.extend(redis::url_note(endpoint, options));
            if options.user.is_some() {
                notes.push("a user without a password makes no Redis URL, so that it is left out: REDISCLI_AUTH and `--user` take them".to_owned());
            }
            redis(endpoint, options)
        }
        Engine::Http => web("http", endpoint),
        Engine::Tls => {
            if let Some(name) = endpoint.remote.name().filter(|_| !endpoint.is_named_here())
                && let Some(address) = endpoint.address()
            {
                let remote = Endpoint::authority(name, endpoint.remote.port);
                notes.push(format!(
                    "the certificate is made out to {name}: `curl --connect-to {remote}:{address} https://{remote}/`, or let the \
                     name lead here: `tunnels hosts apply`"
                ));
            }
            web("https", endpoint)
        }
        Engine::Other => plain(endpoint),
    };
    Ok(Written { text, notes })
}

fn postgres(server: &Libpq) -> String {
    let user = server.user.as_deref().map(|user| percent(user) + "@").unwrap_or_default();
    let database = server.dbname.as_deref().map(percent).unwrap_or_default();
    let (authority, mut parameters) = if server.is_socket {
        let host = format!("host={}", percent_value(&server.host));
        (String::new(), vec![host, format!("port={}", server.port)])
    } else {
        (Endpoint::authority(&server.host, server.port), Vec::new())
    };
    let more = [
        ("hostaddr", server.hostaddr.as_deref()),
        ("sslmode", server.sslmode),
        ("sslrootcert", server.sslrootcert.as_deref()),
    ];
    parameters.extend(more.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", percent_value(value?)))));
    let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    format!("postgresql://{user}{authority}/{database}{query}")
}

/// libpq has no TLS on a socket of its own system; a server of AWS's may insist on it.
pub(crate) fn socket_note(endpoint: &Endpoint, options: &Options) -> Option<String> {
    let expected = options.security(endpoint) == Security::Verified;
    (expected && endpoint.address().is_none()).then(|| {
        format!(
            "libpq speaks no TLS over a Unix socket: a server that insists on it needs {} to listen on a port",
            endpoint.name
        )
    })
}

/// As MySQL Shell and most libraries take it.
fn mysql(endpoint: &Endpoint, options: &Options) -> Result<String, Impossible> {
    let security = options.security(endpoint);
    let mut parameters = Vec::new();
    let authority = match Mysql::of(endpoint, options)? {
        Mysql::Tcp { host, port } => Endpoint::authority(&host, port),
        Mysql::Socket(path) => {
            parameters.push(format!("socket={}", percent_value(&path)));
            "localhost".to_owned()
        }
    };
    parameters.extend(mysql::ssl_mode(security).map(|mode| format!("ssl-mode={mode}")));
    if let Some(ca) = options.ca.as_deref().filter(|_| security == Security::Verified) {
        parameters.push(format!("ssl-ca={}", percent_value(ca)));
    }
    let user = options.user.as_deref().map(|user| percent(user) + "@").unwrap_or_default();
    let database = options.database.as_deref().map(percent).unwrap_or_default();
    let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    Ok(format!("mysql://{user}{authority}/{database}{query}"))
}

fn redis(endpoint: &Endpoint, options: &Options) -> String {
    let database = options.database.as_deref().map(percent).unwrap_or_default();
    let Some((host, address)) = redis::url_host(endpoint).zip(endpoint.address()) else {
        let path = endpoint.socket().map(|path| path.display().to_string()).unwrap_or_default();
        let database = options.database.as_deref().map(|db| format!("?db={}", percent(db))).unwrap_or_default();
        return format!("unix://{}{database}", percent_value(&path));
    };
    let scheme = if redis::is_tls(endpoint, options) { "rediss" } else { "redis" };
    format!("{scheme}://{}/{database}", Endpoint::authority(&host, address.port()))
}

fn web(scheme: &str, endpoint: &Endpoint) -> String {
    match mysql::reachable_host(endpoint).zip(endpoint.address()) {
        Some((host, address)) => format!("{scheme}://{}/", Endpoint::authority(&host, address.port())),
        None => plain(endpoint),
    }
}

fn plain(endpoint: &Endpoint) -> String {
    match endpoint.address() {
        Some(address) => address.to_string(),
        None => format!("unix:{}", endpoint.socket().map(|path| path.display().to_string()).unwrap_or_default()),
    }
}
