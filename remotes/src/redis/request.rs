//! Commands as they come in: arrays of bulk strings, or a line of words ("inline").

use bytes::{Buf as _, Bytes, BytesMut};
use std::fmt;

/// Words of one command: what an `MSET` of a few hundred pairs needs.
const MOST_WORDS: usize = 1024;
/// One word. Redis allows 512 MiB; a demo's cache is for smaller things.
const LONGEST_WORD: usize = 1024 * 1024;
/// All words of one command.
const LONGEST_COMMAND: usize = 4 * 1024 * 1024;
/// A line of any kind, as in Redis.
const LONGEST_LINE: usize = 64 * 1024;

/// Why what came is no command. The texts are those of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    LongInline,
    LongCount,
    Count,
    Length,
    NoLength(u8),
    Quotes,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongInline => f.write_str("too big inline request"),
            Self::LongCount => f.write_str("too big mbulk count string"),
            Self::Count => f.write_str("invalid multibulk length"),
            Self::Length => f.write_str("invalid bulk length"),
            Self::NoLength(found) => write!(f, "expected '$', got '{}'", char::from(*found).escape_default()),
            Self::Quotes => f.write_str("unbalanced quotes in request"),
        }
    }
}

/// Takes the first command off the input, once it is there as a whole. It has at least one word.
///
/// # Errors
/// [`Malformed`]: nothing that follows can be understood either.
pub(super) fn take(input: &mut BytesMut) -> Result<Option<Vec<Bytes>>, Malformed> {
    loop {
        let Some(&first) = input.first() else { return Ok(None) };
        let words = if first == b'*' { take_array(input)? } else { take_line(input)? };
        match words {
            // Empty lines and arrays are passed over, as Redis does.
            Some(words) if words.is_empty() => {}
            words => return Ok(words),
        }
    }
}

fn take_array(input: &mut BytesMut) -> Result<Option<Vec<Bytes>>, Malformed> {
    // Read twice: first whether all of it is there, then taken apart without a copy.
    let mut at = 1;
    let Some(count) = number(input, &mut at, Malformed::LongCount, Malformed::Count)? else { return Ok(None) };
    let count = if count < 0 { 0 } else { usize::try_from(count).map_err(|_| Malformed::Count)? };
    if count > MOST_WORDS {
        return Err(Malformed::Count);
    }
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        match input.get(at) {
            None => return Ok(None),
            Some(b'$') => at += 1,
            Some(other) => return Err(Malformed::NoLength(*other)),
        }
        let Some(length) = number(input, &mut at, Malformed::Length, Malformed::Length)? else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| Malformed::Length)?;
        if length > LONGEST_WORD || at + length > LONGEST_COMMAND {
            return Err(Malformed::Length);
        }
        words.push(at..at + length);
        // CR and LF behind it are not looked at, as in Redis.
        at += length + 2;
        if input.len() < at {
            return Ok(None);
        }
    }
    let whole = input.split_to(at).freeze();
    Ok(Some(words.into_iter().map(|word| whole.slice(word)).collect()))
}

/// The number up to the end of the line; moves behind it.
fn number(input: &[u8], at: &mut usize, too_long: Malformed, wrong: Malformed) -> Result<Option<i64>, Malformed> {
    let rest = &input[*at..];
    let Some(end) = rest.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        return if rest.len() < LONGEST_LINE { Ok(None) } else { Err(too_long) };
    };
    let digits = rest[..end].strip_suffix(b"\r").ok_or(wrong)?;
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(wrong)?;
    *at += end + 1;
    Ok(Some(number))
}

fn take_line(input: &mut BytesMut) -> Result<Option<Vec<Bytes>>, Malformed> {
    let Some(end) = input.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        return if input.len() < LONGEST_LINE { Ok(None) } else { Err(Malformed::LongInline) };
    };
    let line = input.split_to(end).freeze();
    input.advance(1);
    words(&line).map(Some)
}

/// Words between spaces; quotes keep spaces, and in double ones `\` keeps the next byte.
fn words(line: &[u8]) -> Result<Vec<Bytes>, Malformed> {
    let mut words = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    loop {
        while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        let Some(first) = bytes.next() else { return Ok(words) };
        if words.len() == MOST_WORDS {
            return Err(Malformed::Count);
        }
        let mut word = Vec::new();
        if first == b'"' || first == b'\'' {
            loop {
                match bytes.next().ok_or(Malformed::Quotes)? {
                    b'\\' if first == b'"' => word.push(bytes.next().ok_or(Malformed::Quotes)?),
                    byte if byte == first => break,
                    byte => word.push(byte),
                }
            }
            if bytes.peek().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                return Err(Malformed::Quotes);
            }
        } else {
            word.push(first);
            while let Some(byte) = bytes.next_if(|byte| !byte.is_ascii_whitespace()) {
                word.push(byte);
            }
        }
        words.push(Bytes::from(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &str) -> Result<Vec<Vec<String>>, Malformed> {
        let mut input = BytesMut::from(input);
        let mut commands = Vec::new();
        while let Some(words) = take(&mut input)? {
            commands.push(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect());
        }
        Ok(commands)
    }

    #[test]
    fn a_pipeline_of_both_forms() {
        let commands = all("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n\r\n*0\r\nSET a \"b c\"\r\n*1\r\n$4\r\nPI");
        assert_eq!(commands.unwrap(), [vec!["GET", "k"], vec!["PING"], vec!["SET", "a", "b c"]]);
    }

    #[test]
    fn nothing_is_taken_before_all_of_it_is_there() {
        let whole = b"*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\n";
        for length in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..length]);
            assert_eq!(take(&mut input), Ok(None), "{length}");
            assert_eq!(input.len(), length);
        }
        let words = take(&mut BytesMut::from(&whole[..])).unwrap().unwrap();
        assert_eq!(words, ["ECHO", "\r\n"]);
    }

    #[test]
    fn what_is_no_command_is_refused_without_memory_for_it() {
        for (input, problem) in [
            ("*1000000000\r\n", Malformed::Count),
            ("*x\r\n", Malformed::Count),
            ("*1\r\n$-1\r\n", Malformed::Length),
            ("*1\r\n$9223372036854775807\r\n", Malformed::Length),
            ("*1\r\n+OK\r\n", Malformed::NoLength(b'+')),
            ("SET \"a\r\n", Malformed::Quotes),
            ("SET \"a\"b\r\n", Malformed::Quotes),
        ] {
            assert_eq!(all(input), Err(problem), "{input}");
        }
        assert_eq!(all(&"a".repeat(LONGEST_LINE)), Err(Malformed::LongInline));
        assert_eq!(all(&format!("*{}", "1".repeat(LONGEST_LINE))), Err(Malformed::LongCount));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let alphabet = b"*$0129-\r\n\"' ab";
        let mut dice = fastrand::Rng::with_seed(7);
        for _ in 0..50_000 {
            let mut input: BytesMut = (0..dice.usize(..40)).map(|_| alphabet[dice.usize(..alphabet.len())]).collect();
            while let Ok(Some(words)) = take(&mut input) {
                assert!(!words.is_empty());
            }
        }
    }
}
