//! One accepted connection: held until the session carries, then joined with a stream of it.
//!
//! Runs as a task of its own per connection, owned by the tunnel's task, and ends when that drops it. It
//! never opens a session itself: it says that one is wanted and waits at the gate.

use super::lifecycle::Admission;
use super::local_stream::LocalStream;
use super::relay::{self, Ended};
use crate::status::Gauges;
use ssm_session::Session;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

/// What connections may do now; written by the tunnel's task only.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) admission: Admission,
    /// The session to use with [`Admission::Pass`].
    pub(super) session: Option<Session>,
    /// The remote is known to answer, so a first answer is no news.
    pub(super) ready: bool,
}

impl Gate {
    pub(super) fn closed() -> Self {
        Self { admission: Admission::Refuse, session: None, ready: false }
    }
}

/// What a connection tells the tunnel's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It needs a session, and none is being opened.
    SessionWanted,
    /// The first byte from the remote has come.
    Answered,
    /// The agent could not connect it to the remote.
    Refused,
    /// The number of connections has changed. Which it is now is to be read from the gauges: news of two
    /// connections may overtake each other.
    StreamsChanged,
}

/// What all connections of a tunnel share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) gate: watch::Receiver<Gate>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) gauges: Arc<Gauges>,
    pub(super) hold: Duration,
}

impl Shared {
    async fn tell(&self, news: News) {
        // Nobody listens only when the tunnel is on its way out.
        let _ = self.news.send(news).await;
    }
}

/// Serves one connection to its end.
pub(super) async fn forward(local: LocalStream, mut shared: Shared) {
    let guard = shared.gauges.stream();
    shared.tell(News::StreamsChanged).await;
    let held_until = Instant::now() + shared.hold;
    let ended = match timeout_at(held_until, admitted(&mut shared)).await {
        Ok(Some(remote)) => {
            let news = shared.news.clone();
            let gate = shared.gate.clone();
            let on_answer = move || {
                if !gate.borrow().ready {
                    // A full queue has news enough; the next connection tells again.
                    let _ = news.try_send(News::Answered);
                }
            };
            Some(relay::relay(local, remote, &shared.gauges, on_answer).await)
        }
        Ok(None) => {
            tracing::debug!("connection refused: the tunnel does not carry");
            drop(local);
            None
        }
        Err(_) => {
            tracing::debug!(hold = ?shared.hold, "connection reset: no session in time");
            drop(local);
            None
        }
    };
    tracing::trace!(?ended, "connection over");
    if ended == Some(Ended::Refused) {
        shared.tell(News::Refused).await;
    }
    drop(guard);
    shared.tell(News::StreamsChanged).await;
}

/// Waits at the gate; `None` when it is shut for good.
async fn admitted(shared: &mut Shared) -> Option<ssm_session::MuxStream> {
    loop {
        let gate = shared.gate.borrow_and_update().clone();
        match (gate.admission, gate.session) {
            (Admission::Refuse, _) => return None,
            (Admission::Wake, _) => shared.news.send(News::SessionWanted).await.ok()?,
            (Admission::Pass, Some(session)) => match session.open_stream().await {
                Ok(stream) => return Some(stream),
                // It ended just now; the gate is about to change.
                Err(error) => tracing::debug!(%error, "no stream to be had"),
            },
            (Admission::Hold | Admission::Pass, _) => {}
        }
        shared.gate.changed().await.ok()?;
    }
}
