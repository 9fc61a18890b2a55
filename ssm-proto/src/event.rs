//! What goes in and out of a [`PortSession`](crate::PortSession) besides stream bytes.

use std::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

/// One websocket message, whole. Text only ever carries the open message (`docs/protocol.md` §2.4); both kinds are accepted.
#[derive(Clone, PartialEq, Eq)]
pub enum WsFrame {
    /// A text frame. It may hold a token: `Debug` hides it.
    Text(String),
    /// A binary frame.
    Binary(Bytes),
}

impl WsFrame {
    /// Payload size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the frame has no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for WsFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// The token that opens one data channel. Never printed, overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenValue(Zeroizing<String>);

impl TokenValue {
    /// Takes a token as StartSession or ResumeSession gave it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(Zeroizing::new(token.into()))
    }

    /// The token itself, for the open message only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// An empty token means that the session has timed out (`docs/protocol.md` §1.2).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for TokenValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenValue(hidden)")
    }
}

/// Names one stream of one session; an id is not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// No handshake message was seen yet, connected or not.
    Opening,
    /// The handshake is under way.
    Handshaking,
    /// Data flows.
    Established,
    /// The websocket was lost after data had flowed; streams are frozen.
    Detached,
    /// Over for good.
    Closed,
}

/// News from a session, by [`PortSession::poll_event`](crate::PortSession::poll_event). At most one of each stream event is
/// queued per stream, so the queue is bounded by the number of streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Client: the agent completed the handshake.
    AgentIdentified {
        /// Four components, such as `3.3.987.0`.
        agent_version: String,
        /// To be shown to the user unless empty.
        customer_message: String,
    },
    /// Data may flow, for the first time.
    Established,
    /// Something of the other side was heard again, after a new websocket or a suspicion.
    Resumed,
    /// What was sent on this websocket has been unacknowledged for [`Config::suspect_after`](crate::Config::suspect_after), and
    /// nothing new was heard. Once for each websocket, unless life shows between.
    Suspect,
    /// Agent: a stream waits in `accept_stream`.
    StreamOpened(StreamId),
    /// `read` has something new: data, end or error.
    StreamReadable(StreamId),
    /// `write` has room again, or fails.
    StreamWritable(StreamId),
    /// Agent: the client asks to end the session.
    TerminateRequested,
    /// Client: the agent has taken the request to end the session.
    TerminateAcked,
    /// The session is over. The last event.
    Closed(CloseReason),
}

/// Why a session is over. `Display` is a sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The service said so.
    #[error("AWS closed the session{}", with_text(.output))]
    ChannelClosed {
        /// The service's text, verbatim; may be empty.
        output: String,
    },
    /// Ended by a TerminateSession flag.
    #[error("the session was terminated")]
    Terminated,
    /// Whoever drove the session stopped.
    #[error("the session was abandoned by its driver")]
    Aborted,
    /// The other side did not finish the handshake in time.
    #[error("the other side did not complete the session handshake within {0} s")]
    HandshakeTimeout(u64),
    /// The handshake went wrong.
    #[error("the session handshake failed: {0}")]
    HandshakeFailed(String),
    /// The agent is too old to multiplex (≤ 3.0.196.0).
    #[error(
        "the SSM agent {agent_version} on the target is too old to carry several connections: update it to 3.1.1374.0 or later"
    )]
    MultiplexingUnsupported {
        /// What the agent says it is.
        agent_version: String,
    },
    /// The session is of a type that this crate does not speak.
    #[error("the session document opens a session of type {session_type}, not a port session for several connections")]
    UnsupportedSession {
        /// Session type, with the port type behind it if there is one.
        session_type: String,
    },
    /// The other side broke the multiplexer's rules.
    #[error("the other side broke the protocol: {0}")]
    ProtocolViolation(#[from] crate::smux::FrameError),
    /// Nothing was heard for so many seconds with a websocket open: the agent's session is gone.
    #[error("the agent did not answer for {0} s, although AWS's gateway could be reached")]
    Unresponsive(u64),
}

fn with_text(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!(": {output}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let token = TokenValue::new("s3cret");
        assert!(!format!("{token:?}").contains("s3cret"));
        assert!(!format!("{:?}", WsFrame::Text("s3cret".into())).contains("s3cret"));
    }

    #[test]
    fn close_reasons_are_sentences() {
        let reason = CloseReason::ChannelClosed { output: String::new() };
        assert_eq!(reason.to_string(), "AWS closed the session");
        let reason = CloseReason::ChannelClosed { output: "idle".into() };
        assert_eq!(reason.to_string(), "AWS closed the session: idle");
    }
}
