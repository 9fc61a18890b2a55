//! Errors of the application's calls. What comes from the network is never an error of a call: it is counted, or ends the
//! session with a [`CloseReason`].

use crate::event::CloseReason;

/// Why a stream could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The handshake is not through yet.
    #[error("the session is not established yet")]
    NotEstablished,
    /// `Config::max_streams` streams are open.
    #[error("the session already carries {0} connections, the most it may")]
    TooManyStreams(usize),
    /// Every stream id was used once: a new session is needed.
    #[error("the session has used up its stream ids")]
    IdsExhausted,
    /// The session is over.
    #[error("{0}")]
    SessionClosed(CloseReason),
}

/// Why a stream can be neither read nor written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The agent could not connect to the remote; it does not say why (`docs/protocol.md` §6.5).
    #[error("the agent could not connect to the remote")]
    Refused,
    /// Written after a close of either side.
    #[error("the stream is closed")]
    Closed,
    /// No such stream, or the application closed it.
    #[error("no such stream")]
    Unknown,
    /// The session is over.
    #[error("{0}")]
    SessionClosed(CloseReason),
}
