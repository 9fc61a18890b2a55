//! What the user of a tunnel wants to be said beside its addresses.

use crate::Endpoint;
use crate::aws_name::{self, Authority};
use crate::engine::Engine;

/// What is written into connection strings and files beside the addresses. Passwords never are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Who logs in.
    pub user: Option<String>,
    /// The database, for Redis its number.
    pub database: Option<String>,
    /// How the connection to the server behind the tunnel is to be protected.
    pub tls: Tls,
    /// A file with the certificates (PEM) that are trusted.
    pub ca: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tls {
    /// Verified where the server is known to speak TLS, by its name or its probe; else what the program does by itself.
    #[default]
    Auto,
    /// Encrypted, and the server's certificate checked against its name.
    Verify,
    /// Encrypted, whoever answers.
    Require,
    /// Not at all.
    Off,
    /// Nothing is written: its user has told the program already.
    Unsaid,
}

/// What is written about one tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Nothing: the program decides.
    Unsaid,
    /// No TLS.
    Off,
    /// TLS with whoever answers.
    Encrypted,
    /// TLS with the server of the remote's name.
    Verified,
}

impl Options {
    /// What these mean for one tunnel.
    pub fn security(&self, endpoint: &Endpoint) -> Security {
        match self.tls {
            Tls::Verify => Security::Verified,
            Tls::Require => Security::Encrypted,
            Tls::Off => Security::Off,
            // PostgreSQL and MySQL begin without TLS: a handshake there says nothing of them.
            Tls::Auto if endpoint.speaks_tls && matches!(endpoint.engine, Engine::Redis | Engine::Tls) => {
                Security::Verified
            }
            Tls::Auto if authority(endpoint).is_some() => Security::Verified,
            Tls::Auto | Tls::Unsaid => Security::Unsaid,
        }
    }

    /// Whose certificates have to be at hand to check the server's, where that is known.
    pub fn authority(&self, endpoint: &Endpoint) -> Option<Authority> {
        authority(endpoint).filter(|_| self.security(endpoint) == Security::Verified)
    }
}

fn authority(endpoint: &Endpoint) -> Option<Authority> {
    aws_name::authority(endpoint.remote.name()?, endpoint.engine)
}
