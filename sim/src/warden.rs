//! Watches one session's clocks: idle timeout, maximum duration, the websocket's recycling.
//!
//! Decides from the faults in force, the session's age and its last input; acts by ending the
//! session or by telling the client's socket `1000 Bye`. Sleeps until the next moment that matters.

use std::sync::Arc;
use std::time::Duration;

use ssm_proto::channel::open::Role;
use tokio::time::{Instant, sleep_until};

use crate::faults::Faults;
use crate::service::Service;
use crate::session::{EndReason, Session, SocketCommand};

/// The client's texts are known from issue logs only (docs/protocol.md §7.1).
const IDLE: &str = "Your session timed out due to inactivity.";
const MAX_DURATION: &str = "Your session has reached the maximum session duration.";

/// Runs as long as the session.
pub(crate) async fn watch(service: Arc<Service>, session: Arc<Session>) {
    let mut faults = service.faults.watch();
    let mut presence = session.watch_presence();
    // The socket that has been told already: it may take a moment to go.
    let mut recycled = None;
    loop {
        let client_since = presence.borrow_and_update().client;
        let next = {
            let faults = faults.borrow_and_update();
            let deadlines = Deadlines::of(&faults, &session, client_since.filter(|_| client_since != recycled));
            let now = Instant::now();
            if deadlines.max_duration.is_some_and(|at| at <= now) {
                return session.end(EndReason::MaxDuration, MAX_DURATION.to_owned());
            }
            if deadlines.idle.is_some_and(|at| at <= now) {
                return session.end(EndReason::Idle, IDLE.to_owned());
            }
            if deadlines.recycle.is_some_and(|at| at <= now) {
                recycled = client_since;
                session.command(Role::Client, SocketCommand::Bye);
                continue;
            }
            deadlines.next()
        };
        tokio::select! {
            _ = session.ended() => return,
            () = service.shutdown.cancelled() => return,
            changed = faults.changed() => if changed.is_err() { return },
            changed = presence.changed() => if changed.is_err() { return },
            () = moment(next) => {}
        }
    }
}

/// When each clock runs out, if it runs.
struct Deadlines {
    max_duration: Option<Instant>,
    idle: Option<Instant>,
    recycle: Option<Instant>,
}

impl Deadlines {
    fn of(faults: &Faults, session: &Session, client_since: Option<Instant>) -> Self {
        // A time beyond all clocks is never.
        let after =
            |start: Instant, seconds: Option<f64>| start.checked_add(Duration::try_from_secs_f64(seconds?).ok()?);
        Self {
            max_duration: after(session.opened, faults.max_duration_s),
            idle: after(session.last_activity(), faults.idle_timeout_s),
            recycle: client_since.and_then(|since| after(since, faults.close_every_s)),
        }
    }

    fn next(&self) -> Option<Instant> {
        [self.max_duration, self.idle, self.recycle].into_iter().flatten().min()
    }
}

async fn moment(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
