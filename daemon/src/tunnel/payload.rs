//! [`PayloadMemory`]: whether a larger payload is worth another try.
//!
//! Each session tries for itself whether the size that the configuration asks for gets through (docs/protocol.md §10.2). Where
//! it did not, every further try would cost a session time, or its first websocket: so the tunnel remembers for an hour.

use crate::clock;
use ssm_proto::PayloadTrial;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tunnels_api::{Cause, CauseKind};

/// What is in the way is a service or a proxy: either may change, but not soon.
const REMEMBERED: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
pub(super) struct PayloadMemory {
    small_until: Mutex<Option<Instant>>,
}

impl PayloadMemory {
    /// What a new session is to try, in bytes, if the configuration asks for `configured`.
    pub(super) fn to_try(&self, configured: usize) -> Option<usize> {
        let is_larger = configured > ssm_proto::Config::default().max_payload;
        (is_larger && self.small_until().is_none()).then_some(configured)
    }

    /// Takes what became of a try, whether the session came to be or not.
    pub(super) fn note(&self, trial: PayloadTrial, configured: usize) {
        if matches!(trial, PayloadTrial::Sent { .. } | PayloadTrial::Refused) {
            tracing::warn!("{}", text(configured));
            *self.lock() = Some(clock::now() + REMEMBERED);
        }
    }

    /// Until when the larger size is not tried; `None` if it is.
    pub(super) fn small_until(&self) -> Option<Instant> {
        self.lock().filter(|at| *at > clock::now())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.small_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why messages of `configured` bytes are not used.
pub(super) fn cause(configured: usize) -> Cause {
    Cause::new(CauseKind::Payload, text(configured))
        .with_next("`payload = 1024` in the configuration spares new sessions the try")
}

fn text(configured: usize) -> String {
    format!("payloads of {configured} bytes do not get through: small ones are used for an hour")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_did_not_get_through_is_tried_again_an_hour_later() {
        let memory = PayloadMemory::default();
        assert_eq!((memory.to_try(1024), memory.to_try(8192)), (None, Some(8192)));
        memory.note(PayloadTrial::Accepted, 8192);
        memory.note(PayloadTrial::None, 8192);
        assert_eq!(memory.to_try(8192), Some(8192));
        memory.note(PayloadTrial::Refused, 8192);
        assert_eq!(memory.to_try(8192), None);
        tokio::time::advance(REMEMBERED).await;
        assert_eq!(memory.to_try(8192), Some(8192));
        memory.note(PayloadTrial::Sent { sequence: 2 }, 8192);
        assert_eq!(memory.to_try(8192), None, "the session did not even come to be");
    }
}
