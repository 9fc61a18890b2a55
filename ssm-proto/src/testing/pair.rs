//! A client and an agent, a gateway between them, and one clock that jumps from wake-up to wake-up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::json;

use super::link::{Link, LinkConfig};
use crate::config::Config;
use crate::event::{Event, SessionState, StreamId, TokenValue, WsFrame};
use crate::handshake::agent::AgentProperties;
use crate::message::{ClientMessage, MessageType};
use crate::session::{PortSession, Side};
use crate::smux::Read;
use crate::wall_clock::WallClock;

/// Frames are handed over in turns of so many, so that a side that always has output cannot starve the other.
const TURN: usize = 64;

/// Both sides of one session. Fields are open: a test may drive either machine by itself.
#[derive(Debug)]
pub struct Pair {
    /// The client's machine.
    pub client: PortSession,
    /// The agent's machine.
    pub agent: PortSession,
    /// Client → agent.
    pub up: Link,
    /// Agent → client.
    pub down: Link,
    /// Virtual time.
    pub now: Instant,
    /// The client's events that no test has taken yet.
    pub client_events: VecDeque<Event>,
    /// The agent's.
    pub agent_events: VecDeque<Event>,
    /// Every message sent since a test put `Some` here, with its sender and time.
    pub trace: Option<Vec<(Instant, Side, ClientMessage)>>,
    started: Instant,
    client_connected: bool,
    agent_connected: bool,
}

impl Pair {
    /// Two machines that are not connected yet, with the same kind of link both ways.
    pub fn new(client: Config, agent: Config, link: LinkConfig, seed: u64) -> Self {
        Self::with_agent_version(client, agent, link, seed, "3.3.987.0")
    }

    /// The same with an agent that calls itself `version`.
    #[expect(clippy::disallowed_methods, reason = "virtual time has to start somewhere; nothing depends on where")]
    pub fn with_agent_version(client: Config, agent: Config, link: LinkConfig, seed: u64, version: &str) -> Self {
        let now = Instant::now();
        let wall = WallClock::new(1_700_000_000_000, now);
        let properties = AgentProperties {
            agent_version: version.into(),
            instance_id: "i-0123456789abcdef0".into(),
            session_id: "virtual-0123456789abcdef0".into(),
            session_type: "Port".into(),
            properties: json!({ "portNumber": "5432", "type": "LocalPortForwarding", "localPortNumber": "0" }),
        };
        Self {
            client: PortSession::client(client, seed, wall, now),
            agent: PortSession::agent(agent, properties, seed ^ 1, wall, now),
            up: Link::new(link, seed ^ 2),
            down: Link::new(link, seed ^ 3),
            now,
            client_events: VecDeque::new(),
            agent_events: VecDeque::new(),
            trace: None,
            started: now,
            client_connected: false,
            agent_connected: false,
        }
    }

    /// Connects both sides and runs until both are established.
    ///
    /// # Panics
    /// When that takes more than a minute of virtual time.
    pub fn establish(&mut self) {
        self.reconnect(Side::Client);
        self.reconnect(Side::Agent);
        let established = self.run_until(Duration::from_mins(1), |pair| {
            pair.client.state() == SessionState::Established && pair.agent.state() == SessionState::Established
        });
        assert!(established, "not established: client {:?}, agent {:?}", self.client_events, self.agent_events);
    }

    /// Loses one side's websocket, with everything that was on its way in either direction. What the other side sends
    /// meanwhile is lost too: the gateway of this model keeps nothing.
    pub fn cut(&mut self, side: Side) {
        self.drain();
        self.up.clear();
        self.down.clear();
        match side {
            Side::Client => {
                self.client_connected = false;
                self.client.handle_disconnect(self.now);
            }
            Side::Agent => {
                self.agent_connected = false;
                self.agent.handle_disconnect(self.now);
            }
        }
    }

    /// Gives one side a new websocket. Timers that have run out meanwhile fire before anything is sent, as in a driver.
    pub fn reconnect(&mut self, side: Side) {
        let token = TokenValue::new("token");
        match side {
            Side::Client => {
                self.client_connected = true;
                self.client.handle_connect(token, self.now);
            }
            Side::Agent => {
                self.agent_connected = true;
                self.agent.handle_connect(token, self.now);
            }
        }
        let now = self.now;
        self.side(side).handle_timeout(now);
    }

    /// Sends what is due and moves to the next wake-up; false when nothing will ever happen by itself.
    pub fn step(&mut self) -> bool {
        let Some(next) = self.next_wake_up() else { return false };
        self.move_to(next);
        true
    }

    /// Steps until `condition` holds; false if it does not within `limit` of virtual time, or nothing happens any more.
    pub fn run_until(&mut self, limit: Duration, mut condition: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if condition(self) {
                return true;
            }
            match self.next_wake_up() {
                Some(next) if next <= end => self.move_to(next),
                _ => return condition(self),
            }
        }
    }

    /// Lets `duration` of virtual time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.run_until(duration, |_| false);
        self.move_to(end);
    }

    /// Virtual time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now - self.started
    }

    /// Opens a stream and waits for it at the agent.
    ///
    /// # Panics
    /// When the stream does not arrive within ten minutes of virtual time.
    pub fn open(&mut self) -> StreamId {
        let id = self.client.open_stream(self.now).expect("established and below the limit of streams");
        let mut accepted = None;
        self.run_until(Duration::from_mins(10), |pair| {
            accepted = accepted.or_else(|| pair.agent.accept_stream());
            accepted.is_some()
        });
        assert_eq!(accepted, Some(id), "the agent never saw the stream");
        id
    }

    /// Writes all of `data` on one side, stepping while the stream is full and discarding nothing.
    ///
    /// # Panics
    /// When writing fails, or nothing moves for ten minutes of virtual time.
    pub fn write_all(&mut self, side: Side, id: StreamId, mut data: &[u8]) {
        while !data.is_empty() {
            let now = self.now;
            let written = self.side(side).write(id, data, now).expect("the stream is open");
            data = &data[written..];
            if written == 0 {
                assert!(self.step(), "nothing will ever make room");
            }
        }
    }

    /// Reads what is there on one side, without stepping; the end or error that followed, if any.
    pub fn read_available(
        &mut self,
        side: Side,
        id: StreamId,
        into: &mut Vec<u8>,
    ) -> Option<Result<Read, crate::StreamError>> {
        let now = self.now;
        loop {
            match self.side(side).read(id, into, now) {
                Ok(Read::Data(_)) => {}
                Ok(Read::Pending) => return None,
                end => return Some(end),
            }
        }
    }

    /// Reads on one side until `len` bytes are there.
    ///
    /// # Panics
    /// When they do not come within an hour of virtual time.
    pub fn read_exact(&mut self, side: Side, id: StreamId, len: usize) -> Vec<u8> {
        let mut data = Vec::new();
        let complete = self.run_until(Duration::from_hours(1), |pair| {
            pair.read_available(side, id, &mut data);
            data.len() >= len
        });
        assert!(complete, "{} of {len} bytes after {:?}", data.len(), self.elapsed());
        data
    }

    /// One of the machines.
    pub fn side(&mut self, side: Side) -> &mut PortSession {
        match side {
            Side::Client => &mut self.client,
            Side::Agent => &mut self.agent,
        }
    }

    fn next_wake_up(&mut self) -> Option<Instant> {
        self.drain();
        let arrivals = [
            self.up.next_arrival().filter(|_| self.agent.wants_input()),
            self.down.next_arrival().filter(|_| self.client.wants_input()),
        ];
        let timeouts = [self.client.poll_timeout(), self.agent.poll_timeout()];
        arrivals.into_iter().chain(timeouts).flatten().min()
    }

    fn move_to(&mut self, at: Instant) {
        self.now = self.now.max(at);
        self.deliver();
        self.client.handle_timeout(self.now);
        self.agent.handle_timeout(self.now);
        self.drain();
    }

    fn deliver(&mut self) {
        for _ in 0..TURN {
            if self.agent.wants_input()
                && let Some(frame) = self.up.receive(self.now)
            {
                self.agent.handle_frame(frame, self.now);
            }
            if self.client.wants_input()
                && let Some(frame) = self.down.receive(self.now)
            {
                self.client.handle_frame(frame, self.now);
            }
        }
    }

    fn drain(&mut self) {
        while let Some(frame) = self.client.poll_transmit(self.now) {
            self.record(Side::Client, &frame);
            if self.agent_connected && is_relayed(&frame) {
                self.up.send(frame, self.now);
            }
        }
        while let Some(frame) = self.agent.poll_transmit(self.now) {
            self.record(Side::Agent, &frame);
            if self.client_connected && is_relayed(&frame) {
                self.down.send(frame, self.now);
            }
        }
        self.client_events.extend(std::iter::from_fn(|| self.client.poll_event()));
        self.agent_events.extend(std::iter::from_fn(|| self.agent.poll_event()));
    }

    fn record(&mut self, side: Side, frame: &WsFrame) {
        if let (Some(trace), WsFrame::Binary(bytes)) = (&mut self.trace, frame)
            && let Ok(message) = ClientMessage::decode(bytes)
        {
            trace.push((self.now, side, message));
        }
    }
}

/// The gateway keeps open messages and the agent's state to itself (`docs/protocol.md` §5.1, §9.8).
fn is_relayed(frame: &WsFrame) -> bool {
    match frame {
        WsFrame::Text(_) => false,
        WsFrame::Binary(bytes) => {
            !ClientMessage::decode(bytes).is_ok_and(|message| message.message_type == MessageType::AgentSessionState)
        }
    }
}
