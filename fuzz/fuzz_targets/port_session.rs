//! A whole session, before or after its handshake, either side: frames that were made to be understood or not, the clock, the
//! application's calls, lost websockets. Nothing panics, everything stays within its bounds, and there is always an end to
//! what it wants to send.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType, PayloadType};
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, PortSession, Side, StreamId, TokenValue, WsFrame};
use std::time::{Duration, Instant};

#[derive(Arbitrary, Debug)]
struct Input {
    agent: bool,
    established: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// Bytes as they are.
    Raw(Vec<u8>),
    Text(String),
    /// A message whose digest is right.
    Message {
        kind: u8,
        ahead: i8,
        payload_type: u8,
        flags: u8,
        payload: Vec<u8>,
    },
    /// A smux frame in a message that is awaited.
    Smux {
        command: u8,
        stream: u8,
        length: u8,
        data: Vec<u8>,
    },
    Acknowledge {
        ahead: i8,
    },
    Wait(u16),
    Open,
    Accept,
    Write {
        stream: u8,
        length: u16,
    },
    Read {
        stream: u8,
    },
    Shutdown(u8),
    Close(u8),
    Reset(u8),
    Refuse(u8),
    KeepAlive(u8),
    Disconnect,
    Connect,
    Terminate,
}

/// Small, so that every bound is reached.
fn config(base: Config) -> Config {
    Config {
        max_in_flight_bytes: 8 << 10,
        max_in_flight_messages: 16,
        reorder_bytes: 4 << 10,
        reorder_messages: 16,
        receive_budget: 4 << 10,
        stream_send_buffer: 2 << 10,
        max_streams: 8,
        max_acks_owed: 32,
        reack_on_resume: 8,
        stall_explains: 4 << 10,
        ..base
    }
}

struct Subject {
    session: PortSession,
    side: Side,
    now: Instant,
    limits: Config,
}

impl Subject {
    fn message(
        &self,
        message_type: MessageType,
        sequence: i64,
        payload_type: u32,
        flags: u64,
        payload: Vec<u8>,
    ) -> WsFrame {
        let id = MessageId::from_random_bytes([7; 16]);
        let mut message = ClientMessage::unsequenced(message_type, Flags(flags), id, 1, Bytes::from(payload));
        (message.sequence, message.payload_type) = (sequence, PayloadType(payload_type));
        WsFrame::Binary(message.encode())
    }

    fn incoming(&self) -> MessageType {
        if self.side == Side::Client { MessageType::OutputStreamData } else { MessageType::InputStreamData }
    }

    fn frame(&mut self, frame: WsFrame) {
        if self.session.wants_input() {
            self.session.handle_frame(frame, self.now);
        }
    }

    fn step(&mut self, step: Step) {
        let now = self.now;
        let stats = self.session.stats();
        let id = |stream: u8| StreamId(u32::from(stream % 24));
        match step {
            Step::Raw(bytes) => self.frame(WsFrame::Binary(bytes.into())),
            Step::Text(text) => self.frame(WsFrame::Text(text)),
            Step::Message { kind, ahead, payload_type, flags, payload } => {
                let kind = match kind % 6 {
                    0..=2 => self.incoming(),
                    3 => MessageType::ChannelClosed,
                    4 => MessageType::PausePublication,
                    _ => MessageType::StartPublication,
                };
                let sequence = stats.expected_sequence.saturating_add(ahead.into());
                let frame = self.message(kind, sequence, payload_type.into(), flags.into(), payload);
                self.frame(frame);
            }
            Step::Smux { command, stream, length, data } => {
                let mut payload = vec![1, command % 6, length, 0, stream % 24, 0, 0, 0];
                payload.extend(data);
                let frame = self.message(self.incoming(), stats.expected_sequence, 1, 0, payload);
                self.frame(frame);
            }
            Step::Acknowledge { ahead } => {
                let sequence = stats.next_sequence.saturating_add(ahead.into());
                let payload = format!(
                    r#"{{"AcknowledgedMessageType":"x","AcknowledgedMessageId":"00112233-4455-6677-8899-aabbccddeeff","AcknowledgedMessageSequenceNumber":{sequence},"IsSequentialMessage":true}}"#
                );
                let frame = self.message(MessageType::Acknowledge, 0, 0, 3, payload.into_bytes());
                self.frame(frame);
            }
            Step::Wait(ms) => {
                self.now += Duration::from_millis(ms.into());
                self.session.handle_timeout(self.now);
            }
            Step::Open => drop(self.session.open_stream(now)),
            Step::Accept => drop(self.session.accept_stream()),
            Step::Write { stream, length } => {
                let _ = self.session.write(id(stream), &vec![7; length.into()], now);
            }
            Step::Read { stream } => {
                let _ = self.session.read(id(stream), &mut Vec::new(), now);
            }
            Step::Shutdown(stream) => self.session.shutdown_stream(id(stream), now),
            Step::Close(stream) => self.session.close_stream(id(stream), now),
            Step::Reset(stream) => self.session.reset_stream(id(stream), now),
            Step::Refuse(stream) if self.side == Side::Agent => self.session.refuse_stream(id(stream), now),
            Step::Refuse(_) => {}
            Step::KeepAlive(seconds) => {
                let interval = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
                self.session.set_keep_alive(interval, now);
            }
            Step::Disconnect => self.session.handle_disconnect(now),
            Step::Connect => self.session.handle_connect(TokenValue::new("token"), now),
            Step::Terminate if self.side == Side::Client => self.session.terminate(now),
            Step::Terminate => {}
        }
    }

    /// Everything out, and the bounds.
    fn settle(&mut self) {
        for sent in 0.. {
            assert!(sent < 2000, "no end to what it wants to send: {:?}", self.session);
            if self.session.poll_transmit(self.now).is_none() {
                break;
            }
        }
        for told in 0.. {
            assert!(told < 2000, "no end to its news: {:?}", self.session);
            if self.session.poll_event().is_none() {
                break;
            }
        }
        let _ = self.session.poll_timeout();
        let (stats, limits) = (self.session.stats(), &self.limits);
        assert!(stats.reorder_bytes <= limits.reorder_bytes, "{stats:?}");
        assert!(stats.streams <= limits.max_streams, "{stats:?}");
        // A message more than the limit; handshake, flags and refusals do not ask for room.
        let refusals = limits.max_streams + 4;
        assert!(stats.messages_in_flight <= limits.max_in_flight_messages + refusals, "{stats:?}");
    }
}

fuzz_target!(|input: Input| {
    let (client, agent) = (config(Config::default()), config(Config::fast_agent()));
    let limits = client.clone();
    let mut pair = Pair::new(client, agent, LinkConfig::default(), 1);
    if input.established {
        pair.establish();
    }
    let (side, session) = if input.agent { (Side::Agent, pair.agent) } else { (Side::Client, pair.client) };
    let mut subject = Subject { session, side, now: pair.now, limits };
    if !input.established {
        subject.session.handle_connect(TokenValue::new("token"), subject.now);
    }
    subject.settle();
    for step in input.steps.into_iter().take(200) {
        subject.step(step);
        subject.settle();
    }
});
