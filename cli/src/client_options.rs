//! Options of the commands that tell programs how to use a tunnel.

use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_client_config::{Authority, Endpoint, Engine, Impossible, Options, Security, Tls};

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ClientOptions {
    /// Who logs in
    #[arg(long, short = 'U', value_name = "USER")]
    user: Option<String>,
    /// The database; for Redis its number
    #[arg(long, short = 'd', value_name = "DATABASE")]
    database: Option<String>,
    /// How the connection to the server is protected [default: verify for AWS's managed databases and caches, which have
    /// certificates; for others what the program does by itself]
    #[arg(long, value_name = "HOW")]
    tls: Option<Protection>,
    /// The certificates that are trusted (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protection {
    /// Encrypted, and the certificate has to be the remote's
    Verify,
    /// Encrypted, whoever answers
    Require,
    /// Not at all
    Off,
}

impl ClientOptions {
    /// For a file that stays.
    pub(crate) fn for_file(&self) -> Result<Options, ApiError> {
        let tls = match self.tls {
            None => Tls::Auto,
            Some(Protection::Verify) => Tls::Verify,
            Some(Protection::Require) => Tls::Require,
            Some(Protection::Off) => Tls::Off,
        };
        let ca = self.ca.as_deref().map(readable).transpose()?;
        Ok(Options { user: self.user.clone(), database: self.database.clone(), tls, ca })
    }

    /// For one tunnel and a program that runs in this environment: what its user has told libpq there stays as it is.
    pub(crate) fn here(&self, endpoint: &Endpoint) -> Result<Options, ApiError> {
        let options = self.for_file()?;
        let is_told = endpoint.engine == Engine::Postgres && is_set("PGSSLMODE");
        let tls = if is_told && options.tls == Tls::Auto { Tls::Unsaid } else { options.tls };
        Ok(Options { tls, ..options })
    }
}

/// What libpq needs beside it, if it would not find that.
pub(crate) fn authority_note(endpoint: &Endpoint, options: &Options) -> Option<String> {
    let looks_for_file = endpoint.engine == Engine::Postgres
        && endpoint.address().is_some()
        && options.security(endpoint) == Security::Verified
        && options.ca.is_none()
        && !is_set("PGSSLROOTCERT");
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if !looks_for_file || home.is_some_and(|home| home.join(".postgresql/root.crt").exists()) {
        return None;
    }
    let what = match options.authority(endpoint).and_then(Authority::bundle) {
        Some(bundle) => format!("save {bundle} there, or name it with --ca"),
        None => "--ca FILE names those to trust, for example /etc/ssl/certs/ca-certificates.crt".to_owned(),
    };
    Some(format!("libpq looks for the certificates to trust in ~/.postgresql/root.crt, and there is none: {what}"))
}

/// What cannot be done, as a command's error.
pub(crate) fn impossible(error: Impossible) -> ApiError {
    ApiError::new(ErrorCode::Failed, error.message).with_hint(error.next)
}

/// A path that a program in any folder finds.
fn readable(path: &Path) -> Result<String, ApiError> {
    let wrong = |why: String| ApiError::new(ErrorCode::Usage, format!("--ca {}: {why}", path.display()));
    std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let path = std::path::absolute(path).map_err(|error| wrong(error.to_string()))?;
    path.into_os_string().into_string().map_err(|_| wrong("the path is no UTF-8".to_owned()))
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}
