//! The one task of a tunnel: performs what the lifecycle decides, and tells it what came of it.
//!
//! It owns the listener, the session and the attempts under way, and writes the gate that connections wait
//! at and the tunnel's status; nobody else does. It awaits nothing but its inputs: every call and every
//! attempt is a task of its own, numbered, so that the result of one that was overtaken is recognised – and
//! a session that such an attempt still opened is ended. Attempts are never cancelled for that reason.

mod edits;
mod inputs;
mod perform;
mod pooling;

use super::cause::{About, DownCause};
use super::connect::{Connector, Live, ResumeError};
use super::forward::{Gate, News, Shared};
use super::keeper::{Kept, KeptNews};
use super::lifecycle::{Lifecycle, Policy};
use super::listener::Listener;
use super::nudge::Nudged;
use super::payload;
use super::pool::{Gauge, Pool};
use super::publisher::Publisher;
use super::{Surroundings, TunnelCommand};
use crate::clock;
use crate::config::{KeepAlive, TunnelConfig};
use crate::status::Gauges;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use pooling::Member;
use ssm_session::SessionStatus;
use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tunnels_api::{Cause, CauseKind, TargetState, TunnelState};

/// Connections tell of their begin, end and first answer; full, they wait a moment.
const NEWS_QUEUE: usize = 64;
/// At the end sessions are terminated in so much time, or the next start does it.
const LAST_CALLS: Duration = Duration::from_secs(10);
/// Half of the shortest idle timeout an account can have (docs/protocol.md §7.2).
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What became of something that ran as a task of its own.
#[derive(Debug)]
enum Done {
    Started(u64, Result<Live, DownCause>),
    Resumed(u64, Result<(), ResumeError>),
    /// A session for the pool; the number is that of the pool's life in which it was asked for.
    Joined(u64, Result<Live, DownCause>),
    /// A keeper has ended.
    Left(u64),
    Probed(u64, Result<(), DownCause>),
    Bound(u64, Result<Listener, Cause>),
    Limited(u64, Option<Duration>),
    /// A session was ended, or a listener that was given up is gone.
    Ended,
}

/// The tunnel's side of its configuration.
#[derive(Debug)]
pub(super) struct Edits {
    /// What it is to run with.
    pub(super) edits: watch::Receiver<Arc<TunnelConfig>>,
    /// What it runs with, and shows.
    pub(super) in_force: watch::Sender<Arc<TunnelConfig>>,
}

#[derive(Debug)]
pub(super) struct TunnelTask {
    /// What it runs with; the next is in `edits`.
    config: Arc<TunnelConfig>,
    edits: Edits,
    around: Surroundings,
    /// Recorded with the sessions instead of the configured one.
    reason: Option<String>,
    connector: Arc<Connector>,
    publisher: Publisher,
    gauges: Arc<Gauges>,
    lifecycle: Lifecycle,
    wanted: TargetState,
    commands: mpsc::Receiver<TunnelCommand>,
    news: mpsc::Receiver<News>,
    nudged: Nudged,
    gate: watch::Sender<Gate>,
    shared: Shared,
    listener: Option<Listener>,
    /// The first session, which is the lifecycle's.
    live: Option<Live>,
    gauge: Gauge,
    session_status: Option<watch::Receiver<SessionStatus>>,
    running: JoinSet<Done>,
    /// What was retired has no more time.
    hurry: CancellationToken,
    pool: Pool,
    /// The others that take new connections.
    members: Vec<Member>,
    /// When the sessions' loads are measured next; none while nothing moves.
    measure_at: Option<Instant>,
    /// Why the pool could not grow, since it last could: told once.
    stunted: Option<CauseKind>,
    /// All sessions beside the first.
    kept: Arc<Kept>,
    /// Until when these may go on.
    kept_until: watch::Sender<Option<Instant>>,
    kept_news: (mpsc::Sender<KeptNews>, mpsc::Receiver<KeptNews>),
    /// The attempts whose results count; older ones were overtaken.
    starting: u64,
    resuming: u64,
    /// Sessions that were the tunnel's first.
    carrying: u64,
    /// The pool's lives: what was asked for in an earlier one is not wanted any more.
    pooling: u64,
    /// Keepers so far.
    keeping: u64,
    probing: u64,
    binding: u64,
}

impl TunnelTask {
    pub(super) fn new(mut edits: Edits, around: Surroundings, commands: mpsc::Receiver<TunnelCommand>) -> Self {
        let config = Arc::clone(&edits.edits.borrow_and_update());
        let (news_in, news) = mpsc::channel(NEWS_QUEUE);
        let gauges = Arc::new(Gauges::default());
        let (gate, gate_out) = watch::channel(Gate::closed(config.hold));
        let hurry = around.hurry.child_token();
        let nudged = around.nudges.subscribe();
        let pool = Pool::new(config.max_sessions.into(), fastrand::u64(..), clock::now());
        let shared = Shared::new(gate_out, news_in, Arc::clone(&gauges));
        if pool.is_wanted() {
            shared.stir.arm();
        }
        let remembered = around.state.wanted(&config.name).unwrap_or(TargetState::Down);
        Self {
            connector: Connector::new(Arc::clone(&config), &around, Arc::clone(gauges.sessions())),
            lifecycle: Lifecycle::new(Policy::of(&config), fastrand::u64(..), clock::now()),
            // The command that says so is on its way.
            wanted: remembered,
            shared,
            publisher: Publisher::new(&config, around.board.clone(), Arc::clone(&gauges), remembered),
            config,
            edits,
            around,
            reason: None,
            gauges,
            commands,
            news,
            nudged,
            gate,
            listener: None,
            live: None,
            gauge: Gauge::new(clock::now()),
            session_status: None,
            running: JoinSet::new(),
            hurry,
            pool,
            members: Vec::new(),
            measure_at: None,
            stunted: None,
            kept: Arc::default(),
            kept_until: watch::channel(None).0,
            kept_news: mpsc::channel(NEWS_QUEUE),
            starting: 0,
            resuming: 0,
            carrying: 0,
            pooling: 0,
            keeping: 0,
            probing: 0,
            binding: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Runs until it is told to stop, or its handle is dropped.
    pub(super) async fn run(mut self) {
        let mut draining: Option<BoxFuture<'static, ()>> = None;
        loop {
            self.settle();
            let wake_at = self.lifecycle.poll_timeout().map(Instant::from_std);
            let pool_at = self.pool.poll_timeout().map(Instant::from_std);
            tokio::select! {
                // All arms are cancel-safe: channels, a watch, a join set and timers lose nothing, and the drain
                // is kept between turns.
                () = or_never(draining.as_mut()) => return self.finish().await,
                command = self.commands.recv(), if draining.is_none() => match command {
                    Some(TunnelCommand::Stop(drain)) => draining = Some(self.drain(drain)),
                    Some(command) => self.obey(command),
                    None => return,
                },
                Ok(()) = self.edits.edits.changed(), if draining.is_none() => self.reconfigure(),
                Some(news) = self.news.recv() => self.connection_news(news),
                Some(news) = self.kept_news.1.recv() => self.kept_changed(news),
                () = self.shared.stir.stirred() => self.measure_soon(),
                () = or_never(self.measure_at.map(sleep_until)) => self.measure(),
                () = or_never(pool_at.map(sleep_until)) => self.pool.handle_timeout(clock::now()),
                nudge = self.nudged.next() => self.nudge(&nudge),
                // An error would be a task that was cancelled, which none is, or a panic, which is caught.
                Some(Ok(done)) = self.running.join_next() => self.done(done),
                status = changed(&mut self.session_status) => self.session_changed(status),
                () = or_never(wake_at.map(sleep_until)) => self.lifecycle.handle_timeout(clock::now()),
            }
        }
    }

    fn obey(&mut self, command: TunnelCommand) {
        // Whoever has edited the file first and then asks means the tunnel as it is written now.
        self.reconfigure();
        match command {
            TunnelCommand::Up(reason) => {
                if reason.is_some() {
                    self.give_reason(reason);
                }
                self.target(TargetState::Up);
            }
            TunnelCommand::Down | TunnelCommand::Stop(_) => {
                self.give_reason(None);
                self.target(TargetState::Down);
            }
            TunnelCommand::Restart => {
                self.target(TargetState::Down);
                self.settle();
                self.target(TargetState::Up);
            }
        }
    }

    fn keep_alive(&self) {
        let wanted = match self.config.keep_alive {
            KeepAlive::Policy => false,
            KeepAlive::Connected => self.gauges.streams() > 0,
            KeepAlive::Always => true,
        };
        for live in self.sessions() {
            live.session.set_keep_alive(wanted.then_some(KEEP_ALIVE));
        }
    }

    fn target(&mut self, target: TargetState) {
        self.wanted = target;
        self.lifecycle.handle_target(target);
    }

    /// Does all there is to do, then shows where that leads.
    fn settle(&mut self) {
        loop {
            while let Some(action) = self.lifecycle.poll_action() {
                tracing::debug!(?action, "next");
                self.perform(action);
            }
            // It may have the lifecycle take another session over.
            if !self.settle_pool() {
                break;
            }
        }
        self.open_gate();
        self.note_payloads();
        let carrier = self.live.as_ref().map(|live| (live.target.as_str(), live.region.as_str()));
        self.publisher.show(&self.lifecycle, self.wanted, carrier, self.kept.count());
        self.edits.in_force.send_if_modified(|now| {
            let is_news = !Arc::ptr_eq(now, &self.config);
            *now = Arc::clone(&self.config);
            is_news
        });
    }

    /// Nothing is wrong with a tunnel whose payloads are smaller than configured: its history tells it once.
    fn note_payloads(&mut self) {
        let until = self.connector.small_payloads_until();
        if self.publisher.small_payloads_until(until) && until.is_some() {
            self.publisher.note(payload::cause(self.config.payload));
        }
    }

    /// What causes name.
    fn about(&self) -> About {
        self.live.as_ref().map_or_else(|| About::tunnel(&self.config), Live::about)
    }

    fn open_gate(&mut self) {
        let admission = self.lifecycle.admission();
        let ready = self.lifecycle.state() == TunnelState::Ready;
        let hold = self.config.hold;
        let is_growing = self.pool.is_growing();
        self.gate.send_if_modified(|gate| {
            let same = (gate.admission, gate.ready, gate.hold, gate.is_growing) == (admission, ready, hold, is_growing);
            if same && gate.carriers.iter().map(|carrier| &carrier.id).eq(self.sessions().map(|live| &live.id)) {
                return false;
            }
            let carriers = self.sessions().map(Live::carrier).collect();
            *gate = Gate { admission, carriers, is_growing, ready, hold };
            true
        });
    }

    /// Accepts no more; the future is ready when the open connections have ended, or `drain` is over.
    fn drain(&mut self, drain: Duration) -> BoxFuture<'static, ()> {
        let Some(listener) = &mut self.listener else {
            return ready(()).boxed();
        };
        let (drained, hurry) = (listener.drain(), self.hurry.clone());
        async move {
            // Cancel-safe: neither has anything to lose.
            let drained = timeout(drain, drained).map(|in_time| in_time.is_ok());
            if hurry.run_until_cancelled(drained).await != Some(true) {
                tracing::info!("connections are still open after the drain; they are reset");
            }
        }
        .boxed()
    }

    /// Ends every session, those included that an attempt under way still opens.
    async fn finish(mut self) {
        self.hurry.cancel();
        self.target(TargetState::Down);
        self.settle();
        let last_calls = async {
            while let Some(done) = self.running.join_next().await {
                // Such an attempt is overtaken: this ends what it opened.
                if let Ok(done) = done {
                    self.done(done);
                }
            }
        };
        if timeout(LAST_CALLS, last_calls).await.is_err() {
            tracing::warn!("a session could not be terminated in time; the next start does it");
        }
    }
}

/// What the future gives; never, if there is none.
pub(super) async fn or_never<T>(future: Option<impl Future<Output = T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// The next status of the session there is.
async fn changed(status: &mut Option<watch::Receiver<SessionStatus>>) -> SessionStatus {
    if let Some(receiver) = status
        && receiver.changed().await.is_ok()
    {
        return receiver.borrow_and_update().clone();
    }
    *status = None;
    pending().await
}
