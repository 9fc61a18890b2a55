//! The control channel: what an agent from outside is told, and what it may say.

use bytes::Bytes;
use serde_json::{Value, json};
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType};
use ssm_sim::EndReason;

use crate::support::{Client, FakeAgent, api, start_session, until};

const REMOTE: ([u8; 4], u16) = ([127, 0, 0, 1], 5432);

fn payload(message: &ClientMessage) -> Value {
    serde_json::from_slice(&message.payload).unwrap()
}

async fn started(agent: &mut FakeAgent) -> (Value, ClientMessage) {
    let grant = start_session(&agent.sim, REMOTE.into()).await.json();
    let told = agent.told().await;
    (grant, told)
}

#[tokio::test]
async fn a_session_is_started_over_the_control_channel() {
    let mut agent = FakeAgent::start().await;
    let (grant, told) = started(&mut agent).await;
    assert_eq!(told.message_type, MessageType::InteractiveShell);
    let shell = payload(&told);
    assert_eq!((&shell["Topic"], &shell["SchemaVersion"]), (&json!("interactive_shell"), &json!(1)));
    let task: Value = serde_json::from_str(shell["Content"].as_str().unwrap()).unwrap();
    assert_eq!(task["SessionId"], grant["SessionId"]);
    assert_eq!(task["DocumentContent"]["sessionType"], "Port");
    let properties = &task["DocumentContent"]["properties"];
    assert_eq!(properties["portNumber"], "5432", "a string, or the session fails");
    assert_eq!(properties["host"], "127.0.0.1");
    assert_eq!(properties["type"], "LocalPortForwarding");
}

#[tokio::test]
async fn a_completed_task_is_acknowledged_and_its_text_reaches_the_client() {
    let mut agent = FakeAgent::start().await;
    let (grant, _) = started(&mut agent).await;
    let id = grant["SessionId"].as_str().unwrap();
    let session = ssm_session::Session::client(ssm_proto::Config::default());
    let (transport, token) = Client::dial(&grant).await.unwrap();
    session.attach(transport, token);
    until("the client to be connected", || agent.sim.sessions().sessions[0].client_connected).await;

    let output = "Unable to remarshal session properties";
    let complete = json!({"SchemaVersion": 1, "TaskId": id, "Topic": "agent_task_complete",
                          "FinalTaskStatus": "Failed", "Output": output});
    let message_id = MessageId::from_random_bytes([7; 16]);
    let body = Bytes::from(complete.to_string());
    agent.say(&ClientMessage::unsequenced(MessageType::AgentTaskComplete, Flags::NONE, message_id, 1, body)).await;
    let reply = agent.told().await;
    assert_eq!(reply.message_type, MessageType::AgentTaskAcknowledge);
    assert_eq!(payload(&reply)["MessageId"], message_id.to_string());
    let reason = session.closed().await;
    assert!(reason.to_string().contains(output), "{reason}");
    assert_eq!(agent.sim.sessions().sessions[0].end_reason, Some(EndReason::AgentCompleted));
}

#[tokio::test]
async fn a_terminated_session_is_closed_on_the_control_channel_and_opens_no_more() {
    let mut agent = FakeAgent::start().await;
    let (grant, _) = started(&mut agent).await;
    let id = grant["SessionId"].as_str().unwrap();
    api(&agent.sim, "TerminateSession", json!({"SessionId": id})).await;
    let told = agent.told().await;
    assert_eq!(told.message_type, MessageType::ChannelClosed);
    let closed = payload(&told);
    assert_eq!(closed["SessionId"], id);
    assert!(closed.get("Output").is_none(), "the text is for the client");
    let refused = agent.create_data_channel(id).await;
    assert!(refused.text.contains("Session is already terminated"), "{}", refused.text);
    assert_ne!(refused.status, 201);
}
