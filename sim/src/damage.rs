//! Messages that something on the way has spoilt: wrong digests, and frames that are no messages.
//!
//! Whatever is made here has to be dropped by its receiver: never a valid message with another
//! meaning.

use bytes::Bytes;

use crate::dice::Dice;

/// Offsets of a message's header (docs/protocol.md §3.1).
const HEADER_LENGTH: std::ops::Range<usize> = 0..4;
const MESSAGE_TYPE: std::ops::Range<usize> = 4..36;
const PAYLOAD_LENGTH: std::ops::Range<usize> = 116..120;
const HEADER: usize = PAYLOAD_LENGTH.end;

/// The same message with one bit of its payload wrong, so that the digest does not fit. Without a
/// payload there is nothing that a receiver would check.
pub(crate) fn corrupted(message: &Bytes, dice: &Dice) -> Bytes {
    let mut bytes = message.to_vec();
    let position = HEADER + dice.below(bytes.len().saturating_sub(HEADER));
    if let Some(byte) = bytes.get_mut(position) {
        *byte ^= 1 << dice.below(8);
    }
    bytes.into()
}

/// A frame that is no message, mostly with a likeness to `message`.
pub(crate) fn garbage(message: &Bytes, dice: &Dice) -> Bytes {
    let mut bytes = message.to_vec();
    match dice.below(6) {
        0 => bytes.clear(),
        1 => bytes = dice.noise(2 * HEADER),
        // In the middle of its header or of its payload.
        2 => bytes.truncate(dice.below(message.len().max(1))),
        3 => overwrite(&mut bytes, HEADER_LENGTH, &dice.noise(HEADER_LENGTH.len())),
        4 => overwrite(&mut bytes, PAYLOAD_LENGTH, &[0xff; PAYLOAD_LENGTH.end - PAYLOAD_LENGTH.start]),
        _ => overwrite(&mut bytes, MESSAGE_TYPE, b"no_such_message                 "),
    }
    bytes.into()
}

fn overwrite(bytes: &mut [u8], range: std::ops::Range<usize>, with: &[u8]) {
    if let Some(place) = bytes.get_mut(range) {
        place.copy_from_slice(with);
    }
}

#[cfg(test)]
mod tests {
    use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType, PayloadType};

    use super::*;

    fn messages() -> [Bytes; 2] {
        [Bytes::from_static(b"payload"), Bytes::new()].map(|payload| {
            let id = MessageId::from_random_bytes([7; 16]);
            let mut message = ClientMessage::unsequenced(MessageType::OutputStreamData, Flags::NONE, id, 1, payload);
            message.payload_type = PayloadType::OUTPUT;
            message.encode()
        })
    }

    #[test]
    fn a_corrupted_message_is_refused_for_its_digest() {
        let dice = Dice::new(1);
        let [message, empty] = messages();
        for _ in 0..100 {
            let spoilt = corrupted(&message, &dice);
            assert_eq!(spoilt.len(), message.len());
            let error = ClientMessage::decode(&spoilt).unwrap_err();
            assert!(error.to_string().contains("digest"), "{error}");
        }
        assert_eq!(corrupted(&empty, &dice), empty);
    }

    #[test]
    fn no_garbage_is_a_message_that_means_something() {
        let dice = Dice::new(1);
        for message in messages() {
            for _ in 0..1000 {
                if let Ok(decoded) = ClientMessage::decode(&garbage(&message, &dice)) {
                    assert!(matches!(decoded.message_type, MessageType::Other(_)), "{:?}", decoded.message_type);
                }
            }
        }
    }
}
