//! JDBC's connection strings, which DBeaver, DataGrip and Java programs take.
//!
//! No JDBC driver keeps name and address apart: pgjdbc has no `hostaddr`, Connector/J nothing like it. So a string that is to
//! be verified connects to the name, which has to lead to the tunnel (`tunnels hosts apply`); until then it does not
//! connect, rather than connect to whoever answers.

use crate::libpq::{certificate_name, sslmode};
use crate::mysql::{reachable_host, ssl_mode};
use crate::quote::percent;
use crate::{Endpoint, Engine, Impossible, Options, Security, Written, name_note};

/// The JDBC URL of a tunnel to PostgreSQL or MySQL.
///
/// # Errors
/// For other engines, and for Unix sockets, which Java's drivers do not take.
pub fn jdbc(endpoint: &Endpoint, options: &Options) -> Result<Written, Impossible> {
    let mut parameters: Vec<(&str, String)> = Vec::new();
    parameters.extend(options.user.clone().map(|user| ("user", user)));
    parameters.extend(security_parameters(endpoint, options));
    if let Some(ca) = options.ca.clone().filter(|_| options.security(endpoint) == Security::Verified)
        && endpoint.engine == Engine::Postgres
    {
        parameters.push(("sslrootcert", ca));
    }
    let query: Vec<String> = parameters.iter().map(|(key, value)| format!("{key}={}", percent(value))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let mut notes = notes(endpoint, options);
    if endpoint.engine == Engine::Mysql && options.ca.is_some() {
        notes.push("Connector/J takes certificates from a Java key store only: `keytool -importcert` makes one, `trustCertificateKeyStoreUrl` names it".to_owned());
    }
    Ok(Written { text: base(endpoint, options)? + &query, notes })
}

/// The string without its parameters.
pub(crate) fn base(endpoint: &Endpoint, options: &Options) -> Result<String, Impossible> {
    let scheme = match endpoint.engine {
        Engine::Postgres => "jdbc:postgresql",
        Engine::Mysql => "jdbc:mysql",
        other => {
            let message = format!("{} leads to {}, for which there is no JDBC URL", endpoint.name, other.name());
            return Err(Impossible::new(message, "`probe` in the configuration says what answers, if this is wrong"));
        }
    };
    let (host, port) = host_port(endpoint, options)?;
    let database = options.database.as_deref().map(percent).unwrap_or_default();
    Ok(format!("{scheme}://{}/{database}", Endpoint::authority(&host, port)))
}

/// Where the driver has to connect to.
pub(crate) fn host_port(endpoint: &Endpoint, options: &Options) -> Result<(String, u16), Impossible> {
    let Some((host, address)) = reachable_host(endpoint).zip(endpoint.address()) else {
        return Err(Impossible::new(
            format!("{} listens on a Unix socket, which JDBC drivers do not connect to", endpoint.name),
            "give the tunnel a port as `local`",
        ));
    };
    let host = match options.security(endpoint) {
        Security::Verified => certificate_name(endpoint)?.to_owned(),
        _ => host,
    };
    Ok((host, address.port()))
}

/// The driver's own word for how it is to be protected.
pub(crate) fn security_parameters(endpoint: &Endpoint, options: &Options) -> Option<(&'static str, String)> {
    let security = options.security(endpoint);
    match endpoint.engine {
        Engine::Postgres => sslmode(security).map(|mode| ("sslmode", mode.to_owned())),
        Engine::Mysql => ssl_mode(security).map(|mode| ("sslMode", mode.to_owned())),
        _ => None,
    }
}

/// What the user of such a string has to know.
pub(crate) fn notes(endpoint: &Endpoint, options: &Options) -> Vec<String> {
    let is_checked = options.security(endpoint) == Security::Verified;
    is_checked.then(|| name_note(endpoint, "JDBC")).flatten().into_iter().collect()
}
