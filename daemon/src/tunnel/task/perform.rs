//! What the lifecycle's actions come to: calls and attempts as tasks of their own, whose results come back as
//! [`Done`].

use super::super::cause::{DownCause, Retry};
use super::super::connect::{Live, ResumeError};
use super::super::keeper::{Counted, Keeper};
use super::super::lifecycle::Action;
use super::super::listener::Listener;
use super::super::probe;
use super::{Done, TunnelTask};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tunnels_api::CauseKind;

/// A session is open for so long, or up to twice that, before anybody asks how long it may be; the shortest that an
/// account can allow is a minute (docs/protocol.md §7.2).
const LIMIT_ASKED: Duration = Duration::from_secs(2);

impl TunnelTask {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Bind => {
                self.binding += 1;
                let (number, config, shared) = (self.binding, Arc::clone(&self.config), self.shared.clone());
                let (turns, doors) = (self.around.turns.clone(), self.around.doors.clone());
                // It may have accepted a connection before this task goes on, which is not to find what was there before.
                self.open_gate();
                let hurry = self.hurry.clone();
                let bind = async move {
                    let bind = async {
                        // The listener before this one, and a bind that was overtaken, let go first.
                        let turn = turns.wait(&config.local).await;
                        Listener::bind(&config.local, &shared, turn, doors).await
                    };
                    // A tunnel that ends has no use for it.
                    hurry.run_until_cancelled(bind).await.map_or(Done::Ended, |bound| Done::Bound(number, bound))
                };
                self.spawn(bind, Done::Bound(number, Err(broken().cause)));
            }
            Action::Unbind => {
                self.binding += 1;
                self.listener = None;
                // Their connections were the listener's.
                self.end_kept(Duration::ZERO);
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
                self.starting += 1;
                let (number, connector) = (self.starting, Arc::clone(&self.connector));
                let start = async move { Done::Started(number, connector.start().await) };
                self.spawn(start, Done::Started(number, Err(broken())));
            }
            Action::ForgetStart => self.starting += 1,
            Action::ResumeSession => {
                self.resuming += 1;
                let number = self.resuming;
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
                // With all others, whose remote is the old one as well.
                self.end_kept(self.around.drain);
            }
            Action::Check => {
                if let Some(live) = &self.live {
                    live.session.check();
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
    pub(super) fn spawn(&mut self, work: impl Future<Output = Done> + Send + 'static, broken: Done) {
        let work = AssertUnwindSafe(work).catch_unwind().map(|done| {
            done.unwrap_or_else(|_| {
                tracing::error!(becomes = ?broken, "an attempt has panicked");
                broken
            })
        });
        self.running.spawn(tracing::Instrument::in_current_span(work));
    }

    /// The session is not the tunnel's any more.
    fn let_go(&mut self) -> Option<Live> {
        self.resuming += 1;
        self.probing += 1;
        self.session_status = None;
        self.gauges.set_rtt_source(None);
        self.live.take()
    }

    /// Has a session looked after until its connections have ended.
    pub(super) fn retire(&mut self, live: Live) {
        live.seats.close();
        let counted = Counted::new(Arc::clone(&self.kept));
        self.keep(live, counted, CancellationToken::new());
    }

    /// Has a session looked after until its seats are closed and empty, or it is let go.
    /// Returns the keeper's number.
    pub(super) fn keep(&mut self, live: Live, counted: Arc<Counted>, let_go: CancellationToken) -> u64 {
        self.keeping += 1;
        let number = self.keeping;
        let keeper = Keeper::new(
            live,
            fastrand::u64(..),
            self.kept_until.subscribe(),
            self.around.nudges.subscribe(),
            counted,
            self.kept_news.0.clone(),
            let_go,
        );
        let hurry = self.hurry.clone();
        self.spawn(keeper.run(hurry).map(move |()| Done::Left(number)), Done::Left(number));
        number
    }

    /// All sessions beside the first take no new connections, and end at the latest after so long; those to come have no
    /// such end.
    fn end_kept(&mut self, after: Duration) {
        self.dissolve_pool();
        self.kept_until.send_replace(Some(Instant::now() + after));
        self.kept_until = watch::channel(None).0;
    }

    /// Asks how long the session may live; a little later, since what makes the tunnel ready comes first.
    pub(super) fn ask_for_limit(&mut self, live: &Live) {
        let (number, live) = (self.carrying, live.clone());
        let later = LIMIT_ASKED.mul_f64(1.0 + fastrand::f64());
        let hurry = self.hurry.clone();
        let ask = async move {
            // Cancel-safe: there is nothing in it to lose.
            let asked = async {
                sleep(later).await;
                live.by.limit(&live).await
            };
            Done::Limited(number, hurry.run_until_cancelled(asked).await.flatten())
        };
        self.spawn(ask, Done::Ended);
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
pub(super) fn broken() -> DownCause {
    DownCause::new(CauseKind::Other, Retry::Answered, "an internal error ended the attempt; it is tried again")
        .with_next("please report it, with what the daemon's log says of it")
}
