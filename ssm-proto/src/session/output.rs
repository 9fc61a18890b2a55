//! What a session has to say, by kind; `poll_transmit` decides the order.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{PortSession, Side, Terminate};
use crate::channel::open::OpenDataChannel;
use crate::channel::timer::Timer;
use crate::event::TokenValue;
use crate::handshake::Handshake;
use crate::handshake::payload::HandshakeComplete;
use crate::message::control::{AgentSessionState, Flag};
use crate::message::{MessageType, PayloadType};
use crate::smux::{REPEATABLE_OVERHEAD, Repeatable};

/// An agent whose pause ended later than it should have makes up for so much of it.
const LATE_PAUSES: Duration = Duration::from_millis(4);

impl PortSession {
    pub(super) fn poll_resend(&mut self, now: Instant) -> Option<Bytes> {
        if self.is_paused() {
            return None;
        }
        self.channel.send.poll_retransmit(now)
    }

    pub(super) fn poll_handshake(&mut self, now: Instant) -> Option<Bytes> {
        match self.handshake {
            Handshake::SendRequest => {
                let agent = self.agent.as_ref()?;
                if std::mem::take(&mut self.state_due) {
                    let state = AgentSessionState {
                        schema_version: 1,
                        session_state: "Connected".into(),
                        session_id: agent.session_id.clone(),
                    };
                    return Some(self.channel.encode_unsequenced(MessageType::AgentSessionState, to_json(&state), now));
                }
                let request = to_json(&agent.request());
                self.handshake = Handshake::AwaitResponse;
                Some(self.send_payload(PayloadType::HANDSHAKE_REQUEST, &request, now))
            }
            Handshake::SendComplete => {
                let took = self.handshake_started.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
                let complete = to_json(&HandshakeComplete {
                    handshake_time_to_complete: i64::try_from(took.as_nanos()).unwrap_or(i64::MAX),
                    customer_message: String::new(),
                });
                self.discard_until = Some(now + self.config.completion_lag);
                self.establish(now);
                Some(self.send_payload(PayloadType::HANDSHAKE_COMPLETE, &complete, now))
            }
            Handshake::Settling { until } if now >= until => {
                self.mux.queue_nop();
                self.handshake = Handshake::Probing { sequence: self.channel.send.next_sequence() };
                Some(self.send_mux_output(now))
            }
            Handshake::Probing { .. } => self.poll_payload_trial(now),
            _ => None,
        }
    }

    pub(super) fn poll_control(&mut self, now: Instant) -> Option<Bytes> {
        // The agent's refusals wait for room like the data they stand for; the handshake and the end do not.
        let waits = |kind: PayloadType| kind == PayloadType::FLAG && !self.channel.send.has_room();
        if let Some((payload_type, payload)) = self.control.pop_front_if(|(kind, _)| !waits(*kind)) {
            return Some(self.send_payload(payload_type, &payload, now));
        }
        if self.terminate == Terminate::Queued && self.is_done() {
            self.terminate = Terminate::Sent { sequence: self.channel.send.next_sequence() };
            return Some(self.send_payload(PayloadType::FLAG, &Flag::TerminateSession.encode(), now));
        }
        None
    }

    pub(super) fn poll_stream_data(&mut self, now: Instant) -> Option<Bytes> {
        let may_send = self.is_done()
            && self.mux.has_output()
            && self.channel.send.has_room()
            && !self.is_paused()
            && !self.timers.is_set(Timer::Pace);
        may_send.then(|| self.send_mux_output(now))
    }

    /// Pauses are kept on average: a clock that wakes us late makes the next one shorter.
    fn start_pause(&mut self, now: Instant) {
        let Some(pause) = self.config.pace else { return };
        let earliest = now.checked_sub(LATE_PAUSES).unwrap_or(now);
        let ends = self.pause_ends.map_or(now, |ended| ended.max(earliest)) + pause;
        self.pause_ends = Some(ends);
        if ends > now {
            self.timers.set(Timer::Pace, ends);
        } else {
            self.end_pause();
        }
    }

    /// Who has nothing to send after a pause has not been late.
    pub(super) fn end_pause(&mut self) {
        if !self.mux.has_output() {
            self.pause_ends = None;
        }
    }

    fn send_mux_output(&mut self, now: Instant) -> Bytes {
        let (mux, max) = (&mut self.mux, self.payload);
        let (capacity, is_traffic) = (mux.output_hint(max), mux.has_stream_output());
        let frame = match &mut self.repeatable {
            Some(repeatable) if is_traffic => {
                let room = max.min(usize::from(u16::MAX)) - REPEATABLE_OVERHEAD;
                self.channel.send(PayloadType::OUTPUT, capacity + REPEATABLE_OVERHEAD, now, |out| {
                    repeatable.wrap(out, |out| mux.poll_output(room, out));
                })
            }
            repeatable => {
                repeatable.iter_mut().for_each(Repeatable::pass_nop);
                self.channel.send(PayloadType::OUTPUT, capacity, now, |out| mux.poll_output(max, out))
            }
        };
        self.start_pause(now);
        if is_traffic {
            self.restart_question(now);
        }
        self.watch_silence(now);
        frame
    }

    fn send_payload(&mut self, payload_type: PayloadType, payload: &[u8], now: Instant) -> Bytes {
        let frame = self.channel.send(payload_type, payload.len(), now, |out| {
            out.extend_from_slice(payload);
        });
        self.watch_silence(now);
        frame
    }

    pub(super) fn open_message(&mut self, token: &TokenValue) -> String {
        let open = OpenDataChannel {
            message_schema_version: "1.0".into(),
            request_id: self.channel.new_uuid(),
            token_value: token.expose().to_owned(),
            client_id: self.client_id.clone(),
            client_version: (self.side == Side::Client).then(|| self.config.client_version.clone()),
            client_instance_id: self.agent.as_ref().map(|agent| agent.instance_id.clone()),
        };
        serde_json::to_string(&open).expect("strings always serialise")
    }
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value).expect("our own payloads have only string keys").into()
}
