//! Reads a stream of server-sent events: bytes in, the `data` of whole events out.
//!
//! Only what our daemon sends: names, ids and retry times are skipped, since the JSON says it all.

/// The most bytes of one event that are kept: a snapshot of 10 000 tunnels with room to spare. A
/// stream that goes beyond is not ours.
const MAX_EVENT: usize = 16 << 20;

/// An event that grew beyond [`MAX_EVENT`].
#[derive(Debug, thiserror::Error)]
#[error("an event is larger than {MAX_EVENT} bytes")]
pub(crate) struct TooLarge;

/// Collects lines until an empty one ends the event.
#[derive(Debug, Default)]
pub(crate) struct SseReader {
    buffer: Vec<u8>,
    /// Up to here `buffer` holds no line end.
    searched: usize,
    data: Vec<u8>,
    has_data: bool,
}

impl SseReader {
    /// Takes bytes as they come from the socket, cut anywhere.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() + self.data.len() > MAX_EVENT {
            return Err(TooLarge);
        }
        Ok(())
    }

    /// The `data` of the next whole event, its lines joined by newlines.
    pub(crate) fn next_event(&mut self) -> Option<Vec<u8>> {
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                if std::mem::take(&mut self.has_data) {
                    return Some(std::mem::take(&mut self.data));
                }
            } else if let Some(value) = line.strip_prefix(b"data:") {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            }
        }
        None
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        let Some(at) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + at;
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        self.searched = 0;
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_cut_anywhere_come_out_whole_and_comments_are_skipped() {
        let stream = b": keep-alive\n\nevent: a\ndata: one\n\ndata:two\r\ndata: lines\r\n\r\nevent: b\n\ndata: cut";
        for size in 1..stream.len() {
            let mut reader = SseReader::default();
            let mut events = Vec::new();
            for chunk in stream.chunks(size) {
                reader.feed(chunk).unwrap();
                while let Some(event) = reader.next_event() {
                    events.push(String::from_utf8(event).unwrap());
                }
            }
            assert_eq!(events, ["one", "two\nlines"], "in chunks of {size}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut reader = SseReader::default();
        let chunk = vec![b'x'; 1 << 20];
        let refused = (0..=MAX_EVENT >> 20).any(|_| reader.feed(&chunk).is_err());
        assert!(refused);
    }
}
