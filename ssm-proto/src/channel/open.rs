//! The open messages: the text frame that follows the websocket upgrade (`docs/protocol.md` §2.4, §9.4).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Opens a data channel, for either role.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OpenDataChannel {
    /// `1.0`.
    pub message_schema_version: String,
    /// A new UUID.
    pub request_id: String,
    /// One-time secret; `Debug` hides it.
    pub token_value: String,
    /// Client: a UUID per process. Agent: empty.
    #[serde(default)]
    pub client_id: String,
    /// Client only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_version: Option<String>,
    /// Agent only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_instance_id: Option<String>,
}

/// Which end of a session a data channel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Whoever called StartSession.
    Client,
    /// The session worker on the target.
    Agent,
}

impl OpenDataChannel {
    /// The only thing that tells the roles apart is the agent's instance id.
    pub fn role(&self) -> Role {
        if self.client_instance_id.is_some() { Role::Agent } else { Role::Client }
    }
}

impl fmt::Debug for OpenDataChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenDataChannel")
            .field("request_id", &self.request_id)
            .field("client_id", &self.client_id)
            .field("client_version", &self.client_version)
            .field("client_instance_id", &self.client_instance_id)
            .finish_non_exhaustive()
    }
}

/// Opens an agent's control channel. Further members (`Cookie`) are of no use to a gateway.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OpenControlChannel {
    /// One-time secret; `Debug` hides it.
    pub token_value: String,
    /// Four components.
    #[serde(default)]
    pub agent_version: String,
    /// `linux`, `windows`, …
    #[serde(default)]
    pub platform_type: String,
}

impl fmt::Debug for OpenControlChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenControlChannel")
            .field("agent_version", &self.agent_version)
            .field("platform_type", &self.platform_type)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instance_id_makes_the_role() {
        let client = r#"{"MessageSchemaVersion":"1.0","RequestId":"r","TokenValue":"t","ClientId":"c","ClientVersion":"1.2.764.0"}"#;
        let agent =
            r#"{"MessageSchemaVersion":"1.0","RequestId":"r","TokenValue":"t","ClientId":"","ClientInstanceId":"i-1"}"#;
        assert_eq!(serde_json::from_str::<OpenDataChannel>(client).unwrap().role(), Role::Client);
        let agent = serde_json::from_str::<OpenDataChannel>(agent).unwrap();
        assert_eq!(agent.role(), Role::Agent);
        assert!(!format!("{agent:?}").contains("\"t\""));
    }
}
