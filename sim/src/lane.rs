//! One direction of one session's relay: an ordered, bounded delay line.
//!
//! Whoever receives from one side's socket pushes, whoever sends to the other side's takes. Latency is a
//! due time on each message, a rate is a link that is busy until a moment in the future: no message
//! sleeps for itself, order is kept, and a full lane makes the pusher wait, which stops it reading
//! its socket. Faults that touch single messages (duplicates, reordering, losses, damage) happen on the way in.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ssm_proto::message::{MessageHead, MessageType};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::damage;
use crate::dice::Dice;
use crate::faults::{Away, Faults};

/// Bytes that wait for a slow reader. More than a client's window of unacknowledged data, so that
/// a stalled target does not keep the gateway from seeing the client's pings, as far as we know
/// like the real one.
const BASE_CAPACITY: usize = 4 << 20;
/// What the path itself holds grows with its latency (bandwidth × delay) up to this.
const PATH_CAPACITY: usize = 64 << 20;
/// The bandwidth assumed where no rate is set, bytes per second.
const ASSUMED_BANDWIDTH: f64 = 512e6;
/// Bytes that may queue for a link with a rate: about 100 ms at the 600 kB/s of a real session.
const LINK_QUEUE: f64 = 64.0 * 1024.0;
/// Most messages and bytes taken at a time; bounds how long the lock is held and how much is
/// written before a flush.
const BATCH_MESSAGES: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// A delay line from one side of a session to the other.
#[derive(Debug)]
pub(crate) struct Lane {
    dice: Dice,
    state: Mutex<State>,
    /// Something to take, or another taker.
    readable: Notify,
    /// Room to push.
    writable: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Parcel>,
    /// Acknowledgements that take their time; data overtakes them.
    slow_acks: VecDeque<Parcel>,
    /// In both queues.
    bytes: usize,
    /// The message that the next one overtakes.
    held: Option<Bytes>,
    /// Until when the link is busy with what was pushed.
    link_free: Option<Instant>,
    last_due: Option<Instant>,
    taker: Taker,
    /// Nothing goes in any more.
    finished: bool,
}

#[derive(Debug)]
struct Parcel {
    due: Option<Instant>,
    bytes: Bytes,
}

/// Who takes messages out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Taker {
    /// Nobody has come yet: what is pushed waits.
    #[default]
    NotYet,
    /// The socket with this epoch.
    Here(u64),
    /// It was there and is gone: [`Away`] decides.
    Away,
}

/// What [`Lane::take`] has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// At least one message.
    Some,
    /// Another socket takes from this lane now.
    Replaced,
    /// The lane is finished and empty.
    Finished,
}

/// Whether a message can go in now.
enum Room {
    Yes,
    Full,
    LinkBusyUntil(Instant),
}

impl Lane {
    /// `dice` decide about every message of this lane, and of no other.
    pub(crate) fn new(dice: Dice) -> Self {
        Self { dice, state: Mutex::default(), readable: Notify::new(), writable: Notify::new() }
    }

    /// Lets the socket `epoch` take messages, instead of any before.
    pub(crate) fn attach(&self, epoch: u64) {
        self.lock().taker = Taker::Here(epoch);
        self.readable.notify_waiters();
    }

    /// The socket `epoch` is gone; one that has replaced it stays.
    pub(crate) fn detach(&self, epoch: u64, away: Away) {
        let mut state = self.lock();
        if state.taker != Taker::Here(epoch) {
            return;
        }
        state.taker = Taker::Away;
        if away == Away::Drop {
            state.queue.clear();
            state.slow_acks.clear();
            state.held = None;
            state.bytes = 0;
        }
        drop(state);
        self.writable.notify_waiters();
    }

    /// Pushes all of `batch` in order, waiting for room. What is left in `batch` when the future is
    /// dropped was not pushed.
    pub(crate) async fn push(&self, batch: &mut VecDeque<Bytes>, faults: &Faults) {
        while !batch.is_empty() {
            // Before the look: a wake-up between the look and the wait is not lost.
            let room_made = self.writable.notified();
            let room = {
                let mut state = self.lock();
                let now = Instant::now();
                loop {
                    if batch.is_empty() {
                        break Room::Yes;
                    }
                    match state.room(now, faults) {
                        Room::Yes => {
                            if let Some(bytes) = batch.pop_front() {
                                state.accept(bytes, now, faults, &self.dice);
                            }
                        }
                        no => break no,
                    }
                }
            };
            self.readable.notify_one();
            match room {
                Room::Yes => {}
                Room::Full => room_made.await,
                Room::LinkBusyUntil(moment) => sleep_until(moment).await,
            }
        }
    }

    /// Lets nothing in any more; what is inside can still be taken.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.readable.notify_waiters();
        self.writable.notify_waiters();
    }

    /// Takes what is due, at least one message, for the socket `epoch`.
    pub(crate) async fn take(&self, epoch: u64, into: &mut VecDeque<Bytes>) -> Taken {
        loop {
            let news = self.readable.notified();
            let head_due = {
                let mut state = self.lock();
                if state.taker != Taker::Here(epoch) {
                    drop(state);
                    // The wake-up may have been meant for the successor.
                    self.readable.notify_one();
                    return Taken::Replaced;
                }
                state.take_due(Instant::now(), into);
                if into.is_empty() && state.finished && state.queue.is_empty() && state.slow_acks.is_empty() {
                    return Taken::Finished;
                }
                [&state.queue, &state.slow_acks].into_iter().filter_map(|queue| queue.front()?.due).min()
            };
            if !into.is_empty() {
                self.writable.notify_one();
                return Taken::Some;
            }
            match head_due {
                None => news.await,
                Some(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = news => {}
                },
            }
        }
    }

    /// Bytes inside.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn room(&self, now: Instant, faults: &Faults) -> Room {
        if self.finished || self.taker == Taker::Away {
            // Never waited for: what does not fit is lost, and its sender sends it again.
            return Room::Yes;
        }
        if self.bytes >= capacity(faults) {
            return Room::Full;
        }
        if let (Some(rate), Some(free)) = (faults.rate_bytes_per_s, self.link_free) {
            let queue = Duration::from_secs_f64(LINK_QUEUE / rate as f64);
            if free > now + queue {
                return Room::LinkBusyUntil(free - queue);
            }
        }
        Room::Yes
    }

    fn accept(&mut self, bytes: Bytes, now: Instant, faults: &Faults, dice: &Dice) {
        if self.finished {
            return;
        }
        if self.taker == Taker::Away && (faults.away == Away::Drop || self.bytes >= capacity(faults)) {
            return;
        }
        let head = faults.sort_messages().then(|| MessageHead::peek(&bytes)).flatten();
        let is = |wanted: MessageType| head.as_ref().is_some_and(|head| head.message_type == wanted);
        let is_ack = is(MessageType::Acknowledge);
        if is_ack && dice.chance(faults.drop_acks) {
            return;
        }
        if dice.chance(faults.garbage) {
            self.enqueue(damage::garbage(&bytes, dice), now, faults, dice);
        }
        let is_data = is(MessageType::InputStreamData) || is(MessageType::OutputStreamData);
        let bytes = if is_data && dice.chance(faults.corrupt) { damage::corrupted(&bytes, dice) } else { bytes };
        if is_ack && faults.ack_delay_ms > 0 {
            return self.enqueue_slowly(bytes, now, faults, dice);
        }
        let copy = dice.chance(faults.duplicate).then(|| bytes.clone());
        if self.held.is_none() && dice.chance(faults.reorder) {
            self.held = Some(bytes);
        } else {
            self.enqueue(bytes, now, faults, dice);
            if let Some(overtaken) = self.held.take() {
                self.enqueue(overtaken, now, faults, dice);
            }
        }
        if let Some(copy) = copy {
            self.enqueue(copy, now, faults, dice);
        }
    }

    fn enqueue(&mut self, bytes: Bytes, now: Instant, faults: &Faults, dice: &Dice) {
        let sent = faults.rate_bytes_per_s.map(|rate| {
            let start = self.link_free.map_or(now, |free| free.max(now));
            start + Duration::from_secs_f64(bytes.len() as f64 / rate as f64)
        });
        self.link_free = sent;
        let spike = if dice.chance(faults.spike) { faults.spike() } else { Duration::ZERO };
        let delay = faults.latency() + dice.up_to(faults.jitter()) + spike;
        let due = match sent {
            None if delay.is_zero() => None,
            sent => Some(sent.unwrap_or(now) + delay),
        };
        // A shorter delay than the predecessor's must not overtake it.
        let due = due.max(self.last_due.filter(|last| *last > now));
        self.last_due = due;
        self.bytes += bytes.len();
        self.queue.push_back(Parcel { due, bytes });
    }

    /// An acknowledgement in a queue of its own, outside of the link's rate: it is small.
    fn enqueue_slowly(&mut self, bytes: Bytes, now: Instant, faults: &Faults, dice: &Dice) {
        let due = now + faults.latency() + dice.up_to(faults.jitter()) + faults.ack_delay();
        let due = Some(due).max(self.slow_acks.back().and_then(|last| last.due));
        self.bytes += bytes.len();
        self.slow_acks.push_back(Parcel { due, bytes });
    }

    fn take_due(&mut self, now: Instant, into: &mut VecDeque<Bytes>) {
        let mut taken = 0;
        for queue in [&mut self.slow_acks, &mut self.queue] {
            while into.len() < BATCH_MESSAGES && taken < BATCH_BYTES {
                let is_due = |parcel: &mut Parcel| parcel.due.is_none_or(|due| due <= now);
                let Some(parcel) = queue.pop_front_if(is_due) else {
                    break;
                };
                self.bytes -= parcel.bytes.len();
                taken += parcel.bytes.len();
                into.push_back(parcel.bytes);
            }
        }
    }
}

fn capacity(faults: &Faults) -> usize {
    let delay = faults.latency() + faults.jitter();
    let bandwidth = faults.rate_bytes_per_s.map_or(ASSUMED_BANDWIDTH, |rate| rate as f64);
    let on_the_path = (bandwidth * delay.as_secs_f64()).min(PATH_CAPACITY as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 64 MiB")]
    let on_the_path = on_the_path as usize;
    BASE_CAPACITY + on_the_path
}

#[cfg(test)]
mod tests;
