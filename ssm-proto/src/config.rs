//! Every limit and timeout of a session, each with its reason.

use std::time::Duration;

/// How unacknowledged messages are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// Every message whose own timeout has passed, and all of them after a reconnect. Acknowledgements are per message
    /// and duplicates are acknowledged again, so nothing speaks against it (`docs/protocol.md` §4.4, §10.2).
    AllUnacknowledged,
    /// Only the oldest, once per tick: what both official programs do (§4.2).
    HeadOnly {
        /// The official 100 ms.
        tick: Duration,
    },
}

/// Limits and habits of one side of a session.
#[derive(Clone, Debug)]
pub struct Config {
    /// Client: the version announced in the open message and the handshake. The agent chooses multiplexing (≥ 1.1.70) and
    /// its keep-alive (off above 1.2.331.0) by it; AWS calls 1.2.764.0 the oldest supported (`docs/protocol.md` §2.3, §5.4).
    pub client_version: String,
    /// Client: UUID text, one per process; empty makes one from the seed.
    pub client_id: String,
    /// Largest payload of a stream message in bytes. 1 024 is what the official programs send; agents take far more, but
    /// nobody outside AWS knows what the gateway relays (§10.2).
    pub max_payload: usize,
    /// Client: a larger payload, used once a message of this size without a meaning was acknowledged (§10.2). The session is
    /// established when that is decided.
    pub larger_payload: Option<usize>,
    /// Unacknowledged bytes at which new data waits, headers included. The wire has no window, so this is all that bounds the
    /// copies kept for retransmission and what piles up inside an agent whose target does not read (§10.3).
    pub max_in_flight_bytes: usize,
    /// The same in messages, for payloads much smaller than `max_payload`.
    pub max_in_flight_messages: usize,
    /// Whether the window below `max_in_flight_bytes` follows the delay of the path, so that what is sent never queues on it
    /// for long (§4.7).
    pub congestion_control: bool,
    /// Payload bytes that may wait behind a gap. Tens of MiB: after a loss the agent repairs 10 messages a second while it
    /// sends up to 1 000 new ones, and what does not fit here must be repaired as well (§7.5).
    pub reorder_bytes: usize,
    /// The same in messages; also how far ahead of a gap a sequence number may lie (§11).
    pub reorder_messages: usize,
    /// Received, unread stream bytes over all streams at which input is no longer wanted: smux's 4 MiB (§6.2).
    pub receive_budget: usize,
    /// Written, unsent bytes of one stream at which `write` takes no more.
    pub stream_send_buffer: usize,
    /// Streams at a time. The agent dials one after the other and stops reading at 1 024 waiting (§6.2, §6.4): below that,
    /// a dial that hangs can never stop the streams that work.
    pub max_streams: usize,
    /// Owed acknowledgements at which input is no longer wanted, so that a peer that sends but does not read cannot make
    /// them pile up.
    pub max_acks_owed: usize,
    /// Received messages that are acknowledged once more after a reconnect: their acknowledgements may have died with the
    /// old websocket, and the agent repeats only its oldest message (§7.5).
    pub reack_on_resume: usize,
    /// Retransmission timeout before the first measurement.
    pub initial_rto: Duration,
    /// How much later than the round-trip time an acknowledgement may always be. The path is TCP end to end: a message is
    /// late far more often than lost. The official programs allow 10 ms (§4.1).
    pub rto_margin: Duration,
    /// Longest retransmission timeout, back-off included, unless acknowledgements come that may have taken longer.
    pub max_rto: Duration,
    /// See [`Resend`].
    pub resend: Resend,
    /// Client: wrap stream messages so that the agent may take one in twice, which the official one does when its websocket is
    /// reset while data comes in (§7.4). Costs 16 bytes a message; without effect where a payload has no room for it.
    pub repeatable: bool,
    /// Agent: take the last message in a second time when its acknowledgement dies with a websocket, as the official one
    /// does (§7.4).
    pub repeats: bool,
    /// Agent: pause after each stream message, on average while there is more to send: the official programs' 1 ms (§6.3).
    pub pace: Option<Duration>,
    /// The handshake must be complete so long after the first connect, or the session ends. The official client waits
    /// for ever, the agent 15 s (§5.3).
    pub handshake_timeout: Duration,
    /// Client: silence after HandshakeComplete, since the agent discards what arrives before it has noticed its own
    /// completion (§4.8).
    pub settle: Duration,
    /// Agent: how long after HandshakeComplete it still acknowledges and discards stream data, because the official one
    /// notices its own completion late (§4.8).
    pub completion_lag: Duration,
    /// Longest pause that a `pause_publication` may cause if nothing else ends it (§4.6).
    pub pause_limit: Duration,
    /// smux keep-alive interval; `None` sends none, so that an idle policy counts (§7.2). Agents up to 3.1.1511.0 close a
    /// session without it, so they get one every 10 s whatever this says (§5.4).
    pub keep_alive: Option<Duration>,
    /// How long something may stay unacknowledged on an open websocket, with nothing new heard, before the session is suspect
    /// (§7.6). A healthy path takes a round trip.
    pub suspect_after: Duration,
    /// Client: how long after the last traffic a session with open streams is asked, once, whether it is still there. With
    /// `suspect_after` for the answer it makes less than the 10 s that are promised (`docs/reliability.md`).
    pub ask_after: Duration,
    /// How long the other side may keep silent in this way before the session is given up, added up over websockets until
    /// life shows. An agent takes up to two minutes to find that its own websocket is dead (§2.5).
    pub patience: Duration,
    /// Bytes sent into open streams, and not answered, from which a target that does not read may be what makes the agent
    /// silent: smux's bucket (§10.3). Then patience has no end.
    pub stall_explains: usize,
}

/// Interval of the keep-alive that old agents, and the agent with old clients, insist on (`docs/protocol.md` §6.2).
pub(crate) const OLD_KEEP_ALIVE: Duration = Duration::from_secs(10);

impl Default for Config {
    /// Our client.
    fn default() -> Self {
        Self {
            client_version: "1.2.764.0".into(),
            client_id: String::new(),
            max_payload: 1024,
            larger_payload: None,
            max_in_flight_bytes: 2 << 20,
            max_in_flight_messages: 4096,
            congestion_control: true,
            reorder_bytes: 32 << 20,
            reorder_messages: 64 << 10,
            receive_budget: 4 << 20,
            stream_send_buffer: 256 << 10,
            max_streams: 1000,
            max_acks_owed: 1024,
            reack_on_resume: 1024,
            initial_rto: Duration::from_secs(1),
            rto_margin: Duration::from_millis(200),
            max_rto: Duration::from_secs(10),
            resend: Resend::AllUnacknowledged,
            repeatable: true,
            repeats: false,
            pace: None,
            handshake_timeout: Duration::from_secs(30),
            settle: Duration::from_millis(15),
            completion_lag: Duration::ZERO,
            pause_limit: Duration::from_secs(3),
            keep_alive: None,
            suspect_after: Duration::from_secs(5),
            ask_after: Duration::from_millis(4500),
            patience: Duration::from_mins(2),
            stall_explains: 4 << 20,
        }
    }
}

impl Config {
    /// The official agent's habits, for the simulator (`docs/protocol.md` §12.2): at most 1 024 bytes, then 1 ms; only the
    /// oldest message again, each 100 ms; no window but a buffer of 100 000 messages.
    pub fn official_agent() -> Self {
        Self {
            max_in_flight_bytes: 100 << 20,
            max_in_flight_messages: 100_000,
            congestion_control: false,
            reorder_messages: 100_000,
            // The agent dials one by one; what waits is its accept backlog.
            max_streams: 1024,
            initial_rto: Duration::from_millis(200),
            rto_margin: Duration::from_millis(10),
            max_rto: Duration::from_secs(1),
            resend: Resend::HeadOnly { tick: Duration::from_millis(100) },
            repeats: true,
            pace: Some(Duration::from_millis(1)),
            handshake_timeout: Duration::from_secs(15),
            reack_on_resume: 0,
            // Longer, and the official client, which speaks 2–5 ms after completion without waiting, would not get through.
            completion_lag: Duration::from_millis(1),
            // It neither suspects nor gives up by itself (§7.4).
            suspect_after: Duration::from_hours(24),
            patience: Duration::from_hours(24),
            ..Self::default()
        }
    }

    /// An agent without the official one's pauses and ticks, which resends all that is unacknowledged, by the official one's
    /// timeouts while the path takes no longer (§4.2): to measure ourselves against.
    pub fn fast_agent() -> Self {
        Self {
            max_payload: 32 << 10,
            max_in_flight_bytes: 4 << 20,
            max_streams: 1024,
            initial_rto: Duration::from_millis(200),
            rto_margin: Duration::from_millis(10),
            max_rto: Duration::from_secs(1),
            repeats: true,
            handshake_timeout: Duration::from_secs(15),
            suspect_after: Duration::from_hours(24),
            patience: Duration::from_hours(24),
            ..Self::default()
        }
    }
}
