//! Another session beside the one there is, which then takes its place: make before break.
//!
//! Owns when that is called for – the remote may have moved, the agent does not acknowledge, the session's longest
//! life is nearly over – and what becomes of the tunnel meanwhile. The old session keeps its connections; who
//! looks after it from then on is `keeper.rs`.

use super::{Action, Lifecycle, Phase};
use crate::tunnel::cause::{DownCause, Retry};
use std::time::{Duration, Instant};
use tunnels_api::{Cause, CauseKind};

/// A session whose remote has not answered for so long is given up for a new one, which finds a remote that
/// has moved; each that was in vain doubles it, so many times: 30 s to 8 min.
const RESOLVE_AGAIN: Duration = Duration::from_secs(30);
const RESOLVE_DOUBLINGS: u32 = 4;
/// A session that is younger has asked for the remote's address just now.
pub(super) const RESOLVED_JUST_NOW: Duration = Duration::from_secs(5);
/// A suspect session has so long to be heard on a new websocket before another session is opened: a path that
/// had only stalled is back by then.
pub(super) const SECOND_THOUGHTS: Duration = Duration::from_secs(2);
/// The same where it does not even get a new websocket. Long: a network that is silent is the likelier reason, and
/// has no other session either.
pub(super) const THIRD_THOUGHTS: Duration = Duration::from_secs(12);
/// Before its longest life is over, a session is replaced with a tenth of it left, at most so much.
const ROTATE_AHEAD: Duration = Duration::from_mins(5);

/// How old a session becomes before it takes no new connections, of which the longest life is known.
pub(in crate::tunnel) fn retire_after(longest: Duration) -> Duration {
    longest.saturating_sub((longest / 10).min(ROTATE_AHEAD))
}

/// Why another session is wanted beside the one there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Replacing {
    /// The remote had answered through this one, and does not any more: docs/protocol.md §6.4, the agent resolves
    /// the host once per session. The cause is what users hear of it if another does not help.
    Moved(DownCause),
    /// It never answered through this one.
    Degraded,
    /// The agent acknowledges nothing.
    Suspect,
    /// Its longest life is nearly over.
    Rotation,
}

impl Lifecycle {
    /// Opens another session, unless one is being opened.
    pub(super) fn replace(&mut self, why: Replacing) {
        self.replace_at = None;
        if self.replacing.replace(why).is_none() {
            self.actions.push_back(Action::StartSession);
        }
    }

    /// Why another session takes the place of the one there is, where no change of state says so.
    pub(crate) fn why_replaced(&self) -> Option<Cause> {
        match self.replacing.as_ref()? {
            Replacing::Moved(down) => {
                let text = format!("{}; another session looks for it anew", down.cause);
                Some(Cause { text, ..down.cause.clone() })
            }
            Replacing::Rotation => {
                let text = "a new session takes the new connections before the longest life of the last one is over";
                Some(Cause::new(CauseKind::MaxDuration, text))
            }
            Replacing::Degraded | Replacing::Suspect => None,
        }
    }

    /// The session that is being opened looks anew for a remote that did not answer through those there are.
    pub(crate) fn looks_anew(&self) -> bool {
        matches!(self.replacing, Some(Replacing::Moved(_) | Replacing::Degraded))
    }

    /// The session there is has a use after all; says whether another was being opened.
    pub(super) fn stop_replacing(&mut self) -> bool {
        let was_replacing = self.replacing.take().is_some();
        if was_replacing {
            self.actions.push_back(Action::ForgetStart);
        }
        was_replacing
    }

    /// The other session is open. Views keep the state until they know whether it is a better one. That it only
    /// replaces one is no use of the tunnel, so it parks as the old one would have.
    pub(super) fn replaced(&mut self, now: Instant) {
        let state = self.state();
        let cause = self.cause.take();
        self.session_up(now);
        self.enter(Phase::Probing, cause);
        self.still = Some(state);
    }

    /// There is no other session to be had. The one there is may still come to carry: a call that fails costs
    /// nothing.
    pub(super) fn not_replaced(&mut self, why: Replacing, now: Instant) {
        match why {
            Replacing::Moved(down) => self.degrade(down, now),
            Replacing::Degraded => {
                let cause = self.cause.take();
                self.enter(Phase::Degraded, cause);
                self.retry_at = Some(now + self.backoff.pause(Retry::Answered));
            }
            Replacing::Suspect | Replacing::Rotation => {
                self.replace_at = Some(now + self.backoff.pause(Retry::Answered));
            }
        }
    }

    /// Nothing has been acknowledged for a while on a websocket that seems to be open (docs/protocol.md §7.4): the
    /// session is resumed once, in case the path is at fault, and another is opened if that does not help.
    pub(super) fn suspect(&mut self, down: DownCause, now: Instant) {
        self.probing = false;
        self.suspect = true;
        if self.replacing.is_none() {
            self.replace_at = Some(now + THIRD_THOUGHTS);
        }
        self.enter(Phase::Resuming, Some(down.cause));
        self.actions.push_back(Action::ResumeSession);
    }

    /// AWS has answered, so a suspect session's silence is its agent's.
    pub(super) fn think_again(&mut self, now: Instant) {
        if self.suspect {
            self.replace_at = self.replace_at.map(|at| at.min(now + SECOND_THOUGHTS));
        }
    }

    /// It is heard again, by whatever way.
    pub(super) fn trust(&mut self) {
        if std::mem::take(&mut self.suspect) {
            self.replace_at = None;
            if self.replacing == Some(Replacing::Suspect) {
                self.stop_replacing();
            }
        }
    }

    /// When the session there is is to be replaced because of its age.
    pub(super) fn rotate_at(&self) -> Option<Instant> {
        let carries = matches!(self.phase, Phase::Probing | Phase::Ready | Phase::Degraded);
        let longest = self.longest.filter(|_| carries && self.replacing.is_none() && self.replace_at.is_none())?;
        Some(self.session_since + retire_after(longest))
    }

    /// docs/protocol.md §7.2: nobody is told before. A session that nobody uses is not worth another.
    pub(super) fn rotate(&mut self) {
        if self.policy.on_demand && self.streams == 0 {
            self.drop_session(Action::EndSession);
            self.enter(Phase::Listening, None);
        } else {
            self.replace(Replacing::Rotation);
        }
    }

    /// Another session for a remote that may have moved; a probe if it is too soon for that.
    pub(super) fn look_again(&mut self, now: Instant) {
        let patience = RESOLVE_AGAIN * (1 << self.in_vain.min(RESOLVE_DOUBLINGS));
        if !self.policy.by_name || now.duration_since(self.session_since) < patience {
            return self.probe();
        }
        self.in_vain += 1;
        self.replace(Replacing::Degraded);
    }
}
