//! How often a provider is asked, and who gets which answer.

use super::*;
use std::sync::atomic::AtomicUsize;

/// Counts how often it is asked, and answers after a while: credentials that live for so long, or a refusal.
struct Provider {
    asked: Arc<AtomicUsize>,
    takes: Duration,
    answer: Result<Option<Duration>, &'static str>,
}

impl Provider {
    fn giving(life: Option<Duration>) -> Self {
        Self { asked: Arc::default(), takes: Duration::ZERO, answer: Ok(life) }
    }

    fn refusing() -> Self {
        Self { asked: Arc::default(), takes: Duration::from_millis(100), answer: Err("not today") }
    }

    fn shared(self, edition: &Edition) -> (Arc<SharedCredentials>, Arc<AtomicUsize>) {
        let asked = Arc::clone(&self.asked);
        let fetch = move || -> Fetching {
            let number = self.asked.fetch_add(1, Relaxed);
            let (takes, answer) = (self.takes, self.answer);
            Box::pin(async move {
                tokio::time::sleep(takes).await;
                let life = answer.map_err(CredentialsError::provider_error)?;
                let expiry = life.map(|life| SystemTime::now() + life);
                Ok(Credentials::new(format!("AKIA{number}"), "secret", None, expiry, "test"))
            })
        };
        (Arc::new(SharedCredentials::new(fetch, edition.clone())), asked)
    }
}

async fn asked(life: Option<Duration>) -> usize {
    let (shared, asked) = Provider::giving(life).shared(&Edition::default());
    for _ in 0..3 {
        shared.get().await.unwrap();
    }
    asked.load(Relaxed)
}

#[tokio::test]
async fn a_provider_is_asked_once_while_its_credentials_last() {
    assert_eq!(asked(None).await, 1);
    assert_eq!(asked(Some(Duration::from_hours(1))).await, 1);
}

#[tokio::test]
async fn credentials_that_are_about_to_expire_are_not_kept() {
    assert_eq!(asked(Some(Duration::from_mins(4))).await, 3);
}

/// A hundred ask at once; how many times the provider is asked, and whether they got something.
async fn a_hundred(provider: Provider) -> (usize, usize) {
    let (shared, asked) = provider.shared(&Edition::default());
    let all: Vec<_> = (0..100)
        .map(|_| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.get().await.is_ok() })
        })
        .collect();
    let mut served = 0;
    for one in all {
        served += usize::from(one.await.unwrap());
    }
    (asked.load(Relaxed), served)
}

#[tokio::test(start_paused = true)]
async fn a_hundred_that_ask_at_once_share_the_answer() {
    let slow = Provider { takes: Duration::from_secs(1), ..Provider::giving(Some(Duration::from_hours(1))) };
    assert_eq!(a_hundred(slow).await, (1, 100));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_shared_as_well_and_for_a_moment_only() {
    assert_eq!(a_hundred(Provider::refusing()).await, (1, 0));
    let (shared, asked) = Provider::refusing().shared(&Edition::default());
    for _ in 0..3 {
        shared.get().await.unwrap_err();
        tokio::time::advance(REFUSED).await;
    }
    assert_eq!(asked.load(Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_files_ends_a_refusal_at_once() {
    let edition = Edition::default();
    let (shared, asked) = Provider::refusing().shared(&edition);
    shared.get().await.unwrap_err();
    shared.get().await.unwrap_err();
    assert_eq!(asked.load(Relaxed), 1);
    edition.next();
    shared.get().await.unwrap_err();
    assert_eq!(asked.load(Relaxed), 2);

    // One that comes while it is being asked is not lost, either.
    tokio::time::advance(REFUSED).await;
    let asking = tokio::spawn(async move { shared.get().await.is_err() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    edition.next();
    assert!(asking.await.unwrap());
    assert_eq!(asked.load(Relaxed), 4);
}

fn expired() -> AwsError {
    AwsError::ExpiredCredentials { message: "the token has expired".into(), login: None }
}

#[tokio::test(start_paused = true)]
async fn keys_that_aws_does_not_accept_are_tried_by_one_every_few_seconds() {
    let edition = Edition::default();
    let keys = Credentials::new("AKIA", "secret", None, None, "test");
    let fetch = move || -> Fetching { Box::pin(std::future::ready(Ok(keys.clone()))) };
    let shared = SharedCredentials::new(fetch, edition.clone());
    shared.get().await.unwrap();
    shared.refuse("AKIA", &expired()).await;
    let SharedError(error) = shared.get().await.unwrap_err();
    assert_eq!(crate::error::from_credentials(&error, false), expired(), "in AWS's own words");
    tokio::time::advance(NOT_ACCEPTED).await;
    shared.get().await.unwrap();
    shared.refuse("AKIA", &expired()).await;
    edition.next();
    shared.get().await.expect("the files have changed");
}

#[tokio::test]
async fn what_aws_refuses_is_not_given_out_again() {
    let (shared, _) = Provider::giving(None).shared(&Edition::default());
    let first = shared.get().await.unwrap();
    shared.refuse("another", &expired()).await;
    assert_eq!(shared.get().await.unwrap(), first);
    shared.refuse(first.access_key_id(), &expired()).await;
    let second = shared.get().await.unwrap();
    assert_ne!(second, first);
    shared.refuse(first.access_key_id(), &expired()).await;
    assert_eq!(shared.get().await.unwrap(), second, "said of the first a moment later");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_given_up() {
    let never = Provider { takes: Duration::from_hours(1), ..Provider::giving(None) };
    let SharedError(error) = never.shared(&Edition::default()).0.get().await.unwrap_err();
    assert!(matches!(*error, CredentialsError::ProviderTimedOut(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_lasts_is_renewed_when_asked_for_and_a_refusal_rests() {
    let (shared, asked) = Provider::giving(Some(Duration::from_mins(3))).shared(&Edition::default());
    for _ in 0..2 {
        shared.renew().await.expect("an end");
    }
    assert_eq!(asked.load(Relaxed), 2);
    let edition = Edition::default();
    let (shared, asked) = Provider::refusing().shared(&edition);
    for expected in [1, 1] {
        assert_eq!((shared.renew().await, asked.load(Relaxed)), (None, expected));
    }
    edition.next();
    shared.renew().await;
    assert_eq!(asked.load(Relaxed), 2, "somebody may have logged in");
}
