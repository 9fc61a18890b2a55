//! Sessions that nobody uses any more are terminated, however often that takes: those of a daemon that
//! crashed, and ours whose end AWS did not hear of. Those that we know only by the reason we gave for them are
//! found first (`starts.rs`).
//!
//! Which they are is the state file's knowledge: a session in use is never among them.

mod starts;

use crate::aws::{AwsConnector, AwsError, SsmApi};
use crate::state::{SessionRecord, StateFile};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The pause between tries: what is missing is mostly a network or a login.
const AGAIN: Duration = Duration::from_mins(1);
/// The same while a session may just be in the making.
const SOON: Duration = Duration::from_secs(5);
/// For one session, client and call together.
const ONE: Duration = Duration::from_secs(30);

/// What became of one try.
#[derive(Debug)]
enum Outcome {
    Ended,
    /// Gone, or never there: the two look the same.
    NotFound,
    Elsewhere(String),
    Failed(AwsError),
}

/// Ends leftovers as they come, until it is dropped.
pub(crate) async fn keep_ended(aws: Arc<dyn AwsConnector>, state: StateFile) {
    // What was told of each that stays: the same trouble is told once.
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut starts = starts::Unseen::default();
    loop {
        let may_come = starts.look_for(aws.as_ref(), &state).await;
        let left = state.leftovers();
        told.retain(|id, _| left.iter().any(|(left, _)| left == id));
        let ended = join_all(left.into_iter().map(|(id, record)| end(aws.as_ref(), &state, id, record))).await;
        for (id, record, trouble) in ended {
            let (Some(trouble), tunnel) = (trouble, record.tunnel) else { continue };
            if told.get(&id) == Some(&trouble) {
                tracing::debug!(session = id, tunnel, "a session that was left over still stays: {trouble}");
            } else {
                tracing::warn!(
                    session = id,
                    tunnel,
                    "a session that was left over stays for now, and is tried again each minute: {trouble}"
                );
                told.insert(id, trouble);
            }
        }
        let pause = if may_come { SOON } else { AGAIN };
        tokio::select! {
            // Cancel-safe, both.
            () = sleep(pause) => {}
            () = state.another_unseen_start() => sleep(SOON).await,
        }
    }
}

/// Tries to end one, and says what stood in the way.
async fn end(
    aws: &dyn AwsConnector,
    state: &StateFile,
    id: String,
    record: SessionRecord,
) -> (String, SessionRecord, Option<String>) {
    let tunnel = &record.tunnel;
    let trouble = match timeout(ONE, terminate(aws, &id, &record)).await {
        Ok(Outcome::Ended) => {
            tracing::info!(session = %id, %tunnel, "ended a session that was left over");
            None
        }
        Ok(Outcome::NotFound) => {
            tracing::info!(session = %id, %tunnel, ?record, "a session that was left over is not found there");
            None
        }
        Ok(Outcome::Elsewhere(endpoint)) => Some(format!("it lives at AWS, not at {endpoint}")),
        Ok(Outcome::Failed(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", ONE.as_secs())),
    };
    if trouble.is_none() {
        state.session_ended(&id);
    }
    (id, record, trouble)
}

/// A client for where a session lives.
async fn client(aws: &dyn AwsConnector, record: &SessionRecord) -> Result<Arc<dyn SsmApi>, Outcome> {
    let api = aws.connect(&record.scope()).await.map_err(Outcome::Failed)?;
    // The environment may lead elsewhere by now, where "no such session" would mean nothing.
    match (&record.ssm_endpoint, api.endpoint()) {
        (None, Some(endpoint)) => Err(Outcome::Elsewhere(endpoint)),
        _ => Ok(api),
    }
}

async fn terminate(aws: &dyn AwsConnector, id: &str, record: &SessionRecord) -> Outcome {
    let api = match client(aws, record).await {
        Ok(api) => api,
        Err(outcome) => return outcome,
    };
    match api.terminate_session(id).await {
        Ok(()) => Outcome::Ended,
        Err(AwsError::NoSuchSession(_)) => Outcome::NotFound,
        Err(error) => Outcome::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::fake::FakeAws;
    use crate::log_buffer::LogBuffer;
    use std::path::Path;
    use tracing::instrument::WithSubscriber as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tunnels_api::{LogLevel, LogQuery};

    fn record(endpoint: Option<&str>) -> SessionRecord {
        SessionRecord {
            tunnel: "a".into(),
            profile: Some("dev".into()),
            region: Some("eu-west-1".into()),
            ssm_endpoint: endpoint.map(str::to_owned),
            sts_endpoint: None,
        }
    }

    /// A state file with the live session `live` and the leftover `left`.
    fn state(folder: &Path, endpoint: Option<&str>) -> StateFile {
        let state = StateFile::open(folder, Path::new("/s")).unwrap();
        state.session_opened("live", record(endpoint));
        state.session_opened("left", record(endpoint));
        drop(state.leaving("left"));
        state
    }

    #[tokio::test(start_paused = true)]
    async fn a_leftover_is_tried_again_until_it_has_ended_and_live_ones_are_not_touched() {
        let (aws, folder) = (FakeAws::default(), tempfile::tempdir().unwrap());
        aws.script(|script| {
            script.terminates = [Err(AwsError::Unreachable("x".into())), Err(AwsError::Service("x".into()))].into();
        });
        let state = state(folder.path(), Some("http://127.0.0.1:1"));
        drop(timeout(AGAIN * 5, keep_ended(Arc::new(aws.clone()), state.clone())).await);
        assert_eq!(aws.script(|script| script.calls.clone()), ["terminate left"; 3]);
        assert_eq!(state.leftovers(), []);
        // It was asked for where it lives.
        let scope = aws.script(|script| script.scopes[0].clone());
        assert_eq!((scope.profile.as_deref(), scope.region.as_deref()), (Some("dev"), Some("eu-west-1")));
        assert_eq!(scope.endpoints.ssm.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_trouble_is_told_once() {
        let (aws, folder) = (FakeAws::default(), tempfile::tempdir().unwrap());
        let trouble = |why: &str| Err(AwsError::Service(why.into()));
        aws.script(|script| {
            script.terminates = (0..20).map(|_| trouble("x")).chain((0..20).map(|_| trouble("y"))).collect();
        });
        let state = state(folder.path(), Some("http://127.0.0.1:1"));
        let buffer = LogBuffer::default();
        let kept = timeout(AGAIN * 60, keep_ended(Arc::new(aws.clone()), state.clone()));
        drop(kept.with_subscriber(tracing_subscriber::registry().with(buffer.layer())).await);
        let lines = buffer.lines(&LogQuery { level: Some(LogLevel::Info), ..LogQuery::default() });
        let about_trouble = lines.iter().filter(|line| line.level == LogLevel::Warn).count();
        assert_eq!((lines.len(), about_trouble), (3, 2), "{lines:?}");
        assert!(lines.iter().all(|line| line.tunnel.as_deref() == Some("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_found_is_forgotten() {
        let (aws, folder) = (FakeAws::default(), tempfile::tempdir().unwrap());
        aws.script(|script| script.terminates = [Err(AwsError::NoSuchSession("x".into()))].into());
        let state = state(folder.path(), Some("http://127.0.0.1:1"));
        drop(timeout(AGAIN / 2, keep_ended(Arc::new(aws.clone()), state.clone())).await);
        assert_eq!(state.leftovers(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_lives_at_aws_is_not_looked_for_elsewhere() {
        let (aws, folder) = (FakeAws::default(), tempfile::tempdir().unwrap());
        let state = state(folder.path(), None);
        drop(timeout(AGAIN / 2, keep_ended(Arc::new(aws.clone()), state.clone())).await);
        assert!(aws.script(|script| script.calls.is_empty()));
        assert_eq!(state.leftovers().len(), 1);
    }
}
