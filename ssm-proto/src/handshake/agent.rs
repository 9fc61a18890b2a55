//! The agent's half, for the simulator: asks the client and judges the answer.

use serde_json::{Value, json};

use super::features::client_multiplexes;
use super::payload::{
    ACTION_SESSION_TYPE, HandshakeRequest, HandshakeResponse, LOCAL_PORT_FORWARDING, RequestedAction, STATUS_SUCCESS,
};

/// Who an agent is and which session it was asked to carry.
#[derive(Clone, Debug)]
pub struct AgentProperties {
    /// Four components, such as `3.3.987.0`.
    pub agent_version: String,
    /// `i-…`, `mi-…`, …; goes into the open message.
    pub instance_id: String,
    /// The session.
    pub session_id: String,
    /// `Port` for port forwarding.
    pub session_type: String,
    /// The session document's properties, resolved.
    pub properties: Value,
}

impl AgentProperties {
    pub(crate) fn request(&self) -> HandshakeRequest {
        HandshakeRequest {
            agent_version: self.agent_version.clone(),
            requested_client_actions: vec![RequestedAction {
                action_type: ACTION_SESSION_TYPE.into(),
                action_parameters: json!({ "SessionType": self.session_type, "Properties": self.properties }),
            }],
        }
    }
}

/// What the agent makes of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Accepted { client_version: String },
    /// The session fails with this text.
    Failed(String),
}

/// Judges a HandshakeResponse by the agent's rules (§5.3): any action that did not succeed fails the session, an empty list
/// passes.
pub(crate) fn judge(response: &[u8], properties: &Value) -> Verdict {
    let response: HandshakeResponse = match serde_json::from_slice(response) {
        Ok(response) => response,
        // The official agent leaves it unacknowledged and waits for its timeout; failing at once says more (§11).
        Err(error) => {
            return Verdict::Failed(format!("the client's response is not readable: {error}"));
        }
    };
    if let Some(action) = response.processed_client_actions.iter().find(|action| action.action_status != STATUS_SUCCESS)
    {
        return Verdict::Failed(format!("{} failed on client with error: {}", action.action_type, action.error));
    }
    let wants_mux = properties.get("type").and_then(Value::as_str) == Some(LOCAL_PORT_FORWARDING);
    if !wants_mux || !client_multiplexes(&response.client_version) {
        return Verdict::Failed(format!(
            "client {} or this session document does not multiplex",
            response.client_version
        ));
    }
    Verdict::Accepted { client_version: response.client_version }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_judged_as_the_agent_does() {
        let mux = json!({ "type": "LocalPortForwarding" });
        let judged = |text: &str| judge(text.as_bytes(), &mux);
        assert_eq!(
            judged(r#"{"ClientVersion":"1.2.764.0","ProcessedClientActions":null,"Errors":null}"#),
            Verdict::Accepted { client_version: "1.2.764.0".into() }
        );
        assert!(matches!(judged("{"), Verdict::Failed(_)));
        let failed = r#"{"ClientVersion":"1.2.764.0","ProcessedClientActions":[{"ActionType":"X","ActionStatus":3}]}"#;
        assert!(matches!(judged(failed), Verdict::Failed(_)));
        assert!(matches!(judged(r#"{"ClientVersion":"0.9","ProcessedClientActions":[]}"#), Verdict::Failed(_)));
    }
}
