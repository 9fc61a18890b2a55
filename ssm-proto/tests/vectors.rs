//! Bytes that the official programs made (`vectors/README.md` says how), against our codec and our machines: this is where
//! being right is decided, since simulator and client share their code.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes};
use serde_json::Value;
use ssm_proto::channel::open::{OpenControlChannel, OpenDataChannel, Role};
use ssm_proto::handshake::payload::{HandshakeComplete, HandshakeRequest, HandshakeResponse};
use ssm_proto::message::ack::AcknowledgeContent;
use ssm_proto::message::control::{
    AgentSessionState, AgentTaskAcknowledge, AgentTaskComplete, ChannelClosed, Flag, InteractiveShell,
};
use ssm_proto::message::{ClientMessage, MessageType, PayloadType};
use ssm_proto::smux::{FrameDecoder, Item};
use ssm_proto::{Config, Event, PortSession, Read, SessionState, TokenValue, WallClock, WsFrame};

fn load(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

fn unhex(value: &Value) -> Bytes {
    hex::decode(value.as_str().unwrap()).unwrap().into()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} of {value}"))
}

#[test]
fn every_message_decodes_to_its_fields_and_encodes_to_its_bytes() {
    let vectors = load("messages.json");
    assert!(vectors.len() > 50);
    for vector in &vectors {
        let name = text(vector, "name");
        let frame = unhex(&vector["hex"]);
        let message = ClientMessage::decode(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
        let fields = &vector["fields"];
        assert_eq!(message.message_type.as_str(), text(fields, "message_type"), "{name}");
        assert_eq!(u64::from(message.schema_version), fields["schema_version"].as_u64().unwrap(), "{name}");
        assert_eq!(message.created_ms, fields["created_date"].as_u64().unwrap(), "{name}");
        assert_eq!(message.sequence, fields["sequence"].as_i64().unwrap(), "{name}");
        assert_eq!(message.flags.0, fields["flags"].as_u64().unwrap(), "{name}");
        assert_eq!(message.id.to_string(), text(fields, "message_id"), "{name}");
        assert_eq!(u64::from(message.payload_type.0), fields["payload_type"].as_u64().unwrap(), "{name}");
        match fields.get("payload_utf8") {
            Some(payload) => assert_eq!(&message.payload[..], payload.as_str().unwrap().as_bytes(), "{name}"),
            None => assert_eq!(message.payload, unhex(&fields["payload_hex"]), "{name}"),
        }
        // A relay's or a sender's frame must be the same to the byte, digest and swapped halves included.
        assert_eq!(message.encode(), frame, "{name}");
    }
}

#[test]
fn every_json_payload_reads_as_its_type() {
    fn read<T: serde::de::DeserializeOwned>(name: &str, payload: &[u8]) -> T {
        serde_json::from_slice(payload).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
    for vector in load("messages.json") {
        let name = text(&vector, "name");
        let message = ClientMessage::decode(&unhex(&vector["hex"])).unwrap();
        let payload = &message.payload[..];
        match (&message.message_type, message.payload_type) {
            (MessageType::Acknowledge, _) => {
                let content = AcknowledgeContent::decode(payload).unwrap();
                assert!(content.is_sequential_message && content.acknowledged_message_id.len() == 36, "{name}");
            }
            (MessageType::ChannelClosed, _) => assert_eq!(read::<ChannelClosed>(name, payload).schema_version, 1),
            (MessageType::AgentSessionState, _) => {
                assert!(!read::<AgentSessionState>(name, payload).session_state.is_empty());
            }
            (MessageType::InteractiveShell, _) => {
                let shell: InteractiveShell = read(name, payload);
                let task: Value = read(name, shell.content.as_bytes());
                assert_eq!(task["DocumentContent"]["schemaVersion"], "1.0", "{name}");
            }
            (MessageType::AgentTaskComplete, _) => {
                assert!(!read::<AgentTaskComplete>(name, payload).final_task_status.is_empty());
            }
            (MessageType::AgentTaskAcknowledge, _) => {
                assert_eq!(read::<AgentTaskAcknowledge>(name, payload).topic, "agent_task_complete");
            }
            (_, PayloadType::HANDSHAKE_REQUEST) => {
                assert!(!read::<HandshakeRequest>(name, payload).requested_client_actions.is_empty());
            }
            (_, PayloadType::HANDSHAKE_RESPONSE) => {
                assert!(!read::<HandshakeResponse>(name, payload).processed_client_actions.is_empty());
            }
            (_, PayloadType::HANDSHAKE_COMPLETE) => {
                read::<HandshakeComplete>(name, payload);
            }
            (_, PayloadType::FLAG) => assert!(!matches!(Flag::decode(payload), Flag::Unknown(_)), "{name}"),
            _ => {}
        }
    }
}

#[test]
fn open_messages_tell_their_role() {
    let texts = load("texts.json");
    let find = |name: &str| texts.iter().find(|vector| text(vector, "name") == name).map(|vector| text(vector, "text"));
    let client: OpenDataChannel = serde_json::from_str(find("plugin/open-data-channel").unwrap()).unwrap();
    assert_eq!((client.role(), client.token_value.as_str()), (Role::Client, "AAEAAbcDEF+/token=="));
    // Ours has the plugin's members, in the plugin's order.
    assert_eq!(serde_json::to_string(&client).unwrap(), find("plugin/open-data-channel").unwrap());
    let agent: OpenDataChannel = serde_json::from_str(find("agent/open-data-channel").unwrap()).unwrap();
    assert_eq!((agent.role(), agent.client_instance_id.as_deref()), (Role::Agent, Some("mi-0123456789abcdef0")));
    let control: OpenControlChannel = serde_json::from_str(find("agent/open-control-channel").unwrap()).unwrap();
    assert_eq!(control.agent_version, "3.3.987.0");
}

#[test]
fn recorded_smux_decodes_to_its_frames_whatever_the_cuts() {
    for vector in load("smux.json") {
        let wire = unhex(&vector["hex"]);
        let mut expected: Vec<(u64, u64, Vec<u8>)> = Vec::new();
        for frame in vector["frames"].as_array().unwrap() {
            let (command, stream) = (frame["cmd"].as_u64().unwrap(), frame["sid"].as_u64().unwrap());
            push(&mut expected, command, stream, &unhex(&frame["payload_hex"]));
        }
        for piece in [1, 7, 1024, wire.len()] {
            let mut decoder = FrameDecoder::default();
            let mut found = Vec::new();
            for chunk in wire.chunks(piece) {
                let mut input = Bytes::copy_from_slice(chunk);
                while let Some(item) = decoder.decode(&mut input).unwrap() {
                    match item {
                        Item::Syn(id) => push(&mut found, 0, id.0.into(), b""),
                        Item::Fin(id) => push(&mut found, 1, id.0.into(), b""),
                        Item::Data(id, data) => push(&mut found, 2, id.0.into(), &data),
                        Item::Nop => push(&mut found, 3, 0, b""),
                    }
                }
            }
            assert_eq!(found, expected, "{} in pieces of {piece}", text(&vector, "name"));
        }
    }

    /// Joins data that follows data of the same stream: our decoder gives it in the pieces in which it came.
    fn push(list: &mut Vec<(u64, u64, Vec<u8>)>, command: u64, stream: u64, data: &[u8]) {
        match list.last_mut() {
            Some(last) if command == 2 && (last.0, last.1) == (2, stream) => last.2.extend_from_slice(data),
            _ => list.push((command, stream, data.to_vec())),
        }
    }
}

/// §5.5: the agent wakes its handshake before it acknowledges the response, so HandshakeComplete may come first. It did
/// when this was recorded; a client must take any message, in either order.
#[test]
fn completion_may_overtake_the_acknowledgement_of_the_response() {
    let recording =
        load("live_plugin.json").into_iter().find(|session| text(session, "name") == "resume-socket-1").unwrap();
    let from_agent: Vec<_> = recording["frames"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|frame| text(frame, "dir") == "s2c" && text(frame, "kind") == "binary")
        .map(|frame| unhex(&frame["hex"]))
        .collect();
    let kind = |frame: &Bytes| ClientMessage::decode(frame).unwrap().payload_type;
    assert_eq!(kind(&from_agent[1]), PayloadType::HANDSHAKE_COMPLETE);
    assert_eq!(kind(&from_agent[2]), PayloadType::NONE, "the acknowledgement");
    #[expect(clippy::disallowed_methods, reason = "virtual time has to start somewhere")]
    let mut now = Instant::now();
    let mut client = PortSession::client(Config::default(), 1, WallClock::new(1, now), now);
    client.handle_connect(TokenValue::new("token"), now);
    for frame in &from_agent[..4] {
        client.handle_frame(WsFrame::Binary(frame.clone()), now);
        now += Duration::from_millis(20);
        client.handle_timeout(now);
        while client.poll_transmit(now).is_some() {}
    }
    assert_eq!(client.state(), SessionState::Established);
}

/// A whole recorded session: what the real agent sent goes into our client, which must come to the same result as the
/// plugin did: established, 'hello' and 5 000 bytes echoed, 3 000 bytes answered, a refusal, the end.
#[test]
fn our_client_understands_a_recorded_agent() {
    let recording = load("live_plugin.json").into_iter().find(|session| text(session, "name") == "mux").unwrap();
    #[expect(clippy::disallowed_methods, reason = "virtual time has to start somewhere")]
    let start = Instant::now();
    let mut now = start;
    let mut client = PortSession::client(Config::default(), 1, WallClock::new(1, start), now);
    client.handle_connect(TokenValue::new("token"), now);
    let mut opened = Vec::new();
    let mut received: Vec<Vec<u8>> = Vec::new();
    let mut ends = Vec::new();
    let mut events = Vec::new();
    for frame in recording["frames"].as_array().unwrap() {
        if text(frame, "dir") != "s2c" || text(frame, "kind") != "binary" {
            continue;
        }
        now += Duration::from_millis(20);
        client.handle_timeout(now);
        while client.poll_transmit(now).is_some() {}
        client.handle_frame(WsFrame::Binary(unhex(&frame["hex"])), now);
        while let Some(event) = client.poll_event() {
            events.push(event);
        }
        if opened.is_empty() && client.state() == SessionState::Established {
            // The recorded agent answers streams 3, 5 and 7.
            opened = (0..3).map(|_| client.open_stream(now).unwrap()).collect();
            received.resize(3, Vec::new());
            ends.resize(3, None);
        }
        for (i, &id) in opened.iter().enumerate() {
            let end = loop {
                match client.read(id, &mut (&mut received[i]).limit(1 << 20), now) {
                    Ok(Read::Data(_)) => {}
                    Ok(Read::Pending) => break None,
                    end => break Some(end),
                }
            };
            ends[i] = ends[i].take().or(end);
        }
    }
    assert!(matches!(&events[0], Event::AgentIdentified { agent_version, .. } if agent_version == "3.3.987.0"));
    assert_eq!(events[1], Event::Established);
    assert_eq!(received[0].len(), 5005);
    assert!(received[0].starts_with(b"hello"));
    assert_eq!(received[1].len(), 3000);
    assert_eq!(ends[1], Some(Ok(Read::Eof)));
    assert_eq!(ends[2], Some(Err(ssm_proto::StreamError::Refused)), "the flag names no stream, the FIN after it does");
    assert_eq!(client.stats().dropped, 0);
    assert_eq!(client.state(), SessionState::Closed, "channel_closed was recorded last");
}
