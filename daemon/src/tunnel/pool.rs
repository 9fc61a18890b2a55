//! How many sessions a tunnel has, and which of them end. Pure: no clock, no task; `now` is always the last argument.
//!
//! The first session is the lifecycle's, which opens, resumes and replaces it whatever the pool thinks. Beside it the pool asks
//! for members: sessions to the same target that take new connections too, so that no connection waits behind another's bulk
//! while `max_sessions` allows (connections cannot move later). Which session a connection gets is `choice.rs`'s, how busy
//! one is `load.rs`'s.
//!
//! - A further session opens ahead, when each one in use carries something lastingly: then there is an unused one for the next
//!   connection. As many are opened as lasting connections share a busy session: who opens several at once does so
//!   again. Connections that carry nothing ask for none.
//! - What is not used and not in reserve in this way for 30 s ends.
//! - A pool that cannot grow is no trouble of the tunnel's: it is tried again later.
//!
//! Drive it with [`Pool::look`] and `handle_*`, then drain [`Pool::poll_action`], then look at [`Pool::poll_timeout`].

mod allowance;
mod choice;
mod load;

pub(crate) use allowance::Allowances;
pub(super) use choice::{Candidate, Choice, choose};
pub(super) use load::{Figures, Gauge, INTERVAL, Level, Load};

use super::backoff::Backoff;
use super::cause::Retry;
use super::lifecycle::retire_after;
use allowance::Allowance;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A session that nobody uses, and that is in reserve for nobody, ends after this.
const UNUSED: Duration = Duration::from_secs(30);
/// A lost channel is most often back within a moment: for so long its session stands in for a new one.
const RESUMES: Duration = Duration::from_secs(10);
/// So many are opened side by side: AWS needs half a second for one, and counts calls.
const AT_ONCE: usize = 4;
/// So many of a tunnel may open in a row, then one in so long. Enough for the largest pool twice over.
const BURST: u32 = 32;
const EVERY: Duration = Duration::from_secs(10);

/// A session's name at AWS.
pub(super) type SessionId = Arc<str>;

/// A session that takes new connections, as the pool sees it.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) id: SessionId,
    pub(super) since: Instant,
    pub(super) streams: usize,
    pub(super) load: Load,
    /// Its channel works, as far as is known.
    pub(super) carries: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Open a session beside those there are.
    Open,
    /// Let this one take no new connections; it ends with the last it has.
    Retire(SessionId),
    /// The same, if it still has none.
    Release(SessionId),
}

#[derive(Debug)]
struct Known {
    view: View,
    /// Since when it is neither used nor in reserve.
    unused_since: Option<Instant>,
    /// Since when it has no channel.
    lost_since: Option<Instant>,
}

impl Known {
    /// When it is of no use any more to the next connection, if nothing changes; now or earlier if it is of none now.
    fn stands_by_until(&self) -> Option<Instant> {
        self.lost_since.map(|since| since + RESUMES)
    }
}

/// The machine.
#[derive(Debug)]
pub(super) struct Pool {
    most: usize,
    /// How long a session may live, as far as is known.
    longest: Option<Duration>,
    /// The first is the lifecycle's.
    sessions: Vec<Known>,
    /// The tunnel is well enough to have more.
    may_grow: bool,
    opening: usize,
    /// A connection found only sessions in which it waits behind others.
    crowded: bool,
    retry_at: Option<Instant>,
    wake_at: Option<Instant>,
    backoff: Backoff,
    allowance: Allowance,
    actions: VecDeque<Action>,
}

impl Pool {
    pub(super) fn new(most: usize, seed: u64, now: Instant) -> Self {
        Self {
            most,
            longest: None,
            sessions: Vec::new(),
            may_grow: false,
            opening: 0,
            crowded: false,
            retry_at: None,
            wake_at: None,
            backoff: Backoff::new(seed),
            allowance: Allowance::new(BURST, EVERY, now),
            actions: VecDeque::new(),
        }
    }

    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.wake_at
    }

    /// Whether there can be more than one session.
    pub(super) fn is_wanted(&self) -> bool {
        self.most > 1
    }

    pub(super) fn is_opening(&self) -> bool {
        self.opening > 0
    }

    /// Whether a connection that waits a moment may find another session.
    pub(super) fn is_growing(&self) -> bool {
        self.opening > 0 || (self.may_grow && self.retry_at.is_none() && self.sessions.len() < self.most)
    }

    /// `max_sessions` is another.
    pub(super) fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// So long may sessions live.
    pub(super) fn set_longest(&mut self, longest: Duration) {
        self.longest = Some(longest);
    }

    /// The sessions that take new connections, the lifecycle's first, and whether the tunnel is well enough to have more.
    pub(super) fn look(&mut self, views: Vec<View>, may_grow: bool, now: Instant) {
        self.may_grow = may_grow;
        let before = std::mem::take(&mut self.sessions);
        let known = |view: View| {
            let before = before.iter().find(|known| known.view.id == view.id);
            let since = |was: Option<Instant>, is: bool| is.then(|| was.unwrap_or(now));
            Known {
                unused_since: since(before.and_then(|known| known.unused_since), view.streams == 0),
                lost_since: since(before.and_then(|known| known.lost_since), !view.carries),
                view,
            }
        };
        self.sessions = views.into_iter().map(known).collect();
        self.decide(now);
    }

    /// A connection found only sessions in which it waits behind others.
    pub(super) fn handle_crowd(&mut self, now: Instant) {
        self.crowded = true;
        self.decide(now);
    }

    /// What [`Action::Open`] asked for is there.
    pub(super) fn handle_opened(&mut self) {
        self.opening = self.opening.saturating_sub(1);
        self.backoff.reset();
        self.retry_at = None;
    }

    /// It is not to be had.
    pub(super) fn handle_failed(&mut self, retry: Retry, now: Instant) {
        self.opening = self.opening.saturating_sub(1);
        // Nobody waits for it, and each try costs the target something.
        self.backoff.skip_short();
        self.retry_at = Some(now + self.backoff.pause(retry));
        self.decide(now);
    }

    /// It may not be asked for before then.
    pub(super) fn handle_postponed(&mut self, until: Instant, now: Instant) {
        self.opening = self.opening.saturating_sub(1);
        self.retry_at = Some(until);
        self.decide(now);
    }

    /// Whatever was in the way may not be there any more.
    pub(super) fn handle_nudge(&mut self, spread: Duration, now: Instant) {
        if let Some(at) = self.retry_at {
            self.backoff.reset();
            self.retry_at = Some(at.min(now + self.backoff.within(spread)));
            self.decide(now);
        }
    }

    /// Nothing is wanted any more, nor what is being opened.
    pub(super) fn clear(&mut self) {
        self.sessions.clear();
        self.opening = 0;
        self.crowded = false;
        self.retry_at = None;
        self.wake_at = None;
        self.actions.clear();
    }

    /// A deadline of [`Self::poll_timeout`] has passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.decide(now);
    }

    fn decide(&mut self, now: Instant) {
        self.wake_at = None;
        self.retire_old(now);
        self.retire_excess();
        self.release_unused(now);
        self.grow(now);
    }

    /// Before the service ends a session it takes no new connections for a while, as the lifecycle's.
    fn retire_old(&mut self, now: Instant) {
        let Some(life) = self.longest.map(retire_after) else { return };
        let old: Vec<SessionId> =
            self.members().filter(|view| view.since + life <= now).map(|view| view.id.clone()).collect();
        for id in old {
            self.retire(Action::Retire(id.clone()), &id);
        }
        let next = self.members().map(|view| view.since + life).min();
        self.wake(next);
    }

    /// There are more than there may be: an edit has lowered the number.
    fn retire_excess(&mut self) {
        while self.sessions.len() > self.most.max(1) {
            let Some(least) = self.members().min_by_key(|view| (view.carries, view.streams, Reverse(view.since)))
            else {
                return;
            };
            let id = least.id.clone();
            self.retire(Action::Retire(id.clone()), &id);
        }
    }

    fn release_unused(&mut self, now: Instant) {
        let is_used = self.sessions.iter().any(|known| known.view.streams > 0);
        // The last one is the lifecycle's to park.
        let reserve = if is_used { self.reserve(|load| load.level >= Level::Active) } else { 1 };
        let mut unused: Vec<&mut Known> = self.sessions.iter_mut().filter(|known| known.view.streams == 0).collect();
        // The order of the list breaks ties: the lifecycle's stays, which costs no change of hands.
        unused.sort_by_key(|known| !known.view.carries);
        for kept in unused.iter_mut().take(reserve) {
            kept.unused_since = Some(now);
        }
        let deadline = |known: &Known| known.unused_since.map(|since| since + UNUSED);
        let due = |known: &&mut Known| deadline(known).is_some_and(|at| at <= now);
        let rest = unused.into_iter().skip(reserve);
        let (over, waiting): (Vec<_>, Vec<_>) = rest.partition(due);
        let next = waiting.iter().filter_map(|known| deadline(known)).min();
        let over: Vec<SessionId> = over.into_iter().map(|known| known.view.id.clone()).collect();
        for id in over {
            self.retire(Action::Release(id.clone()), &id);
        }
        self.wake(next);
    }

    /// How many unused sessions are worth having: one if all that are used carry something `lastingly`, and one for each
    /// lasting connection that has to share a busy session.
    fn reserve(&self, lastingly: impl Fn(&Load) -> bool) -> usize {
        let mut used =
            self.sessions.iter().map(|known| &known.view).filter(|view| view.streams > 0 && view.carries).peekable();
        let next = used.peek().is_some()
            && self.sessions.iter().all(|known| {
                let View { streams, carries, load, .. } = &known.view;
                *streams == 0 || !carries || lastingly(load)
            });
        let is_busy = |load: &Load| load.level == Level::Busy && lastingly(load);
        let sharing: usize =
            used.filter(|view| is_busy(&view.load)).map(|view| view.load.active.saturating_sub(1)).sum();
        sharing.max(usize::from(next))
    }

    fn grow(&mut self, now: Instant) {
        let crowded = std::mem::take(&mut self.crowded);
        if !self.may_grow {
            return;
        }
        let wanted = self.reserve(|load| load.lasts).max(usize::from(crowded));
        if wanted == 0 {
            return;
        }
        let unused = self.sessions.iter().filter(|known| known.view.streams == 0);
        let standing_by = unused.filter(|known| known.stands_by_until().is_none_or(|until| until > now));
        let (standing_by, lost_at) = standing_by.fold((0, None), |(count, lost_at), known| {
            (count + 1, [lost_at, known.stands_by_until()].into_iter().flatten().min())
        });
        self.wake(lost_at);
        let spare = standing_by + self.opening;
        let room = self.most.saturating_sub(self.sessions.len() + self.opening);
        let more = wanted.saturating_sub(spare).min(room).min(AT_ONCE.saturating_sub(self.opening));
        if more == 0 {
            return;
        }
        if let Some(at) = self.retry_at.filter(|at| *at > now) {
            return self.wake(Some(at));
        }
        self.retry_at = None;
        for _ in 0..more {
            match self.allowance.take(now) {
                Ok(()) => {
                    self.opening += 1;
                    self.actions.push_back(Action::Open);
                }
                Err(at) => {
                    self.retry_at = Some(at);
                    return self.wake(Some(at));
                }
            }
        }
    }

    fn retire(&mut self, action: Action, id: &SessionId) {
        self.sessions.retain(|known| known.view.id != *id);
        self.actions.push_back(action);
    }

    fn members(&self) -> impl Iterator<Item = &View> {
        self.sessions.iter().skip(1).map(|known| &known.view)
    }

    fn wake(&mut self, at: Option<Instant>) {
        self.wake_at = [self.wake_at, at].into_iter().flatten().min();
    }
}

#[cfg(test)]
mod tests;
