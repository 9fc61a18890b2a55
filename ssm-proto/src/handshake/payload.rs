//! The JSON of the three handshake messages (`docs/protocol.md` §5.2, §5.3, §5.5).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Agent → client: who it is and what the client shall do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeRequest {
    /// Four components.
    pub agent_version: String,
    /// Usually one, of type [`ACTION_SESSION_TYPE`].
    #[serde(default, deserialize_with = "null_is_empty")]
    pub requested_client_actions: Vec<RequestedAction>,
}

/// One thing that the agent asks of the client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestedAction {
    /// [`ACTION_SESSION_TYPE`] or [`ACTION_KMS_ENCRYPTION`], so far.
    pub action_type: String,
    /// Its parameters; for the session type a [`SessionTypeRequest`].
    #[serde(default)]
    pub action_parameters: Value,
}

/// Tells the session type and its properties.
pub const ACTION_SESSION_TYPE: &str = "SessionType";
/// Asks for encryption with a KMS key; never for port sessions.
pub const ACTION_KMS_ENCRYPTION: &str = "KMSEncryption";

/// Session type of every port forwarding.
pub const SESSION_TYPE_PORT: &str = "Port";
/// Value of the property `type` without which an agent does not multiplex (`docs/protocol.md` §6.1).
pub const LOCAL_PORT_FORWARDING: &str = "LocalPortForwarding";

/// Parameters of [`ACTION_SESSION_TYPE`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionTypeRequest {
    /// `Port`, `Standard_Stream`, …
    pub session_type: String,
    /// The document's properties, verbatim; `null` for shells.
    #[serde(default)]
    pub properties: Value,
}

/// Client → agent: the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeResponse {
    /// Decides the agent's features (`docs/protocol.md` §5.4).
    pub client_version: String,
    /// One for each requested action. An agent fails the session over any that is not [`STATUS_SUCCESS`].
    #[serde(default, deserialize_with = "null_is_empty")]
    pub processed_client_actions: Vec<ProcessedAction>,
    /// Ignored by the agent; `null` when there are none.
    #[serde(default)]
    pub errors: Option<Vec<String>>,
}

/// What became of one action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProcessedAction {
    /// As requested.
    pub action_type: String,
    /// [`STATUS_SUCCESS`], [`STATUS_FAILED`] or [`STATUS_UNSUPPORTED`].
    pub action_status: i64,
    /// `null` for the session type.
    #[serde(default)]
    pub action_result: Value,
    /// Empty on success.
    #[serde(default)]
    pub error: String,
}

/// The action was done.
pub const STATUS_SUCCESS: i64 = 1;
/// The action was tried.
pub const STATUS_FAILED: i64 = 2;
/// The action is not known.
pub const STATUS_UNSUPPORTED: i64 = 3;

/// Agent → client: data may flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HandshakeComplete {
    /// Nanoseconds.
    pub handshake_time_to_complete: i64,
    /// Shown to the user unless empty.
    pub customer_message: String,
}

/// Go writes an empty list as `null`.
fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
