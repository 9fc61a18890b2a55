//! Messages out of bytes. Sizes are bounded, and counts and ends inside a message are checked first: pgwire's
//! decoders take what a message says of itself for true.

use super::error::{SqlError, code};
use bytes::{Buf as _, BytesMut};
use pgwire::messages::startup::{GssEncRequest, SslRequest, Startup};
use pgwire::messages::{DecodeContext, Message as _, PgWireFrontendMessage, ProtocolVersion};

/// One message: the longest query and the largest parameters. PostgreSQL takes a gigabyte.
const LONGEST: usize = 256 * 1024;
/// As in PostgreSQL (`MAX_STARTUP_PACKET_LENGTH`).
const LONGEST_OPENING: usize = 10_000;
const CANCEL_REQUEST: u32 = 80_877_102;

/// What a connection begins with.
#[derive(Debug)]
pub(super) enum Opening {
    /// TLS is asked for.
    Ssl,
    /// So is GSSAPI encryption.
    Gss,
    Cancel {
        pid: i32,
        secret: i32,
    },
    Start(Startup),
}

/// Takes an opening message, once it is there as a whole.
///
/// # Errors
/// It is none.
pub(super) fn take_opening(input: &mut BytesMut) -> Result<Option<Opening>, SqlError> {
    let invalid = |what: &str| SqlError::new(code::PROTOCOL, what);
    let Some(length) = word(input, 0) else { return Ok(None) };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(8..=LONGEST_OPENING).contains(&length) {
        return Err(invalid("invalid length of startup packet"));
    }
    if input.len() < length {
        return Ok(None);
    }
    let mut message = input.split_to(length);
    Ok(Some(if SslRequest::is_ssl_request_packet(&message) {
        Opening::Ssl
    } else if GssEncRequest::is_gss_enc_request_packet(&message) {
        Opening::Gss
    } else if word(&message, 4) == Some(CANCEL_REQUEST) {
        if length < 16 {
            return Err(invalid("invalid length of cancel request"));
        }
        message.advance(8);
        Opening::Cancel { pid: message.get_i32(), secret: message.get_i32() }
    } else {
        match Startup::decode(&mut message, &context()) {
            Ok(Some(startup)) => Opening::Start(startup),
            _ => return Err(invalid("unsupported frontend protocol: the demo's database speaks 3.0")),
        }
    }))
}

/// Takes a message, once it is there as a whole.
///
/// # Errors
/// It is too long, or not what it says it is: nothing that follows can be understood either.
pub(super) fn take(input: &mut BytesMut) -> Result<Option<PgWireFrontendMessage>, SqlError> {
    let (Some(&kind), Some(length)) = (input.first(), word(input, 1)) else { return Ok(None) };
    let Some(shape) = shape(kind) else {
        return Err(SqlError::new(code::PROTOCOL, format!("invalid frontend message type {kind}")));
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > LONGEST {
        let too_long = format!("a message may have {LONGEST} bytes, and this one has {length}");
        return Err(SqlError::new(code::TOO_LARGE, too_long));
    }
    if input.len() < 1 + length {
        return Ok(None);
    }
    let malformed = || SqlError::new(code::PROTOCOL, format!("malformed message of type {}", char::from(kind)));
    if length < 4 || !fits(&input[5..=length], shape) {
        return Err(malformed());
    }
    let mut message = input.split_to(1 + length);
    PgWireFrontendMessage::decode(&mut message, &context()).ok().flatten().map(Some).ok_or_else(malformed)
}

fn context() -> DecodeContext {
    let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
    context.awaiting_frontend_ssl = false;
    context.awaiting_frontend_startup = false;
    context
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// A part of a message.
#[derive(Debug, Clone, Copy)]
enum Part {
    Byte,
    Word,
    /// Up to a NUL.
    Text,
    /// A count of 16 bits, and so many items of so many bytes.
    Items(usize),
    /// A count of 16 bits, and so many values, each with a length of its own.
    Values,
    /// Whatever is left.
    Rest,
}

/// What the messages are made of that this server takes.
fn shape(kind: u8) -> Option<&'static [Part]> {
    use Part::{Byte, Items, Rest, Text, Values, Word};
    Some(match kind {
        b'Q' | b'f' => &[Text],
        b'P' => &[Text, Text, Items(4)],
        b'B' => &[Text, Text, Items(2), Values, Items(2)],
        b'D' | b'C' => &[Byte, Text],
        b'E' => &[Text, Word],
        b'S' | b'H' | b'X' | b'c' => &[],
        b'd' => &[Rest],
        _ => return None,
    })
}

fn fits(mut body: &[u8], shape: &[Part]) -> bool {
    fn skip(body: &mut &[u8], count: usize) -> Option<()> {
        *body = body.get(count..)?;
        Some(())
    }
    fn count(body: &mut &[u8]) -> Option<usize> {
        let (head, rest) = body.split_first_chunk::<2>()?;
        *body = rest;
        Some(u16::from_be_bytes(*head).into())
    }
    let mut part = |part: &Part| -> Option<()> {
        match part {
            Part::Byte => skip(&mut body, 1),
            Part::Word => skip(&mut body, 4),
            Part::Text => {
                let end = body.iter().position(|byte| *byte == 0)?;
                skip(&mut body, end + 1)
            }
            Part::Items(size) => {
                let count = count(&mut body)?;
                skip(&mut body, count * size)
            }
            Part::Values => {
                for _ in 0..count(&mut body)? {
                    let length = word(body, 0)?.cast_signed();
                    // -1: null.
                    skip(&mut body, 4 + usize::try_from(length.max(0)).ok()?)?;
                }
                Some(())
            }
            Part::Rest => {
                body = &[];
                Some(())
            }
        }
    };
    shape.iter().all(|one| part(one).is_some()) && body.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut as _;

    fn message(kind: u8, body: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.put_u8(kind);
        bytes.put_u32(u32::try_from(body.len()).unwrap() + 4);
        bytes.put_slice(body);
        bytes
    }

    #[test]
    fn whole_messages_only() {
        let mut input = message(b'Q', b"select 1\0");
        let whole = input.clone();
        for length in 0..whole.len() {
            assert!(matches!(take(&mut BytesMut::from(&whole[..length])), Ok(None)), "{length}");
        }
        input.extend_from_slice(b"S");
        let Ok(Some(PgWireFrontendMessage::Query(query))) = take(&mut input) else { panic!("a query") };
        assert_eq!((query.query.as_str(), &input[..]), ("select 1", &b"S"[..]));
    }

    #[test]
    fn what_a_message_says_of_itself_is_checked() {
        for (kind, body) in [
            (b'Q', &b"no end"[..]),
            (b'Q', b"end\0and more"),
            (b'P', b"\0select 1\0"),
            (b'P', b"\0select 1\0\xff\xff"),
            (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0"),
            (b'B', b"\0\0\0\x01\0"),
            (b'D', b""),
            (b'E', b"\0\0\0"),
            (b'S', b"x"),
            (b'p', b"password\0"),
            (b'\0', b""),
        ] {
            assert_eq!(take(&mut message(kind, body)).unwrap_err().code, code::PROTOCOL, "{kind} {body:?}");
        }
        assert_eq!(take(&mut BytesMut::from(&b"Q\0\0\0\x03"[..])).unwrap_err().code, code::PROTOCOL);
        let huge = BytesMut::from(&b"Q\x7f\xff\xff\xff"[..]);
        assert_eq!(take(&mut huge.clone()).unwrap_err().code, code::TOO_LARGE);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut dice = fastrand::Rng::with_seed(11);
        for _ in 0..200_000 {
            let kind = b"QPBDCESHXcdfp"[dice.usize(..13)];
            let body: Vec<u8> = (0..dice.usize(..24)).map(|_| [0, 0, 0, 1, 2, 65, 255][dice.usize(..7)]).collect();
            let _ = take(&mut message(kind, &body));
            let mut opening = BytesMut::from(&[0, 0, 0, dice.u8(..24)][..]);
            opening.extend_from_slice(&body);
            let _ = take_opening(&mut opening);
        }
    }
}
