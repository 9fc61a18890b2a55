//! Errors of sessions, of the websocket below them, and of the ways to get one.
//!
//! Every enum here is one that a caller decides on: what was lost and whether another try can help. Texts name no secret; a
//! source is kept as `source()`, never repeated in the text.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use ssm_proto::{CloseReason, OpenError};

/// Why an operation on a [`Session`](crate::Session) could not be done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// The session is over.
    #[error("the session is closed")]
    Closed(#[source] CloseReason),
    /// As many streams as the configuration allows are open, or all stream ids are used up: another session is needed.
    #[error("the session takes no more connections")]
    TooManyStreams(#[source] OpenError),
}

/// Why a transport ended. Nothing here ends the session: it can be resumed over another transport.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The other side sent a websocket close message, such as the service's hourly `1000 Bye`.
    #[error("the websocket was closed with code {code}{}", Suffix(.reason))]
    Closed {
        /// Close code; 1005 if the message held none.
        code: u16,
        /// Reason, verbatim; may be empty.
        reason: String,
    },
    /// The connection ended without a close message (code 1006 in the field's words).
    #[error("the websocket ended without a close message")]
    Aborted,
    /// A ping was sent and nothing at all came back.
    #[error("the websocket stayed silent for {0:?} after a ping")]
    PongTimeout(Duration),
    /// A message was larger than [`MAX_MESSAGE_SIZE`](crate::MAX_MESSAGE_SIZE).
    #[error("a websocket message was too large")]
    TooLarge,
    /// Reading or writing failed.
    #[error("the websocket's connection failed")]
    Io(#[source] io::Error),
    /// The other side broke the websocket protocol.
    #[error("the websocket protocol was broken")]
    Protocol(#[source] Box<dyn Error + Send + Sync>),
}

/// What ended the last transport of a session: cheap to clone, shown in status and causes.
pub type TransportLoss = Arc<TransportError>;

/// The steps of [`connect`](crate::connect()), to say where the time went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectPhase {
    /// Looking up the host name.
    Resolve,
    /// Opening the TCP connection.
    Tcp,
    /// TLS handshake.
    Tls,
    /// HTTP upgrade to a websocket.
    Upgrade,
}

impl fmt::Display for ConnectPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "name lookup",
            Self::Tcp => "TCP connection",
            Self::Tls => "TLS handshake",
            Self::Upgrade => "websocket upgrade",
        })
    }
}

/// Why no websocket could be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host name could not be resolved.
    #[error("cannot resolve {host}")]
    Dns {
        /// The name asked for.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// No address of the host accepted the connection; the error is that of the last one tried.
    #[error("cannot connect to {host}:{port}")]
    Tcp {
        /// Host of the stream URL.
        host: String,
        /// Port of the stream URL.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The trust store or the TLS library could not be set up.
    #[error("TLS cannot be used")]
    TlsSetup(#[from] TlsSetupError),
    /// The TLS handshake failed, certificate errors included.
    #[error("the TLS handshake with {host} failed")]
    Tls {
        /// Host of the stream URL.
        host: String,
        /// Holds the `rustls::Error`.
        #[source]
        source: io::Error,
    },
    /// The upgrade request could not be signed.
    #[error("the websocket upgrade cannot be signed")]
    Sign(#[from] SignError),
    /// The service answered, but not with an upgrade.
    #[error("the service refused the websocket upgrade: HTTP {status}{}", Suffix(.body))]
    Http {
        /// HTTP status.
        status: u16,
        /// The header `x-amzn-ErrorType`, if there was one.
        error_type: Option<String>,
        /// Start of the body, printable.
        body: String,
    },
    /// The connection broke, or the answer was not HTTP, during the upgrade.
    #[error("the websocket upgrade failed")]
    Upgrade(#[source] Box<dyn Error + Send + Sync>),
    /// The time was up.
    #[error("the {phase} did not finish within {limit:?}")]
    Timeout {
        /// The step that was under way.
        phase: ConnectPhase,
        /// Time allowed for all steps together.
        limit: Duration,
    },
}

/// Why TLS could not be set up on this machine.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The system's trust store holds no usable certificate.
    #[error(
        "no root certificates were found on this system: install them (often a package `ca-certificates`) or set SSL_CERT_FILE"
    )]
    NoRoots,
    /// The certificates to trust besides the system's cannot be used.
    #[error("the additional root certificates cannot be used")]
    Certificates(#[source] Arc<dyn Error + Send + Sync>),
    /// The TLS library refused its own defaults.
    #[error("the TLS library refused its configuration")]
    Config(#[source] Arc<dyn Error + Send + Sync>),
}

/// Why a request could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The signer refused the request or the credentials.
    #[error("the request cannot be signed with these credentials")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// The session token does not fit into a header.
    #[error("the credentials hold characters that a header cannot carry")]
    Header,
}

/// Writes `: text` unless the text is empty.
struct Suffix<'a>(&'a str);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_reason_leaves_no_colon() {
        let bye = TransportError::Closed { code: 1000, reason: "Bye".into() };
        assert_eq!(bye.to_string(), "the websocket was closed with code 1000: Bye");
        let bare = TransportError::Closed { code: 1001, reason: String::new() };
        assert_eq!(bare.to_string(), "the websocket was closed with code 1001");
    }
}
