//! Layer 2: reliable, ordered, at-most-once payloads over messages (`docs/protocol.md` §4).
//!
//! [`DataChannel`] owns both sequence spaces, the copies for retransmission and the acknowledgements that are owed. It does
//! not know what payloads mean, nor whether a websocket is there: `session.rs` asks it for output only then.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::config::Config;
use crate::message::ack::{self, AckOwed};
use crate::message::{ClientMessage, Flags, MessageId, MessageType, PayloadType, SCHEMA_VERSION, codec};
use crate::session::Side;
use crate::wall_clock::WallClock;

mod congestion;
pub mod open;
mod recv_queue;
mod rtt;
mod send_queue;
mod tail_probe;
pub(crate) mod timer;

use recv_queue::{Receipt, RecvQueue};
pub(crate) use send_queue::SendQueue;

/// Messages that came in and what was done about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) messages_in: u64,
    pub(crate) messages_out: u64,
    pub(crate) acks_in: u64,
    pub(crate) acks_out: u64,
    pub(crate) duplicates: u64,
    pub(crate) refused: u64,
}

/// A late acknowledgement makes duplicates, too; then there is nothing to repair, and it must not cost much.
const ACKNOWLEDGE_AGAIN_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct DataChannel {
    side: Side,
    wall: WallClock,
    rng: fastrand::Rng,
    pub(crate) send: SendQueue,
    recv: RecvQueue,
    acks_owed: VecDeque<AckOwed>,
    /// The newest message whose only acknowledgement so far is still owed.
    never_acknowledged: Option<i64>,
    /// The last messages accepted, for acknowledging them again after a reconnect.
    recent: VecDeque<AckOwed>,
    max_recent: usize,
    /// When a duplicate last made us acknowledge the recent past again.
    acknowledged_again_at: Option<Instant>,
    pub(crate) counters: Counters,
}

impl DataChannel {
    pub(crate) fn new(side: Side, config: &Config, seed: u64, wall: WallClock) -> Self {
        Self {
            side,
            wall,
            rng: fastrand::Rng::with_seed(seed),
            send: SendQueue::new(config),
            recv: RecvQueue::new(config),
            acks_owed: VecDeque::new(),
            never_acknowledged: None,
            recent: VecDeque::new(),
            max_recent: config.reack_on_resume,
            acknowledged_again_at: None,
            counters: Counters::default(),
        }
    }

    // ---- in ----

    /// Takes a stream message of the other side; what is in order now comes from [`DataChannel::next_payload`]. Whether it is
    /// new.
    pub(crate) fn handle_stream_message(&mut self, message: ClientMessage, now: Instant) -> bool {
        let owed = AckOwed { sequence: message.sequence, id: message.id };
        let receipt = self.recv.receive(message.sequence, message.payload_type, message.payload);
        match receipt {
            Receipt::Accepted => {
                self.counters.messages_in += 1;
                self.never_acknowledged = Some(owed.sequence);
                self.acks_owed.push_back(owed);
                if self.max_recent > 0 {
                    if self.recent.len() == self.max_recent {
                        self.recent.pop_front();
                    }
                    self.recent.push_back(owed);
                }
            }
            Receipt::Duplicate => {
                // docs/protocol.md §4.4: the official client's silence here is what makes sessions hang after a reconnect.
                self.counters.duplicates += 1;
                self.acks_owed.push_back(owed);
                self.acknowledge_newer_again(owed.sequence, now);
            }
            Receipt::Refused => self.counters.refused += 1,
        }
        receipt == Receipt::Accepted
    }

    /// A duplicate says that its acknowledgement was lost, and so were probably those behind it: the other side's
    /// websocket may have been cut, of which we hear nothing. The agent frees only its oldest message at each tick, so
    /// each would cost it 100 ms before it repairs what is really missing (docs/protocol.md §7.5).
    fn acknowledge_newer_again(&mut self, duplicate: i64, now: Instant) {
        if self.acknowledged_again_at.is_some_and(|at| now.saturating_duration_since(at) < ACKNOWLEDGE_AGAIN_EVERY) {
            return;
        }
        self.acknowledged_again_at = Some(now);
        self.acks_owed.extend(self.recent.iter().filter(|owed| owed.sequence > duplicate));
    }

    /// The next payload in order, with its sequence number.
    pub(crate) fn next_payload(&mut self) -> Option<(i64, PayloadType, Bytes)> {
        self.recv.next()
    }

    /// Takes an `acknowledge` message; bad JSON and unknown numbers are ignored (§11).
    pub(crate) fn handle_acknowledge(&mut self, payload: &[u8], now: Instant) {
        if let Some(sequence) = ack::acknowledged_sequence(payload) {
            self.counters.acks_in += 1;
            self.send.acknowledge(sequence, now);
        }
    }

    /// The websocket is gone, and with it the acknowledgement of the last message, if that had not left: the official agent
    /// then takes the message in a second time (§7.4).
    pub(crate) fn forget_unacknowledged(&mut self) {
        if self.never_acknowledged.take() == Some(self.recv.expected() - 1)
            && let Some(again) = self.recv.expect_last_again()
        {
            self.acks_owed.retain(|owed| owed.sequence != again);
            self.recent.retain(|owed| owed.sequence != again);
        }
    }

    /// A new websocket: acknowledge the recent past again and resend what is unacknowledged (§7.5).
    pub(crate) fn handle_reconnect(&mut self, now: Instant) {
        if self.max_recent > 0 {
            self.acks_owed.clone_from(&self.recent);
        }
        self.send.handle_reconnect(now);
    }

    // ---- out ----

    /// Numbers and encodes a stream message whose payload `write` appends; the caller transmits the frame now.
    pub(crate) fn send(
        &mut self,
        payload_type: PayloadType,
        capacity: usize,
        now: Instant,
        write: impl FnOnce(&mut BytesMut),
    ) -> Bytes {
        let frame = self.encode_next(payload_type, capacity, now, write);
        self.counters.messages_out += 1;
        self.send.push(frame.clone(), now);
        frame
    }

    /// The same with the payload at hand, for a message that is sent only once: a resend has the payload `instead` under the
    /// same number. The two must mean the same, since either may be what arrives.
    pub(crate) fn send_replaceable(
        &mut self,
        payload_type: PayloadType,
        payload: &[u8],
        instead: &[u8],
        now: Instant,
    ) -> Bytes {
        let frame = self.encode_next(payload_type, payload.len(), now, |out| out.extend_from_slice(payload));
        let replacement = self.encode_next(payload_type, instead.len(), now, |out| out.extend_from_slice(instead));
        self.counters.messages_out += 1;
        self.send.push_replaceable(frame.clone(), replacement, now);
        frame
    }

    fn encode_next(
        &mut self,
        payload_type: PayloadType,
        capacity: usize,
        now: Instant,
        write: impl FnOnce(&mut BytesMut),
    ) -> Bytes {
        let sequence = self.send.next_sequence();
        let head = ClientMessage {
            message_type: self.side.outgoing(),
            schema_version: SCHEMA_VERSION,
            created_ms: self.wall.unix_ms(now),
            sequence,
            // docs/protocol.md §3.3: only the agent marks its first message.
            flags: if sequence == 0 && self.side == Side::Agent { Flags::SYN } else { Flags::NONE },
            id: self.new_id(),
            payload_type,
            payload: Bytes::new(),
        };
        codec::encode(&head, capacity, write)
    }

    /// Encodes a message outside of the sequence space.
    pub(crate) fn encode_unsequenced(&mut self, message_type: MessageType, payload: Bytes, now: Instant) -> Bytes {
        let created_ms = self.wall.unix_ms(now);
        ClientMessage::unsequenced(message_type, Flags::SYN_FIN, self.new_id(), created_ms, payload).encode()
    }

    pub(crate) fn poll_acknowledge(&mut self, now: Instant) -> Option<Bytes> {
        let owed = self.acks_owed.pop_front()?;
        self.never_acknowledged.take_if(|sequence| *sequence == owed.sequence);
        self.counters.acks_out += 1;
        Some(ack::encode(&self.side.incoming(), owed, self.new_id(), self.wall.unix_ms(now)))
    }

    pub(crate) fn acks_owed(&self) -> usize {
        self.acks_owed.len()
    }

    /// Bytes that wait behind a gap.
    pub(crate) fn reorder_bytes(&self) -> usize {
        self.recv.stored_bytes()
    }

    /// The sequence number awaited from the other side.
    pub(crate) fn expected(&self) -> i64 {
        self.recv.expected()
    }

    /// A new UUID as text.
    pub(crate) fn new_uuid(&mut self) -> String {
        self.new_id().to_string()
    }

    fn new_id(&mut self) -> MessageId {
        MessageId::from_random_bytes(self.rng.u128(..).to_le_bytes())
    }
}
