//! What programs have to be told so that they use a tunnel: connection strings, variables, files of their own.
//!
//! Pure: from a tunnel's addresses and what its user wants to text. It opens no socket and no file, and knows neither
//! daemon nor AWS.
//!
//! **Names and certificates.** A tunnel listens on this machine, and the server behind it has a certificate for its own
//! name. What is written here checks that name or does not connect, but where its user said otherwise ([`Tls`]). Programs
//! that take name and address apart (libpq: `host` and `hostaddr`) get both. The others connect to the name, so that
//! it has to lead to the tunnel here: that is what a block in the hosts file is for ([`hosts`]), and a note says so.

mod aws_name;
mod client;
mod endpoint;
mod engine;
mod export;
pub mod hosts;
mod jdbc;
mod libpq;
mod mysql;
mod options;
mod quote;
mod redis;
mod shell;
mod url;
mod variables;

pub use aws_name::Authority;
pub use client::client;
pub use endpoint::{BadAddress, Endpoint, Local, Remote};
pub use engine::Engine;
pub use export::{Exported, Format, export};
pub use jdbc::jdbc;
pub use options::{Options, Security, Tls};
pub use quote::posix_line;
pub use shell::Shell;
pub use url::url;
pub use variables::{Variables, variables};

/// A text for a program, and what its user should know beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// For people, a sentence each, without a full stop at its end.
    pub notes: Vec<String>,
}

/// What a program cannot do, and what helps instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Impossible {
    /// What and why.
    pub message: String,
    /// What to do instead.
    pub next: String,
}

impl Impossible {
    fn new(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { message: message.into(), next: next.into() }
    }
}

/// What has to be done so that a program can check the certificate of the server behind a tunnel, if it has to and
/// cannot yet.
fn name_note(endpoint: &Endpoint, program: &str) -> Option<String> {
    let host = endpoint.remote.name()?;
    let is_reached = endpoint.is_named_here() || endpoint.address().is_none();
    (!is_reached).then(|| {
        format!(
            "{program} checks the certificate against the name that it connects to, and {host} does not lead to \
             {} yet: `tunnels hosts apply` makes it do so",
            endpoint.name
        )
    })
}
