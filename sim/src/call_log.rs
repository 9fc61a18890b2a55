//! The last API calls, for `/_sim/sessions`. Bounded; holds no tokens and no credentials.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// Enough for any test to see all its calls; about 200 KiB at most.
const CAPACITY: usize = 1000;

/// One API call, whether or not its answer got through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiCall {
    /// When it was carried out or refused.
    pub at: Timestamp,
    /// `StartSession`, … or `CreateDataChannel` and the like for the agent's calls.
    pub operation: String,
    /// The session it was about or made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The node it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `ok`, or the name of the error.
    pub result: String,
    /// Whether the request carried a signature.
    pub signed: bool,
}

/// A ring of the last calls.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    calls: Mutex<VecDeque<ApiCall>>,
}

impl CallLog {
    pub(crate) fn record(&self, call: ApiCall) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == CAPACITY {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    pub(crate) fn all(&self) -> Vec<ApiCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_calls_are_kept() {
        let log = CallLog::default();
        for index in 0..CAPACITY + 3 {
            log.record(ApiCall {
                at: Timestamp::UNIX_EPOCH,
                operation: format!("op{index}"),
                session: None,
                target: None,
                result: "ok".to_owned(),
                signed: false,
            });
        }
        let calls = log.all();
        assert_eq!(calls.len(), CAPACITY);
        assert_eq!(calls[0].operation, "op3");
    }
}
