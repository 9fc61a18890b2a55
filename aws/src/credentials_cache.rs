//! One copy of a client's credentials, for its calls and for signing websockets.
//!
//! A provider may run a program or make a call each time it is asked, and every websocket asks. The copy
//! goes with its client: one whose credentials were refused is not used again.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// Credentials are fetched anew this long before they expire, and after `UNLIMITED` if they do not.
const MARGIN: Duration = Duration::from_mins(5);
const UNLIMITED: Duration = Duration::from_mins(15);

/// How long a provider may take: programs that ask a vault, or a password manager, are slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A provider that asks another one, and not again for a while.
#[derive(Debug)]
pub(crate) struct CachedCredentials {
    provider: SharedCredentialsProvider,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    credentials: Credentials,
    until: SystemTime,
}

impl CachedCredentials {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, kept: Mutex::new(None) }
    }
}

impl ProvideCredentials for CachedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            // Held while asking: whoever comes meanwhile takes the same answer.
            let mut kept = self.kept.lock().await;
            let now = SystemTime::now();
            if let Some(kept) = kept.as_ref().filter(|kept| now < kept.until) {
                return Ok(kept.credentials.clone());
            }
            *kept = None;
            let asked = tokio::time::timeout(PATIENCE, self.provider.provide_credentials()).await;
            let credentials = asked.map_err(|_| CredentialsError::provider_timed_out(PATIENCE))??;
            let until = match credentials.expiry() {
                Some(expiry) => expiry.checked_sub(MARGIN).unwrap_or(now),
                None => now + UNLIMITED,
            };
            *kept = Some(Kept { credentials: credentials.clone(), until });
            Ok(credentials)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Counts how often it is asked; its credentials live for so long.
    #[derive(Debug)]
    struct Source(Option<Duration>, Arc<AtomicUsize>);

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.1.fetch_add(1, Relaxed);
            let expiry = self.0.map(|life| SystemTime::now() + life);
            future::ProvideCredentials::ready(Ok(Credentials::new("AKIA", "secret", None, expiry, "test")))
        }
    }

    async fn asked(life: Option<Duration>) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let cached = CachedCredentials::new(SharedCredentialsProvider::new(Source(life, Arc::clone(&count))));
        for _ in 0..3 {
            assert_eq!(cached.provide_credentials().await.unwrap().access_key_id(), "AKIA");
        }
        count.load(Relaxed)
    }

    #[tokio::test]
    async fn a_provider_is_asked_once_while_its_credentials_last() {
        assert_eq!(asked(None).await, 1);
        assert_eq!(asked(Some(Duration::from_hours(1))).await, 1);
    }

    #[derive(Debug)]
    struct Hanging;

    impl ProvideCredentials for Hanging {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_never_answers_is_given_up() {
        let cached = CachedCredentials::new(SharedCredentialsProvider::new(Hanging));
        let given_up = cached.provide_credentials().await;
        assert!(matches!(given_up, Err(CredentialsError::ProviderTimedOut(_))), "{given_up:?}");
    }

    #[tokio::test]
    async fn credentials_that_are_about_to_expire_are_not_kept() {
        assert_eq!(asked(Some(Duration::from_mins(4))).await, 3);
    }
}
