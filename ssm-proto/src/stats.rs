//! Figures of one session: all there are, and those by which sessions are compared.

use std::time::Duration;

use crate::session::PayloadTrial;

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
    /// Largest payload of a stream message in bytes.
    pub payload: usize,
    /// What became of the larger one, if one was asked for.
    pub payload_trial: PayloadTrial,
    /// Websockets after the first.
    pub resumes: u64,
    /// The agent's version, once known.
    pub agent_version: Option<String>,
}

/// How busy a session is, by [`PortSession::load`](crate::PortSession::load): what it takes to choose between several for a new
/// stream. Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Streams that an application holds.
    pub streams: usize,
    /// Written by applications and not sent yet.
    pub queued: usize,
    /// Sent and not acknowledged, headers included.
    pub in_flight: usize,
    /// What may be in flight, as the path's delay has it now (`docs/protocol.md` §4.7).
    pub window: usize,
    /// Received and not read by an application yet.
    pub unread: usize,
    /// An application that does not read has filled half of what may be unread: soon it holds up every stream of the session
    /// (`docs/protocol.md` §6.2), so new ones are better elsewhere.
    pub stalled: bool,
    /// Stream bytes sent since the session began, without headers and resends.
    pub sent: u64,
    /// Stream bytes received since the session began, without headers and copies.
    pub received: u64,
    /// Stream messages accepted since then: the official agent sends no more than one each millisecond, however short
    /// (`docs/protocol.md` §6.3).
    pub messages_in: u64,
    /// Smoothed time from a message to its acknowledgement, queues on the way included; `None` before the first.
    pub rtt: Option<Duration>,
    /// The same when nothing queues: the least that was seen of late.
    pub base_rtt: Option<Duration>,
}
