//! Errors of sessions, of the websocket below them, and of the ways to get one.
//!
//! Every enum here is one that a caller decides on: what was lost and whether another try can help. Texts name no secret; a
//! source is kept as `source()`, never repeated in the text.

mod connect;

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use ssm_proto::{CloseReason, OpenError};

pub(crate) use connect::tls_failed;
pub use connect::{BundleProblem, ConnectError, ConnectPhase, ProxyError, TlsSetupError};

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
