//! [`Side`]: what tells the two ends of a session apart.

use crate::message::MessageType;

/// Which end of a session this is. The sides differ in message type, handshake half and stream ids, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Opens streams.
    Client,
    /// Accepts streams and connects them to the remote.
    Agent,
}

impl Side {
    pub(crate) fn outgoing(self) -> MessageType {
        match self {
            Self::Client => MessageType::InputStreamData,
            Self::Agent => MessageType::OutputStreamData,
        }
    }

    pub(crate) fn incoming(self) -> MessageType {
        match self {
            Self::Client => MessageType::OutputStreamData,
            Self::Agent => MessageType::InputStreamData,
        }
    }
}
