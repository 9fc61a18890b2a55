//! One session, opened to see whether a tunnel would work, asked once, and ended again: for whoever looks for the cause of
//! trouble, with no daemon or beside one.
//!
//! It goes the way that a tunnel's first session goes, by the same code, and says at which step it ended. It binds no port
//! and keeps nothing: whoever calls it waits until the session is ended.

use super::cause::{About, DownCause};
use super::connect::{ESTABLISHED, TERMINATE, WEBSOCKET};
use super::connect::{established, request, stream_url, unique_reason, websocket_failed};
use super::probe::probe;
use crate::aws::{AwsError, SessionGrant, SsmApi};
use crate::config::TunnelConfig;
use ssm_session::{Connect, ConnectError, KeepAlive, Session};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tunnels_api::{Cause, CauseKind};

/// How far a session came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrialStep {
    /// AWS was asked for a session.
    Start,
    /// Its data channel was opened.
    Channel,
    /// The agent on the target was waited for.
    Agent,
    /// The remote was asked through it.
    Remote,
}

/// What a session came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// What the agent calls its version, once it has said so.
    pub agent_version: Option<String>,
    /// Where it ended; none if the remote has answered, as far as `probe` can tell.
    pub failure: Option<TrialFailure>,
    /// The session, if it could not be ended, and why not.
    pub left: Option<(String, String)>,
}

/// Why a session did not carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialFailure {
    /// The step that failed.
    pub step: TrialStep,
    /// Why, and what to do.
    pub cause: Cause,
    /// What AWS answered, if it was a call that failed.
    pub error: Option<AwsError>,
    /// The HTTP status with which the gateway refused the data channel.
    pub refused: Option<u16>,
}

impl TrialFailure {
    fn at(step: TrialStep, down: DownCause) -> Self {
        Self { step, cause: down.cause, error: None, refused: None }
    }
}

/// What a failed call means for a tunnel, in the words of `status`. `node` is the target that was asked.
pub fn explain(tunnel: &TunnelConfig, region: Option<&str>, node: Option<&str>, error: AwsError) -> Cause {
    let mut about = About::tunnel(tunnel);
    if let Some(region) = region {
        about = about.in_region(region.to_owned());
    }
    if let Some(node) = node {
        about = about.at(node);
    }
    about.call_failed(error).cause
}

/// Opens a session of the tunnel on `target`, asks the remote, and ends the session, also when `cancelled` is. It takes
/// a minute at most, if AWS or the agent keep silent.
pub async fn try_session(
    tunnel: &TunnelConfig,
    api: &dyn SsmApi,
    target: &str,
    cancelled: &CancellationToken,
) -> Trial {
    let about = About::tunnel(tunnel).in_region(api.region()).at(target);
    let mut request = request(tunnel, target.to_owned());
    let own_reason = request.reason.is_none().then(|| unique_reason(&format!("doctor {}", tunnel.name)));
    request.reason = request.reason.or_else(|| own_reason.clone());
    // Not cut short: with its answer there is a session to be ended.
    let SessionGrant { session_id, stream_url: granted, token } = match api.start_session(request).await {
        Ok(grant) => grant,
        Err(error) => {
            if let Some(reason) = own_reason.filter(|_| error.may_be_done()) {
                end_unanswered(api, target, &reason).await;
            }
            let down = about.call_failed(error.clone());
            let failure = TrialFailure { error: Some(error), ..TrialFailure::at(TrialStep::Start, down) };
            return Trial { agent_version: None, failure: Some(failure), left: None };
        }
    };
    let session = Session::client(ssm_proto::Config { patience: tunnel.patience, ..ssm_proto::Config::default() });
    let carried = async {
        let url = stream_url(api, &granted).map_err(|down| TrialFailure::at(TrialStep::Channel, down))?;
        let credentials = api.credentials().await.map_err(|error| TrialFailure {
            error: Some(error.clone()),
            ..TrialFailure::at(TrialStep::Channel, about.call_failed(error))
        })?;
        let signing = Some((credentials, api.region()));
        let connect = Connect { url: &url, signing, network: api.network(), timeout: WEBSOCKET };
        let keep_alive = KeepAlive { interval: tunnel.ping_interval, deadline: tunnel.ping_timeout };
        let transport = api.open_channel(connect, keep_alive).await.map_err(|error| TrialFailure {
            refused: match &error {
                ConnectError::Http { status, .. } => Some(*status),
                _ => None,
            },
            ..TrialFailure::at(TrialStep::Channel, websocket_failed(&about, &error))
        })?;
        session.attach(transport, token);
        let opened = timeout(ESTABLISHED, established(&session, &about)).await;
        let opened = opened.unwrap_or_else(|_| Err(about.agent_absent()));
        opened.map_err(|down| TrialFailure::at(TrialStep::Agent, down))?;
        let answered = probe(tunnel.probe, &about, &session).await;
        answered.map_err(|down| TrialFailure::at(TrialStep::Remote, down))
    };
    let failure = match cancelled.run_until_cancelled(carried).await {
        Some(outcome) => outcome.err(),
        None => Some(TrialFailure::at(TrialStep::Start, interrupted())),
    };
    let agent_version = session.agent_identity().map(|agent| agent.version);
    session.terminate().await;
    let left = end(api, &session_id).await.err().map(|why| (session_id, why));
    Trial { agent_version, failure, left }
}

fn interrupted() -> DownCause {
    DownCause::new(CauseKind::User, super::cause::Retry::Never, "it was interrupted")
}

async fn end(api: &dyn SsmApi, id: &str) -> Result<(), String> {
    match timeout(TERMINATE, api.terminate_session(id)).await {
        Ok(Ok(()) | Err(AwsError::NoSuchSession(_))) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it took too long".to_owned()),
    }
}

/// A session may have come to be whose id nobody was told: its reason is no other's.
async fn end_unanswered(api: &dyn SsmApi, target: &str, reason: &str) {
    let Ok(Ok(found)) = timeout(TERMINATE, api.active_sessions(target)).await else { return };
    for session in found.iter().filter(|session| session.reason.as_deref() == Some(reason)) {
        // What does not work ends by the account's idle timeout.
        let _ = end(api, &session.id).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::SessionSeen;
    use crate::aws::fake::FakeAws;

    fn tunnel() -> TunnelConfig {
        let text = "[tunnels.db]\nremote = \"db.example:5432\"\nlocal = 15432\ntarget = \"i-01234567\"\n";
        crate::config::parse(std::path::Path::new("c"), text).unwrap().tunnels.remove(0)
    }

    #[tokio::test]
    async fn a_refused_session_says_at_which_step_and_what_aws_answered() {
        let aws = FakeAws::default();
        let denied = AwsError::AccessDenied("no".into());
        aws.script(|script| script.starts.push_back(Err(denied.clone())));
        let trial = try_session(&tunnel(), &aws, "i-01234567", &CancellationToken::new()).await;
        let failure = trial.failure.unwrap();
        assert_eq!((failure.step, failure.error), (TrialStep::Start, Some(denied)));
        assert_eq!(aws.script(|script| script.calls.clone()), ["start i-01234567"], "there is nothing to end");
    }

    #[tokio::test]
    async fn a_session_that_does_not_carry_is_ended() {
        let aws = FakeAws::default();
        aws.script(|script| script.starts.push_back(Ok("wss://elsewhere.example/v1/data-channel/s-1".into())));
        let refused = AwsError::AccessDenied("no".into());
        aws.script(|script| script.terminates.push_back(Err(refused)));
        let trial = try_session(&tunnel(), &aws, "i-01234567", &CancellationToken::new()).await;
        assert_eq!(trial.failure.unwrap().step, TrialStep::Channel);
        assert_eq!(aws.script(|script| script.calls.clone()), ["start i-01234567", "terminate s-1"]);
        assert_eq!(trial.left, Some(("s-1".into(), "access denied: no".into())), "what is left over is told");
    }

    #[tokio::test]
    async fn a_session_whose_start_was_not_answered_is_found_by_its_reason_and_ended() {
        let aws = FakeAws::default();
        aws.script(|script| script.starts.push_back(Err(AwsError::NoAnswer("lost".into()))));
        let token = CancellationToken::new();
        let _ = try_session(&tunnel(), &aws, "i-01234567", &token).await;
        let reason = aws.script(|script| script.started[0].reason.clone()).unwrap();
        assert!(reason.starts_with("tunnels doctor db "), "{reason}");
        assert_eq!(aws.script(|script| script.calls.clone()), ["start i-01234567", "sessions i-01234567"]);
        let other = SessionSeen { id: "s-other".into(), reason: Some("tunnels db 1".into()) };
        let ours = SessionSeen { id: "s-ours".into(), reason: Some(reason.clone()) };
        aws.script(|script| script.sessions = vec![other, ours]);
        end_unanswered(&aws, "i-01234567", &reason).await;
        assert_eq!(aws.script(|script| script.calls.last().cloned()).unwrap(), "terminate s-ours");
    }
}
