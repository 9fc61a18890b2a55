//! Has an external agent start one session, and tells it when the session is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep_until, timeout};

use super::ControlChannels;
use crate::messages;
use crate::service::{Agents, Service};
use crate::session::{EndReason, Session};

/// docs/protocol.md §9.4: an agent drops what comes before it has registered its session processor,
/// 1–3 s after it has opened its channel.
const SETTLING: Duration = Duration::from_secs(2);
/// How long the agent's data channel call may take before it is told again.
const ANSWER: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 4;

/// Runs as long as the session.
pub(crate) async fn launch(service: Arc<Service>, session: Arc<Session>) {
    let Agents::External(channels) = &service.agents else {
        return;
    };
    tokio::select! {
        () = start(&service, channels, &session) => {}
        end = session.ended() => {
            if end.reason != EndReason::AgentCompleted
                && let Some(channel) = channels.get(&session.target)
            {
                channel.send(messages::channel_closed_to_agent(&service, &session)).await;
            }
        }
        () = service.shutdown.cancelled() => {}
    }
}

/// Starts the session's worker; returns only when that cannot be done.
async fn start(service: &Service, channels: &ControlChannels, session: &Session) {
    for _ in 0..ATTEMPTS {
        let mut opened = channels.watch_opened();
        let Some(channel) = channels.get(&session.target) else {
            let _ = timeout(ANSWER, opened.changed()).await;
            continue;
        };
        sleep_until(channel.since + SETTLING).await;
        channel.send(messages::interactive_shell(service, session)).await;
        if timeout(ANSWER, session.agent_granted()).await.is_ok() {
            return std::future::pending().await;
        }
    }
    session.end(EndReason::AgentUnavailable, "The agent did not start the session.".to_owned());
}
