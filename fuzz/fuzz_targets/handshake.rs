//! The JSON of the handshake, as either side gets it. The first line is the agent's request, or the client's response, the
//! second the completion.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType, PayloadType};
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, Side, WsFrame};
use std::time::Duration;

fn frame(message_type: MessageType, sequence: i64, payload_type: PayloadType, payload: &[u8]) -> WsFrame {
    let id = MessageId::from_random_bytes([7; 16]);
    let payload = Bytes::copy_from_slice(payload);
    let mut message = ClientMessage::unsequenced(message_type, Flags::NONE, id, 1_700_000_000_000, payload);
    (message.sequence, message.payload_type) = (sequence, payload_type);
    WsFrame::Binary(message.encode())
}

fuzz_target!(|input: &[u8]| {
    let (first, second) = match input.iter().position(|&byte| byte == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, &[][..]),
    };
    let mut pair = Pair::new(Config::default(), Config::official_agent(), LinkConfig::default(), 1);
    for side in [Side::Client, Side::Agent] {
        pair.reconnect(side);
        // Its own first words; nobody hears them.
        let now = pair.now;
        while pair.side(side).poll_transmit(now).is_some() {}
    }
    let request = frame(MessageType::OutputStreamData, 0, PayloadType::HANDSHAKE_REQUEST, first);
    let complete = frame(MessageType::OutputStreamData, 1, PayloadType::HANDSHAKE_COMPLETE, second);
    pair.client.handle_frame(request, pair.now);
    pair.client.handle_frame(complete, pair.now);
    let response = frame(MessageType::InputStreamData, 0, PayloadType::HANDSHAKE_RESPONSE, first);
    pair.agent.handle_frame(response, pair.now);
    // Whatever they have made of it, they go on or end.
    pair.run_for(Duration::from_mins(2));
});
