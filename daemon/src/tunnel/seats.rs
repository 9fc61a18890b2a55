//! The connections of one session: who has a seat, what moves, and when the last has left.
//!
//! Connections take a seat before they open a stream and leave it when they are over; the tunnel's task measures,
//! and closes the door of a session that takes no more. One short lock for each session, held for a step at a
//! connection's begin and end and for a measurement; bytes are counted without it.

use super::pool::Load;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Bulk connections that share an agent move one after the other: the official one reads up to 32 KiB of one before it looks at
/// the next, which it then sends for 45 ms (docs/protocol.md §10.1). A second sees a turn of twenty of them.
const LATELY: Duration = Duration::from_secs(1);
/// Who moves a second time within this did not do so by chance, with however many others it takes turns.
const AGAIN: Duration = Duration::from_secs(10);

/// All seats of a session.
#[derive(Debug, Default)]
pub(super) struct Seats {
    room: Mutex<Room>,
    /// Closed, or somebody has left.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Room {
    is_closed: bool,
    taken: BTreeMap<u64, Taken>,
    /// Seats taken so far.
    entered: u64,
    /// As of the last measurement, with the seats taken until then.
    load: Load,
    entered_then: u64,
}

#[derive(Debug)]
struct Taken {
    flow: Arc<Flow>,
    /// Bytes at the last measurement.
    seen: u64,
    /// The last measurement that found new ones.
    moved_at: Option<Instant>,
    /// It was not the first of late.
    moved_again: bool,
}

impl Taken {
    /// Bytes since the last measurement.
    fn measure(&mut self, now: Instant) -> u64 {
        let carried = self.flow.carried.load(Relaxed);
        let bytes = carried - std::mem::replace(&mut self.seen, carried);
        if bytes > 0 {
            self.moved_again = self.moved_within(AGAIN, now);
            self.moved_at = Some(now);
        }
        bytes
    }

    /// It carries something all the while.
    fn is_active(&self, now: Instant) -> bool {
        self.moved_again && self.moved_within(LATELY, now)
    }

    fn moved_within(&self, time: Duration, now: Instant) -> bool {
        self.moved_at.is_some_and(|at| now.saturating_duration_since(at) <= time)
    }
}

/// What one connection carries.
#[derive(Debug, Default)]
pub(super) struct Flow {
    carried: AtomicU64,
    stir: Arc<Stir>,
}

impl Flow {
    /// Counts bytes, whichever way they went.
    pub(super) fn count(&self, bytes: usize) {
        self.carried.fetch_add(bytes as u64, Relaxed);
        self.stir.stir();
    }
}

/// Tells a tunnel's task that something moves again; silent unless asked to tell.
#[derive(Debug, Default)]
pub(super) struct Stir {
    is_awaited: AtomicBool,
    stirred: Notify,
}

impl Stir {
    fn stir(&self) {
        // Nearly always nobody waits: a load and no store.
        if self.is_awaited.load(Relaxed) && self.is_awaited.swap(false, Relaxed) {
            self.stirred.notify_one();
        }
    }

    /// Asks to be told of the next byte.
    pub(super) fn arm(&self) {
        self.is_awaited.store(true, Relaxed);
    }

    /// Waits for the next byte after [`Self::arm`]. Cancel-safe.
    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }
}

/// What moved in a session between two measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Bytes of all connections that are open, both ways.
    pub(super) bytes: u64,
    /// Connections that carry something all the while: of late, and not for the first time.
    pub(super) active: usize,
}

/// How full a session is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Occupancy {
    pub(super) streams: usize,
    /// Those of them, or of others that have left since, which came after the last measurement.
    pub(super) fresh: usize,
    pub(super) load: Load,
    pub(super) is_closed: bool,
}

/// A connection's seat; dropping it leaves.
#[derive(Debug)]
pub(super) struct Seat {
    of: Arc<Seats>,
    number: u64,
    flow: Arc<Flow>,
}

impl Seat {
    pub(super) fn flow(&self) -> &Flow {
        &self.flow
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut room = self.of.room();
        room.taken.remove(&self.number);
        if room.taken.is_empty() {
            // What was measured left with them.
            room.load = Load::default();
            room.entered_then = room.entered;
        }
        drop(room);
        self.of.changed.notify_waiters();
    }
}

impl Seats {
    /// Takes a seat if there are as many connections as were `seen`, and nobody has closed the door: whoever
    /// came in between may have made another session the better one.
    pub(super) fn enter(self: &Arc<Self>, seen: usize, stir: &Arc<Stir>) -> Option<Seat> {
        let mut room = self.room();
        if room.is_closed || room.taken.len() != seen {
            return None;
        }
        let flow = Arc::new(Flow { carried: AtomicU64::new(0), stir: Arc::clone(stir) });
        let number = room.entered;
        room.entered += 1;
        room.taken.insert(number, Taken { flow: Arc::clone(&flow), seen: 0, moved_at: None, moved_again: false });
        Some(Seat { of: Arc::clone(self), number, flow })
    }

    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.room().taken.len()
    }

    pub(super) fn occupancy(&self) -> Occupancy {
        let room = self.room();
        let fresh = usize::try_from(room.entered - room.entered_then).unwrap_or(usize::MAX);
        Occupancy { streams: room.taken.len(), fresh, load: room.load, is_closed: room.is_closed }
    }

    /// What has moved since the last time.
    pub(super) fn measure(&self, now: Instant) -> Moved {
        let mut moved = Moved::default();
        for taken in self.room().taken.values_mut() {
            moved.bytes += taken.measure(now);
            moved.active += usize::from(taken.is_active(now));
        }
        moved
    }

    /// What a measurement has come to.
    pub(super) fn set_load(&self, load: Load) {
        let mut room = self.room();
        room.load = load;
        room.entered_then = room.entered;
    }

    /// Nobody gets a seat any more; who has one keeps it.
    pub(super) fn close(&self) {
        self.room().is_closed = true;
        self.changed.notify_waiters();
    }

    /// The same, unless somebody has a seat; says whether it is closed.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut room = self.room();
        room.is_closed |= room.taken.is_empty();
        let is_closed = room.is_closed;
        drop(room);
        self.changed.notify_waiters();
        is_closed
    }

    /// Waits until the door is closed and the last connection has left. Cancel-safe.
    pub(super) async fn vacated(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let room = self.room();
                if room.is_closed && room.taken.is_empty() {
                    return;
                }
            }
            changed.await;
        }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        // Plain numbers: a panic elsewhere leaves none of them half written.
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn a_seat_is_taken_only_in_the_room_that_was_seen() {
        let (seats, stir) = (Arc::new(Seats::default()), Arc::default());
        let first = seats.enter(0, &stir).expect("it is empty");
        assert!(seats.enter(0, &stir).is_none(), "another was faster");
        let second = seats.enter(1, &stir).unwrap();
        assert!(!seats.close_if_empty());
        drop(first);
        assert_eq!(seats.len(), 1);
        seats.close();
        assert!(seats.enter(1, &stir).is_none(), "the door is closed");
        assert!(seats.vacated().now_or_never().is_none());
        let vacated = tokio::spawn({
            let seats = Arc::clone(&seats);
            async move { seats.vacated().await }
        });
        tokio::task::yield_now().await;
        drop(second);
        vacated.await.unwrap();
    }

    #[test]
    fn an_empty_room_can_be_closed_before_anybody_comes() {
        let seats = Arc::new(Seats::default());
        assert!(seats.close_if_empty());
        assert!(seats.enter(0, &Arc::default()).is_none());
        assert!(seats.vacated().now_or_never().is_some());
    }

    #[test]
    fn what_moves_is_measured_and_who_came_since_is_fresh() {
        let (seats, stir) = (Arc::new(Seats::default()), Arc::default());
        let [busy, idle] = [0, 1].map(|seen| seats.enter(seen, &stir).unwrap());
        assert_eq!(seats.occupancy().fresh, 2);
        busy.flow().count(10);
        let now = Instant::now();
        assert_eq!(seats.measure(now), Moved { bytes: 10, active: 0 }, "once may be chance");
        seats.set_load(Load::default());
        assert_eq!(seats.occupancy().fresh, 0);
        busy.flow().count(5);
        assert_eq!(seats.measure(now), Moved { bytes: 5, active: 1 });
        assert_eq!(seats.measure(now + LATELY), Moved { bytes: 0, active: 1 }, "others' turn");
        assert_eq!(seats.measure(now + LATELY * 2), Moved::default());
        seats.set_load(Load { active: 1, ..Load::default() });
        drop(idle);
        assert_eq!((seats.occupancy().streams, seats.occupancy().load.active), (1, 1));
        drop(busy);
        assert_eq!(seats.occupancy(), Occupancy::default(), "an empty session has no load");
    }

    #[test]
    fn who_takes_turns_with_many_others_is_active_and_who_asks_now_and_then_is_not() {
        let (seats, stir) = (Arc::new(Seats::default()), Arc::default());
        let bulk: Vec<Seat> = (0..16).map(|seen| seats.enter(seen, &stir).unwrap()).collect();
        let question = seats.enter(16, &stir).unwrap();
        let start = Instant::now();
        let mut turns = bulk.iter().cycle();
        for interval in 0..100u32 {
            // What the official agent sends of one is 45 ms long, so it gets to five or six in an interval.
            turns.by_ref().take(5).for_each(|seat| seat.flow().count(32 * 1024));
            if interval % 48 == 0 {
                question.flow().count(100);
            }
            let moved = seats.measure(start + Duration::from_millis(250) * interval);
            assert!(interval < 8 || moved.active == 16, "{moved:?} after {interval} intervals");
        }
    }

    #[tokio::test]
    async fn the_first_byte_after_it_was_asked_for_is_told_once() {
        let stir = Arc::new(Stir::default());
        let flow = Flow { carried: AtomicU64::new(0), stir: Arc::clone(&stir) };
        flow.count(1);
        assert!(stir.stirred().now_or_never().is_none(), "nobody asked");
        stir.arm();
        flow.count(1);
        flow.count(1);
        assert!(stir.stirred().now_or_never().is_some());
        assert!(stir.stirred().now_or_never().is_none());
    }
}
