//! When `accept` fails: waited out, and said once.
//!
//! The usual reason is that the process may open no more files; connections then wait in the system's queue
//! until one has ended.

use crate::clock;
use crate::log_limit::LogLimit;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Without a pause the loop would spin until a descriptor is free.
const PAUSE: Duration = Duration::from_millis(100);
/// At the limit every connection that ends lets one in, and the next one fails again: so often that is told.
const SAY_AGAIN: Duration = Duration::from_mins(1);

/// The trouble that one listening socket has.
#[derive(Debug)]
pub(crate) struct AcceptTrouble {
    since: Option<Instant>,
    limit: LogLimit,
}

impl Default for AcceptTrouble {
    fn default() -> Self {
        Self { since: None, limit: LogLimit::new(1, SAY_AGAIN) }
    }
}

impl AcceptTrouble {
    /// `accept` has worked.
    pub(crate) fn over(&mut self) {
        if let Some(since) = self.since.take() {
            tracing::debug!(after = ?clock::now().duration_since(since), "accepting connections again");
        }
    }

    /// `accept` has failed: returns when it is to be tried again.
    pub(crate) async fn wait_out(&mut self, error: &io::Error) {
        // The connection's own end; the next one may be waiting.
        if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted) {
            return;
        }
        if self.since.is_none() {
            let now = clock::now();
            self.since = Some(now);
            if self.limit.pass(now).is_some() {
                tracing::warn!("new connections wait, none can be accepted now: {error}");
            }
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_buffer::LogBuffer;
    use tracing::instrument::WithSubscriber as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tunnels_api::LogQuery;

    #[tokio::test(start_paused = true)]
    async fn a_lack_of_files_is_told_once_a_minute_however_often_it_comes() {
        let buffer = LogBuffer::default();
        let hours = async {
            let mut trouble = AcceptTrouble::default();
            for _ in 0..600 {
                for _ in 0..5 {
                    trouble.wait_out(&io::Error::from_raw_os_error(24)).await;
                }
                trouble.wait_out(&ErrorKind::ConnectionAborted.into()).await;
                trouble.over();
            }
        };
        hours.with_subscriber(tracing_subscriber::registry().with(buffer.layer())).await;
        let lines = buffer.lines(&LogQuery { level: Some(tunnels_api::LogLevel::Info), ..LogQuery::default() });
        // 600 times half a second.
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines[0].message.contains("(os error 24)"), "{}", lines[0].message);
    }
}
