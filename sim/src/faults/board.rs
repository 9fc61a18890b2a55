//! The faults in force, shared by everything that acts on them: one writer at a time, everybody may
//! watch. Counted faults are taken from here, one at a time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::{FaultError, Faults, Reach};

/// The faults in force, shared: one writer at a time, everybody may watch.
#[derive(Debug)]
pub(crate) struct FaultBoard {
    current: watch::Sender<Arc<Faults>>,
}

impl FaultBoard {
    pub(crate) fn new(initial: Faults) -> Self {
        Self { current: watch::Sender::new(Arc::new(initial)) }
    }

    /// The faults of this moment.
    pub(crate) fn get(&self) -> Arc<Faults> {
        Arc::clone(&self.current.borrow())
    }

    /// Looks at the faults without copying them; keep the closure short.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Faults) -> T) -> T {
        at(&self.current.borrow())
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Faults>> {
        self.current.subscribe()
    }

    pub(crate) fn patch(&self, patch: &Value) -> Result<Faults, FaultError> {
        let mut outcome = Err(FaultError::NoObject);
        self.current.send_if_modified(|faults| {
            outcome = faults.patched(patch);
            outcome.as_ref().is_ok_and(|patched| {
                *faults = Arc::new(patched.clone());
                true
            })
        });
        outcome
    }

    pub(crate) fn replace(&self, faults: Faults) {
        self.current.send_replace(Arc::new(faults));
    }

    pub(crate) fn clear(&self) {
        self.replace(Faults::default());
    }

    pub(crate) fn is_offline(&self, node: &str) -> bool {
        self.look(|faults| faults.offline.iter().any(|id| id == node))
    }

    pub(crate) fn is_access_denied(&self, node: &str) -> bool {
        self.look(|faults| faults.access_denied.iter().any(|id| id == node))
    }

    /// Whether a node that is online has no channel for sessions.
    pub(crate) fn is_unconnected(&self, node: &str) -> bool {
        self.look(|faults| faults.unconnected.iter().any(|id| id == node))
    }

    pub(crate) fn is_action_denied(&self, action: &str) -> bool {
        self.look(|faults| faults.denied_actions.iter().any(|denied| denied == action))
    }

    pub(crate) fn is_document_missing(&self, name: &str) -> bool {
        self.look(|faults| faults.missing_documents.iter().any(|missing| missing == name))
    }

    pub(crate) fn take_start_refusal(&self) -> bool {
        self.take(|faults| count_down(&mut faults.start_refusals))
    }

    pub(crate) fn take_resume_refusal(&self) -> bool {
        self.take(|faults| count_down(&mut faults.resume_refusals))
    }

    pub(crate) fn take_upgrade_refusal(&self) -> bool {
        self.take(|faults| count_down(&mut faults.upgrade_refusals))
    }

    pub(crate) fn take_absent_agent(&self) -> bool {
        self.take(|faults| count_down(&mut faults.absent_agents))
    }

    /// The text with which a session ends that a client has just joined, if it is to end.
    pub(crate) fn take_close_at_open(&self) -> Option<String> {
        self.take(|faults| count_down(&mut faults.close_at_open))
            .then(|| self.look(|faults| faults.close_output.clone()))
    }

    /// Whether the answer to a call of `operation` gets lost.
    pub(crate) fn take_lost(&self, operation: &str) -> bool {
        match operation {
            "StartSession" => self.take(|faults| count_down(&mut faults.start_lost)),
            "ResumeSession" => self.take(|faults| count_down(&mut faults.resume_lost)),
            _ => false,
        }
    }

    /// How long the answer to a call of `operation` is on its way.
    pub(crate) fn answer_delay(&self, operation: &str) -> Duration {
        Duration::from_millis(self.look(|faults| match operation {
            "StartSession" => faults.start_delay_ms,
            "ResumeSession" => faults.resume_delay_ms,
            _ => 0,
        }))
    }

    /// Resolves when a part of the service is not as `unwanted` any more.
    pub(crate) async fn until_not(&self, unwanted: Reach, part: impl Fn(&Faults) -> Reach) {
        let mut faults = self.watch();
        // The sender is in `self`: it cannot be gone.
        let _ = faults.wait_for(|faults| part(faults) != unwanted).await;
    }

    pub(crate) fn take_empty_token(&self) -> bool {
        self.take(|faults| faults.empty_token.take())
    }

    /// Whether credentials have expired, of everybody or of whoever signs with `access_key`.
    pub(crate) fn take_expired_credentials(&self, access_key: Option<&str>) -> bool {
        let of_this_key = |faults: &Faults| faults.expired_keys.iter().any(|key| Some(key.as_str()) == access_key);
        self.look(of_this_key) || self.take(|faults| faults.expired_credentials.take())
    }

    /// Whether an SSO token is no longer accepted.
    pub(crate) fn is_token_expired(&self, token: &str) -> bool {
        self.look(|faults| faults.expired_tokens.iter().any(|expired| expired == token))
    }

    pub(crate) fn is_role_denied(&self, role: &str) -> bool {
        self.look(|faults| faults.denied_roles.iter().any(|denied| denied == role))
    }

    /// Whether a role is given only with a code.
    pub(crate) fn wants_code(&self, role: &str) -> bool {
        self.look(|faults| faults.mfa_roles.iter().any(|wants| wants == role))
    }

    pub(crate) fn take_throttle(&self) -> bool {
        self.take(|faults| faults.throttle.take())
    }

    fn take(&self, from: impl FnOnce(&mut Faults) -> bool) -> bool {
        let mut taken = false;
        self.current.send_if_modified(|faults| {
            let mut counted = Faults::clone(faults);
            taken = from(&mut counted);
            if taken {
                *faults = Arc::new(counted);
            }
            taken
        });
        taken
    }
}

fn count_down(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Switch;
    use super::*;

    #[test]
    fn a_subset_changes_only_itself_and_null_clears() {
        let board = FaultBoard::new(Faults::default());
        board.patch(&json!({"latency_ms": 25, "rate_bytes_per_s": 1000})).unwrap();
        let faults = board.patch(&json!({"throttle": 2, "rate_bytes_per_s": null})).unwrap();
        assert_eq!(faults.latency_ms, 25);
        assert_eq!(faults.rate_bytes_per_s, None);
        assert_eq!(faults.throttle, Switch::Next(2));
        board.clear();
        assert_eq!(*board.get(), Faults::default());
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let board = FaultBoard::new(Faults::default());
        for patch in [
            json!({"latency": 1}),
            json!({"duplicate": 2.0}),
            json!({"idle_timeout_s": -1.0}),
            json!({"rate_bytes_per_s": 0}),
            json!([]),
        ] {
            assert!(board.patch(&patch).is_err(), "{patch} was accepted");
        }
        assert_eq!(*board.get(), Faults::default());
    }

    #[test]
    fn counted_faults_run_out() {
        let board = FaultBoard::new(Faults::default());
        board.patch(&json!({"resume_refusals": 1, "throttle": 1, "expired_credentials": true})).unwrap();
        assert!(board.take_resume_refusal());
        assert!(!board.take_resume_refusal());
        assert!(board.take_throttle());
        assert!(!board.take_throttle());
        assert!(board.take_expired_credentials(None) && board.take_expired_credentials(None));
    }

    #[test]
    fn named_keys_expire_alone() {
        let board = FaultBoard::new(Faults::default());
        board.patch(&json!({"expired_keys": ["AKIAOLD"]})).unwrap();
        for (key, expired) in [(Some("AKIAOLD"), true), (Some("AKIANEW"), false), (None, false)] {
            assert_eq!(board.take_expired_credentials(key), expired, "{key:?}");
        }
    }
}
