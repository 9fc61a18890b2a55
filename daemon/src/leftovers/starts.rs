//! Finds the sessions of calls of StartSession whose answer nobody has seen: the daemon was killed, or the network
//! failed, before it came.
//!
//! Each such call gave a reason that no other gives. A session with another reason is never touched, whoever's it is
//! and however much it looks like one of ours.

use super::{ONE, Outcome, client};
use crate::aws::{AwsConnector, AwsError, AwsScope, SessionSeen, SsmApi};
use crate::clock;
use crate::state::{SessionRecord, StartRecord, StateFile};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tunnels_api::Timestamp;

/// A session that is to come of a call is there when the call is so old.
const SETTLED: Duration = Duration::from_mins(5);
/// Nearly always it is there at once, or soon after; so long it is looked for often.
const FRESH: Duration = Duration::from_mins(1);
/// What cannot be looked for so long is left to the idle timeout, which has ended it by then.
const GIVEN_UP: Duration = Duration::from_hours(24);

/// The looks for them.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    /// What was told of the trouble with a place: the same is told once.
    told: HashMap<(AwsScope, String), String>,
}

/// What one target has, or why that is not known.
type Seen = Result<(Arc<dyn SsmApi>, Vec<SessionSeen>), String>;

impl Unseen {
    /// Looks once for all that there are, with one call for each target, and ends what it finds. Says whether more may
    /// come soon.
    pub(super) async fn look_for(&mut self, aws: &dyn AwsConnector, state: &StateFile) -> bool {
        let unseen = state.unseen_starts();
        let mut places: HashMap<(AwsScope, String), Seen> = HashMap::new();
        let mut may_come = false;
        for (reason, start) in unseen {
            let place = (start.session.scope(), start.target.clone());
            let seen = match places.entry(place.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let seen = look(aws, &start).await;
                    self.tell(&place, &start.session, seen.as_ref().err());
                    new.insert(seen)
                }
            };
            let age = age(start.at);
            match seen {
                Ok((api, sessions)) => {
                    let ours = sessions.iter().filter(|session| session.reason.as_deref() == Some(reason.as_str()));
                    match end(api.as_ref(), &start.session, ours).await {
                        // None yet, or none at all.
                        Some(0) if age < SETTLED => may_come |= age < FRESH,
                        Some(_) => state.start_settled(&reason),
                        None => {}
                    }
                }
                Err(_) if age >= GIVEN_UP => state.start_settled(&reason),
                Err(_) => {}
            }
        }
        self.told.retain(|place, _| places.contains_key(place));
        may_come
    }

    fn tell(&mut self, place: &(AwsScope, String), session: &SessionRecord, trouble: Option<&String>) {
        let Some(trouble) = trouble else {
            self.told.remove(place);
            return;
        };
        if self.told.get(place) == Some(trouble) {
            return;
        }
        let (tunnel, target) = (&session.tunnel, &place.1);
        tracing::warn!(
            tunnel,
            target,
            "a session that was asked for, without an answer, cannot be looked for now; if it exists, the account's idle \
             timeout ends it: {trouble}"
        );
        self.told.insert(place.clone(), trouble.clone());
    }
}

/// How old a call is; one of the future, by a clock that was set since, is as old as can be.
fn age(at: Timestamp) -> Duration {
    Duration::try_from(clock::timestamp().duration_since(at)).unwrap_or(Duration::MAX)
}

async fn look(aws: &dyn AwsConnector, start: &StartRecord) -> Seen {
    let looking = async {
        let api = client(aws, &start.session).await.map_err(|outcome| match outcome {
            Outcome::Elsewhere(endpoint) => format!("it would live at AWS, not at {endpoint}"),
            Outcome::Failed(error) => error.to_string(),
            Outcome::Ended | Outcome::NotFound => String::new(),
        })?;
        let sessions = api.active_sessions(&start.target).await.map_err(|error| match error {
            AwsError::AccessDenied(message) => format!("ssm:DescribeSessions is not allowed: {message}"),
            error => error.to_string(),
        })?;
        Ok((api, sessions))
    };
    timeout(ONE, looking).await.unwrap_or_else(|_| Err(format!("no answer within {} s", ONE.as_secs())))
}

/// Ends sessions, and says how many; none if one of them could not be ended.
async fn end(api: &dyn SsmApi, record: &SessionRecord, sessions: impl Iterator<Item = &SessionSeen>) -> Option<usize> {
    let mut ended = 0;
    for session in sessions {
        let (id, tunnel) = (&session.id, &record.tunnel);
        match timeout(ONE, api.terminate_session(id)).await {
            Ok(Ok(()) | Err(AwsError::NoSuchSession(_))) => {
                tracing::info!(session = id, tunnel, "found and ended a session of which no answer was seen");
                ended += 1;
            }
            Ok(Err(error)) => {
                tracing::debug!(session = id, tunnel, %error, "it could not be ended");
                return None;
            }
            Err(_) => return None,
        }
    }
    Some(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::fake::FakeAws;
    use std::path::Path;

    const REASON: &str = "tunnels a 0123456789abcdef";

    fn seen(id: &str, reason: Option<&str>) -> SessionSeen {
        SessionSeen { id: id.into(), reason: reason.map(str::to_owned) }
    }

    /// A state file with a start of so long ago that nobody waits for.
    async fn state(folder: &Path, age: Duration) -> StateFile {
        let state = StateFile::open(folder, Path::new("/s")).unwrap();
        drop(state.starting(REASON.into(), start("i-1", age)).await);
        state
    }

    fn start(target: &str, age: Duration) -> StartRecord {
        let session = SessionRecord {
            tunnel: "a".into(),
            profile: None,
            region: Some("eu-west-1".into()),
            ssm_endpoint: Some("http://127.0.0.1:1".into()),
            sts_endpoint: None,
        };
        StartRecord { session, target: target.into(), at: clock::timestamp().checked_sub(age).unwrap() }
    }

    #[tokio::test]
    async fn only_the_session_with_the_very_reason_is_ended() {
        let (aws, folder) = (FakeAws::default(), tempfile::tempdir().unwrap());
        let state = state(folder.path(), Duration::ZERO).await;
        aws.script(|script| {
            script.sessions = vec![
                seen("another", Some("tunnels a 0123456789abcdee")),
                seen("ours", Some(REASON)),
                seen("longer", Some("tunnels a 0123456789abcdef0")),
                seen("silent", None),
            ];
        });
        assert!(!Unseen::default().look_for(&aws, &state).await, "it was found");
        assert_eq!(aws.script(|script| script.calls.clone()), ["sessions i-1", "terminate ours"]);
        assert!(state.unseen_starts().is_empty());
    }

    #[tokio::test]
    async fn it_is_looked_for_until_it_would_be_there() {
        for (age, may_come, settled) in [(Duration::ZERO, true, false), (FRESH, false, false), (SETTLED, false, true)] {
            let (aws, folder) = (FakeAws::default(), tempfile::tempdir().unwrap());
            let state = state(folder.path(), age).await;
            assert_eq!(Unseen::default().look_for(&aws, &state).await, may_come, "{age:?}");
            assert_eq!(state.unseen_starts().is_empty(), settled, "{age:?}");
        }
    }

    #[tokio::test]
    async fn one_that_cannot_be_ended_is_tried_again() {
        let (aws, folder) = (FakeAws::default(), tempfile::tempdir().unwrap());
        let state = state(folder.path(), SETTLED).await;
        aws.script(|script| {
            script.sessions = vec![seen("ours", Some(REASON))];
            script.terminates = [Err(AwsError::Service("x".into()))].into();
        });
        let mut unseen = Unseen::default();
        unseen.look_for(&aws, &state).await;
        assert_eq!(state.unseen_starts().len(), 1);
        unseen.look_for(&aws, &state).await;
        assert!(state.unseen_starts().is_empty());
    }

    #[tokio::test]
    async fn one_call_serves_all_starts_on_a_target() {
        let (aws, folder) = (FakeAws::default(), tempfile::tempdir().unwrap());
        let state = state(folder.path(), Duration::ZERO).await;
        for number in 0..10 {
            drop(state.starting(number.to_string(), start("i-1", Duration::ZERO)).await);
        }
        drop(state.starting("elsewhere".into(), start("i-2", Duration::ZERO)).await);
        Unseen::default().look_for(&aws, &state).await;
        let mut calls = aws.script(|script| script.calls.clone());
        calls.sort();
        assert_eq!(calls, ["sessions i-1", "sessions i-2"]);
    }
}
