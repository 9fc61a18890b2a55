//! The payload of an `acknowledge` message (`docs/protocol.md` §4.3).

use std::io::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{ClientMessage, Flags, MessageId, MessageType, codec};

/// Says which stream message was accepted. Receivers use only the sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AcknowledgeContent {
    /// Type of the acknowledged message.
    pub acknowledged_message_type: String,
    /// UUID text of the acknowledged message.
    pub acknowledged_message_id: String,
    /// Its sequence number.
    pub acknowledged_message_sequence_number: i64,
    /// Always true.
    pub is_sequential_message: bool,
}

impl AcknowledgeContent {
    /// Reads the payload of an `acknowledge` message.
    ///
    /// # Errors
    /// When it is not the JSON of §4.3; such an acknowledgement is ignored.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

/// The only member that receivers use (§4.3): an acknowledgement without the others is as good.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AcknowledgedSequence {
    acknowledged_message_sequence_number: i64,
}

/// Which message an `acknowledge` payload frees; `None` for what is no acknowledgement, which is ignored (§11).
pub(crate) fn acknowledged_sequence(payload: &[u8]) -> Option<i64> {
    let content: AcknowledgedSequence = serde_json::from_slice(payload).ok()?;
    Some(content.acknowledged_message_sequence_number)
}

/// What is needed to acknowledge one stream message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AckOwed {
    pub(crate) sequence: i64,
    pub(crate) id: MessageId,
}

/// Longest payload: type, UUID and a 20-digit number.
const CAPACITY: usize = 200;

/// Encodes the acknowledgement of one message of type `acknowledged` as a whole frame.
///
/// Written by hand and in place, since one leaves for every message that arrives; a test holds it against serde.
pub(crate) fn encode(acknowledged: &MessageType, owed: AckOwed, id: MessageId, created_ms: u64) -> Bytes {
    let head = ClientMessage::unsequenced(MessageType::Acknowledge, Flags::SYN_FIN, id, created_ms, Bytes::new());
    codec::encode(&head, CAPACITY, |out: &mut BytesMut| {
        write!(
            out.writer(),
            concat!(
                r#"{{"AcknowledgedMessageType":"{}","AcknowledgedMessageId":"{}","#,
                r#""AcknowledgedMessageSequenceNumber":{},"IsSequentialMessage":true}}"#
            ),
            acknowledged.as_str(),
            owed.id,
            owed.sequence
        )
        .expect("writing to memory cannot fail");
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_written_json_is_what_serde_writes() {
        let owed = AckOwed { sequence: 7, id: MessageId::from_uuid_bytes(*b"0123456789abcdef") };
        let frame = encode(&MessageType::OutputStreamData, owed, MessageId::from_uuid_bytes([1; 16]), 5);
        let message = ClientMessage::decode(&frame).unwrap();
        let content = AcknowledgeContent::decode(&message.payload).unwrap();
        assert_eq!(content.acknowledged_message_sequence_number, 7);
        assert_eq!(content.acknowledged_message_id, owed.id.to_string());
        assert_eq!(serde_json::to_vec(&content).unwrap(), &message.payload[..]);
        assert_eq!((message.flags, message.sequence), (Flags::SYN_FIN, 0));
        assert_eq!(acknowledged_sequence(&message.payload), Some(7));
    }

    #[test]
    fn only_the_number_matters_to_a_receiver() {
        assert_eq!(acknowledged_sequence(br#"{"AcknowledgedMessageSequenceNumber":3}"#), Some(3));
        let odd = br#"{"AcknowledgedMessageId":null,"AcknowledgedMessageSequenceNumber":4,"New":[]}"#;
        assert_eq!(acknowledged_sequence(odd), Some(4));
        assert_eq!(acknowledged_sequence(b"{}"), None);
        assert_eq!(acknowledged_sequence(b"no JSON"), None);
    }
}
