//! What a tunnel is, given what is wanted, what happened and what time it is. Pure: no clock, no task, no
//! socket; `now` is always the last argument.
//!
//! Drive it with `handle_*`, then drain [`Lifecycle::poll_action`], then look at the state and at
//! [`Lifecycle::poll_timeout`]. It decides; `task.rs` performs and reports back. Events of an attempt that
//! is no longer under way are the task's to drop; those that make no sense in a phase change nothing.
//!
//! ```text
//!  Down ─up─► Binding ─bound─► Listening ─eager or connection─► Starting ─session─► Probing ─answer─► Ready
//!                │ taken                                     ▲  │ failed               │ no answer ▲ │
//!                ▼                                           │  ▼                      ▼           │ │
//!            PortTaken (again every 5 s)      StartWait · StartLogin · Failed        Degraded ──────┘ │
//!                                                            ▲                                       │ channel lost
//!                                                            └── session ended ── Resuming ◄─────────┘
//!                                                                          ResumeWait · ResumeLogin
//! ```

mod event;
mod phase;
mod replacement;
mod session;

pub(crate) use event::{Action, Admission, Event, Policy};
pub(super) use replacement::retire_after;

use super::backoff::Backoff;
use super::cause::DownCause;
use super::channel::Channel;
use super::nudge::Nudge;
use crate::config::Impact;
use phase::Phase;
use replacement::Replacing;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tunnels_api::{Cause, CauseKind, TargetState, TunnelState};

/// A taken port is looked at again this often: its holder is usually about to be stopped by hand.
const PORT_RETRY: Duration = Duration::from_secs(5);
/// So long after another network or a sleep, at most, a session's channel is checked.
const CHECK_SPREAD: Duration = Duration::from_millis(300);

/// The machine.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    policy: Policy,
    phase: Phase,
    cause: Option<Cause>,
    /// What it stays in views while one more try is made to get out of there.
    still: Option<TunnelState>,
    retry_at: Option<Instant>,
    /// Since when nobody has used the session, if there is one.
    idle_since: Instant,
    actions: VecDeque<Action>,
    backoff: Backoff,
    streams: u32,
    /// Since when there is a session.
    session_since: Instant,
    channel: Channel,
    /// How long a session may live, as far as is known.
    longest: Option<Duration>,
    /// The remote has answered through this session.
    answered: bool,
    /// Another session is being opened, to take the place of the one there is.
    replacing: Option<Replacing>,
    /// When that is tried, or tried again.
    replace_at: Option<Instant>,
    /// The agent has acknowledged nothing for a while.
    suspect: bool,
    /// When to see whether its websocket is still alive.
    check_at: Option<Instant>,
    /// When this machine last woke.
    woke_at: Option<Instant>,
    /// When the channel was lost, while nothing else is known than that.
    lost_at: Option<Instant>,
    /// Sessions in a row that were given up because it had not.
    in_vain: u32,
    probing: bool,
}

impl Lifecycle {
    pub(crate) fn new(policy: Policy, seed: u64, now: Instant) -> Self {
        Self {
            policy,
            phase: Phase::Down,
            cause: None,
            still: None,
            retry_at: None,
            idle_since: now,
            actions: VecDeque::new(),
            backoff: Backoff::new(seed),
            streams: 0,
            session_since: now,
            channel: Channel::new(seed.rotate_left(32), now),
            longest: None,
            answered: false,
            replacing: None,
            replace_at: None,
            suspect: false,
            check_at: None,
            woke_at: None,
            lost_at: None,
            in_vain: 0,
            probing: false,
        }
    }

    /// The next thing to do, in order.
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.retry_at, self.park_at(), self.replace_at, self.rotate_at(), self.check_at].into_iter().flatten().min()
    }

    /// Only a session can be parked: a tunnel that waits for one heals by itself.
    fn park_at(&self) -> Option<Instant> {
        let after = self.policy.park_after.filter(|_| self.phase.has_session() && self.streams == 0)?;
        Some(self.idle_since + after)
    }

    /// What views show.
    pub(crate) fn state(&self) -> TunnelState {
        self.still.unwrap_or_else(|| self.phase.state())
    }

    /// Why it is in that state, where there is something to say.
    pub(crate) fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// When the next try is due.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Sessions that exist, and how many of them are being resumed.
    pub(crate) fn sessions(&self) -> (u32, u32) {
        self.phase.sessions()
    }

    /// Whether another session that carries is welcome at once: the one there is does not, or there is none yet.
    pub(crate) fn needs_carrier(&self) -> bool {
        self.phase.wants_session() && self.admission() == Admission::Hold
    }

    /// What becomes of a connection that is accepted now.
    pub(crate) fn admission(&self) -> Admission {
        self.phase.admission()
    }

    /// The user's wish. `Up` for a tunnel that waits or has failed means: now.
    pub(crate) fn handle_target(&mut self, target: TargetState) {
        match (target, self.phase) {
            (TargetState::Down, Phase::Down) => {}
            (TargetState::Down, _) => {
                self.drop_session(Action::EndSession);
                self.actions.push_back(Action::Unbind);
                self.enter(Phase::Down, None);
            }
            (TargetState::Up, Phase::Down | Phase::PortTaken) => {
                self.backoff.reset();
                self.in_vain = 0;
                self.bind();
            }
            (TargetState::Up, Phase::Listening) if !self.policy.on_demand => self.start(),
            (TargetState::Up, Phase::StartWait | Phase::StartLogin | Phase::Failed) => {
                self.backoff.reset();
                self.start();
            }
            (TargetState::Up, Phase::ResumeWait | Phase::ResumeLogin) => {
                self.channel.reset();
                self.resume();
            }
            (TargetState::Up, _) => {}
        }
    }

    /// The configuration has changed; what has to be made anew is made anew, and open connections have some
    /// time to end. A tunnel that had failed is tried again.
    pub(crate) fn handle_config(&mut self, policy: Policy, impact: Impact, now: Instant) {
        let was_on_demand = std::mem::replace(&mut self.policy, policy).on_demand;
        let phase = self.phase;
        if phase == Phase::Down {
            return;
        }
        if !impact.restarts() {
            // Whoever shortens it means from now on.
            self.idle_since = now;
            if phase == Phase::Listening && was_on_demand && !policy.on_demand {
                self.start();
            }
            return;
        }
        self.backoff.reset();
        self.in_vain = 0;
        self.drop_session(Action::RetireSession);
        if impact.rebind {
            self.actions.push_back(Action::RetireListener);
            return self.bind();
        }
        match phase {
            Phase::Listening if was_on_demand && !policy.on_demand => self.start(),
            // Later; the port comes first, or a connection.
            Phase::Binding | Phase::PortTaken | Phase::Listening => {}
            Phase::Probing | Phase::Ready | Phase::Degraded | Phase::Failed if policy.on_demand => {
                self.enter(Phase::Listening, None);
            }
            _ => {
                self.cause = Some(Cause::new(CauseKind::Config, "the configuration has changed"));
                self.start();
            }
        }
    }

    /// Something happened.
    pub(crate) fn handle_event(&mut self, event: Event, now: Instant) {
        use Phase::{
            Binding, Degraded, Listening, PortTaken, Probing, Ready, ResumeLogin, ResumeWait, Resuming, Starting,
        };
        match (event, self.phase) {
            (Event::Bound, Binding) => {
                self.enter(Listening, None);
                if !self.policy.on_demand {
                    self.start();
                }
            }
            (Event::BindFailed(cause), Binding) => {
                self.enter(PortTaken, Some(cause));
                self.retry_at = Some(now + PORT_RETRY);
            }
            (Event::Connection, Listening) => {
                self.cause = None;
                self.in_vain = 0;
                self.start();
            }
            (Event::SessionUp, Starting) => {
                self.session_up(now);
                self.idle_since = now;
                self.enter(Probing, None);
            }
            (Event::SessionUp, phase) if phase.has_session() && self.replacing.is_some() => self.replaced(now),
            (Event::TakenOver { since }, phase) if phase.wants_session() => self.taken_over(since, now),
            (Event::Elsewhere(cause), Probing) => self.cause = Some(cause),
            (Event::StartFailed(down), Starting) => self.start_failed(down, now),
            (Event::StartFailed(_), phase) if phase.has_session() => {
                if let Some(why) = self.replacing.take() {
                    self.not_replaced(why, now);
                }
            }
            (Event::ChannelLost(down), Probing | Ready | Degraded | Resuming) => self.channel_lost(down, now),
            (Event::Silent(down), Probing | Ready | Degraded) => self.suspect(down, now),
            (Event::Attached, Resuming) => self.think_again(now),
            (Event::Resumed, Resuming | ResumeWait | ResumeLogin) => self.resumed(now),
            (Event::ResumeFailed(down), Resuming) => self.resume_failed(down, now),
            (Event::SessionEnded(down), phase) if phase.has_session() => self.session_ended(down, now),
            (Event::ProbePassed | Event::RemoteAnswered, Probing | Degraded | Ready) => {
                if matches!(self.replacing, Some(Replacing::Moved(_) | Replacing::Degraded)) {
                    self.stop_replacing();
                }
                self.probing = false;
                self.answered = true;
                self.in_vain = 0;
                self.backoff.reset();
                self.enter(Ready, None);
            }
            (Event::ProbeFailed(down), Probing | Degraded | Ready) => self.probe_failed(down, now),
            // Whether it was one connection's bad luck or the remote is gone, the probe will tell.
            (Event::RemoteRefused, Ready) => self.probe(),
            (Event::ProbeChanged, Probing | Degraded) => {
                self.probing = false;
                self.probe();
            }
            (Event::Streams(count), _) => {
                self.streams = count;
                self.idle_since = now;
            }
            (Event::Longest(longest), _) => self.longest = Some(longest),
            _ => {}
        }
    }

    /// Something has changed that many tunnels wait for. Each tries within its own moment.
    pub(crate) fn handle_nudge(&mut self, nudge: &Nudge, now: Instant) {
        if *nudge == Nudge::Woke {
            self.woke(now);
        }
        let other_path = matches!(nudge, Nudge::Network | Nudge::Woke);
        if other_path && matches!(self.phase, Phase::Probing | Phase::Ready | Phase::Degraded) {
            self.check_at = Some(now + self.backoff.within(CHECK_SPREAD));
        }
        let helped = match nudge {
            Nudge::Reached(_) => matches!(self.phase, Phase::StartWait | Phase::ResumeWait),
            // What was wrong may have been in these files: no such profile, no region, a role that may not.
            Nudge::Login => matches!(self.phase, Phase::StartLogin | Phase::ResumeLogin | Phase::Failed),
            Nudge::Network | Nudge::Woke => {
                matches!(self.phase, Phase::StartWait | Phase::ResumeWait | Phase::StartLogin | Phase::ResumeLogin)
            }
        };
        if !helped {
            return;
        }
        let soon = now + self.backoff.within(nudge.spread());
        self.retry_at = Some(self.retry_at.map_or(soon, |at| at.min(soon)));
    }

    /// A deadline of [`Self::poll_timeout`] has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.park_at().is_some_and(|at| at <= now) {
            self.drop_session(Action::EndSession);
            let text = "no connection for a while; the next one opens a session";
            self.enter(Phase::Listening, Some(Cause::new(CauseKind::Parked, text)));
        }
        if self.check_at.take_if(|at| *at <= now).is_some() {
            self.actions.push_back(Action::Check);
        }
        if self.replace_at.take_if(|at| *at <= now).is_some() {
            self.replace(if self.suspect { Replacing::Suspect } else { Replacing::Rotation });
        }
        if self.rotate_at().is_some_and(|at| at <= now) {
            self.rotate();
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            let state = self.state();
            match self.phase {
                Phase::PortTaken => self.bind(),
                Phase::StartWait | Phase::StartLogin | Phase::Failed => self.start(),
                Phase::ResumeWait | Phase::ResumeLogin => self.resume(),
                Phase::Degraded => self.look_again(now),
                _ => {}
            }
            // A look whether somebody has logged in or the port is free is no news.
            self.still = Some(state);
        }
    }

    fn bind(&mut self) {
        // As in `start`: the holder stays named until the port is ours.
        let cause = self.cause.clone().filter(|_| self.phase == Phase::PortTaken);
        self.enter(Phase::Binding, cause);
        self.actions.push_back(Action::Bind);
    }

    /// Keeps the cause: what led here is worth showing until the session is open.
    fn start(&mut self) {
        self.enter(Phase::Starting, self.cause.clone());
        self.actions.push_back(Action::StartSession);
    }

    fn resume(&mut self) {
        self.enter(Phase::Resuming, self.cause.clone());
        self.actions.push_back(Action::ResumeSession);
    }

    fn wait(&mut self, phase: Phase, down: DownCause, now: Instant) {
        let pause = self.backoff.pause(down.retry);
        self.enter(phase, Some(down.cause));
        self.retry_at = Some(now + pause);
    }

    fn enter(&mut self, phase: Phase, cause: Option<Cause>) {
        self.phase = phase;
        self.still = None;
        self.cause = cause;
        self.retry_at = None;
    }
}

#[cfg(test)]
mod tests;
