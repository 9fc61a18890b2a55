//! Looks after a session beside the tunnel's first: a member of the pool, or one that takes no new connections and
//! ends with the last it has.
//!
//! Runs as a task of its own. Such a session is resumed like any other when its websocket is lost – its
//! connections are frozen meanwhile – and is given up only when AWS or its agent's silence says so, or when the
//! time for its connections is over. Whether it takes new ones is the task's to say, at its seats. It changes nothing
//! about the tunnel.

use super::channel::Channel;
use super::connect::{Live, ResumeError, channel_lost};
use super::nudge::{Nudge, Nudged};
use super::task::or_never;
use crate::clock;
use crate::tunnel::cause::Retry;
use futures_util::future::BoxFuture;
use ssm_session::SessionStatus;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tunnels_api::Cause;

/// How many sessions a tunnel has beside the first, and how many of these are frozen.
#[derive(Debug, Default)]
pub(super) struct Kept {
    all: AtomicU32,
    frozen: AtomicU32,
}

impl Kept {
    /// All of them, and those that are being resumed.
    pub(super) fn count(&self) -> (u32, u32) {
        (self.all.load(Relaxed), self.frozen.load(Relaxed))
    }
}

/// One session's share in these numbers; it can be taken back from either side, once.
#[derive(Debug)]
pub(super) struct Counted {
    of: Arc<Kept>,
    /// Behind a lock: keeper and task may change it at the same moment, and a count that is wrong once stays wrong.
    share: Mutex<Share>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    Carries,
    Frozen,
    /// For good.
    Gone,
}

impl Counted {
    pub(super) fn new(of: Arc<Kept>) -> Arc<Self> {
        of.all.fetch_add(1, Relaxed);
        Arc::new(Self { of, share: Mutex::new(Share::Carries) })
    }

    /// The session is not counted here any more.
    pub(super) fn leave(&self) {
        self.change(Share::Gone);
    }

    /// Says whether that is news.
    fn set_frozen(&self, frozen: bool) -> bool {
        self.change(if frozen { Share::Frozen } else { Share::Carries })
    }

    fn change(&self, to: Share) -> bool {
        let mut share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        let from = *share;
        if from == Share::Gone || from == to {
            return false;
        }
        *share = to;
        if from == Share::Frozen {
            self.of.frozen.fetch_sub(1, Relaxed);
        }
        match to {
            Share::Carries => {}
            Share::Frozen => drop(self.of.frozen.fetch_add(1, Relaxed)),
            Share::Gone => drop(self.of.all.fetch_sub(1, Relaxed)),
        }
        true
    }
}

/// What a keeper tells the tunnel's task.
#[derive(Debug)]
pub(super) enum KeptNews {
    /// The count of sessions, or of frozen ones, is another.
    Changed,
    /// A session has ended by itself, after such a life.
    Lost { cause: Cause, lived: Duration },
}

/// Until when connections of kept sessions may go on; none while nobody minds.
pub(super) type Until = watch::Receiver<Option<Instant>>;

#[derive(Debug)]
pub(super) struct Keeper {
    live: Live,
    channel: Channel,
    until: Until,
    nudged: Nudged,
    counted: Arc<Counted>,
    frozen: bool,
    news: mpsc::Sender<KeptNews>,
    /// Somebody else looks after the session from now on.
    let_go: CancellationToken,
    retry_at: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(
        live: Live,
        seed: u64,
        until: Until,
        nudged: Nudged,
        counted: Arc<Counted>,
        news: mpsc::Sender<KeptNews>,
        let_go: CancellationToken,
    ) -> Self {
        let channel = Channel::new(seed, clock::now());
        Self { live, channel, until, nudged, counted, frozen: false, news, let_go, retry_at: None }
    }

    /// Keeps the session until it takes no new connections and its last one has ended, then ends it.
    pub(super) async fn run(mut self, hurry: CancellationToken) {
        let mut status = self.live.session.status();
        // Whatever it is in now is to be looked at first.
        status.mark_changed();
        let mut resuming: Option<BoxFuture<'static, Result<(), ResumeError>>> = None;
        let seats = Arc::clone(&self.live.seats);
        let let_go = self.let_go.clone();
        loop {
            tokio::select! {
                // All are cancel-safe: counts, watches, a broadcast and timers lose nothing, and what is under way
                // is kept between turns.
                // Whoever let go has counted it out.
                () = let_go.cancelled() => return,
                () = seats.vacated() => break,
                () = over(&mut self.until) => {
                    tracing::info!(session = %self.live.id, "its connections are still open; they are reset");
                    break;
                }
                () = hurry.cancelled() => break,
                changed = status.changed() => {
                    let now = status.borrow_and_update().clone();
                    if changed.is_err() || !self.status(&now) {
                        break;
                    }
                }
                resumed = or_never(resuming.as_mut()) => {
                    resuming = None;
                    match resumed {
                        Ok(()) => {}
                        Err(ResumeError::Ended(down)) => {
                            self.lost(down.cause);
                            break;
                        }
                        Err(ResumeError::Failed(down)) => {
                            // That it may not be resumed is for AWS's files and policies to mend.
                            let retry = if down.retry == Retry::Never { Retry::Answered } else { down.retry };
                            self.retry_at = Some(Instant::now() + self.channel.failed(retry));
                        }
                    }
                }
                () = or_never(self.retry_at.map(sleep_until)), if resuming.is_none() => resuming = Some(self.resume()),
                nudge = self.nudged.next() => self.nudge(&nudge),
            }
        }
        self.counted.leave();
        self.tell(KeptNews::Changed);
        self.live.end().await;
    }

    /// Says whether the session goes on.
    fn status(&mut self, status: &SessionStatus) -> bool {
        match status {
            SessionStatus::Established => {
                self.channel.carries(clock::now());
                self.retry_at = None;
                self.set_frozen(false);
            }
            SessionStatus::Detached { reason } => {
                let retry = channel_lost(reason.as_ref()).retry;
                let pause = self.channel.lost(self.frozen, retry, clock::now());
                self.retry_at = Some(Instant::now() + pause);
                self.set_frozen(true);
            }
            SessionStatus::Suspect => {
                if !self.frozen {
                    self.retry_at = Some(Instant::now());
                }
                self.set_frozen(true);
            }
            SessionStatus::Opening | SessionStatus::Resuming => self.set_frozen(true),
            SessionStatus::Closed(reason) => {
                self.lost(self.live.about().closed(reason).cause);
                return false;
            }
        }
        true
    }

    /// The session is over before its connections were.
    fn lost(&self, cause: Cause) {
        tracing::info!(session = %self.live.id, "a session has ended: {cause}");
        let lived = clock::now().saturating_duration_since(self.live.since);
        self.tell(KeptNews::Lost { cause, lived });
    }

    fn resume(&mut self) -> BoxFuture<'static, Result<(), ResumeError>> {
        self.retry_at = None;
        let live = self.live.clone();
        Box::pin(async move { live.by.resume(&live).await })
    }

    fn nudge(&mut self, nudge: &Nudge) {
        if !nudge.concerns(&self.live.by.tunnel.scope) {
            return;
        }
        if let Some(at) = &mut self.retry_at {
            *at = (*at).min(Instant::now() + self.channel.within(nudge.spread()));
        } else if matches!(nudge, Nudge::Network | Nudge::Woke) {
            self.live.session.check();
        }
    }

    fn set_frozen(&mut self, frozen: bool) {
        self.frozen = frozen;
        if self.counted.set_frozen(frozen) {
            self.tell(KeptNews::Changed);
        }
    }

    fn tell(&self, news: KeptNews) {
        // A full queue has news enough.
        let _ = self.news.try_send(news);
    }
}

/// Waits until the time for connections is over.
async fn over(until: &mut Until) {
    loop {
        let deadline = *until.borrow_and_update();
        tokio::select! {
            () = or_never(deadline.map(sleep_until)) => return,
            changed = until.changed() => if changed.is_err() {
                // No other word will come: the tunnel has none for these sessions, or is gone.
                if let Some(deadline) = deadline {
                    sleep_until(deadline).await;
                }
                return;
            },
        }
    }
}
