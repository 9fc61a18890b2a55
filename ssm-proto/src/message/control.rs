//! JSON payloads of the messages around a session, and the numbers of flag payloads: `docs/protocol.md` §5.1, §7.1,
//! §9.5–9.6 and §3.5. Only the gateway and the official agent speak the control channel; these types are for the simulator.

use serde::{Deserialize, Serialize};

/// A flag payload: 4 bytes, big-endian (`docs/protocol.md` §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Client → agent: close the target connection (basic mode only).
    DisconnectToPort,
    /// Client → agent: end the session.
    TerminateSession,
    /// Agent → client: the agent could not connect. Names no stream (§6.5).
    ConnectToPortError,
    /// Acknowledged and ignored.
    Unknown(u32),
}

impl Flag {
    /// Reads a payload; a short one reads as 0, as the official programs do (§11).
    pub fn decode(payload: &[u8]) -> Self {
        let number = payload.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        match number {
            1 => Self::DisconnectToPort,
            2 => Self::TerminateSession,
            3 => Self::ConnectToPortError,
            other => Self::Unknown(other),
        }
    }

    /// The payload.
    pub const fn encode(self) -> [u8; 4] {
        let number: u32 = match self {
            Self::DisconnectToPort => 1,
            Self::TerminateSession => 2,
            Self::ConnectToPortError => 3,
            Self::Unknown(other) => other,
        };
        number.to_be_bytes()
    }
}

/// `channel_closed`: the session is over (`docs/protocol.md` §7.1).
///
/// Reading is lenient: whatever its payload, the message ends the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChannelClosed {
    /// UUID text.
    pub message_id: String,
    /// Text, RFC 3339 as the service writes it.
    pub created_date: String,
    /// The target.
    pub destination_id: String,
    /// The session that ended.
    pub session_id: String,
    /// Always `channel_closed`.
    pub message_type: String,
    /// An integer here, unlike in the open message.
    pub schema_version: i64,
    /// What the user is told; absent towards the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// `agent_session_state`, agent → gateway (`docs/protocol.md` §5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentSessionState {
    /// 1.
    pub schema_version: i64,
    /// `Connected` or `Terminating`.
    pub session_state: String,
    /// The session.
    pub session_id: String,
}

/// `interactive_shell`, gateway → agent: starts a session of any type (`docs/protocol.md` §9.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InteractiveShell {
    /// JSON text of an [`AgentTask`].
    pub content: String,
    /// Any id; the session's will do.
    pub task_id: String,
    /// Always `interactive_shell`.
    pub topic: String,
    /// 1.
    pub schema_version: i64,
}

/// What [`InteractiveShell::content`] holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentTask {
    /// Name of the session document.
    pub document_name: String,
    /// The document with resolved properties: every port property a string (§1.6).
    pub document_content: serde_json::Value,
    /// The session.
    pub session_id: String,
    /// Left empty: lists in here break the agent's substitution (§1.6).
    pub parameters: serde_json::Value,
    /// Left empty.
    pub run_as_user: String,
    /// ARN of whoever started the session.
    pub session_owner: String,
}

/// `agent_task_complete`, agent → gateway: the session's task ended (`docs/protocol.md` §9.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AgentTaskComplete {
    /// 1.
    pub schema_version: i64,
    /// The **session** id, whatever the start message's task id was.
    pub task_id: String,
    /// Always `agent_task_complete`.
    pub topic: String,
    /// `Success`, `Failed`, …
    pub final_task_status: String,
    /// The agent could not be reached.
    pub is_routing_failure: bool,
    /// Empty in practice.
    pub aws_account_id: String,
    /// The agent's instance id.
    pub instance_id: String,
    /// Error text for the user.
    pub output: String,
    /// 0, 1 or 2: the agent repeats the message until it is acknowledged.
    pub retry_number: i64,
}

/// `agent_task_acknowledge`, gateway → agent (`docs/protocol.md` §9.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentTaskAcknowledge {
    /// 1.
    pub schema_version: i64,
    /// UUID text of the message that is acknowledged.
    pub message_id: String,
    /// As in that message.
    pub task_id: String,
    /// Always `agent_task_complete`.
    pub topic: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_the_wire_numbers() {
        for (flag, number) in [
            (Flag::DisconnectToPort, 1),
            (Flag::TerminateSession, 2),
            (Flag::ConnectToPortError, 3),
            (Flag::Unknown(9), 9),
        ] {
            assert_eq!(flag.encode(), u32::to_be_bytes(number));
            assert_eq!(Flag::decode(&flag.encode()), flag);
        }
        assert_eq!(Flag::decode(&[1, 2]), Flag::Unknown(0));
    }

    #[test]
    fn channel_closed_reads_leniently() {
        let closed: ChannelClosed = serde_json::from_str(r#"{"SessionId":"s","Output":"bye","New":1}"#).unwrap();
        assert_eq!((closed.session_id.as_str(), closed.output.as_deref()), ("s", Some("bye")));
    }
}
