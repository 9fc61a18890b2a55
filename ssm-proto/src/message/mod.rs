//! Layer 1: one websocket frame ⇄ one [`ClientMessage`].
//!
//! Owns the names and numbers of `docs/protocol.md` §3 and nothing that has state: [`codec`] turns bytes into a message and
//! back, [`ack`] and [`control`] are the JSON payloads that the channel itself understands. What a stream payload *means*
//! is decided further up.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

pub mod ack;
pub(crate) mod codec;
pub mod control;
mod head;

pub use codec::DecodeError;
pub use head::MessageHead;

/// Payloads below this are copied before they are kept.
const COPY_BELOW: usize = 2048;

/// Makes a payload fit to be kept: a slice keeps the whole buffer alive that the websocket was read into, tens of KiB, so
/// that many small ones would hold far more than the limits that count payload bytes.
pub(crate) fn unpinned(payload: Bytes) -> Bytes {
    if payload.len() < COPY_BELOW { Bytes::copy_from_slice(&payload) } else { payload }
}

/// Schema version that both official programs write (`docs/protocol.md` §3.1). Readers do not look at it.
pub const SCHEMA_VERSION: u32 = 1;

/// Identifies one message; its text form stands in acknowledgements.
///
/// On the wire its two halves are swapped (`docs/protocol.md` §3.1); in memory it is the plain UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// Makes a version 4 id from 16 random bytes.
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Wraps a UUID given in its usual byte order.
    pub const fn from_uuid_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The UUID in its usual byte order.
    pub const fn as_uuid_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One message of a data or control channel: AWS calls it ClientMessage or AgentMessage (`docs/protocol.md` §3).
#[derive(Clone, PartialEq, Eq)]
pub struct ClientMessage {
    /// What kind of message this is.
    pub message_type: MessageType,
    /// [`SCHEMA_VERSION`] when we write it; anything is accepted.
    pub schema_version: u32,
    /// Milliseconds since the Unix epoch; never 0.
    pub created_ms: u64,
    /// Position in the sender's sequence space; 0 for messages outside of it.
    pub sequence: i64,
    /// See [`Flags`].
    pub flags: Flags,
    /// Unique per message; a retransmission repeats it.
    pub id: MessageId,
    /// What the payload is, for stream data.
    pub payload_type: PayloadType,
    /// The payload, exactly as on the wire.
    pub payload: Bytes,
}

impl fmt::Debug for ClientMessage {
    // Payloads are users' traffic: they are never printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientMessage")
            .field("message_type", &self.message_type)
            .field("sequence", &self.sequence)
            .field("flags", &self.flags.0)
            .field("id", &self.id)
            .field("payload_type", &self.payload_type)
            .field("payload_len", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl ClientMessage {
    /// Makes a message outside of the sequence space: sequence 0, flags and payload type as given
    /// (acknowledgements, state, and everything on the control channel).
    pub fn unsequenced(
        message_type: MessageType,
        flags: Flags,
        id: MessageId,
        created_ms: u64,
        payload: Bytes,
    ) -> Self {
        Self {
            message_type,
            schema_version: SCHEMA_VERSION,
            created_ms,
            sequence: 0,
            flags,
            id,
            payload_type: PayloadType::NONE,
            payload,
        }
    }

    /// Decodes one binary websocket frame.
    ///
    /// # Errors
    /// [`DecodeError`] for every frame that `docs/protocol.md` §3.2 tells a reader to drop. The payload shares the frame's
    /// memory.
    pub fn decode(frame: &Bytes) -> Result<Self, DecodeError> {
        codec::decode(frame)
    }

    /// Encodes the message as one binary websocket frame.
    pub fn encode(&self) -> Bytes {
        codec::encode(self, self.payload.len(), |out| {
            out.extend_from_slice(&self.payload);
        })
    }
}

/// The message type, 32 space-padded ASCII bytes on the wire (`docs/protocol.md` §3.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// Client → agent stream data.
    InputStreamData,
    /// Agent → client stream data.
    OutputStreamData,
    /// Acknowledges one stream message.
    Acknowledge,
    /// The gateway ends the session.
    ChannelClosed,
    /// The gateway asks to send again.
    StartPublication,
    /// The gateway asks to hold stream data.
    PausePublication,
    /// Agent → gateway: the state of the session.
    AgentSessionState,
    /// Gateway → agent, control channel: start a session of any type.
    InteractiveShell,
    /// Agent → gateway, control channel: the session's task ended.
    AgentTaskComplete,
    /// Gateway → agent, control channel: acknowledges [`MessageType::AgentTaskComplete`].
    AgentTaskAcknowledge,
    /// A type this crate has no use for, trimmed.
    Other(String),
}

impl MessageType {
    /// The name on the wire, without padding.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InputStreamData => "input_stream_data",
            Self::OutputStreamData => "output_stream_data",
            Self::Acknowledge => "acknowledge",
            Self::ChannelClosed => "channel_closed",
            Self::StartPublication => "start_publication",
            Self::PausePublication => "pause_publication",
            Self::AgentSessionState => "agent_session_state",
            Self::InteractiveShell => "interactive_shell",
            Self::AgentTaskComplete => "agent_task_complete",
            Self::AgentTaskAcknowledge => "agent_task_acknowledge",
            Self::Other(name) => name,
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "input_stream_data" => Self::InputStreamData,
            "output_stream_data" => Self::OutputStreamData,
            "acknowledge" => Self::Acknowledge,
            "channel_closed" => Self::ChannelClosed,
            "start_publication" => Self::StartPublication,
            "pause_publication" => Self::PausePublication,
            "agent_session_state" => Self::AgentSessionState,
            "interactive_shell" => Self::InteractiveShell,
            "agent_task_complete" => Self::AgentTaskComplete,
            "agent_task_acknowledge" => Self::AgentTaskAcknowledge,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The header's flag word (`docs/protocol.md` §3.3). No program that we know of reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u64);

impl Flags {
    /// Every message that has no other rule.
    pub const NONE: Self = Self(0);
    /// The agent's stream message with sequence 0.
    pub const SYN: Self = Self(1);
    /// Acknowledgements and agent state; Windows agents are reported to refuse less on acknowledgements.
    pub const SYN_FIN: Self = Self(3);
}

/// What a stream message carries (`docs/protocol.md` §3.5). A number, since unknown ones are acknowledged and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadType(pub u32);

impl PayloadType {
    /// Not stream data.
    pub const NONE: Self = Self(0);
    /// Stream bytes; smux bytes in a multiplexed port session.
    pub const OUTPUT: Self = Self(1);
    /// Agent → client: who it is, what it asks of the client.
    pub const HANDSHAKE_REQUEST: Self = Self(5);
    /// Client → agent: the answer.
    pub const HANDSHAKE_RESPONSE: Self = Self(6);
    /// Agent → client: data may flow.
    pub const HANDSHAKE_COMPLETE: Self = Self(7);
    /// Agent → client: proof of the session key; shell sessions only.
    pub const ENC_CHALLENGE_REQUEST: Self = Self(8);
    /// Client → agent: the answer to the challenge; shell sessions only.
    pub const ENC_CHALLENGE_RESPONSE: Self = Self(9);
    /// A [`control::Flag`].
    pub const FLAG: Self = Self(10);
}
