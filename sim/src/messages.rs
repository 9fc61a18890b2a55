//! The messages that the gateway itself makes. Their form belongs to `ssm-proto`; this module only
//! fills them in.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Serialize;
use ssm_proto::message::control::{AgentTask, AgentTaskAcknowledge, ChannelClosed, InteractiveShell};
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType};
use uuid::Uuid;

use crate::service::{OWNER, Service};
use crate::session::Session;

/// `channel_closed` for the client, with the text for its user (docs/protocol.md §7.1).
pub(crate) fn channel_closed_to_client(service: &Service, session: &Session, output: &str) -> Bytes {
    channel_closed(service, session, Some(output.to_owned()))
}

/// `channel_closed` for the agent: without a text.
pub(crate) fn channel_closed_to_agent(service: &Service, session: &Session) -> Bytes {
    channel_closed(service, session, None)
}

fn channel_closed(service: &Service, session: &Session, output: Option<String>) -> Bytes {
    let id = service.dice.uuid();
    let payload = ChannelClosed {
        message_id: id.to_string(),
        created_date: jiff::Timestamp::now().to_string(),
        destination_id: session.target.clone(),
        session_id: session.id.clone(),
        message_type: MessageType::ChannelClosed.as_str().to_owned(),
        schema_version: 1,
        output,
    };
    message(MessageType::ChannelClosed, id, &payload)
}

/// `interactive_shell`: starts the session in an external agent (docs/protocol.md §9.5).
pub(crate) fn interactive_shell(service: &Service, session: &Session) -> Bytes {
    let task = AgentTask {
        document_name: session.document.name.clone(),
        document_content: serde_json::json!({
            "schemaVersion": "1.0",
            "description": "A port session of the simulator",
            "sessionType": "Port",
            "inputs": {},
            "parameters": {},
            "properties": session.document.properties,
        }),
        session_id: session.id.clone(),
        parameters: serde_json::json!({}),
        run_as_user: String::new(),
        session_owner: OWNER.to_owned(),
    };
    let payload = InteractiveShell {
        content: json(&task),
        task_id: session.id.clone(),
        topic: MessageType::InteractiveShell.as_str().to_owned(),
        schema_version: 1,
    };
    message(MessageType::InteractiveShell, service.dice.uuid(), &payload)
}

/// `agent_task_acknowledge`: without it the agent repeats its message (docs/protocol.md §9.6).
pub(crate) fn task_acknowledge(service: &Service, completed: MessageId, task_id: &str) -> Bytes {
    let payload = AgentTaskAcknowledge {
        schema_version: 1,
        message_id: completed.to_string(),
        task_id: task_id.to_owned(),
        topic: MessageType::AgentTaskComplete.as_str().to_owned(),
    };
    message(MessageType::AgentTaskAcknowledge, service.dice.uuid(), &payload)
}

fn message<T: Serialize>(message_type: MessageType, id: Uuid, payload: &T) -> Bytes {
    let id = MessageId::from_uuid_bytes(id.into_bytes());
    let payload = Bytes::from(json(payload));
    ClientMessage::unsequenced(message_type, Flags::NONE, id, unix_ms(), payload).encode()
}

fn json<T: Serialize>(payload: &T) -> String {
    serde_json::to_string(payload).expect("structs of strings and numbers always serialise")
}

/// Now, in Unix milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
