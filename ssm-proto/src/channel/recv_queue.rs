//! The expected number, reordering and duplicates (`docs/protocol.md` §4.4).

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::config::Config;
use crate::message::{PayloadType, unpinned};

/// What became of a stream message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// Kept; acknowledge it.
    Accepted,
    /// Already had; acknowledge it again, or the sender repeats it for ever (§4.4, the duplicate trap).
    Duplicate,
    /// Too far ahead or no room behind the gap; no acknowledgement, it will come again.
    Refused,
}

/// What a stored message costs beside its payload, roughly: empty ones are not free.
const OVERHEAD: usize = 128;

#[derive(Debug)]
pub(crate) struct RecvQueue {
    max_ahead: i64,
    max_bytes: usize,
    expected: i64,
    /// The message with the expected number: the usual case needs no tree.
    in_order: Option<(PayloadType, Bytes)>,
    stored: BTreeMap<i64, (PayloadType, Bytes)>,
    stored_bytes: usize,
    /// What the message before the expected one was.
    last: PayloadType,
}

impl RecvQueue {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            max_ahead: i64::try_from(config.reorder_messages).unwrap_or(i64::MAX),
            max_bytes: config.reorder_bytes,
            expected: 0,
            in_order: None,
            stored: BTreeMap::new(),
            stored_bytes: 0,
            last: PayloadType::NONE,
        }
    }

    /// Takes one stream message. The first content of a number wins.
    pub(crate) fn receive(&mut self, sequence: i64, payload_type: PayloadType, payload: Bytes) -> Receipt {
        // Negative numbers count as old ones (§4.4), and must not overflow the subtraction below.
        if sequence < self.expected || self.stored.contains_key(&sequence) {
            return Receipt::Duplicate;
        }
        if sequence == self.expected {
            if self.in_order.is_some() {
                return Receipt::Duplicate;
            }
            self.in_order = Some((payload_type, payload));
            return Receipt::Accepted;
        }
        if sequence - self.expected >= self.max_ahead || self.stored_bytes + payload.len() + OVERHEAD > self.max_bytes {
            return Receipt::Refused;
        }
        self.stored_bytes += payload.len() + OVERHEAD;
        self.stored.insert(sequence, (payload_type, unpinned(payload)));
        Receipt::Accepted
    }

    /// The next payload in order.
    pub(crate) fn next(&mut self) -> Option<(i64, PayloadType, Bytes)> {
        let (payload_type, payload) = match self.in_order.take() {
            Some(message) => message,
            None if self.stored.is_empty() => return None,
            None => {
                let message = self.stored.remove(&self.expected)?;
                self.stored_bytes -= message.1.len() + OVERHEAD;
                message
            }
        };
        self.expected += 1;
        self.last = payload_type;
        Some((self.expected - 1, payload_type, payload))
    }

    /// Expects the last message again, if it was stream data: as the official agent does (§7.4). Its number, then.
    pub(crate) fn expect_last_again(&mut self) -> Option<i64> {
        let is_data = std::mem::replace(&mut self.last, PayloadType::NONE) == PayloadType::OUTPUT;
        if !is_data || self.in_order.is_some() {
            return None;
        }
        self.expected -= 1;
        Some(self.expected)
    }

    /// The number that is awaited.
    pub(crate) fn expected(&self) -> i64 {
        self.expected
    }

    /// Bytes that wait behind a gap, their keeping included.
    pub(crate) fn stored_bytes(&self) -> usize {
        self.stored_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(queue: &mut RecvQueue, sequence: i64) -> Receipt {
        queue.receive(sequence, PayloadType::OUTPUT, Bytes::from(vec![0; 100]))
    }

    fn released(queue: &mut RecvQueue) -> Vec<i64> {
        std::iter::from_fn(|| queue.next()).map(|(sequence, ..)| sequence).collect()
    }

    #[test]
    fn order_is_restored_and_duplicates_are_known() {
        let mut queue = RecvQueue::new(&Config::default());
        assert_eq!(receive(&mut queue, 2), Receipt::Accepted);
        assert_eq!(receive(&mut queue, 2), Receipt::Duplicate);
        assert_eq!(released(&mut queue), [0; 0]);
        assert_eq!(receive(&mut queue, 0), Receipt::Accepted);
        assert_eq!(released(&mut queue), [0]);
        assert_eq!(receive(&mut queue, 1), Receipt::Accepted);
        assert_eq!(released(&mut queue), [1, 2]);
        for old in [0, 1, 2, -1, i64::MIN] {
            assert_eq!(receive(&mut queue, old), Receipt::Duplicate, "{old}");
        }
        assert_eq!((queue.expected(), queue.stored_bytes()), (3, 0));
    }

    #[test]
    fn what_does_not_fit_is_refused_without_harm() {
        let mut queue = RecvQueue::new(&Config {
            reorder_bytes: 2 * (100 + OVERHEAD) + 50,
            reorder_messages: 50,
            ..Config::default()
        });
        assert_eq!(receive(&mut queue, 1_000_000_000), Receipt::Refused);
        assert_eq!(receive(&mut queue, i64::MAX), Receipt::Refused);
        assert_eq!(receive(&mut queue, 50), Receipt::Refused);
        assert_eq!(receive(&mut queue, 3), Receipt::Accepted);
        assert_eq!(receive(&mut queue, 4), Receipt::Accepted);
        assert_eq!(receive(&mut queue, 5), Receipt::Refused);
        assert_eq!(receive(&mut queue, 0), Receipt::Accepted, "the expected one always fits");
    }
}
