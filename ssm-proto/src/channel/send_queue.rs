//! Numbering, copies in flight, retransmission (`docs/protocol.md` §4.1–4.3, §7.5).
//!
//! Acknowledgements are per message, never cumulative, so each message has its own timeout. A message that was overtaken,
//! that is, one sent later was acknowledged already, is due as soon as its own acknowledgement is later than the path ever
//! makes it: over an ordered transport that means a loss, and waiting for the full timeout would only cost time. Nothing
//! overtakes the last ones, so a [`TailProbe`] asks for them.
//!
//! A timeout without such evidence may as well be a path that stands still: then a few are sent again, and every
//! acknowledgement that comes releases two more, so that a stall of some seconds does not put the whole window on the path
//! a second time. If what comes can only be an answer to the first copies, the path stood still, and nothing more is repeated.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::congestion::{CongestionWindow, Measurement};
use super::rtt::RttEstimator;
use super::tail_probe::TailProbe;
use crate::config::{Config, Resend};

/// How many messages a timeout sends again before the next acknowledgement.
const BURST: usize = 16;
/// How many more each acknowledgement releases.
const BURST_GROWTH: usize = 2;

/// A message that was sent and not acknowledged.
#[derive(Debug)]
struct InFlight {
    /// The encoded frame: a retransmission is identical to the byte. `None` once acknowledged, while older ones are not.
    frame: Option<Bytes>,
    first_sent_at: Instant,
    /// The last time.
    sent_at: Instant,
    transmissions: u32,
    /// Bytes in flight after it was first sent.
    flight: usize,
    /// What a resend sends in its place.
    replacement: Option<Bytes>,
}

#[derive(Debug)]
pub(crate) struct SendQueue {
    resend: Resend,
    window: CongestionWindow,
    max_messages: usize,
    /// Sequence number of `in_flight`'s front.
    base: i64,
    in_flight: VecDeque<InFlight>,
    /// Messages and frame bytes in flight that are not acknowledged.
    messages: usize,
    bytes: usize,
    /// Sequence numbers to send again now, oldest first.
    due: VecDeque<i64>,
    /// How many of them may go now.
    resend_budget: usize,
    /// They are due for a timeout alone, and nothing has come since that was sent before.
    in_doubt: bool,
    /// When to look for timeouts; never later than the first of them.
    check_at: Option<Instant>,
    /// When an acknowledgement last freed something: as long as they come, what was sent behind is late but not lost.
    progress_at: Option<Instant>,
    /// Latest transmission known to have arrived. What was sent in the same moment went in the order of its numbers.
    newest_arrived: Option<(Instant, i64)>,
    rtt: RttEstimator,
    tail: TailProbe,
    retransmitted: u64,
    has_replaced: bool,
}

impl SendQueue {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            resend: config.resend,
            window: CongestionWindow::new(config),
            max_messages: config.max_in_flight_messages,
            base: 0,
            in_flight: VecDeque::new(),
            messages: 0,
            bytes: 0,
            due: VecDeque::new(),
            resend_budget: usize::MAX,
            in_doubt: false,
            check_at: None,
            progress_at: None,
            newest_arrived: None,
            rtt: RttEstimator::new(config),
            tail: TailProbe::new(config.resend == Resend::AllUnacknowledged),
            retransmitted: 0,
            has_replaced: false,
        }
    }

    /// The sequence number that the next [`SendQueue::push`] takes.
    pub(crate) fn next_sequence(&self) -> i64 {
        self.base + i64::try_from(self.in_flight.len()).expect("bounded by max_in_flight_messages")
    }

    /// Whether new data may be sent. Handshake and flags do not ask.
    pub(crate) fn has_room(&self) -> bool {
        // The second length counts acknowledged slots behind an old gap, so that they are bounded too.
        self.bytes < self.window.bytes()
            && self.messages < self.max_messages
            && self.in_flight.len() < 2 * self.max_messages
    }

    /// Keeps `frame`, the message with [`SendQueue::next_sequence`], which the caller transmits now.
    pub(crate) fn push(&mut self, frame: Bytes, now: Instant) {
        self.messages += 1;
        self.bytes += frame.len();
        self.in_flight.push_back(InFlight {
            frame: Some(frame),
            first_sent_at: now,
            sent_at: now,
            transmissions: 1,
            flight: self.bytes,
            replacement: None,
        });
        if self.check_at.is_none() {
            self.check_at = Some(match self.resend {
                Resend::AllUnacknowledged => now + self.rtt.timeout(),
                Resend::HeadOnly { tick } => now + tick,
            });
        }
        self.tail.handle_sent(self.rtt.tail(), now);
    }

    /// The same for a message in whose place each resend sends `replacement`.
    pub(crate) fn push_replaceable(&mut self, frame: Bytes, replacement: Bytes, now: Instant) {
        self.push(frame, now);
        if let Some(slot) = self.in_flight.back_mut() {
            slot.replacement = Some(replacement);
        }
    }

    /// Whether a message was replaced.
    pub(crate) fn has_replaced(&self) -> bool {
        self.has_replaced
    }

    /// Takes one acknowledgement; false if there is nothing to acknowledge (unknown and repeated ones are normal).
    pub(crate) fn acknowledge(&mut self, sequence: i64, now: Instant) -> bool {
        let base = self.window.base().unwrap_or_default();
        let Some(slot) = self.slot(sequence) else {
            return false;
        };
        let Some(frame) = slot.frame.take() else {
            return false;
        };
        // Of two copies an answer that comes much sooner than the path allows is to the first. Otherwise nobody can tell: the
        // base is itself a measurement, and who takes a quick answer to the second copy for a late one to the first believes
        // in a slow path, and waits where it should repeat.
        let is_certain = match slot.transmissions {
            1 => true,
            2 => now.saturating_duration_since(slot.sent_at) < base / 2,
            _ => false,
        };
        let (sent_at, flight) = (slot.first_sent_at, slot.flight);
        self.messages -= 1;
        self.bytes -= frame.len();
        self.progress_at = Some(now);
        self.resend_budget = self.resend_budget.saturating_add(BURST_GROWTH);
        // The official agent samples resent messages too, but its queue is not ours to be true to in that.
        let measurement = is_certain.then(|| Measurement { flight, rtt: now.saturating_duration_since(sent_at) });
        // Whichever copy it was, it was not sent before the first.
        self.newest_arrived = self.newest_arrived.max(Some((sent_at, sequence)));
        if let Some(Measurement { rtt, .. }) = measurement {
            self.rtt.sample(rtt);
            self.end_doubt(now);
        } else {
            self.rtt.possible_sample(now.saturating_duration_since(sent_at));
        }
        self.tail.handle_progress(self.messages > 0, self.rtt.tail(), now);
        self.window.acknowledge(sequence, measurement, self.next_sequence(), now);
        while self.in_flight.front().is_some_and(|slot| slot.frame.is_none()) {
            self.in_flight.pop_front();
            self.base += 1;
        }
        match self.in_flight.front() {
            None => self.check_at = None,
            Some(_) if self.resend != Resend::AllUnacknowledged => {}
            Some(head) => {
                let deadline = self.deadline(self.base, head);
                self.check_at = self.check_at.min(Some(deadline));
            }
        }
        true
    }

    /// Whether `sequence` was sent and acknowledged.
    pub(crate) fn is_acknowledged(&self, sequence: i64) -> bool {
        sequence < self.next_sequence() && self.get(sequence).is_none_or(|slot| slot.frame.is_none())
    }

    /// After a reconnect: everything unacknowledged is due, in order (§7.5). A head-only sender keeps to its ticks.
    pub(crate) fn handle_reconnect(&mut self, now: Instant) {
        self.rtt.reset_backoff();
        self.tail.reset();
        self.newest_arrived = None;
        self.resend_budget = usize::MAX;
        self.in_doubt = false;
        self.window.reset(self.next_sequence());
        if self.resend == Resend::AllUnacknowledged {
            self.due = self.unacknowledged().map(|(sequence, _)| sequence).collect();
            // What was due on the old path is not: the burst must not be cut short by a look at old deadlines.
            self.check_at = (!self.due.is_empty()).then(|| now + self.rtt.timeout());
        } else if !self.in_flight.is_empty() {
            self.check_at = Some(now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.tail.take_due(now) {
            self.probe_tail();
        }
        if self.check_at.is_none_or(|at| now < at) {
            return;
        }
        match self.resend {
            Resend::AllUnacknowledged => self.find_due(now),
            Resend::HeadOnly { tick } => {
                let timeout = self.rtt.timeout();
                if let Some(head) = self.in_flight.front()
                    && now.saturating_duration_since(head.sent_at) >= timeout
                    && self.due.is_empty()
                {
                    self.due.push_back(self.base);
                }
                self.check_at = (!self.in_flight.is_empty()).then(|| now + tick);
            }
        }
    }

    /// The next message to send again.
    pub(crate) fn poll_retransmit(&mut self, now: Instant) -> Option<Bytes> {
        while self.resend_budget > 0
            && let Some(sequence) = self.due.pop_front()
        {
            let Some(slot) = self.slot(sequence) else {
                continue;
            };
            let Some(mut frame) = slot.frame.clone() else {
                continue;
            };
            slot.sent_at = now;
            slot.transmissions += 1;
            if let Some(replacement) = slot.replacement.take() {
                slot.frame = Some(replacement.clone());
                let replaced = std::mem::replace(&mut frame, replacement);
                self.bytes -= replaced.len() - frame.len();
                self.has_replaced = true;
            }
            self.retransmitted += 1;
            self.resend_budget -= 1;
            if self.resend == Resend::AllUnacknowledged {
                let again = now + self.rtt.timeout();
                self.check_at = Some(self.check_at.map_or(again, |at| at.min(again)));
            }
            return Some(frame);
        }
        None
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.check_at, self.tail.poll_timeout()].into_iter().flatten().min()
    }

    /// Payload and header bytes sent and not acknowledged.
    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.bytes
    }

    pub(crate) fn messages_in_flight(&self) -> usize {
        self.messages
    }

    pub(crate) fn retransmitted(&self) -> u64 {
        self.retransmitted
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt.rtt()
    }

    /// Bytes that may be in flight now.
    pub(crate) fn window(&self) -> usize {
        self.window.bytes()
    }

    pub(crate) fn base_rtt(&self) -> Option<Duration> {
        self.window.base()
    }

    /// The path had only stood still: what was sent before the timeout arrives now, and need not be sent again. What is
    /// missing all the same will be overtaken.
    fn end_doubt(&mut self, now: Instant) {
        if std::mem::take(&mut self.in_doubt) {
            self.due.clear();
            self.resend_budget = usize::MAX;
            self.check_at = Some(now + self.rtt.timeout());
        }
    }

    fn probe_tail(&mut self) {
        let newest = self.in_flight.iter().rposition(|slot| slot.frame.is_some());
        // What has a replacement is itself a question, and has its own time to be answered.
        if let Some(newest) =
            newest.filter(|&newest| self.due.is_empty() && self.in_flight[newest].replacement.is_none())
        {
            self.due.push_back(self.base + i64::try_from(newest).expect("bounded by max_in_flight_messages"));
            self.resend_budget = self.resend_budget.max(1);
        }
    }

    fn find_due(&mut self, now: Instant) {
        if !self.due.is_empty() && self.resend_budget > 0 {
            // Released, but the transport has not taken it yet: another look would only begin anew.
            self.check_at = Some(now + self.rtt.timeout());
            return;
        }
        let timed_out = self
            .unacknowledged()
            .any(|(number, slot)| !self.is_overtaken(number, slot) && self.deadline(number, slot) <= now);
        // When one has timed out those sent behind it are in doubt as well; the budget says how many go at once. Waiting
        // for each one's own timeout would repair a lost tail at one message per doubled timeout.
        let (mut due, mut waiting) = (VecDeque::new(), None);
        for (number, slot) in self.unacknowledged() {
            let deadline = self.deadline(number, slot);
            if deadline <= now || (timed_out && slot.transmissions == 1) {
                due.push_back(number);
            } else {
                waiting = [waiting, Some(deadline)].into_iter().flatten().min();
            }
        }
        self.due = due;
        self.resend_budget = if timed_out { BURST } else { usize::MAX };
        self.in_doubt = timed_out;
        if timed_out {
            self.rtt.back_off();
            self.tail.give_way();
        }
        let again = (!self.due.is_empty()).then(|| now + self.rtt.timeout());
        // The deadlines of before a back-off are void.
        self.check_at = [again, waiting.filter(|_| !timed_out)].into_iter().flatten().min();
    }

    fn unacknowledged(&self) -> impl Iterator<Item = (i64, &InFlight)> {
        (self.base..).zip(&self.in_flight).filter(|(_, slot)| slot.frame.is_some())
    }

    fn deadline(&self, number: i64, slot: &InFlight) -> Instant {
        let is_overtaken = self.is_overtaken(number, slot);
        let from = match self.progress_at {
            // What comes is of messages behind it: that puts nothing off.
            _ if is_overtaken => slot.sent_at,
            Some(at) => at.max(slot.sent_at),
            None => slot.sent_at,
        };
        // A message that was sent again may have arrived, and its acknowledgements be lost: it is not hurried.
        let is_lost = is_overtaken && slot.transmissions == 1;
        from + if is_lost { self.rtt.expected() } else { self.rtt.timeout() }
    }

    /// A message that was first sent after its last copy has arrived.
    fn is_overtaken(&self, number: i64, slot: &InFlight) -> bool {
        self.newest_arrived.is_some_and(|newest| (slot.sent_at, number) < newest)
    }

    fn get(&self, sequence: i64) -> Option<&InFlight> {
        self.in_flight.get(usize::try_from(sequence.checked_sub(self.base)?).ok()?)
    }

    fn slot(&mut self, sequence: i64) -> Option<&mut InFlight> {
        self.in_flight.get_mut(usize::try_from(sequence.checked_sub(self.base)?).ok()?)
    }
}

#[cfg(test)]
mod tests;
