//! `GET /v1/events`: the status board as server-sent events.
//!
//! A stream starts with a snapshot. A reader that lags behind the board's backlog gets a new snapshot
//! instead of what it missed, so it may miss steps, never the outcome.

use super::routes::Served;
use crate::status::Subscription;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{self, error::RecvError};
use tunnels_api::DaemonEvent;

/// Subscribes the caller until it hangs up or the daemon ends.
pub(super) async fn events(State(served): State<Served>) -> Sse<impl Stream<Item = Result<Event, serde_json::Error>>> {
    let reader = Reader { events: None, is_over: false, served };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((to_sse(&event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

struct Reader {
    /// None before the first snapshot.
    events: Option<broadcast::Receiver<DaemonEvent>>,
    /// It has been told that the daemon ends: what becomes of its tunnels then is not what users are to see.
    is_over: bool,
    served: Served,
}

impl Reader {
    async fn next(&mut self) -> Option<DaemonEvent> {
        if self.is_over {
            return None;
        }
        let Some(events) = &mut self.events else {
            return Some(self.subscribe());
        };
        let received = tokio::select! {
            // What has happened is told before the end is.
            biased;
            received = events.recv() => received,
            () = self.served.shutdown.cancelled() => return None,
        };
        match received {
            Ok(event) => {
                self.is_over = matches!(event, DaemonEvent::Stopping);
                Some(event)
            }
            // A daemon that ends, or has handed over, has nothing to show any more.
            Err(RecvError::Lagged(_)) if self.served.shutdown.is_cancelled() => None,
            Err(RecvError::Lagged(_)) => Some(self.subscribe()),
            Err(RecvError::Closed) => None,
        }
    }

    fn subscribe(&mut self) -> DaemonEvent {
        let Subscription { snapshot, config_error, events } = self.served.daemon.subscribe();
        self.events = Some(events);
        DaemonEvent::Snapshot { tunnels: snapshot, config_error }
    }
}

fn to_sse(event: &DaemonEvent) -> Result<Event, serde_json::Error> {
    let data = serde_json::to_string(event)?;
    Ok(Event::default().event(event.name()).data(data))
}
