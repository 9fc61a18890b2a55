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

pub(crate) use event::{Action, Admission, Event, Policy};

use super::backoff::Backoff;
use super::cause::{DownCause, Retry};
use super::nudge::Nudge;
use crate::config::Impact;
use phase::Phase;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tunnels_api::{Cause, CauseKind, TargetState, TunnelState};

/// A taken port is looked at again this often: its holder is usually about to be stopped by hand.
const PORT_RETRY: Duration = Duration::from_secs(5);
/// After news that concern all tunnels, each tries within this time.
const NUDGED_SPREAD: Duration = Duration::from_millis(500);
/// The same after an outage of an endpoint, which all of them want to use again.
const REACHED_SPREAD: Duration = Duration::from_secs(2);
/// A session that lived this long was a good one: its end is a new incident, not the last one going on.
const SESSION_STABLE: Duration = Duration::from_secs(10);
/// The same for a websocket within a session; resuming is cheap, so it is trusted sooner.
const CHANNEL_STABLE: Duration = Duration::from_secs(1);

/// A session whose remote has not answered for so long is given up for a new one, which finds a remote that
/// has moved; each that was in vain doubles it, so many times: 30 s to 8 min.
const RESOLVE_AGAIN: Duration = Duration::from_secs(30);
const RESOLVE_DOUBLINGS: u32 = 4;

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
    /// Since when its present websocket carries.
    channel_since: Instant,
    /// Websockets lost since one was stable.
    flaps: u32,
    /// The remote has answered through this session.
    answered: bool,
    /// Another session is being opened, to take the place of the one there is.
    replacing: bool,
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
            channel_since: now,
            flaps: 0,
            answered: false,
            replacing: false,
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
        [self.retry_at, self.park_at()].into_iter().flatten().min()
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

    /// What becomes of a connection that is accepted now.
    pub(crate) fn admission(&self) -> Admission {
        self.phase.admission()
    }

    /// The user's wish. `Up` for a tunnel that waits or has failed means: now.
    pub(crate) fn handle_target(&mut self, target: TargetState) {
        match (target, self.phase) {
            (TargetState::Down, Phase::Down) => {}
            (TargetState::Down, phase) => {
                if phase.has_session() || phase == Phase::Starting {
                    self.drop_session();
                }
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
                self.backoff.reset();
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
        if phase.has_session() || phase == Phase::Starting {
            self.forget_session();
            self.actions.push_back(Action::RetireSession);
        }
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
            (Event::SessionUp, Degraded) if self.replacing => {
                self.session_up(now);
                // It stays degraded until the new session is a better one. That it only replaces one is no use of
                // the tunnel, so it parks as the old one would have.
                let cause = self.cause.take();
                self.enter(Probing, cause);
                self.still = Some(TunnelState::Degraded);
            }
            (Event::StartFailed(down), Starting) => self.start_failed(down, now),
            // The session there is may still come to carry: a call that fails costs nothing.
            (Event::StartFailed(_), Degraded) if self.replacing => {
                self.replacing = false;
                let cause = self.cause.take();
                let pause = self.backoff.pause(Retry::Answered);
                self.enter(Degraded, cause);
                self.retry_at = Some(now + pause);
            }
            (Event::ChannelLost(down), Probing | Ready | Degraded | Resuming) => self.channel_lost(down, now),
            (Event::Resumed, Resuming) => {
                self.channel_since = now;
                if self.answered {
                    self.enter(Ready, None);
                } else {
                    self.enter(Probing, None);
                    self.probe();
                }
            }
            (Event::ResumeFailed(down), Resuming) => match down.retry {
                Retry::Login => self.wait(ResumeLogin, down, now),
                Retry::Unreachable | Retry::Answered => self.wait(ResumeWait, down, now),
                // A session that we may not resume is lost to us, but only a new one says whether all is.
                Retry::Never => self.session_ended(DownCause { retry: Retry::Answered, ..down }, now),
            },
            (Event::SessionEnded(down), phase) if phase.has_session() => self.session_ended(down, now),
            (Event::ProbePassed | Event::RemoteAnswered, Probing | Degraded | Ready) => {
                self.stop_replacing();
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
            (Event::Streams(count), phase) => {
                self.streams = count;
                self.idle_since = now;
                if count > 0 && phase == Degraded && self.stop_replacing() {
                    self.probe();
                }
            }
            _ => {}
        }
    }

    /// Something has changed that many tunnels wait for. Each tries within its own moment.
    pub(crate) fn handle_nudge(&mut self, nudge: &Nudge, now: Instant) {
        let spread = match (nudge, self.phase) {
            (Nudge::Reached(_), Phase::StartWait | Phase::ResumeWait) => REACHED_SPREAD,
            (Nudge::Network | Nudge::Woke, Phase::StartWait | Phase::ResumeWait)
            | (Nudge::Login | Nudge::Network | Nudge::Woke, Phase::StartLogin | Phase::ResumeLogin) => NUDGED_SPREAD,
            _ => return,
        };
        let soon = now + self.backoff.within(spread);
        self.retry_at = self.retry_at.map(|at| at.min(soon));
    }

    /// A deadline of [`Self::poll_timeout`] has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.park_at().is_some_and(|at| at <= now) {
            self.drop_session();
            let text = "no connection for a while; the next one opens a session";
            self.enter(Phase::Listening, Some(Cause::new(CauseKind::Parked, text)));
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            let state = self.state();
            match self.phase {
                Phase::PortTaken => self.bind(),
                Phase::StartWait | Phase::StartLogin => self.start(),
                Phase::ResumeWait | Phase::ResumeLogin => self.resume(),
                Phase::Degraded => self.look_again(now),
                _ => {}
            }
            // A look whether somebody has logged in or the port is free is no news.
            self.still = Some(state);
        }
    }

    fn start_failed(&mut self, down: DownCause, now: Instant) {
        match down.retry {
            // Whoever logs in writes to the files of AWS, and a look may come in between.
            Retry::Never if self.still == Some(TunnelState::NeedsLogin) && down.is_local() => {
                self.wait(Phase::StartLogin, DownCause { retry: Retry::Login, ..down }, now);
            }
            Retry::Never => self.enter(Phase::Failed, Some(down.cause)),
            Retry::Login => self.wait(Phase::StartLogin, down, now),
            Retry::Unreachable | Retry::Answered => self.wait(Phase::StartWait, down, now),
        }
    }

    fn channel_lost(&mut self, down: DownCause, now: Instant) {
        if self.phase != Phase::Resuming && now.duration_since(self.channel_since) >= CHANNEL_STABLE {
            self.flaps = 0;
            self.backoff.reset();
        }
        self.flaps += 1;
        self.probing = false;
        // Resuming overtakes it.
        self.replacing = false;
        if self.flaps == 1 {
            self.enter(Phase::Resuming, Some(down.cause));
            self.actions.push_back(Action::ResumeSession);
        } else {
            self.wait(Phase::ResumeWait, down, now);
        }
    }

    fn session_ended(&mut self, down: DownCause, now: Instant) {
        let was_stable = now.duration_since(self.session_since) >= SESSION_STABLE;
        if !self.answered {
            // It cost the target a session and came to nothing.
            self.backoff.skip_short();
        }
        self.drop_session();
        if down.retry == Retry::Never {
            self.enter(Phase::Failed, Some(down.cause));
        } else if down.is_idle_policy() {
            // A policy is not worked around: the next connection opens a session, not we.
            self.enter(Phase::Listening, Some(down.cause));
        } else if was_stable {
            self.backoff.reset();
            self.cause = Some(down.cause);
            self.start();
        } else {
            self.wait(Phase::StartWait, down, now);
        }
    }

    fn probe_failed(&mut self, down: DownCause, now: Instant) {
        self.probing = false;
        if self.answered && self.streams == 0 {
            // docs/protocol.md §6.4: the agent resolves the host once per session, so after a failover only
            // a new session finds the remote. Not while connections are open: it would cost them.
            self.drop_session();
            self.cause = Some(down.cause);
            self.start();
        } else {
            self.answered = false;
            self.wait(Phase::Degraded, down, now);
        }
    }

    /// docs/protocol.md §6.4: the agent resolves the host once per session. Open connections are never
    /// given up for that, nor is the session before there is another.
    fn look_again(&mut self, now: Instant) {
        let patience = RESOLVE_AGAIN * (1 << self.in_vain.min(RESOLVE_DOUBLINGS));
        if !self.policy.by_name || self.streams > 0 || now.duration_since(self.session_since) < patience {
            return self.probe();
        }
        self.in_vain += 1;
        self.replacing = true;
        self.actions.push_back(Action::StartSession);
    }

    /// The session there is has a use after all; says whether another was being opened.
    fn stop_replacing(&mut self) -> bool {
        let was_replacing = std::mem::take(&mut self.replacing);
        if was_replacing {
            self.actions.push_back(Action::ForgetStart);
        }
        was_replacing
    }

    fn session_up(&mut self, now: Instant) {
        self.session_since = now;
        self.channel_since = now;
        self.flaps = 0;
        self.answered = false;
        self.replacing = false;
        self.probing = false;
        self.probe();
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

    fn probe(&mut self) {
        if !self.probing {
            self.probing = true;
            self.actions.push_back(Action::Probe);
        }
    }

    fn drop_session(&mut self) {
        self.forget_session();
        self.actions.push_back(Action::EndSession);
    }

    fn forget_session(&mut self) {
        self.replacing = false;
        self.probing = false;
        self.answered = false;
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
