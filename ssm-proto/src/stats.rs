//! Figures of one session.

use std::time::Duration;

/// What a session has done so far, by [`PortSession::stats`](crate::PortSession::stats).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Smoothed time from a stream message to its acknowledgement; `None` before the first.
    pub rtt: Option<Duration>,
    /// Stream messages accepted.
    pub messages_in: u64,
    /// Stream messages sent, resends not counted.
    pub messages_out: u64,
    /// Acknowledgements received.
    pub acks_in: u64,
    /// Acknowledgements sent.
    pub acks_out: u64,
    /// Stream messages sent again.
    pub retransmitted: u64,
    /// Stream messages received more than once.
    pub duplicates: u64,
    /// Stream messages refused for lack of room behind a gap.
    pub refused: u64,
    /// Frames that were no messages, or damaged.
    pub dropped: u64,
    /// Messages without a meaning for this side.
    pub ignored: u64,
    /// Bytes sent and not acknowledged, headers included.
    pub bytes_in_flight: usize,
    /// Messages sent and not acknowledged.
    pub messages_in_flight: usize,
    /// Sequence number of the next stream message sent.
    pub next_sequence: i64,
    /// Sequence number awaited.
    pub expected_sequence: i64,
    /// Bytes received that wait behind a gap.
    pub reorder_bytes: usize,
    /// Bytes received that no application has read.
    pub unread_bytes: usize,
    /// Streams that an application holds.
    pub streams: usize,
    /// Websockets after the first.
    pub resumes: u64,
    /// The agent's version, once known.
    pub agent_version: Option<String>,
}
