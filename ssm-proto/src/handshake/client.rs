//! The client's half: reads the agent's request, decides whether the session is one we can carry, answers.

use super::features::Features;
use super::payload::{
    ACTION_KMS_ENCRYPTION, ACTION_SESSION_TYPE, HandshakeRequest, HandshakeResponse, LOCAL_PORT_FORWARDING,
    ProcessedAction, SESSION_TYPE_PORT, STATUS_SUCCESS, STATUS_UNSUPPORTED, SessionTypeRequest,
};
use crate::event::CloseReason;

/// What the request told, when the session can go on.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) agent_version: String,
    pub(crate) features: Features,
    pub(crate) response: HandshakeResponse,
}

/// Answers a HandshakeRequest.
///
/// # Errors
/// The reason to end the session, for requests that leave no port session to carry. A session that was to be encrypted is
/// among them: it is never carried on in the clear (§5.6).
pub(crate) fn answer(request: &[u8], client_version: &str) -> Result<Accepted, CloseReason> {
    let request: HandshakeRequest = serde_json::from_slice(request)
        .map_err(|error| CloseReason::HandshakeFailed(format!("the agent's request is not readable: {error}")))?;
    let features = Features::of_agent(&request.agent_version);

    let mut session_type = None;
    let mut processed = Vec::new();
    for action in &request.requested_client_actions {
        match action.action_type.as_str() {
            ACTION_SESSION_TYPE => {
                let parameters: SessionTypeRequest =
                    serde_json::from_value(action.action_parameters.clone()).map_err(|error| {
                        CloseReason::HandshakeFailed(format!("the session type is not readable: {error}"))
                    })?;
                session_type = Some(parameters);
                processed.push(done(ACTION_SESSION_TYPE));
            }
            ACTION_KMS_ENCRYPTION => {
                return Err(CloseReason::HandshakeFailed(
                    "the session is to be encrypted with a KMS key, which port sessions never are".into(),
                ));
            }
            // The official client's answer to these is status 0, which is none (§5.3).
            unknown => processed.push(unsupported(unknown)),
        }
    }

    let Some(session_type) = session_type else {
        return Err(CloseReason::HandshakeFailed("the agent did not tell the session type".into()));
    };
    if session_type.session_type != SESSION_TYPE_PORT {
        return Err(CloseReason::UnsupportedSession { session_type: session_type.session_type });
    }
    let port_type = session_type.properties.get("type").and_then(|value| value.as_str()).unwrap_or("none");
    if port_type != LOCAL_PORT_FORWARDING {
        return Err(CloseReason::UnsupportedSession { session_type: format!("Port ({port_type})") });
    }
    if !features.multiplexing {
        return Err(CloseReason::MultiplexingUnsupported { agent_version: request.agent_version });
    }

    let response = HandshakeResponse {
        client_version: client_version.to_owned(),
        processed_client_actions: processed,
        errors: None,
    };
    Ok(Accepted { agent_version: request.agent_version, features, response })
}

fn done(action: &str) -> ProcessedAction {
    ProcessedAction {
        action_type: action.to_owned(),
        action_status: STATUS_SUCCESS,
        action_result: serde_json::Value::Null,
        error: String::new(),
    }
}

fn unsupported(action: &str) -> ProcessedAction {
    ProcessedAction { action_status: STATUS_UNSUPPORTED, error: format!("Unknown action {action}"), ..done(action) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: &str, session_type: &str, properties: &str, more: &str) -> Vec<u8> {
        format!(
            r#"{{"AgentVersion":"{version}","RequestedClientActions":[{{"ActionType":"SessionType","ActionParameters":
               {{"SessionType":"{session_type}","Properties":{properties}}}}}{more}]}}"#
        )
        .into_bytes()
    }

    const MUX: &str = r#"{"type":"LocalPortForwarding","portNumber":"5432"}"#;

    #[test]
    fn the_answer_has_the_plugins_shape() {
        let accepted = answer(&request("3.3.987.0", "Port", MUX, ""), "1.2.764.0").unwrap();
        assert_eq!(
            serde_json::to_string(&accepted.response).unwrap(),
            r#"{"ClientVersion":"1.2.764.0","ProcessedClientActions":[{"ActionType":"SessionType","ActionStatus":1,"ActionResult":null,"Error":""}],"Errors":null}"#
        );
        assert!(!accepted.features.smux_keep_alive);
    }

    #[test]
    fn unknown_actions_are_unsupported() {
        let more = r#",{"ActionType":"Dance","ActionParameters":{}}"#;
        let accepted = answer(&request("3.3.987.0", "Port", MUX, more), "1.2.764.0").unwrap();
        assert_eq!(accepted.response.processed_client_actions[1].action_status, STATUS_UNSUPPORTED);
    }

    #[test]
    fn sessions_we_cannot_carry_end_with_their_reason() {
        let version = "3.0.196.0";
        assert_eq!(
            answer(&request(version, "Port", MUX, ""), "1.2.764.0").unwrap_err(),
            CloseReason::MultiplexingUnsupported { agent_version: version.into() }
        );
        for (session_type, properties) in [("Standard_Stream", "null"), ("Port", r#"{"portNumber":"22"}"#)] {
            let error = answer(&request("3.3.987.0", session_type, properties, ""), "1.2.764.0").unwrap_err();
            assert!(matches!(error, CloseReason::UnsupportedSession { .. }), "{error:?}");
        }
        let kms = r#",{"ActionType":"KMSEncryption","ActionParameters":{"KMSKeyId":"k"}}"#;
        for bad in [request("3.3.987.0", "Port", MUX, kms), b"{".to_vec(), br#"{"AgentVersion":"3.3.987.0"}"#.to_vec()]
        {
            assert!(matches!(answer(&bad, "1.2.764.0"), Err(CloseReason::HandshakeFailed(_))));
        }
    }
}
