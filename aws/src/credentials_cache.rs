//! One copy of the credentials of an origin, for the calls and the websockets of all its clients.
//!
//! A provider may run a program or make a call each time it is asked, and every websocket asks. However many tunnels
//! come at once, one asks and the others take the same answer, a refusal as well. The files are read anew each time.

use crate::credentials::Origin;
use crate::http::Clients;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tunnels_daemon::aws::AwsError;

/// Credentials are fetched anew this long before they expire, and after `UNLIMITED` if they do not.
pub(crate) const MARGIN: Duration = Duration::from_mins(5);
const UNLIMITED: Duration = Duration::from_mins(15);

/// How long a refusal holds for others that ask: tunnels that wait for a login look one by one, every few seconds,
/// and a program is not to be run a hundred times for that.
const REFUSED: Duration = Duration::from_secs(1);

/// How long it holds for others that AWS did not accept what a provider gives. Keys that have expired will not be accepted a
/// moment later, and a hundred tunnels need not find that out one by one; a clock that was wrong, or a program that has
/// others by now, is noticed soon enough.
const NOT_ACCEPTED: Duration = Duration::from_secs(2);

/// How long a provider may take: programs that ask a vault, or a password manager, are slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts changes of the files that credentials are read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edition(Arc<AtomicU64>);

impl Edition {
    pub(crate) fn next(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The credentials of all origins that were ever asked for. As many as there are profiles in use, or were.
#[derive(Debug, Default)]
pub(crate) struct CredentialsStore {
    known: SyncMutex<HashMap<Origin, Arc<SharedCredentials>>>,
    edition: Edition,
}

impl CredentialsStore {
    /// Those of this origin, which nobody may have asked for yet.
    pub(crate) fn of(&self, origin: Origin, clients: &Arc<Clients>) -> Arc<SharedCredentials> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let make = |origin: &Origin| {
            let (origin, clients) = (origin.clone(), Arc::clone(clients));
            let fetch = move || -> Fetching {
                let (origin, clients) = (origin.clone(), Arc::clone(&clients));
                Box::pin(async move { origin.fetch(&clients).await })
            };
            Arc::new(SharedCredentials::new(fetch, self.edition.clone()))
        };
        Arc::clone(known.entry(origin).or_insert_with_key(make))
    }

    /// A file has changed, or somebody asks: refusals of before say nothing any more.
    pub(crate) fn may_be_others(&self) {
        self.edition.next();
    }

    /// Those of a profile that somebody has asked for.
    pub(crate) fn of_profile(&self, profile: Option<&str>) -> Vec<Arc<SharedCredentials>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.iter().filter(|(origin, _)| origin.profile.as_deref() == profile);
        same.map(|(_, credentials)| Arc::clone(credentials)).collect()
    }
}

type Fetching = Pin<Box<dyn Future<Output = Result<Credentials, CredentialsError>> + Send>>;

/// Fetches when it has none that last, and gives everybody the same.
pub(crate) struct SharedCredentials {
    fetch: Box<dyn Fn() -> Fetching + Send + Sync>,
    edition: Edition,
    /// Held while asking.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    refused: Option<Refused>,
    unaccepted: Option<Unaccepted>,
}

impl State {
    /// What is kept and has not run out, if it is to be replaced already.
    fn lasting(&self) -> Option<Credentials> {
        let lasts = |kept: &&Kept| kept.credentials.expiry().is_none_or(|at| at > SystemTime::now());
        self.kept.as_ref().filter(lasts).map(|kept| kept.credentials.clone())
    }
}

#[derive(Debug)]
struct Kept {
    credentials: Credentials,
    until: SystemTime,
}

/// What AWS last did not accept.
#[derive(Debug)]
struct Unaccepted {
    access_key: String,
    error: AwsError,
    at: Instant,
    edition: u64,
}

#[derive(Debug)]
struct Refused {
    error: Arc<CredentialsError>,
    at: Instant,
    edition: u64,
}

/// AWS has just not accepted the very same credentials.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub(crate) struct NotAccepted(pub(crate) AwsError);

/// An error that several were waiting for.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub(crate) struct SharedError(pub(crate) Arc<CredentialsError>);

impl fmt::Debug for SharedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCredentials").finish_non_exhaustive()
    }
}

impl SharedCredentials {
    fn new(fetch: impl Fn() -> Fetching + Send + Sync + 'static, edition: Edition) -> Self {
        Self { fetch: Box::new(fetch), edition, state: Mutex::default() }
    }

    /// The same for ever.
    pub(crate) fn fixed(credentials: Credentials) -> Self {
        let fetch = move || -> Fetching { Box::pin(std::future::ready(Ok(credentials.clone()))) };
        Self::new(fetch, Edition::default())
    }

    /// Some that last, and that AWS has not refused just now.
    pub(crate) async fn get(&self) -> Result<Credentials, SharedError> {
        let came = Instant::now();
        let mut state = self.state.lock().await;
        let found = self.find(&mut state, came).await?;
        match &state.unaccepted {
            Some(Unaccepted { access_key, error, at, edition })
                if access_key == found.access_key_id()
                    && *edition == self.edition.now()
                    && at.elapsed() < NOT_ACCEPTED =>
            {
                Err(SharedError(Arc::new(CredentialsError::provider_error(NotAccepted(error.clone())))))
            }
            _ => Ok(found),
        }
    }

    async fn find(&self, state: &mut State, came: Instant) -> Result<Credentials, SharedError> {
        if let Some(kept) = state.kept.as_ref().filter(|kept| SystemTime::now() < kept.until) {
            return Ok(kept.credentials.clone());
        }
        if let Some(refused) = &state.refused
            && refused.edition == self.edition.now()
            && refused.at + REFUSED > came
        {
            let error = SharedError(Arc::clone(&refused.error));
            return state.lasting().ok_or(error);
        }
        self.ask(state).await
    }

    /// When they run out, if they have been fetched and do.
    pub(crate) async fn expiry(&self) -> Option<SystemTime> {
        self.state.lock().await.kept.as_ref()?.credentials.expiry()
    }

    /// AWS does not accept this access key, and says why: what is kept is of no use.
    pub(crate) async fn refuse(&self, access_key: &str, error: &AwsError) {
        let mut state = self.state.lock().await;
        state.unaccepted = Some(Unaccepted {
            access_key: access_key.to_owned(),
            error: error.clone(),
            at: Instant::now(),
            edition: self.edition.now(),
        });
        // Another client may have said so already, and there are new ones.
        state.kept = state.kept.take().filter(|kept| kept.credentials.access_key_id() != access_key);
    }

    /// Asks for new ones though there are some that last, and says when those run out that there are then. Who has
    /// just refused is not asked: it may be a program that asks its user.
    pub(crate) async fn renew(&self) -> Option<SystemTime> {
        let mut state = self.state.lock().await;
        let edition = self.edition.now();
        let is_late = |refused: &Refused| refused.edition != edition || refused.at.elapsed() >= MARGIN;
        if state.refused.as_ref().is_none_or(is_late) {
            drop(self.ask(&mut state).await);
        }
        state.kept.as_ref()?.credentials.expiry()
    }

    async fn ask(&self, state: &mut State) -> Result<Credentials, SharedError> {
        let edition = self.edition.now();
        let mut asked = self.fetch_in_time().await;
        if asked.is_err() && self.edition.now() != edition {
            // Somebody has logged in meanwhile, and nobody will say so again.
            asked = self.fetch_in_time().await;
        }
        match asked {
            Ok(credentials) => {
                let now = SystemTime::now();
                let until = match credentials.expiry() {
                    Some(expiry) => expiry.checked_sub(MARGIN).unwrap_or(now),
                    None => now + UNLIMITED,
                };
                state.kept = Some(Kept { credentials: credentials.clone(), until });
                state.refused = None;
                Ok(credentials)
            }
            Err(error) => {
                let error = Arc::new(error);
                state.refused = Some(Refused { error: Arc::clone(&error), at: Instant::now(), edition });
                state.lasting().ok_or(SharedError(error))
            }
        }
    }

    async fn fetch_in_time(&self) -> Result<Credentials, CredentialsError> {
        let asked = tokio::time::timeout(PATIENCE, (self.fetch)()).await;
        asked.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(PATIENCE)))
    }
}

#[cfg(test)]
mod tests;
