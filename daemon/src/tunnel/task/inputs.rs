//! What came of attempts, sessions and connections, told to the lifecycle as events.

use super::super::cause::Retry;
use super::super::connect::{Live, ResumeError, channel_lost};
use super::super::forward::News;
use super::super::lifecycle::Event;
use super::super::nudge::{Endpoint, Nudge};
use super::super::pool::Gauge;
use super::{Done, TunnelTask};
use crate::clock;
use ssm_session::SessionStatus;
use tokio::sync::watch;

impl TunnelTask {
    pub(super) fn connection_news(&mut self, news: News) {
        let event = match news {
            News::SessionWanted => Event::Connection,
            News::Answered => Event::RemoteAnswered,
            News::Refused(session) => {
                self.refused_by(&session);
                Event::RemoteRefused
            }
            News::Crowded => return self.pool.handle_crowd(clock::now()),
            News::StreamsChanged => {
                self.keep_alive();
                Event::Streams(self.gauges.streams())
            }
        };
        self.lifecycle.handle_event(event, clock::now());
    }

    pub(super) fn done(&mut self, done: Done) {
        let now = clock::now();
        match &done {
            Done::Started(_, result) => self.note_reach(result.as_ref().err().map(|down| down.retry)),
            Done::Resumed(_, result) => self.note_reach(result.as_ref().err().map(ResumeError::retry)),
            Done::Joined(_, result) => self.note_reach(result.as_ref().err().map(|down| down.retry)),
            Done::Left(_) | Done::Probed(..) | Done::Bound(..) | Done::Limited(..) | Done::Ended => {}
        }
        match done {
            Done::Joined(number, result) => self.joined(number, result),
            Done::Left(keeper) => self.members.retain(|member| member.keeper != keeper),
            Done::Started(number, Ok(live)) if number == self.starting => {
                tracing::info!(session = %live.id, target = %live.target, "session open");
                let instead = live.instead.clone();
                self.retire_members_unlike(&live);
                if let Some(replaced) = self.adopt(live) {
                    self.retire(replaced);
                }
                self.gauge = Gauge::new(now);
                if let Some(cause) = self.lifecycle.why_replaced() {
                    self.publisher.note(cause);
                }
                self.lifecycle.handle_event(Event::SessionUp, now);
                if let Some(cause) = instead {
                    self.lifecycle.handle_event(Event::Elsewhere(cause), now);
                }
            }
            Done::Started(_, Ok(live)) => self.end(live),
            Done::Started(number, Err(down)) if number == self.starting => {
                self.lifecycle.handle_event(Event::StartFailed(down), now);
            }
            Done::Resumed(number, result) if number == self.resuming => match result {
                // Attached; that it carries is told by the session's status.
                Ok(()) => self.lifecycle.handle_event(Event::Attached, now),
                Err(ResumeError::Failed(down)) => self.lifecycle.handle_event(Event::ResumeFailed(down), now),
                Err(ResumeError::Ended(down)) => self.lifecycle.handle_event(Event::SessionEnded(down), now),
            },
            Done::Probed(number, result) if number == self.probing => {
                let event = match result {
                    Ok(()) => Event::ProbePassed,
                    // It says itself why it has ended, which is news of its own.
                    Err(_) if self.is_session_over() => return,
                    Err(down) => Event::ProbeFailed(down),
                };
                self.lifecycle.handle_event(event, now);
            }
            Done::Bound(number, result) if number == self.binding => match result {
                Ok(listener) => {
                    self.listener = Some(listener);
                    self.lifecycle.handle_event(Event::Bound, now);
                }
                Err(cause) => self.lifecycle.handle_event(Event::BindFailed(cause), now),
            },
            Done::Limited(number, Some(longest)) if number == self.carrying => {
                self.lives_at_most(longest);
            }
            // Overtaken, or nothing to tell.
            Done::Started(..)
            | Done::Resumed(..)
            | Done::Probed(..)
            | Done::Bound(..)
            | Done::Limited(..)
            | Done::Ended => {}
        }
    }

    pub(super) fn nudge(&mut self, nudge: &Nudge) {
        if nudge.concerns(&self.config.scope) {
            self.lifecycle.handle_nudge(nudge, clock::now());
            self.pool.handle_nudge(nudge.spread(), clock::now());
        }
    }

    /// Tells the other tunnels of the endpoint when an outage of it is over.
    fn note_reach(&self, retry: Option<Retry>) {
        let endpoint = Endpoint::of(&self.config.scope);
        match retry {
            Some(Retry::Unreachable) => self.around.nudges.not_reached(&endpoint),
            // What is wrong with credentials may have been found without a call.
            Some(Retry::Login | Retry::Never) => {}
            Some(Retry::Answered) | None => self.around.nudges.reached(&endpoint),
        }
    }

    /// The session is the tunnel's first from now on; returns the one that was.
    pub(super) fn adopt(&mut self, live: Live) -> Option<Live> {
        let session = live.session.clone();
        self.gauges.set_rtt_source(Some(Box::new(move || session.stats().rtt)));
        let mut status = live.session.status();
        // What it is now was seen by the attempt; a loss since then is a change to come.
        let established = matches!(*status.borrow_and_update(), SessionStatus::Established);
        if !established {
            status.mark_changed();
        }
        self.session_status = Some(status);
        self.carrying += 1;
        // What is under way for the last one is its keeper's.
        self.resuming += 1;
        self.ask_for_limit(&live);
        let replaced = self.live.replace(live);
        self.keep_alive();
        replaced
    }

    fn is_session_over(&self) -> bool {
        let is_over = |status: &watch::Receiver<SessionStatus>| matches!(*status.borrow(), SessionStatus::Closed(_));
        self.session_status.as_ref().is_some_and(is_over)
    }

    pub(super) fn session_changed(&mut self, status: SessionStatus) {
        let is_trouble =
            matches!(status, SessionStatus::Detached { .. } | SessionStatus::Closed(_) | SessionStatus::Suspect);
        if is_trouble && self.hand_over() {
            // Another carries the tunnel; what becomes of this one is its keeper's to see.
            return;
        }
        let event = match status {
            SessionStatus::Established => Event::Resumed,
            SessionStatus::Detached { reason } => {
                self.probing += 1;
                Event::ChannelLost(channel_lost(reason.as_ref()))
            }
            SessionStatus::Closed(reason) => Event::SessionEnded(self.about().closed(&reason)),
            SessionStatus::Suspect => {
                self.probing += 1;
                Event::Silent(self.about().silent())
            }
            SessionStatus::Opening | SessionStatus::Resuming => return,
        };
        self.lifecycle.handle_event(event, clock::now());
    }
}
