//! Larger payloads, where everything on the way takes them (`docs/protocol.md` §10.2).
//!
//! The agent takes any size, but nobody outside AWS knows what its gateway relays, and a number once used for a message cannot be
//! taken back: the agent waits for it. So the size is tried before there is data, with a message of that size which is nothing but
//! smux no-ops. If it is not acknowledged, a single no-op goes out under the same number: whichever of the two arrives
//! first, and however often, means nothing. Then payloads stay small.

use std::time::Instant;

use bytes::Bytes;

use super::PortSession;
use crate::event::StreamId;
use crate::message::PayloadType;
use crate::smux::{Command, HEADER_LEN, Header, Repeatable};

/// How far the trial of a larger payload has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadTrial {
    /// None was asked for, or it has not begun.
    #[default]
    None,
    /// The large message is on its way.
    Sent {
        /// Its number.
        sequence: i64,
    },
    /// It was acknowledged: large payloads are in use.
    Accepted,
    /// It was not acknowledged in time, or the websocket was lost over it: payloads stay small.
    Refused,
}

impl PortSession {
    /// Sends the large message, behind the no-op that completes the handshake.
    pub(super) fn poll_payload_trial(&mut self, now: Instant) -> Option<Bytes> {
        let size = self.config.larger_payload.filter(|size| *size > self.payload)?;
        if self.trial != PayloadTrial::None {
            return None;
        }
        self.trial = PayloadTrial::Sent { sequence: self.channel.send.next_sequence() };
        self.repeatable.iter_mut().for_each(Repeatable::pass_nop);
        let nop = Header { command: Command::Nop, length: 0, stream: StreamId(0) }.encode();
        let frame = self.channel.send_replaceable(PayloadType::OUTPUT, &nop.repeat(size / HEADER_LEN), &nop, now);
        self.watch_silence(now);
        Some(frame)
    }

    /// Whether a trial is over, or there is none; acts on its end.
    pub(super) fn payload_is_settled(&mut self) -> bool {
        let PayloadTrial::Sent { sequence } = self.trial else { return true };
        if !self.channel.send.is_acknowledged(sequence) {
            return false;
        }
        // What was replaced may have arrived all the same, but too late to be worth it.
        if self.channel.send.has_replaced() {
            self.trial = PayloadTrial::Refused;
        } else {
            self.trial = PayloadTrial::Accepted;
            self.payload = self.config.larger_payload.unwrap_or(self.payload);
        }
        true
    }
}
