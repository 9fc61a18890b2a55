//! The session there is, in the lifecycle: opened or not, its channel lost and back, its remote silent, its end.

use super::replacement::{RESOLVED_JUST_NOW, Replacing};
use super::{Action, Lifecycle, Phase};
use crate::tunnel::cause::{DownCause, Retry};
use std::time::{Duration, Instant};
use tunnels_api::{Cause, CauseKind, TunnelState};

/// A session that lived this long was a good one: its end is a new incident, not the last one going on.
pub(super) const SESSION_STABLE: Duration = Duration::from_secs(10);
/// The shortest maximum duration that an account can set (docs/protocol.md §7.2): a shorter life taught nothing.
const SHORTEST_LIMIT: Duration = Duration::from_mins(1);
/// A channel that is lost so soon after this machine woke died while it slept: longer than it takes to see that no ping is answered.
pub(super) const WOKE_JUST_NOW: Duration = Duration::from_secs(30);
/// A sleep is noticed so long after its end at most, by a clock that is looked at each second.
const LOST_JUST_NOW: Duration = Duration::from_secs(3);

impl Lifecycle {
    pub(super) fn start_failed(&mut self, down: DownCause, now: Instant) {
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

    /// This machine has slept. Whether that or a channel's end is noticed first is a matter of chance.
    pub(super) fn woke(&mut self, now: Instant) {
        self.woke_at = Some(now);
        // An outage that was known before has causes of its own.
        let just_lost = self.lost_at.is_some_and(|at| now.duration_since(at) < LOST_JUST_NOW);
        if just_lost && matches!(self.phase, Phase::Resuming | Phase::ResumeWait) {
            self.cause = self.cause.take().map(asleep);
        }
    }

    pub(super) fn channel_lost(&mut self, mut down: DownCause, now: Instant) {
        if self.woke_at.is_some_and(|at| now.duration_since(at) < WOKE_JUST_NOW) {
            down.cause = asleep(down.cause);
        }
        self.lost_at = Some(now);
        let pause = self.channel.lost(self.phase == Phase::Resuming, down.retry, now);
        self.probing = false;
        if !self.suspect {
            // Resuming overtakes it.
            self.stop_replacing();
            self.replace_at = None;
        }
        if pause.is_zero() {
            self.enter(Phase::Resuming, Some(down.cause));
            self.actions.push_back(Action::ResumeSession);
        } else {
            self.enter(Phase::ResumeWait, Some(down.cause));
            self.retry_at = Some(now + pause);
        }
    }

    pub(super) fn resume_failed(&mut self, down: DownCause, now: Instant) {
        self.lost_at = None;
        match down.retry {
            // That explains the silence of a suspect session, and another is not to be had either.
            Retry::Unreachable => self.trust(),
            Retry::Login | Retry::Answered => self.think_again(now),
            // Its websocket may still be good: only the agent was asked in vain.
            Retry::Never if self.suspect => {}
            // A session that we may not resume is lost to us, but only a new one says whether all is.
            Retry::Never => return self.session_ended(DownCause { retry: Retry::Answered, ..down }, now),
        }
        let phase = if down.retry == Retry::Login { Phase::ResumeLogin } else { Phase::ResumeWait };
        self.wait_to_resume(phase, down, now);
    }

    pub(super) fn resumed(&mut self, now: Instant) {
        self.channel.carries(now);
        self.trust();
        if self.answered {
            self.enter(Phase::Ready, None);
        } else {
            self.enter(Phase::Probing, None);
            self.probe();
        }
    }

    pub(super) fn session_ended(&mut self, down: DownCause, now: Instant) {
        let lived = now.duration_since(self.session_since);
        let was_stable = lived >= SESSION_STABLE;
        if down.cause.kind == CauseKind::MaxDuration && lived >= SHORTEST_LIMIT {
            // Nobody said so before: the next one is replaced in time.
            self.longest = Some(lived);
        }
        if !self.answered {
            // It cost the target a session and came to nothing.
            self.backoff.skip_short();
        }
        if self.replacing.is_some() && down.retry != Retry::Never && !down.is_idle_policy() {
            // Another one is on its way already.
            self.forget_session();
            self.actions.push_back(Action::EndSession);
            return self.enter(Phase::Starting, Some(down.cause));
        }
        self.drop_session(Action::EndSession);
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

    pub(super) fn probe_failed(&mut self, down: DownCause, now: Instant) {
        self.probing = false;
        let is_fresh = now.duration_since(self.session_since) < RESOLVED_JUST_NOW;
        if self.answered && self.policy.by_name && !is_fresh {
            // Another session is tried before users hear of it.
            self.replace(Replacing::Moved(down));
        } else {
            self.degrade(down, now);
        }
    }

    pub(super) fn degrade(&mut self, down: DownCause, now: Instant) {
        self.answered = false;
        self.wait(Phase::Degraded, down, now);
    }

    pub(super) fn session_up(&mut self, now: Instant) {
        self.forget_session();
        self.session_since = now;
        self.channel.reset();
        self.channel.carries(now);
        self.probe();
    }

    /// Another session of the tunnel's is there already, and carries.
    pub(super) fn taken_over(&mut self, since: Instant, now: Instant) {
        if self.phase == Phase::Starting || self.replacing.is_some() {
            self.actions.push_back(Action::ForgetStart);
        }
        let answered = self.answered;
        self.forget_session();
        self.session_since = since;
        self.channel.reset();
        self.channel.carries(now);
        if answered {
            self.answered = true;
            self.enter(Phase::Ready, None);
        } else {
            self.enter(Phase::Probing, None);
            self.probe();
        }
    }

    pub(super) fn probe(&mut self) {
        if !self.probing {
            self.probing = true;
            self.actions.push_back(Action::Probe);
        }
    }

    /// Gives up the session there is, in this way, and one that is being opened.
    pub(super) fn drop_session(&mut self, end: Action) {
        if self.phase == Phase::Starting || self.replacing.is_some() {
            self.actions.push_back(Action::ForgetStart);
        }
        if self.phase.has_session() {
            self.actions.push_back(end);
        }
        self.forget_session();
    }

    pub(super) fn forget_session(&mut self) {
        self.replacing = None;
        self.replace_at = None;
        self.check_at = None;
        self.suspect = false;
        self.probing = false;
        self.answered = false;
    }

    fn wait_to_resume(&mut self, phase: Phase, down: DownCause, now: Instant) {
        let pause = self.channel.failed(down.retry);
        self.enter(phase, Some(down.cause));
        self.retry_at = Some(now + pause);
    }
}

/// The loss of a channel, after a sleep: what the network says of it is only its consequence.
fn asleep(cause: Cause) -> Cause {
    if cause.kind != CauseKind::Network {
        return cause;
    }
    Cause { kind: CauseKind::Sleep, text: format!("this machine was asleep: {}", cause.text), ..cause }
}
