//! The message gateway with both of its sides in the test's hands.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use ssm_proto::WsFrame;
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType};
use ssm_session::{ConnectError, Transport, TransportError};
use tokio::time::timeout;

use crate::support::{Client, DEADLINE, FakeAgent, resume, start, start_session};

/// A write that takes longer waits for the other side.
const STALL: Duration = Duration::from_millis(500);
const NOWHERE: ([u8; 4], u16) = ([127, 0, 0, 1], 9);

fn numbered(message_type: MessageType, sequence: i64) -> ClientMessage {
    let id = MessageId::from_random_bytes(u128::try_from(sequence).unwrap().to_be_bytes());
    let payload = Bytes::from(sequence.to_string());
    ClientMessage { sequence, ..ClientMessage::unsequenced(message_type, Flags::NONE, id, 1, payload) }
}

fn opening(token: &str) -> WsFrame {
    let open = json!({"MessageSchemaVersion": "1.0", "RequestId": "r", "TokenValue": token, "ClientId": "c",
                      "ClientVersion": "1.2.764.0"});
    WsFrame::Text(open.to_string())
}

/// Opens a client's data channel without a protocol behind it.
async fn open_client(grant: &Value) -> Transport {
    let (mut transport, token) = Client::dial(grant).await.unwrap();
    transport.send(opening(token.expose())).await.unwrap();
    transport
}

async fn frame(transport: &mut Transport) -> Bytes {
    match timeout(DEADLINE, transport.next()).await.expect("a frame in time") {
        Some(Ok(WsFrame::Binary(frame))) => frame,
        other => panic!("no frame: {other:?}"),
    }
}

/// How a transport ends, as (code, reason); (1006, "") without a close frame.
async fn end(transport: &mut Transport) -> (u16, String) {
    loop {
        match timeout(DEADLINE, transport.next()).await.expect("an end in time") {
            Some(Ok(_)) => {}
            Some(Err(TransportError::Closed { code, reason })) => return (code, reason),
            Some(Err(_)) | None => return (1006, String::new()),
        }
    }
}

#[tokio::test]
async fn messages_are_relayed_unmodified_and_in_order_both_ways() {
    let agent = FakeAgent::start().await;
    let grant = start_session(&agent.sim, NOWHERE.into()).await.json();
    let mut to_agent = open_client(&grant).await;
    let mut to_client = agent.open_data_channel(grant["SessionId"].as_str().unwrap()).await;
    let frames = |message_type: MessageType| -> Vec<Bytes> {
        (0..500).map(|sequence| numbered(message_type.clone(), sequence).encode()).collect()
    };
    let (up, down) = (frames(MessageType::InputStreamData), frames(MessageType::OutputStreamData));
    for (frame_up, frame_down) in up.iter().zip(&down) {
        to_agent.feed(WsFrame::Binary(frame_up.clone())).await.unwrap();
        to_client.feed(WsFrame::Binary(frame_down.clone())).await.unwrap();
    }
    to_agent.flush().await.unwrap();
    to_client.flush().await.unwrap();
    for (expected_up, expected_down) in up.iter().zip(&down) {
        assert_eq!(frame(&mut to_client).await, expected_up);
        assert_eq!(frame(&mut to_agent).await, expected_down);
    }
    let counters = &agent.sim.sessions().sessions[0].counters;
    assert_eq!((counters.up.messages, counters.down.messages), (500, 500));
    assert_eq!(counters.retransmissions, 0);
}

#[tokio::test]
async fn what_is_no_message_is_relayed_and_agent_session_state_is_not() {
    let agent = FakeAgent::start().await;
    let grant = start_session(&agent.sim, NOWHERE.into()).await.json();
    let mut client = open_client(&grant).await;
    let mut worker = agent.open_data_channel(grant["SessionId"].as_str().unwrap()).await;
    let garbage = Bytes::from_static(b"no message");
    worker.send(WsFrame::Binary(numbered(MessageType::AgentSessionState, 0).encode())).await.unwrap();
    worker.send(WsFrame::Binary(garbage.clone())).await.unwrap();
    assert_eq!(frame(&mut client).await, garbage);
}

#[tokio::test]
async fn a_newer_socket_of_the_same_side_replaces_the_older() {
    let agent = FakeAgent::start().await;
    let grant = start_session(&agent.sim, NOWHERE.into()).await.json();
    let id = grant["SessionId"].as_str().unwrap();
    let mut worker = agent.open_data_channel(id).await;
    let mut older = open_client(&grant).await;
    worker.send(WsFrame::Binary(numbered(MessageType::OutputStreamData, 0).encode())).await.unwrap();
    frame(&mut older).await;

    let mut newer = open_client(&resume(&agent.sim, id).await.json()).await;
    assert_eq!(end(&mut older).await.0, 1000);
    let message = numbered(MessageType::OutputStreamData, 1).encode();
    worker.send(WsFrame::Binary(message.clone())).await.unwrap();
    assert_eq!(frame(&mut newer).await, message);
    let session = &agent.sim.sessions().sessions[0];
    assert_eq!(session.counters.resumes, 1);
    assert!(session.client_connected);
}

#[tokio::test]
async fn a_side_that_does_not_read_stops_the_other_side_but_not_its_own_words() {
    let agent = FakeAgent::start().await;
    let grant = start_session(&agent.sim, NOWHERE.into()).await.json();
    let mut client = open_client(&grant).await;
    let mut worker = agent.open_data_channel(grant["SessionId"].as_str().unwrap()).await;
    let bulk = Bytes::from(vec![0; 32 << 10]);
    let mut taken = 0;
    while timeout(STALL, worker.send(WsFrame::Binary(bulk.clone()))).await.is_ok() {
        taken += bulk.len();
        assert!(taken < 64 << 20, "the gateway takes all, though nobody reads it");
    }
    let message = numbered(MessageType::InputStreamData, 0).encode();
    client.send(WsFrame::Binary(message.clone())).await.unwrap();
    assert_eq!(frame(&mut worker).await, message);
    // The write that stalled went on in the socket's buffer, so it counts as well.
    for _ in 0..taken / bulk.len() {
        assert_eq!(frame(&mut client).await.len(), bulk.len());
    }
}

#[tokio::test]
async fn a_token_opens_one_socket() {
    let sim = start().await;
    let grant = start_session(&sim, NOWHERE.into()).await.json();
    let mut first = open_client(&grant).await;
    frame(&mut first).await;
    let mut second = open_client(&grant).await;
    assert_eq!(end(&mut second).await.0, 1008);
    let mut stranger = Client::dial(&grant).await.unwrap().0;
    stranger.send(opening("guessed")).await.unwrap();
    assert_eq!(end(&mut stranger).await.0, 1008);
    assert!(sim.sessions().sessions[0].client_connected, "a refused socket must not replace the seated one");
}

#[tokio::test]
async fn an_upgrade_to_no_session_is_refused_with_a_status() {
    let sim = start().await;
    let mut grant = start_session(&sim, NOWHERE.into()).await.json();
    let id = grant["SessionId"].as_str().unwrap().to_owned();
    sim.close_session(&id, "");
    assert_eq!(refusal(&grant).await, 410);
    grant["StreamUrl"] = json!(grant["StreamUrl"].as_str().unwrap().replace(&id, "demo-nope"));
    assert_eq!(refusal(&grant).await, 404);
}

#[tokio::test]
async fn an_old_stream_url_can_be_made_invalid() {
    let sim = start().await;
    sim.set_faults(&json!({"reject_old_url": true})).unwrap();
    let old = start_session(&sim, NOWHERE.into()).await.json();
    let new = resume(&sim, old["SessionId"].as_str().unwrap()).await.json();
    assert_eq!(refusal(&old).await, 400);
    assert!(Client::dial(&new).await.is_ok());
}

async fn refusal(grant: &Value) -> u16 {
    match Client::dial(grant).await {
        Err(ConnectError::Http { status, .. }) => status,
        Err(other) => panic!("no HTTP status: {other}"),
        Ok(_) => panic!("accepted"),
    }
}
