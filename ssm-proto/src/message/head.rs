//! [`MessageHead`]: what a relay wants to know of a message that it passes on unread.

use super::{MessageType, PayloadType, codec};

/// A few header fields of a frame, without a look at its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageHead {
    /// What kind of message this is.
    pub message_type: MessageType,
    /// Position in the sender's sequence space.
    pub sequence: i64,
    /// What the payload is, for stream data.
    pub payload_type: PayloadType,
    /// Bytes behind the header.
    pub payload_len: usize,
}

impl MessageHead {
    /// Reads the header of a binary websocket frame; `None` if it is not one of ours. Nothing else is checked: the
    /// digest, above all, is the receiver's business and would cost a relay as much as all its other work.
    pub fn peek(frame: &[u8]) -> Option<Self> {
        codec::peek(frame)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::{ClientMessage, Flags, MessageId};

    #[test]
    fn a_peek_agrees_with_decoding() {
        let id = MessageId::from_random_bytes([7; 16]);
        let payload = Bytes::from_static(b"payload");
        let mut message = ClientMessage::unsequenced(MessageType::InputStreamData, Flags::NONE, id, 1, payload);
        message.sequence = 9;
        message.payload_type = PayloadType::OUTPUT;
        let head = MessageHead::peek(&message.encode()).unwrap();
        let expected = MessageHead {
            message_type: MessageType::InputStreamData,
            sequence: 9,
            payload_type: PayloadType::OUTPUT,
            payload_len: 7,
        };
        assert_eq!(head, expected);
    }

    #[test]
    fn what_is_no_header_is_nothing() {
        assert_eq!(MessageHead::peek(b""), None);
        assert_eq!(MessageHead::peek(&[0; 119]), None);
        assert_eq!(MessageHead::peek(&[0; 200]), None);
    }
}
