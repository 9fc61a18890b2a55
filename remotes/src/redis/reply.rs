//! Answers, in RESP2 or RESP3.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Which form answers have; a connection starts with the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Resp2,
    Resp3,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Simple(&'static str),
    Error(String),
    Integer(i64),
    Bulk(Bytes),
    Null,
    Array(Vec<Reply>),
    /// Pairs; a flat array in RESP2.
    Map(Vec<(Reply, Reply)>),
}

impl Reply {
    pub(super) const OK: Self = Self::Simple("OK");

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Bulk(Bytes::from(text.into()))
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Roughly the bytes that it is written in.
    pub(super) fn size(&self) -> usize {
        /// Of a length and the line breaks, or a number.
        const FRAME: usize = 16;
        FRAME
            + match self {
                Self::Simple(text) => text.len(),
                Self::Error(text) => text.len(),
                Self::Bulk(bytes) => bytes.len(),
                Self::Integer(_) | Self::Null => 0,
                Self::Array(items) => items.iter().map(Self::size).sum(),
                Self::Map(pairs) => pairs.iter().map(|(key, value)| key.size() + value.size()).sum(),
            }
    }

    pub(super) fn write(&self, out: &mut BytesMut, protocol: Protocol) {
        match self {
            Self::Simple(text) => line(out, b'+', text),
            // A line break would end the answer too early.
            Self::Error(text) => line(out, b'-', &text.replace(['\r', '\n'], " ")),
            Self::Integer(number) => line(out, b':', &number.to_string()),
            Self::Bulk(bytes) => {
                line(out, b'$', &bytes.len().to_string());
                out.put_slice(bytes);
                out.put_slice(b"\r\n");
            }
            Self::Null if protocol == Protocol::Resp3 => out.put_slice(b"_\r\n"),
            Self::Null => out.put_slice(b"$-1\r\n"),
            Self::Array(items) => {
                line(out, b'*', &items.len().to_string());
                for item in items {
                    item.write(out, protocol);
                }
            }
            Self::Map(pairs) => {
                match protocol {
                    Protocol::Resp2 => line(out, b'*', &(2 * pairs.len()).to_string()),
                    Protocol::Resp3 => line(out, b'%', &pairs.len().to_string()),
                }
                for (key, value) in pairs {
                    key.write(out, protocol);
                    value.write(out, protocol);
                }
            }
        }
    }
}

fn line(out: &mut BytesMut, kind: u8, text: &str) {
    out.put_u8(kind);
    out.put_slice(text.as_bytes());
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply, protocol: Protocol) -> String {
        let mut out = BytesMut::new();
        reply.write(&mut out, protocol);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn both_forms() {
        let pairs = Reply::Map(vec![(Reply::text("a"), Reply::Null), (Reply::text("b"), Reply::Integer(-1))]);
        assert_eq!(written(&pairs, Protocol::Resp2), "*4\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n:-1\r\n");
        assert_eq!(written(&pairs, Protocol::Resp3), "%2\r\n$1\r\na\r\n_\r\n$1\r\nb\r\n:-1\r\n");
        let error = Reply::Error("ERR a\r\nb".into());
        assert_eq!(written(&error, Protocol::Resp2), "-ERR a  b\r\n");
    }
}
