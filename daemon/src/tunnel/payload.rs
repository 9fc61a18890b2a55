//! [`PayloadMemory`]: whether a larger payload is worth another try.
//!
//! Each session tries for itself whether the size that the configuration asks for gets through (docs/protocol.md §10.2). Where
//! it did not, every further try would cost a session time, or its first websocket: so the tunnel remembers for an hour.

use ssm_proto::PayloadTrial;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What is in the way is a service or a proxy: either may change, but not soon.
const REMEMBERED: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
pub(super) struct PayloadMemory {
    small_until: Mutex<Option<Instant>>,
}

impl PayloadMemory {
    /// What a new session is to try, in bytes, if the configuration asks for `configured`.
    pub(super) fn to_try(&self, configured: usize) -> Option<usize> {
        let small_until = *self.small_until.lock().unwrap_or_else(PoisonError::into_inner);
        let is_worth_it = small_until.is_none_or(|at| at <= Instant::now());
        Some(configured).filter(|size| is_worth_it && *size > ssm_proto::Config::default().max_payload)
    }

    /// Takes what became of a try, whether the session came to be or not.
    pub(super) fn note(&self, trial: PayloadTrial, configured: usize) {
        if matches!(trial, PayloadTrial::Sent { .. } | PayloadTrial::Refused) {
            tracing::warn!("payloads of {configured} bytes do not get through: small ones are used for an hour");
            *self.small_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REMEMBERED);
        }
    }
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
