//! The fixed header, its checks and its digest (`docs/protocol.md` §3.1–3.2).
//!
//! The codec never touches payload bytes: the official plugin's rewrite of a lone `\n` to `\r` (§6.3) has no place here.

use bytes::{BufMut, Bytes, BytesMut};
use ring::digest::{SHA256, digest};

use super::{ClientMessage, Flags, MessageHead, MessageId, MessageType, PayloadType};

/// Value of the HeaderLength field: it does not count the payload length field behind it.
const HEADER_LENGTH: u32 = 116;
/// Bytes before the payload.
pub(crate) const PAYLOAD_OFFSET: usize = HEADER_LENGTH as usize + 4;

const TYPE: usize = 4;
const TYPE_LEN: usize = 32;
const SCHEMA_VERSION: usize = 36;
const CREATED_DATE: usize = 40;
const SEQUENCE: usize = 48;
const FLAGS: usize = 56;
const ID: usize = 64;
const DIGEST: usize = 80;
const DIGEST_LEN: usize = 32;
const PAYLOAD_TYPE: usize = 112;
const PAYLOAD_LENGTH: usize = 116;

/// Why a frame is not a message. Such frames are dropped and counted, never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than a header; 117–119 bytes wedge both official programs.
    #[error("frame is shorter than a message header")]
    TooShort,
    /// A HeaderLength other than 116.
    #[error("header length {0} is not {HEADER_LENGTH}")]
    HeaderLength(u32),
    /// The message type is blank or not ASCII.
    #[error("message type is empty or not text")]
    MessageType,
    /// CreatedDate is 0.
    #[error("creation date is zero")]
    CreatedDate,
    /// PayloadLength is not what follows.
    #[error("payload length field does not match the frame")]
    PayloadLength,
    /// The payload is not the one that was sent.
    #[error("payload digest does not match")]
    Digest,
}

pub(super) fn decode(frame: &Bytes) -> Result<ClientMessage, DecodeError> {
    if frame.len() < PAYLOAD_OFFSET {
        return Err(DecodeError::TooShort);
    }
    let header_length = u32_at(frame, 0);
    if header_length != HEADER_LENGTH {
        return Err(DecodeError::HeaderLength(header_length));
    }
    let message_type = decode_type(&frame[TYPE..TYPE + TYPE_LEN])?;
    let created_ms = u64_at(frame, CREATED_DATE);
    let payload_length = u32_at(frame, PAYLOAD_LENGTH);

    // docs/protocol.md §3.2: the plugin skips all checks for these two, so the gateway may be careless with them.
    let gateway_made = matches!(message_type, MessageType::StartPublication | MessageType::PausePublication);
    if !gateway_made {
        if created_ms == 0 {
            return Err(DecodeError::CreatedDate);
        }
        if payload_length as usize != frame.len() - PAYLOAD_OFFSET {
            return Err(DecodeError::PayloadLength);
        }
        // An empty payload carries nothing that a digest could protect; the plugin skips the check as well.
        if payload_length != 0
            && digest(&SHA256, &frame[PAYLOAD_OFFSET..]).as_ref() != &frame[DIGEST..DIGEST + DIGEST_LEN]
        {
            return Err(DecodeError::Digest);
        }
    }

    Ok(ClientMessage {
        message_type,
        schema_version: u32_at(frame, SCHEMA_VERSION),
        created_ms,
        sequence: i64::from_be_bytes(array_at(frame, SEQUENCE)),
        flags: Flags(u64_at(frame, FLAGS)),
        id: decode_id(array_at(frame, ID)),
        payload_type: PayloadType(u32_at(frame, PAYLOAD_TYPE)),
        payload: frame.slice(PAYLOAD_OFFSET..),
    })
}

pub(super) fn peek(frame: &[u8]) -> Option<MessageHead> {
    if frame.len() < PAYLOAD_OFFSET || u32_at(frame, 0) != HEADER_LENGTH {
        return None;
    }
    Some(MessageHead {
        message_type: decode_type(&frame[TYPE..TYPE + TYPE_LEN]).ok()?,
        sequence: i64::from_be_bytes(array_at(frame, SEQUENCE)),
        payload_type: PayloadType(u32_at(frame, PAYLOAD_TYPE)),
        payload_len: frame.len() - PAYLOAD_OFFSET,
    })
}

/// Encodes `message`'s header around a payload that `write_payload` appends; `message.payload` is not used, so that a
/// payload can be built in place.
///
/// `capacity` is the expected payload size in bytes.
pub(crate) fn encode(message: &ClientMessage, capacity: usize, write_payload: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::with_capacity(PAYLOAD_OFFSET + capacity);
    out.put_u32(HEADER_LENGTH);
    // Longer than the field cannot come from `decode`; an `Other` made by hand is cut.
    let name = message.message_type.as_str().as_bytes();
    let name = &name[..name.len().min(TYPE_LEN)];
    out.put_slice(name);
    out.put_bytes(b' ', TYPE_LEN - name.len());
    out.put_u32(message.schema_version);
    out.put_u64(message.created_ms);
    out.put_i64(message.sequence);
    out.put_u64(message.flags.0);
    let id = message.id.as_uuid_bytes();
    out.put_slice(&id[8..]);
    out.put_slice(&id[..8]);
    out.put_bytes(0, DIGEST_LEN);
    out.put_u32(message.payload_type.0);
    out.put_u32(0);

    write_payload(&mut out);

    let payload_length =
        u32::try_from(out.len() - PAYLOAD_OFFSET).expect("payloads are bounded far below 4 GiB by Config");
    out[PAYLOAD_LENGTH..PAYLOAD_OFFSET].copy_from_slice(&payload_length.to_be_bytes());
    let payload_digest = digest(&SHA256, &out[PAYLOAD_OFFSET..]);
    out[DIGEST..DIGEST + DIGEST_LEN].copy_from_slice(payload_digest.as_ref());
    out.freeze()
}

fn decode_type(field: &[u8]) -> Result<MessageType, DecodeError> {
    // docs/protocol.md §3.1: NULs are trimmed first, then white space, at both ends.
    let name = std::str::from_utf8(field).map_err(|_| DecodeError::MessageType)?.trim_matches('\0').trim();
    if name.is_empty() {
        return Err(DecodeError::MessageType);
    }
    Ok(MessageType::from_name(name))
}

fn decode_id(wire: [u8; 16]) -> MessageId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&wire[8..]);
    id[8..].copy_from_slice(&wire[..8]);
    MessageId::from_uuid_bytes(id)
}

fn array_at<const N: usize>(frame: &[u8], offset: usize) -> [u8; N] {
    frame[offset..offset + N].try_into().expect("offsets lie inside the header, whose length was checked")
}

fn u32_at(frame: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(array_at(frame, offset))
}

fn u64_at(frame: &[u8], offset: usize) -> u64 {
    u64::from_be_bytes(array_at(frame, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(payload: &'static [u8]) -> ClientMessage {
        ClientMessage {
            message_type: MessageType::InputStreamData,
            schema_version: 1,
            created_ms: 1_700_000_000_000,
            sequence: 1,
            flags: Flags::NONE,
            id: MessageId::from_uuid_bytes(*b"0123456789abcdef"),
            payload_type: PayloadType::OUTPUT,
            payload: Bytes::from_static(payload),
        }
    }

    fn edited(edit: impl FnOnce(&mut BytesMut)) -> Result<ClientMessage, DecodeError> {
        let mut frame = BytesMut::from(&sample(b"payload").encode()[..]);
        edit(&mut frame);
        ClientMessage::decode(&frame.freeze())
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        let message = sample(b"payload");
        assert_eq!(ClientMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn id_halves_are_swapped_on_the_wire() {
        assert_eq!(&sample(b"x").encode()[ID..ID + 16], b"89abcdef01234567");
    }

    /// The newline trap, `docs/protocol.md` §6.3: the plugin turns this very payload into `\r`.
    #[test]
    fn a_lone_newline_is_not_rewritten() {
        let frame = sample(b"\n").encode();
        assert_eq!(&frame[PAYLOAD_OFFSET..], b"\n");
        assert_eq!(&ClientMessage::decode(&frame).unwrap().payload[..], b"\n");
    }

    #[test]
    fn every_frame_that_must_be_dropped_is_an_error() {
        for len in 0..PAYLOAD_OFFSET {
            let frame = sample(b"payload").encode().slice(..len);
            assert_eq!(ClientMessage::decode(&frame), Err(DecodeError::TooShort), "{len} bytes");
        }
        for length in [0, 115, 117, 126, 300, 0x7fff_ffff, 0xffff_fffc] {
            assert_eq!(
                edited(|f| f[..4].copy_from_slice(&u32::to_be_bytes(length))),
                Err(DecodeError::HeaderLength(length))
            );
        }
        assert_eq!(edited(|f| f[TYPE..TYPE + TYPE_LEN].fill(b' ')), Err(DecodeError::MessageType));
        assert_eq!(edited(|f| f[TYPE] = 0xff), Err(DecodeError::MessageType));
        assert_eq!(edited(|f| f[CREATED_DATE..SEQUENCE].fill(0)), Err(DecodeError::CreatedDate));
        assert_eq!(edited(|f| f[PAYLOAD_LENGTH] = 1), Err(DecodeError::PayloadLength));
        assert_eq!(edited(|f| f.extend_from_slice(b"more")), Err(DecodeError::PayloadLength));
        assert_eq!(edited(|f| f[PAYLOAD_OFFSET] ^= 1), Err(DecodeError::Digest));
    }

    #[test]
    fn an_empty_payload_and_foreign_versions_are_accepted() {
        assert!(ClientMessage::decode(&sample(b"").encode()).is_ok());
        let message = edited(|f| f[SCHEMA_VERSION..CREATED_DATE].copy_from_slice(&9u32.to_be_bytes())).unwrap();
        assert_eq!(message.schema_version, 9);
    }

    #[test]
    fn publication_messages_pass_without_checks() {
        let pause = ClientMessage { message_type: MessageType::PausePublication, created_ms: 0, ..sample(b"junk") };
        let mut frame = BytesMut::from(&pause.encode()[..]);
        frame[DIGEST] ^= 1;
        let decoded = ClientMessage::decode(&frame.freeze()).unwrap();
        assert_eq!(decoded.message_type, MessageType::PausePublication);
    }

    #[test]
    fn types_are_trimmed_of_nuls_and_spaces() {
        let message = edited(|f| {
            f[TYPE..TYPE + TYPE_LEN].fill(0);
            f[TYPE..TYPE + 11].copy_from_slice(b"acknowledge");
        });
        assert_eq!(message.unwrap().message_type, MessageType::Acknowledge);
    }
}
