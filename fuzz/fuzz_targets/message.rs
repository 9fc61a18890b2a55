//! One binary websocket frame: decoding it, peeking at it, and the payloads that some kinds carry.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ssm_proto::message::ack::AcknowledgeContent;
use ssm_proto::message::control::{ChannelClosed, Flag};
use ssm_proto::message::{ClientMessage, MessageHead, MessageType};

fuzz_target!(|frame: &[u8]| {
    let bytes = Bytes::copy_from_slice(frame);
    let head = MessageHead::peek(frame);
    let Ok(message) = ClientMessage::decode(&bytes) else { return };
    let head = head.expect("what can be decoded can be peeked at");
    assert_eq!((&head.message_type, head.sequence), (&message.message_type, message.sequence));
    assert_eq!((head.payload_type, head.payload_len), (message.payload_type, message.payload.len()));
    // A type that nobody knows is trimmed as docs/protocol.md §3.1 says, which need not hold for the rest of it; none is ever sent.
    if !matches!(message.message_type, MessageType::Other(_)) {
        let again = ClientMessage::decode(&message.encode()).expect("what we encode can be decoded");
        assert_eq!(again, message);
    }
    let _ = Flag::decode(&message.payload);
    let _ = AcknowledgeContent::decode(&message.payload);
    let _ = serde_json::from_slice::<ChannelClosed>(&message.payload);
});
