//! Messages that mean the same to the agent whether it takes them in once or again.
//!
//! The official agent processes a message that it has acknowledged in vain – its websocket was reset in between – a second
//! time (`docs/protocol.md` §7.4), and nothing tells the client. Plain smux bytes would arrive twice. So the frames of each
//! message are wrapped in padding, frames of a stream that does not exist, such that a copy which follows at once is
//! swallowed as padding:
//!
//! ```text
//!   parser at a frame's start:  [pad 8][pad n][frames: n bytes][pad 8]   leaves it 8 bytes before the end of padding
//!   … 8 bytes before that end:  [pad n][frames: n bytes]                 leaves it at a frame's start
//! ```
//!
//! Taken in from the other of the two places, either form is padding from its first byte to its last. A NOP alone needs no
//! wrapping: its 8 bytes are a frame or the end of padding, and leave the parser at a frame's start. Owns which place is next;
//! knows no streams.

use bytes::{BufMut, BytesMut};

use super::frame::{Command, HEADER_LEN, Header};
use crate::event::StreamId;

/// Padding is data of this stream, which is never opened: the receiver drops it (§6.2).
const NOWHERE: StreamId = StreamId(0);

/// Bytes that wrapping adds to a message, at most.
pub(crate) const OVERHEAD: usize = 3 * HEADER_LEN;

/// Wraps the frames of one message after the other.
#[derive(Debug, Default)]
pub(crate) struct Repeatable {
    /// The receiver's parser stands 8 bytes before the end of padding.
    in_padding: bool,
}

impl Repeatable {
    /// Appends the whole frames that `write` appends, at most `u16::MAX` bytes, in a form that may be repeated.
    pub(crate) fn wrap(&mut self, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
        if !self.in_padding {
            put_padding(out, HEADER_LEN);
        }
        let header = out.len();
        put_padding(out, 0);
        write(out);
        let length = out.len() - header - HEADER_LEN;
        out[header..header + HEADER_LEN].copy_from_slice(&padding(length));
        if !self.in_padding {
            put_padding(out, HEADER_LEN);
        }
        self.in_padding = !self.in_padding;
    }

    /// A message went out that is one bare NOP.
    pub(crate) fn pass_nop(&mut self) {
        self.in_padding = false;
    }
}

fn put_padding(out: &mut BytesMut, length: usize) {
    out.put_slice(&padding(length));
}

fn padding(length: usize) -> [u8; HEADER_LEN] {
    let length = u16::try_from(length).expect("a payload is cut to what a frame holds");
    Header { command: Command::Psh, length, stream: NOWHERE }.encode()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::smux::{FrameDecoder, Item};

    fn frame(command: Command, id: u32, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap();
        [&Header { command, length, stream: StreamId(id) }.encode()[..], payload].concat()
    }

    /// What the receiver makes of all messages, the one with this index taken in `times` times.
    fn received(messages: &[Bytes], repeated: usize, times: usize) -> Vec<Item> {
        let mut decoder = FrameDecoder::default();
        let mut items = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            for _ in 0..if index == repeated { times } else { 1 } {
                let mut input = message.clone();
                items.extend(std::iter::from_fn(|| decoder.decode(&mut input).unwrap()));
            }
        }
        items.retain(|item| !matches!(item, Item::Nop | Item::Data(NOWHERE, _)));
        items
    }

    #[test]
    fn any_message_may_be_repeated_any_number_of_times() {
        let mut repeatable = Repeatable::default();
        let contents = [
            frame(Command::Syn, 3, b""),
            [frame(Command::Syn, 5, b""), frame(Command::Psh, 5, b"hello"), frame(Command::Fin, 5, b"")].concat(),
            frame(Command::Psh, 3, &[7; 992]),
            frame(Command::Nop, 0, b""),
            frame(Command::Psh, 3, b"12345678"),
            frame(Command::Nop, 0, b""),
            frame(Command::Nop, 0, b""),
            Vec::new(),
            frame(Command::Psh, 3, b"1"),
            frame(Command::Psh, 3, &[1; 8]),
            frame(Command::Fin, 3, b""),
        ];
        let messages: Vec<Bytes> = contents
            .iter()
            .map(|content| {
                let mut out = BytesMut::from(&b"what stands before is left alone"[..]);
                let start = out.len();
                if *content == frame(Command::Nop, 0, b"") {
                    out.extend_from_slice(content);
                    repeatable.pass_nop();
                } else {
                    repeatable.wrap(&mut out, |out| out.extend_from_slice(content));
                }
                assert!(out.len() - start <= content.len() + OVERHEAD);
                out.freeze().slice(start..)
            })
            .collect();
        let mut plain = Bytes::from(contents.concat());
        let mut decoder = FrameDecoder::default();
        let mut expected: Vec<_> = std::iter::from_fn(|| decoder.decode(&mut plain).unwrap()).collect();
        expected.retain(|item| *item != Item::Nop);
        for repeated in 0..messages.len() {
            for times in 1..=4 {
                assert_eq!(received(&messages, repeated, times), expected, "message {repeated} taken in {times} times");
            }
        }
    }
}
