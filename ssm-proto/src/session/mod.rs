//! [`PortSession`]: the layers composed, and the only machine that callers drive.

mod input;
mod liveness;
mod output;
mod payload;
mod side;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes};

use crate::channel::DataChannel;
use crate::channel::timer::{Timer, TimerTable};
use crate::config::{Config, OLD_KEEP_ALIVE};
use crate::error::{OpenError, StreamError};
use crate::event::{CloseReason, Event, SessionState, StreamId, TokenValue, WsFrame};
use crate::handshake::Handshake;
use crate::handshake::agent::AgentProperties;
use crate::message::control::{ChannelClosed, Flag};
use crate::message::{ClientMessage, MessageType, PayloadType};
use crate::smux::{Mux, REPEATABLE_OVERHEAD, Read, Repeatable};
use crate::stats::{Load, Stats};
use crate::wall_clock::WallClock;

use liveness::Liveness;
pub use payload::PayloadTrial;
pub use side::Side;

/// Below this payload most of a message would be wrapping.
const MIN_REPEATABLE: usize = 2 * REPEATABLE_OVERHEAD;

/// One SSM port session, client or agent side, over as many websockets as it takes.
///
/// Pure: time comes in as `now`, randomness as a seed, bytes as arguments. After every call that may have changed
/// something, drain in this order: [`poll_transmit`](Self::poll_transmit) until `None` (or until the transport takes no
/// more), [`poll_timeout`](Self::poll_timeout) to set the timer, [`poll_event`](Self::poll_event) until `None`. Do not hand in
/// frames while [`wants_input`](Self::wants_input) is false: that is the back-pressure.
pub struct PortSession {
    side: Side,
    config: Config,
    agent: Option<AgentProperties>,
    client_id: String,
    channel: DataChannel,
    handshake: Handshake,
    handshake_started: Option<Instant>,
    mux: Mux,
    /// Largest payload in use.
    payload: usize,
    trial: PayloadTrial,
    /// Client: what wraps the messages of stream data, if anything does.
    repeatable: Option<Repeatable>,
    timers: TimerTable,
    /// Agent: when the pause after the last message ends or has ended, while more waits to be sent.
    pause_ends: Option<Instant>,
    connected: bool,
    open_frame: Option<String>,
    state_due: bool,
    /// Handshake and flag payloads to send before stream data. A client has two at most; an agent's refusals wait here for
    /// room like data, one for each stream that it accepted.
    control: VecDeque<(PayloadType, Bytes)>,
    terminate: Terminate,
    keep_alive: Option<Duration>,
    /// The other side ends a session in which its smux hears nothing (`docs/protocol.md` §5.4).
    needs_keep_alive: bool,
    /// Agent: stream data is discarded until then.
    discard_until: Option<Instant>,
    liveness: Liveness,
    events: VecDeque<Event>,
    closed: Option<CloseReason>,
    agent_version: Option<String>,
    resumes: u64,
    dropped: u64,
    ignored: u64,
}

impl fmt::Debug for PortSession {
    // A summary: what is buffered is users' traffic, and there may be megabytes of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortSession")
            .field("side", &self.side)
            .field("state", &self.state())
            .field("closed", &self.closed)
            .field("handshake", &self.handshake)
            .field("connected", &self.connected)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// How far the client's own TerminateSession flag has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terminate {
    No,
    Queued,
    Sent { sequence: i64 },
    Acked,
}

impl PortSession {
    /// A client's session. `seed` feeds message ids; `wall` dates messages.
    pub fn client(config: Config, seed: u64, wall: WallClock, now: Instant) -> Self {
        let _ = now;
        Self::new(Side::Client, config, None, seed, wall)
    }

    /// An agent's session, for the simulator.
    pub fn agent(config: Config, properties: AgentProperties, seed: u64, wall: WallClock, now: Instant) -> Self {
        let _ = now;
        Self::new(Side::Agent, config, Some(properties), seed, wall)
    }

    fn new(side: Side, config: Config, agent: Option<AgentProperties>, seed: u64, wall: WallClock) -> Self {
        let mut channel = DataChannel::new(side, &config, seed, wall);
        let client_id = match (side, config.client_id.as_str()) {
            (Side::Client, "") => channel.new_uuid(),
            (_, given) => given.to_owned(),
        };
        Self {
            side,
            client_id,
            channel,
            handshake: match side {
                Side::Client => Handshake::AwaitRequest,
                Side::Agent => Handshake::SendRequest,
            },
            handshake_started: None,
            mux: Mux::new(side, &config),
            repeatable: (side == Side::Client && config.repeatable && config.max_payload > MIN_REPEATABLE)
                .then(Repeatable::default),
            payload: config.max_payload,
            trial: PayloadTrial::None,
            timers: TimerTable::default(),
            pause_ends: None,
            connected: false,
            open_frame: None,
            state_due: side == Side::Agent,
            control: VecDeque::new(),
            terminate: Terminate::No,
            keep_alive: config.keep_alive,
            needs_keep_alive: false,
            discard_until: None,
            liveness: Liveness::default(),
            events: VecDeque::new(),
            closed: None,
            agent_version: agent.as_ref().map(|properties| properties.agent_version.clone()),
            resumes: 0,
            dropped: 0,
            ignored: 0,
            agent,
            config,
        }
    }

    // ---- network ----

    /// A websocket is up, the first one or a later one; `token` opens it (`docs/protocol.md` §2.4).
    #[expect(clippy::needless_pass_by_value, reason = "a token opens one websocket: it is used up")]
    pub fn handle_connect(&mut self, token: TokenValue, now: Instant) {
        if self.closed.is_some() {
            return;
        }
        self.connected = true;
        self.open_frame = Some(self.open_message(&token));
        self.timers.stop(Timer::Pause);
        if self.handshake_started.is_none() {
            self.handshake_started = Some(now);
            self.timers.set(Timer::Handshake, now + self.config.handshake_timeout);
            return;
        }
        self.resumes += 1;
        self.channel.handle_reconnect(now);
        self.await_life(now);
    }

    /// The websocket is gone. Nothing is forgotten: streams freeze until the next [`Self::handle_connect`].
    pub fn handle_disconnect(&mut self, now: Instant) {
        if self.config.repeats && self.connected {
            self.channel.forget_unacknowledged();
        }
        self.connected = false;
        self.open_frame = None;
        self.await_websocket(now);
    }

    /// Takes one websocket message. Frames that are not messages are dropped and counted (§11).
    pub fn handle_frame(&mut self, frame: WsFrame, now: Instant) {
        if self.closed.is_some() || !self.connected {
            return;
        }
        let bytes = match frame {
            WsFrame::Binary(bytes) => bytes,
            WsFrame::Text(text) => Bytes::from(text),
        };
        let Ok(message) = ClientMessage::decode(&bytes) else {
            self.dropped += 1;
            return;
        };
        match &message.message_type {
            MessageType::Acknowledge => {
                self.timers.stop(Timer::Pause);
                self.show_life(now);
                self.channel.handle_acknowledge(&message.payload, now);
                self.handle_acknowledged(now);
            }
            MessageType::ChannelClosed => {
                let closed: ChannelClosed = serde_json::from_slice(&message.payload).unwrap_or_default();
                self.close(CloseReason::ChannelClosed { output: closed.output.unwrap_or_default() });
            }
            MessageType::PausePublication => {
                self.timers.set(Timer::Pause, now + self.config.pause_limit);
            }
            MessageType::StartPublication => self.timers.stop(Timer::Pause),
            stream if *stream == self.side.incoming() => {
                self.timers.stop(Timer::Pause);
                if self.channel.handle_stream_message(message, now) {
                    self.show_life(now);
                    self.restart_question(now);
                }
                while self.closed.is_none()
                    && let Some((sequence, payload_type, payload)) = self.channel.next_payload()
                {
                    self.handle_payload(sequence, payload_type, payload, now);
                }
            }
            _ => self.ignored += 1,
        }
        self.watch_silence(now);
    }

    /// Acts on every timer that has expired.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed.is_some() {
            return;
        }
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Handshake => {
                    self.close(CloseReason::HandshakeTimeout(self.config.handshake_timeout.as_secs()));
                }
                Timer::Suspicion => self.handle_suspicion(),
                Timer::Patience => self.handle_patience(now),
                Timer::Question => self.handle_question(),
                Timer::KeepAlive => {
                    if self.connected && self.is_done() {
                        self.mux.queue_nop();
                    }
                    self.restart_keep_alive(now);
                }
                // These only bar `poll_transmit`, which looks at the clock or the table.
                Timer::Settle | Timer::Pause => {}
                Timer::Pace => self.end_pause(),
            }
        }
        if self.connected && !self.is_paused() {
            self.channel.send.handle_timeout(now);
        }
    }

    // ---- application ----

    /// Opens a stream; SYN leaves with its first turn. Works while the websocket is away.
    ///
    /// # Errors
    /// [`OpenError`]: not established yet, too many streams, or the session is over.
    pub fn open_stream(&mut self, now: Instant) -> Result<StreamId, OpenError> {
        let _ = now;
        if let Some(reason) = &self.closed {
            return Err(OpenError::SessionClosed(reason.clone()));
        }
        if !self.is_done() {
            return Err(OpenError::NotEstablished);
        }
        self.mux.open()
    }

    /// Agent: the next stream that the client opened, in the order of SYNs.
    pub fn accept_stream(&mut self) -> Option<StreamId> {
        self.mux.accept()
    }

    /// Takes what fits of `data`; less than all means that [`Event::StreamWritable`] will come.
    ///
    /// # Errors
    /// [`StreamError`] when nothing can be written any more.
    pub fn write(&mut self, id: StreamId, data: &[u8], now: Instant) -> Result<usize, StreamError> {
        let _ = now;
        match &self.closed {
            Some(reason) => Err(StreamError::SessionClosed(reason.clone())),
            None => self.mux.write(id, data),
        }
    }

    /// Moves received bytes into `buf`. What came before the end of the session can still be read.
    ///
    /// # Errors
    /// [`StreamError`] when nothing will come any more and it was no orderly end.
    pub fn read(&mut self, id: StreamId, buf: &mut impl BufMut, now: Instant) -> Result<Read, StreamError> {
        let read = self.mux.read(id, buf)?;
        self.watch_silence(now);
        match (read, &self.closed) {
            (Read::Pending, Some(reason)) => Err(StreamError::SessionClosed(reason.clone())),
            (read, _) => Ok(read),
        }
    }

    /// Half-close: nothing more will be written, but the answer is awaited. FIN is withheld until the other side's FIN or
    /// [`Self::close_stream`], because FIN makes an agent drop the answer (`docs/protocol.md` §6.6).
    pub fn shutdown_stream(&mut self, id: StreamId, now: Instant) {
        let _ = now;
        self.mux.shutdown(id);
    }

    /// Full close: FIN leaves behind what was written; what still comes in is discarded. The id is gone for the caller.
    pub fn close_stream(&mut self, id: StreamId, now: Instant) {
        self.mux.close(id, false);
        self.watch_silence(now);
    }

    /// Like [`Self::close_stream`], without waiting for what was written and not sent.
    pub fn reset_stream(&mut self, id: StreamId, now: Instant) {
        self.mux.close(id, true);
        self.watch_silence(now);
    }

    /// Agent: the remote could not be connected. Sends the flag, which names no stream, then FIN (§6.5).
    pub fn refuse_stream(&mut self, id: StreamId, now: Instant) {
        let _ = now;
        self.control.push_back((PayloadType::FLAG, Bytes::copy_from_slice(&Flag::ConnectToPortError.encode())));
        self.mux.close(id, true);
    }

    /// Client: asks the agent to end the session (§6.8). [`Event::TerminateAcked`] and [`Event::Closed`] follow, if the
    /// agent is there to answer.
    pub fn terminate(&mut self, now: Instant) {
        let _ = now;
        if self.terminate == Terminate::No {
            self.terminate = Terminate::Queued;
        }
    }

    /// Changes the smux keep-alive interval; `None` stops it, as far as the agent lives without (§5.4).
    pub fn set_keep_alive(&mut self, interval: Option<Duration>, now: Instant) {
        self.keep_alive = interval;
        if self.is_done() {
            self.restart_keep_alive(now);
        }
    }

    // ---- drain ----

    /// The next websocket message to send: the open message, acknowledgements, resends, handshake and flags, stream data.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<WsFrame> {
        if !self.connected || self.closed.is_some() {
            return None;
        }
        if let Some(text) = self.open_frame.take() {
            return Some(WsFrame::Text(text));
        }
        self.channel
            .poll_acknowledge(now)
            .or_else(|| self.poll_resend(now))
            .or_else(|| self.poll_handshake(now))
            .or_else(|| self.poll_control(now))
            .or_else(|| self.poll_stream_data(now))
            .map(WsFrame::Binary)
    }

    /// When to call [`Self::handle_timeout`], at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed.is_some() {
            return None;
        }
        let resend = self.channel.send.poll_timeout().filter(|_| self.connected && !self.is_paused());
        [self.timers.next_timeout(), resend].into_iter().flatten().min()
    }

    /// The next news.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.mux.poll_event().or_else(|| self.events.pop_front())
    }

    // ---- look ----

    /// Whether more frames may be handed in: false while applications do not read or acknowledgements do not leave.
    pub fn wants_input(&self) -> bool {
        self.mux.has_receive_budget() && self.channel.acks_owed() < self.config.max_acks_owed
    }

    /// Where the session stands.
    pub fn state(&self) -> SessionState {
        match self.handshake {
            _ if self.closed.is_some() => SessionState::Closed,
            Handshake::Done if self.connected => SessionState::Established,
            Handshake::Done => SessionState::Detached,
            Handshake::AwaitRequest | Handshake::SendRequest => SessionState::Opening,
            _ => SessionState::Handshaking,
        }
    }

    /// Figures of the session so far.
    pub fn stats(&self) -> Stats {
        let counters = self.channel.counters;
        Stats {
            rtt: self.channel.send.rtt(),
            messages_in: counters.messages_in,
            messages_out: counters.messages_out,
            acks_in: counters.acks_in,
            acks_out: counters.acks_out,
            retransmitted: self.channel.send.retransmitted(),
            duplicates: counters.duplicates,
            refused: counters.refused,
            dropped: self.dropped,
            ignored: self.ignored,
            bytes_in_flight: self.channel.send.bytes_in_flight(),
            messages_in_flight: self.channel.send.messages_in_flight(),
            next_sequence: self.channel.send.next_sequence(),
            expected_sequence: self.channel.expected(),
            reorder_bytes: self.channel.reorder_bytes(),
            unread_bytes: self.mux.unread(),
            streams: self.mux.len(),
            payload: self.payload,
            payload_trial: self.trial,
            resumes: self.resumes,
            agent_version: self.agent_version.clone(),
        }
    }

    /// How busy the session is. Costs next to nothing, however many streams there are.
    pub fn load(&self) -> Load {
        let carried = self.mux.carried();
        Load {
            streams: self.mux.len(),
            queued: self.mux.unsent(),
            in_flight: self.channel.send.bytes_in_flight(),
            window: self.channel.send.window(),
            unread: self.mux.unread(),
            stalled: self.mux.is_stalled(),
            sent: carried.sent,
            received: carried.received,
            messages_in: self.channel.counters.messages_in,
            rtt: self.channel.send.rtt(),
            base_rtt: self.channel.send.base_rtt(),
        }
    }

    // ---- inside ----

    fn is_done(&self) -> bool {
        self.handshake == Handshake::Done
    }

    fn is_paused(&self) -> bool {
        self.timers.is_set(Timer::Pause)
    }

    fn close(&mut self, reason: CloseReason) {
        if self.closed.is_none() {
            self.closed = Some(reason.clone());
            self.mux.wake_all();
            self.events.push_back(Event::Closed(reason));
        }
    }

    fn establish(&mut self, now: Instant) {
        self.handshake = Handshake::Done;
        self.timers.stop(Timer::Handshake);
        self.restart_keep_alive(now);
        self.events.push_back(Event::Established);
    }

    fn restart_keep_alive(&mut self, now: Instant) {
        let interval = match self.keep_alive {
            own if !self.needs_keep_alive => own,
            own => Some(own.map_or(OLD_KEEP_ALIVE, |own| own.min(OLD_KEEP_ALIVE))),
        };
        match interval {
            Some(interval) => self.timers.set(Timer::KeepAlive, now + interval),
            None => self.timers.stop(Timer::KeepAlive),
        }
    }
}
