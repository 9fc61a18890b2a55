//! [`Driver`]: the one task of a session; it alone touches the transport.
//!
//! One task and no others: it starts with the session and ends when the session is over or nobody holds it any more. Being a
//! hand-written future rather than a `select!` loop, it can look at everything in each turn: what came in, what can go out,
//! which timer is due, what handles did – with one lock for all of it. A turn:
//!
//! 1. without the lock: read a batch of frames (unless the protocol wants none), go on writing what is queued;
//! 2. under the lock: frames in, timer, frames out if the last batch is flushed, events, next deadline;
//! 3. without the lock: wake whom the events concern, write and flush the new batch once.
//!
//! It waits only when the transport has nothing to read, nothing can be written or nothing is there to write, and the deadline
//! lies ahead; for each of these a waker is stored. Dropping the future at any point is safe: the transport closes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use ssm_proto::CloseReason;
use tokio::time::Sleep;

use crate::{
    error::TransportError,
    link::{Link, Look},
    shared::{Shared, now},
};

/// Turns before the task yields to others, however busy: half a millisecond, which a byte of another session may wait.
const TURNS_PER_POLL: usize = 2;

/// What is still queued at the end of a session, and the goodbye, may take so long.
const LINGER: Duration = Duration::from_secs(1);

/// Tokio's timer has this resolution. A deadline that stays in the past is waited for at least so long, so that no mistake in
/// the protocol can make this task spin.
const TIMER_RESOLUTION: Duration = Duration::from_millis(1);

/// The same while the transport takes nothing: what is overdue is most likely something to send, which cannot be.
const BLOCKED_RESOLUTION: Duration = Duration::from_millis(100);

pub(crate) struct Driver {
    shared: Arc<Shared>,
    link: Option<Link>,
    /// Of the transport in `link`.
    generation: u64,
    wants_input: bool,
    timer: Timer,
    /// The end is near: only what is queued still goes out, until then.
    linger: Option<Pin<Box<Sleep>>>,
    /// Kept for its capacity.
    wakers: Vec<Waker>,
}

enum Turn {
    Again,
    Wait,
}

/// What a turn found under the lock.
struct Step {
    deadline: Option<Instant>,
    /// The protocol has nothing more to send; unknown, so false, while the transport takes nothing.
    drained: bool,
    /// The transport was not there before: it was never asked for frames.
    is_new: bool,
    /// Replaced or lost: to be closed without the lock.
    old_link: Option<Link>,
    /// The transport is to be checked, with so much time for an answer.
    check: Option<Duration>,
    ending: bool,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            link: None,
            generation: 0,
            wants_input: true,
            timer: Timer::new(),
            linger: None,
            wakers: Vec::new(),
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        let mut again = false;
        let mut lost = None;
        if let Some(link) = &mut self.link {
            match if self.wants_input { link.poll_read(cx) } else { Look::Idle } {
                Look::Idle => lost = link.take_write_error(),
                Look::More => again = true,
                Look::Lost(error) => lost = Some(error),
            }
            let _ = link.poll_write(cx);
        }

        let read_paused = !self.wants_input;
        let step = self.step(cx, lost);
        drop(step.old_link);
        self.wakers.drain(..).for_each(Waker::wake);

        if step.ending {
            self.linger = Some(Box::pin(tokio::time::sleep(LINGER)));
            return Turn::Again;
        }
        if let Some(link) = &mut self.link {
            let written = link.poll_write(cx).is_ready();
            if let Some(deadline) = step.check {
                link.check(deadline);
                again = true; // it acts when it is asked for frames
            }
            again |= step.is_new || link.is_broken() || (written && !step.drained) || (read_paused && self.wants_input);
        }
        again |= self.timer.poll(cx, step.deadline).is_ready();
        if again { Turn::Again } else { Turn::Wait }
    }

    /// The part of a turn that holds the lock.
    fn step(&mut self, cx: &Context<'_>, lost: Option<TransportError>) -> Step {
        let mut state = self.shared.lock();
        let state = &mut *state;
        state.register_driver(cx.waker());
        let now = now();
        let mut old_link = None;
        let is_new = state.generation != self.generation;
        if is_new {
            // Frames of the old transport are void: whatever they were, its end will have them sent again.
            self.generation = state.generation;
            old_link = self.link.take();
            self.link = state.attached.take().map(Link::new);
        } else if let Some(link) = &mut self.link {
            for frame in link.take_incoming() {
                state.proto.handle_frame(frame, now);
            }
            if let Some(error) = lost {
                old_link = self.link.take();
                // News of the frames above is older than the loss, and must not be told after it.
                self.shared.drain_events(state, &mut self.wakers);
                self.shared.detach(state, error);
            }
        }
        if state.proto.poll_timeout().is_some_and(|deadline| deadline <= now) {
            state.proto.handle_timeout(now);
        }
        let (drained, resolution) = match &mut self.link {
            Some(link) if link.has_room() => (link.fill(|| state.proto.poll_transmit(now)), TIMER_RESOLUTION),
            Some(_blocked) => (false, BLOCKED_RESOLUTION),
            None => (true, TIMER_RESOLUTION),
        };
        let deadline = state.proto.poll_timeout();
        let deadline = deadline.map(|at| if at <= now { now + resolution } else { at });
        self.shared.drain_events(state, &mut self.wakers);
        self.wants_input = state.proto.wants_input();
        state.input_paused = !self.wants_input;
        let check = state.check.take();
        Step { deadline, drained, is_new, old_link, check, ending: state.over.is_some() || state.abandoned }
    }

    /// Sends what is still there and says goodbye.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(link) = &mut self.link else { return Poll::Ready(()) };
        loop {
            ready!(link.poll_write(cx));
            if link.is_broken() {
                return Poll::Ready(());
            }
            let mut state = self.shared.lock();
            let drained = link.fill(|| state.proto.poll_transmit(now()));
            if drained && link.has_room() {
                drop(state);
                return link.poll_close(cx);
            }
        }
    }
}

impl Drop for Driver {
    /// However the task ends, nobody may wait for it any more. After the session's own end this changes nothing.
    fn drop(&mut self) {
        self.shared.close(CloseReason::Aborted);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..TURNS_PER_POLL {
            if let Some(mut linger) = this.linger.take() {
                if this.poll_end(cx).is_ready() || linger.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                this.linger = Some(linger);
                return Poll::Pending;
            }
            match this.turn(cx) {
                Turn::Again => {}
                Turn::Wait => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The protocol's deadline on tokio's clock.
///
/// The deadline moves with every acknowledgement, nearly always later: then the timer stays as it is, fires early, and is set
/// anew. That costs a turn now and then instead of a timer entry per message.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    armed: Option<Instant>,
}

impl Timer {
    fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), armed: None }
    }

    /// Ready at `deadline`, or earlier.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.armed = None;
            return Poll::Pending;
        };
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.sleep.as_mut().reset(deadline.into());
            self.armed = Some(deadline);
        }
        ready!(self.sleep.as_mut().poll(cx));
        self.armed = None;
        Poll::Ready(())
    }
}
