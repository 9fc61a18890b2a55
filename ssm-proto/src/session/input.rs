//! What messages mean to a session: acknowledgements it waits for, payloads in order, the handshake's steps.

use std::time::Instant;

use bytes::Bytes;

use super::output::to_json;
use super::{PortSession, Side, Terminate};
use crate::channel::timer::Timer;
use crate::event::{CloseReason, Event};
use crate::handshake::Handshake;
use crate::handshake::agent::{self, Verdict};
use crate::handshake::client;
use crate::handshake::features::client_wants_keep_alive;
use crate::handshake::payload::HandshakeComplete;
use crate::message::PayloadType;
use crate::message::control::Flag;

impl PortSession {
    pub(super) fn handle_acknowledged(&mut self, now: Instant) {
        if let Handshake::Probing { sequence } = self.handshake
            && self.channel.send.is_acknowledged(sequence)
            && self.payload_is_settled()
        {
            self.establish(now);
        }
        if let Terminate::Sent { sequence } = self.terminate
            && self.channel.send.is_acknowledged(sequence)
        {
            self.terminate = Terminate::Acked;
            self.events.push_back(Event::TerminateAcked);
            self.close(CloseReason::Terminated);
        }
    }

    pub(super) fn handle_payload(&mut self, sequence: i64, payload_type: PayloadType, payload: Bytes, now: Instant) {
        match (self.side, payload_type) {
            (Side::Client, PayloadType::HANDSHAKE_REQUEST) => {
                self.handle_handshake_request(&payload);
            }
            (Side::Client, PayloadType::HANDSHAKE_COMPLETE) => {
                self.handle_handshake_complete(&payload, now);
            }
            (Side::Agent, PayloadType::HANDSHAKE_RESPONSE) => {
                self.handle_handshake_response(&payload);
            }
            (Side::Client, PayloadType::OUTPUT) if self.handshake == Handshake::AwaitRequest && sequence == 0 => {
                // docs/protocol.md §5.1: without a handshake it is a shell.
                self.close(CloseReason::UnsupportedSession { session_type: "shell".into() });
            }
            // §4.8: an agent acknowledges and discards what comes before it is ready.
            (Side::Agent, PayloadType::OUTPUT) if !self.is_done() || self.discard_until.is_some_and(|at| now < at) => {}
            (_, PayloadType::OUTPUT) => {
                // What answers while nothing of ours is on its way was most likely sent by somebody who has read it all.
                let caught_up = self.channel.send.messages_in_flight() == 0;
                if let Err(error) = self.mux.handle_bytes(payload, caught_up) {
                    self.close(CloseReason::ProtocolViolation(error));
                }
            }
            (Side::Client, PayloadType::FLAG) if Flag::decode(&payload) == Flag::ConnectToPortError => {
                self.mux.handle_connect_error();
            }
            (Side::Agent, PayloadType::FLAG) if Flag::decode(&payload) == Flag::TerminateSession => {
                self.events.push_back(Event::TerminateRequested);
            }
            // §11: acknowledged, without effect.
            _ => self.ignored += 1,
        }
    }

    fn handle_handshake_request(&mut self, payload: &[u8]) {
        if self.handshake != Handshake::AwaitRequest {
            self.ignored += 1; // §11: answered once
            return;
        }
        match client::answer(payload, &self.config.client_version) {
            Ok(accepted) => {
                self.needs_keep_alive = accepted.features.smux_keep_alive;
                self.agent_version = Some(accepted.agent_version);
                self.control.push_back((PayloadType::HANDSHAKE_RESPONSE, to_json(&accepted.response)));
                self.handshake = Handshake::AwaitComplete;
            }
            Err(reason) => self.close(reason),
        }
    }

    fn handle_handshake_complete(&mut self, payload: &[u8], now: Instant) {
        match self.handshake {
            Handshake::AwaitComplete => {
                // Only a message for the user is in it: unreadable is as good as none.
                let complete: HandshakeComplete = serde_json::from_slice(payload).unwrap_or_default();
                self.events.push_back(Event::AgentIdentified {
                    agent_version: self.agent_version.clone().unwrap_or_default(),
                    customer_message: complete.customer_message,
                });
                let until = now + self.config.settle;
                self.handshake = Handshake::Settling { until };
                self.timers.set(Timer::Settle, until);
            }
            Handshake::AwaitRequest => {
                self.close(CloseReason::HandshakeFailed("the agent completed what it had not begun".into()));
            }
            _ => self.ignored += 1,
        }
    }

    fn handle_handshake_response(&mut self, payload: &[u8]) {
        let (Handshake::AwaitResponse, Some(agent)) = (self.handshake, &self.agent) else {
            self.ignored += 1; // §11: a second response has no meaning
            return;
        };
        match agent::judge(payload, &agent.properties) {
            Verdict::Accepted { client_version } => {
                self.needs_keep_alive = client_wants_keep_alive(&client_version);
                self.handshake = Handshake::SendComplete;
            }
            Verdict::Failed(text) => self.close(CloseReason::HandshakeFailed(text)),
        }
    }
}
