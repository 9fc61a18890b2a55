//! What a session's relay has carried, for `/_sim/sessions`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::Serialize;
use ssm_proto::message::{MessageHead, MessageType};

/// Counts of one session; written by its sockets' tasks, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) up: Direction,
    pub(crate) down: Direction,
    resumes: AtomicU64,
}

/// Counts of one direction.
#[derive(Debug)]
pub(crate) struct Direction {
    messages: AtomicU64,
    payload_bytes: AtomicU64,
    wire_bytes: AtomicU64,
    acks: AtomicU64,
    retransmissions: AtomicU64,
    /// Highest sequence number seen; -1: none.
    highest: AtomicI64,
}

impl Default for Direction {
    fn default() -> Self {
        Self {
            messages: AtomicU64::new(0),
            payload_bytes: AtomicU64::new(0),
            wire_bytes: AtomicU64::new(0),
            acks: AtomicU64::new(0),
            retransmissions: AtomicU64::new(0),
            highest: AtomicI64::new(-1),
        }
    }
}

impl Direction {
    /// Counts a message of `length` bytes from one side as it arrives at the gateway.
    pub(crate) fn count(&self, head: &MessageHead, length: usize) {
        self.wire_bytes.fetch_add(length as u64, Ordering::Relaxed);
        match head.message_type {
            MessageType::Acknowledge => {
                self.acks.fetch_add(1, Ordering::Relaxed);
            }
            MessageType::InputStreamData | MessageType::OutputStreamData => {
                self.messages.fetch_add(1, Ordering::Relaxed);
                self.payload_bytes.fetch_add(head.payload_len as u64, Ordering::Relaxed);
                if self.highest.fetch_max(head.sequence, Ordering::Relaxed) >= head.sequence {
                    self.retransmissions.fetch_add(1, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }

    fn report(&self) -> DirectionReport {
        DirectionReport {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.payload_bytes.load(Ordering::Relaxed),
            wire_bytes: self.wire_bytes.load(Ordering::Relaxed),
            acks: self.acks.load(Ordering::Relaxed),
            retransmissions: self.retransmissions.load(Ordering::Relaxed),
        }
    }
}

impl Counters {
    pub(crate) fn count_resume(&self) {
        self.resumes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> CountersReport {
        let (up, down) = (self.up.report(), self.down.report());
        CountersReport {
            bytes: up.bytes + down.bytes,
            messages: up.messages + down.messages,
            acks: up.acks + down.acks,
            retransmissions: up.retransmissions + down.retransmissions,
            resumes: self.resumes.load(Ordering::Relaxed),
            up,
            down,
        }
    }
}

/// A snapshot of one session's counts: totals, then each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CountersReport {
    /// Payload bytes of stream messages, retransmissions included.
    pub bytes: u64,
    /// Stream messages.
    pub messages: u64,
    /// Acknowledgements.
    pub acks: u64,
    /// Stream messages whose sequence number was not new.
    pub retransmissions: u64,
    /// Times that a side came back after it had been connected.
    pub resumes: u64,
    /// Client to agent.
    pub up: DirectionReport,
    /// Agent to client.
    pub down: DirectionReport,
}

/// A snapshot of one direction's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectionReport {
    /// Stream messages.
    pub messages: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// All messages, acknowledgements among them, with their headers: what a cap on the rate counts.
    pub wire_bytes: u64,
    /// Acknowledgements sent in this direction.
    pub acks: u64,
    /// Stream messages whose sequence number was not new.
    pub retransmissions: u64,
}
