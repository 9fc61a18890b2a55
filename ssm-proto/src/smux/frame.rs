//! The eight-byte frame header and an incremental decoder (`docs/protocol.md` §6.2).
//!
//! Frame and message boundaries are unrelated (§6.3), so the decoder takes bytes cut anywhere. Lengths are never allocated
//! for: payload comes out in the pieces in which it came in.

use bytes::Bytes;

use crate::event::StreamId;

/// Bytes of a frame header.
pub const HEADER_LEN: usize = 8;
/// smux version 1; the agent knows no other.
const VERSION: u8 = 1;
/// Payload of a version 2 UPD frame; the official receivers swallow it whatever the length field says.
const UPD_LEN: usize = 8;

/// What a frame does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens a stream.
    Syn,
    /// The sender has closed the stream, in both directions.
    Fin,
    /// Data.
    Psh,
    /// Keep-alive.
    Nop,
    /// Version 2's window update; swallowed.
    Upd,
}

/// The header of one frame: little-endian, unlike everything around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame does.
    pub command: Command,
    /// Payload bytes that follow.
    pub length: u16,
    /// Which stream; 0 for NOP.
    pub stream: StreamId,
}

/// The other side does not speak smux version 1. Nothing after it can be trusted: the session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not version 1.
    #[error("smux version {0} instead of {VERSION}")]
    Version(u8),
    /// Not a command of version 1 or 2.
    #[error("unknown smux command {0}")]
    Command(u8),
    /// SYN, FIN or NOP with a payload, which the official receivers would read as the next frame.
    #[error("smux {command:?} frame with a payload of {length} bytes")]
    UnexpectedPayload {
        /// The command.
        command: Command,
        /// Its length field.
        length: u16,
    },
}

impl Header {
    /// The header on the wire.
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let command = match self.command {
            Command::Syn => 0,
            Command::Fin => 1,
            Command::Psh => 2,
            Command::Nop => 3,
            Command::Upd => 4,
        };
        let [length_low, length_high] = self.length.to_le_bytes();
        let [a, b, c, d] = self.stream.0.to_le_bytes();
        [VERSION, command, length_low, length_high, a, b, c, d]
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`FrameError`] if it is not one of smux version 1.
    pub fn decode(bytes: [u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let [version, command, length_low, length_high, a, b, c, d] = bytes;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let command = match command {
            0 => Command::Syn,
            1 => Command::Fin,
            2 => Command::Psh,
            3 => Command::Nop,
            4 => Command::Upd,
            other => return Err(FrameError::Command(other)),
        };
        let length = u16::from_le_bytes([length_low, length_high]);
        if length != 0 && matches!(command, Command::Syn | Command::Fin | Command::Nop) {
            return Err(FrameError::UnexpectedPayload { command, length });
        }
        Ok(Self { command, length, stream: StreamId(u32::from_le_bytes([a, b, c, d])) })
    }
}

/// What the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A stream was opened.
    Syn(StreamId),
    /// A stream was closed.
    Fin(StreamId),
    /// Data of a stream; a part of one PSH frame or all of it, never empty.
    Data(StreamId, Bytes),
    /// Keep-alive.
    Nop,
}

/// Takes the byte pipe in arbitrary pieces.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    header: [u8; HEADER_LEN],
    header_have: usize,
    payload: Payload,
}

#[derive(Debug, Default)]
enum Payload {
    #[default]
    None,
    Data(StreamId, usize),
    Ignored(usize),
}

impl FrameDecoder {
    /// Takes from the front of `input` until one item is complete; `None` when `input` is used up.
    ///
    /// # Errors
    /// [`FrameError`] on the first header that is wrong; the decoder must not be used after it.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Item>, FrameError> {
        while !input.is_empty() {
            match self.payload {
                Payload::Data(stream, left) => {
                    let piece = input.split_to(left.min(input.len()));
                    self.payload = match left - piece.len() {
                        0 => Payload::None,
                        left => Payload::Data(stream, left),
                    };
                    return Ok(Some(Item::Data(stream, piece)));
                }
                Payload::Ignored(left) => {
                    let skipped = input.split_to(left.min(input.len())).len();
                    self.payload = match left - skipped {
                        0 => Payload::None,
                        left => Payload::Ignored(left),
                    };
                }
                Payload::None => {
                    let piece = input.split_to((HEADER_LEN - self.header_have).min(input.len()));
                    self.header[self.header_have..self.header_have + piece.len()].copy_from_slice(&piece);
                    self.header_have += piece.len();
                    if self.header_have < HEADER_LEN {
                        return Ok(None);
                    }
                    self.header_have = 0;
                    let header = Header::decode(self.header)?;
                    match header.command {
                        Command::Syn => return Ok(Some(Item::Syn(header.stream))),
                        Command::Fin => return Ok(Some(Item::Fin(header.stream))),
                        Command::Nop => return Ok(Some(Item::Nop)),
                        Command::Psh if header.length == 0 => {}
                        Command::Psh => {
                            self.payload = Payload::Data(header.stream, header.length.into());
                        }
                        Command::Upd => self.payload = Payload::Ignored(UPD_LEN),
                    }
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(decoder: &mut FrameDecoder, bytes: &[u8]) -> Result<Vec<Item>, FrameError> {
        let mut input = Bytes::copy_from_slice(bytes);
        let mut items = Vec::new();
        while let Some(item) = decoder.decode(&mut input)? {
            items.push(item);
        }
        Ok(items)
    }

    /// Appendix A.6 of the protocol notes, checked against the library that the official programs use.
    #[test]
    fn headers_are_little_endian() {
        let header = Header { command: Command::Psh, length: 1016, stream: StreamId(259) };
        assert_eq!(header.encode(), [1, 2, 0xf8, 3, 3, 1, 0, 0]);
        assert_eq!(Header::decode(header.encode()), Ok(header));
    }

    #[test]
    fn cuts_do_not_matter() {
        let wire = b"\x01\x00\0\0\x03\0\0\0\x01\x02\x02\0\x03\0\0\0hi\x01\x04\0\0\x03\0\0\0UPDUPDUP\x01\x01\0\0\x03\0\0\0\x01\x03\0\0\0\0\0\0";
        for cut in 1..wire.len() {
            let mut decoder = FrameDecoder::default();
            let mut items = decode_all(&mut decoder, &wire[..cut]).unwrap();
            items.extend(decode_all(&mut decoder, &wire[cut..]).unwrap());
            let data: Vec<u8> = items
                .iter()
                .filter_map(|item| if let Item::Data(_, piece) = item { Some(piece.to_vec()) } else { None })
                .flatten()
                .collect();
            assert_eq!(data, b"hi", "cut at {cut}");
            items.retain(|item| !matches!(item, Item::Data(..)));
            assert_eq!(items, [Item::Syn(StreamId(3)), Item::Fin(StreamId(3)), Item::Nop], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_not_smux_is_an_error() {
        let mut wire = Header { command: Command::Nop, length: 0, stream: StreamId(0) }.encode();
        wire[0] = 2;
        assert_eq!(decode_all(&mut FrameDecoder::default(), &wire), Err(FrameError::Version(2)));
        wire[0] = 1;
        wire[1] = 9;
        assert_eq!(decode_all(&mut FrameDecoder::default(), &wire), Err(FrameError::Command(9)));
        wire[1] = 1;
        wire[2] = 1;
        let error = FrameError::UnexpectedPayload { command: Command::Fin, length: 1 };
        assert_eq!(decode_all(&mut FrameDecoder::default(), &wire), Err(error));
    }
}
