//! The sessions beside the first that take new connections too: opened, measured, retired, and put in the first one's
//! place when that does not carry. What the pool decides is `pool.rs`'s.

use super::super::cause::DownCause;
use super::super::connect::Live;
use super::super::forward::Carrier;
use super::super::keeper::{Counted, KeptNews};
use super::super::lifecycle::{Event, Policy};
use super::super::pool::{Action, Candidate, Figures, Gauge, INTERVAL, Level, SessionId, View};
use super::perform::broken;
use super::{Done, TunnelTask};
use crate::clock;
use ssm_session::SessionStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tunnels_api::{Cause, CauseKind, TunnelState};

/// The shortest maximum duration that an account can set (docs/protocol.md §7.2): a shorter life taught nothing.
const SHORTEST_LIMIT: Duration = Duration::from_mins(1);

/// A session beside the first, with its keeper.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) live: Live,
    gauge: Gauge,
    pub(super) keeper: u64,
    /// Has the keeper leave the session to us.
    let_go: CancellationToken,
    counted: Arc<Counted>,
}

impl Live {
    /// What connections choose by.
    pub(super) fn carrier(&self) -> Carrier {
        Carrier {
            id: self.id.clone(),
            session: self.session.clone(),
            status: self.session.status(),
            seats: Arc::clone(&self.seats),
        }
    }

    fn carries(&self) -> bool {
        matches!(*self.session.status().borrow(), SessionStatus::Established)
    }

    fn is_over(&self) -> bool {
        matches!(*self.session.status().borrow(), SessionStatus::Closed(_))
    }
}

impl TunnelTask {
    /// All sessions that take new connections, the first one first.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Live> {
        let others = self.members.iter().map(|member| &member.live);
        // Their keepers are about to end them.
        self.live.iter().chain(others.filter(|live| !live.is_over()))
    }

    /// Does what the pool wants, and has a session that carries take the place of one that does not; says whether the
    /// lifecycle has something to do for it.
    pub(super) fn settle_pool(&mut self) -> bool {
        if self.lifecycle.needs_carrier() && self.hand_over() {
            return true;
        }
        match self.lifecycle.state() {
            TunnelState::Down | TunnelState::Listening | TunnelState::Failed => self.dissolve_pool(),
            state => {
                let views = self.sessions().map(view).collect();
                self.pool.look(views, state == TunnelState::Ready, clock::now());
            }
        }
        let mut has_changed_hands = false;
        while let Some(action) = self.pool.poll_action() {
            tracing::debug!(?action, "pool");
            match action {
                Action::Open => self.open_another(),
                Action::Retire(id) => self.retire_member(&id),
                Action::Release(id) => has_changed_hands |= self.release(&id),
            }
        }
        has_changed_hands
    }

    fn open_another(&mut self) {
        let now = clock::now();
        let Some(live) = &self.live else { return self.pool.clear() };
        if let Err(at) = self.around.allowances.take(&self.config.scope, now) {
            return self.pool.handle_postponed(at, now);
        }
        let (number, connector, target) = (self.pooling, Arc::clone(&self.connector), live.target.clone());
        let open = async move { Done::Joined(number, connector.start_beside(target).await) };
        self.spawn(open, Done::Joined(number, Err(broken())));
    }

    /// What became of [`Self::open_another`].
    pub(super) fn joined(&mut self, number: u64, result: Result<Live, DownCause>) {
        let now = clock::now();
        let is_wanted = number == self.pooling;
        match result {
            Ok(live) if is_wanted => {
                self.pool.handle_opened();
                self.stunted = None;
                if self.live.as_ref().is_some_and(|first| first.target == live.target) {
                    tracing::info!(session = %live.id, "further session open");
                    self.add_member(live, Gauge::new(now));
                    self.keep_alive();
                } else {
                    self.end(live);
                }
            }
            Ok(live) => self.end(live),
            Err(down) => {
                if down.cause.kind == CauseKind::Throttled {
                    self.around.allowances.throttled(&self.config.scope, now);
                }
                if is_wanted {
                    self.pool.handle_failed(down.retry, now);
                    self.note_stunted(down.cause);
                }
            }
        }
    }

    /// The tunnel is as well as it was: its history is told once.
    fn note_stunted(&mut self, cause: Cause) {
        tracing::debug!(%cause, "the pool cannot grow");
        if self.stunted.replace(cause.kind) != Some(cause.kind) {
            let text =
                format!("no further session could be opened, new connections share those there are: {}", cause.text);
            self.publisher.note(Cause { text, ..cause });
        }
    }

    fn add_member(&mut self, live: Live, gauge: Gauge) {
        let (let_go, counted) = (CancellationToken::new(), Counted::new(Arc::clone(&self.kept)));
        let keeper = self.keep(live.clone(), Arc::clone(&counted), let_go.clone());
        self.members.push(Member { live, gauge, keeper, let_go, counted });
    }

    /// Puts the best of the others that carry in the place of the first session, which goes on beside it. Says whether there
    /// was one.
    pub(super) fn hand_over(&mut self) -> bool {
        let best = self.members.iter().enumerate().filter(|(_, member)| member.live.carries());
        let Some((best, _)) = best.max_by_key(|(_, member)| member.live.since) else { return false };
        let Member { live, gauge, let_go, counted, .. } = self.members.swap_remove(best);
        let_go.cancel();
        counted.leave();
        self.probing += 1;
        // Not for people: a websocket that flaps makes one of each loss, and the tunnel is as ready as it was.
        tracing::debug!(session = %live.id, "session takes the first one's place");
        let since = live.since;
        let old_gauge = std::mem::replace(&mut self.gauge, gauge);
        if let Some(old) = self.adopt(live) {
            self.add_member(old, old_gauge);
        }
        self.lifecycle.handle_event(Event::TakenOver { since }, clock::now());
        true
    }

    /// It takes no new connections, and ends with its last.
    fn retire_member(&mut self, id: &SessionId) {
        if let Some(place) = self.members.iter().position(|member| member.live.id == *id) {
            // Its keeper sees to the rest.
            self.members.swap_remove(place).live.seats.close();
        }
    }

    /// Ends a session that nobody uses; the first one only if another can take its place. Says whether that was so.
    fn release(&mut self, id: &SessionId) -> bool {
        let is_first = self.live.as_ref().is_some_and(|live| live.id == *id && live.seats.len() == 0);
        let has_changed_hands = is_first && self.hand_over();
        if let Some(place) = self.members.iter().position(|member| member.live.id == *id)
            && self.members[place].live.seats.close_if_empty()
        {
            self.members.swap_remove(place);
        }
        has_changed_hands
    }

    /// The first session leads elsewhere, or looks anew for the remote: the others' way is the old one.
    pub(super) fn retire_members_unlike(&mut self, first: &Live) {
        let looks_anew = self.lifecycle.looks_anew();
        let unlike = |member: &&Member| looks_anew || member.live.target != first.target;
        let unlike: Vec<SessionId> = self.members.iter().filter(unlike).map(|member| member.live.id.clone()).collect();
        for id in unlike {
            self.retire_member(&id);
        }
    }

    /// Its agent looked for the remote once, and may have found what is not there any more (docs/protocol.md §6.4); the first
    /// session is probed.
    pub(super) fn refused_by(&mut self, session: &SessionId) {
        if Policy::of(&self.config).by_name {
            self.retire_member(session);
        }
    }

    /// No session is wanted beside the first, nor one that is being opened.
    pub(super) fn dissolve_pool(&mut self) {
        if self.members.is_empty() && !self.pool.is_opening() {
            return self.pool.clear();
        }
        self.pooling += 1;
        self.pool.clear();
        for member in self.members.drain(..) {
            member.live.seats.close();
        }
    }

    pub(super) fn kept_changed(&mut self, news: KeptNews) {
        if let KeptNews::Lost { cause, lived } = news {
            if cause.kind == CauseKind::MaxDuration && lived >= SHORTEST_LIMIT {
                self.lives_at_most(lived);
            }
            self.publisher.note(cause);
        }
    }

    pub(super) fn lives_at_most(&mut self, longest: Duration) {
        self.pool.set_longest(longest);
        self.lifecycle.handle_event(Event::Longest(longest), clock::now());
    }

    /// Something moves.
    pub(super) fn measure_soon(&mut self) {
        self.measure_at = Some(Instant::now() + INTERVAL);
    }

    /// Measures the load of all sessions, and goes on doing so while anything moves.
    pub(super) fn measure(&mut self) {
        self.measure_at = None;
        let now = clock::now();
        if !self.pool.is_wanted() && self.members.is_empty() {
            return;
        }
        let first = self.live.as_ref().map(|live| (live, &mut self.gauge));
        let others = self.members.iter_mut().map(|member| (&member.live, &mut member.gauge));
        let mut moves = false;
        for (live, gauge) in first.into_iter().chain(others) {
            let load = gauge.read(figures(live), live.seats.measure(now), now);
            live.seats.set_load(load);
            moves |= load.level > Level::Quiet;
        }
        if moves {
            self.measure_soon();
        } else {
            self.shared.stir.arm();
        }
    }
}

fn view(live: &Live) -> View {
    let Candidate { occupancy, carries, .. } = live.carrier().look();
    View { id: live.id.clone(), since: live.since, streams: occupancy.streams, load: occupancy.load, carries }
}

fn figures(live: &Live) -> Figures {
    let load = live.session.load();
    Figures {
        messages_in: load.messages_in,
        queued: load.queued + load.in_flight,
        is_stalled: load.stalled,
        rtt: load.rtt,
        base_rtt: load.base_rtt,
    }
}
