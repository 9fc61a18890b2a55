//! The old daemon's way to the new one, for as long as the old one's connections go on: tells which sessions it still has, and
//! hears when it is to hurry.

use super::channel::{Receiver, Sender};
use super::{FromNew, FromOld};
use crate::state::Used;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(crate) struct Heir {
    sender: Sender,
    receiver: Receiver,
    changes: watch::Receiver<Used>,
    drain: Duration,
}

impl Heir {
    pub(super) fn new(sender: Sender, receiver: Receiver, changes: watch::Receiver<Used>, drain: Duration) -> Self {
        Self { sender, receiver, changes, drain }
    }

    /// How long open connections may go on.
    pub(crate) fn drain(&self) -> Duration {
        self.drain
    }

    /// Tells of every change until `ended`, and then how it stands at last. What the new daemon asks for is in `hurry`: how long
    /// connections may go on from then.
    pub(crate) async fn keep_told(mut self, hurry: watch::Sender<Option<Duration>>, ended: CancellationToken) {
        let mut hears = true;
        // The first is known from the offer; what has changed since then is not.
        self.changes.mark_changed();
        loop {
            let is_over = tokio::select! {
                // Cancel-safe, all three: a watch, a token, and a receiver that says so.
                changed = self.changes.changed() => changed.is_err(),
                () = ended.cancelled() => true,
                message = self.receiver.next(), if hears => {
                    match message {
                        Ok(Some(FromNew::End { drain_ms })) => {
                            hurry.send_replace(Some(Duration::from_millis(drain_ms)));
                        }
                        Ok(Some(other)) => tracing::debug!(?other, "not understood"),
                        // It has crashed, or was told to end at once: the connections are none the worse for it.
                        Ok(None) | Err(_) => hears = false,
                    }
                    continue;
                }
            };
            let used = self.changes.borrow_and_update().clone();
            let told = self.sender.send(&FromOld::Uses(used), &[]).await;
            if is_over || told.is_err() {
                break;
            }
        }
        // Nobody listens any more; what it asked for is still to be done.
        ended.cancelled().await;
    }
}
