//! What the lifecycle's actions come to: calls and attempts as tasks of their own, whose results come back as
//! [`Done`].

use super::super::cause::{DownCause, Retry};
use super::super::connect::{Live, ResumeError};
use super::super::lifecycle::Action;
use super::super::listener::Listener;
use super::super::probe;
use super::{Done, TunnelTask};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::time::timeout;
use tunnels_api::CauseKind;

impl TunnelTask {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Bind => {
                self.binding += 1;
                let (number, config, shared) = (self.binding, Arc::clone(&self.config), self.shared.clone());
                let turns = self.around.turns.clone();
                let bind = async move {
                    // The listener before this one, and a bind that was overtaken, let go first.
                    let turn = turns.wait(&config.local).await;
                    Done::Bound(number, Listener::bind(&config.local, &shared, turn).await)
                };
                self.spawn(bind, Done::Bound(number, Err(broken().cause)));
            }
            Action::Unbind => {
                self.binding += 1;
                self.listener = None;
            }
            Action::RetireListener => {
                self.binding += 1;
                if let Some(mut listener) = self.listener.take() {
                    let (drained, patience) = (listener.drain(), self.patience());
                    let retire = async move {
                        tokio::select! {
                            () = drained => {}
                            () = patience => {}
                        }
                        drop(listener);
                        Done::Ended
                    };
                    self.spawn(retire, Done::Ended);
                }
            }
            Action::StartSession => {
                self.attempt += 1;
                let (number, connector) = (self.attempt, Arc::clone(&self.connector));
                let start = async move { Done::Started(number, connector.start().await) };
                self.spawn(start, Done::Started(number, Err(broken())));
            }
            Action::ForgetStart => self.attempt += 1,
            Action::ResumeSession => {
                self.attempt += 1;
                let number = self.attempt;
                if let Some(live) = self.live.clone() {
                    let connector = Arc::clone(&live.by);
                    let resume = async move { Done::Resumed(number, connector.resume(&live).await) };
                    self.spawn(resume, Done::Resumed(number, Err(ResumeError::Failed(broken()))));
                }
            }
            Action::EndSession => {
                if let Some(live) = self.let_go() {
                    self.end(live);
                }
            }
            Action::RetireSession => {
                if let Some(live) = self.let_go() {
                    self.retire(live);
                }
            }
            Action::Probe => {
                self.probing += 1;
                if let Some(live) = &self.live {
                    let (number, session, kind) = (self.probing, live.session.clone(), self.config.probe);
                    let about = live.about();
                    let probe = async move { Done::Probed(number, probe::probe(kind, &about, &session).await) };
                    self.spawn(probe, Done::Probed(number, Err(broken())));
                }
            }
        }
    }

    /// Runs work as a task of its own. A bug in it must cost a try and not the tunnel, so a panic has its
    /// result as well.
    fn spawn(&mut self, work: impl Future<Output = Done> + Send + 'static, broken: Done) {
        let work = AssertUnwindSafe(work).catch_unwind().map(|done| {
            done.unwrap_or_else(|_| {
                tracing::error!(becomes = ?broken, "an attempt has panicked");
                broken
            })
        });
        self.running.spawn(tracing::Instrument::in_current_span(work));
    }

    /// The session is not the tunnel's any more, nor is one that is being opened.
    fn let_go(&mut self) -> Option<Live> {
        self.attempt += 1;
        self.probing += 1;
        self.session_status = None;
        self.gauges.set_rtt_source(None);
        self.live.take()
    }

    /// Ends a session once its connections have had some time to end.
    pub(super) fn retire(&mut self, live: Live) {
        let retired = live.retire(self.patience()).map(|()| Done::Ended);
        self.spawn(retired, Done::Ended);
    }

    pub(super) fn end(&mut self, live: Live) {
        self.spawn(live.end().map(|()| Done::Ended), Done::Ended);
    }

    /// How long connections may go on that an edit of the configuration ends.
    fn patience(&self) -> impl Future<Output = ()> + use<> {
        let (drain, hurry) = (self.around.drain, self.hurry.clone());
        // Cancel-safe: there is nothing in it to lose.
        async move { drop(timeout(drain, hurry.cancelled()).await) }
    }
}

/// What a panic in an attempt looks like to users.
fn broken() -> DownCause {
    DownCause::new(CauseKind::Other, Retry::Answered, "an internal error ended the attempt; it is tried again")
        .with_next("please report it, with what the daemon's log says of it")
}
