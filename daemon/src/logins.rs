//! Notices that somebody has logged in: that the files in which AWS's programs keep profiles and credentials have
//! changed.
//!
//! Owns their watcher. It reads none of them and makes no call: tunnels that wait for credentials try again, and
//! the others do nothing.

use crate::aws::AwsConnector;
use crate::tunnel::{Nudge, Nudges};
use crate::watch::Watcher;
use std::sync::Arc;

/// Tells tunnels of logins.
#[derive(Debug)]
pub(crate) struct Logins {
    /// None where there is nothing to watch, or where the system does not let us.
    watcher: Option<Watcher>,
    aws: Arc<dyn AwsConnector>,
    nudges: Nudges,
}

impl Logins {
    /// Logins count from here on: call it before credentials are read for the first time.
    pub(crate) fn watch(aws: Arc<dyn AwsConnector>, nudges: Nudges) -> Self {
        let files = aws.credential_files();
        let watch = || Watcher::new("AWS's profiles and credentials", &files);
        let watcher = (!files.is_empty()).then(watch).and_then(|watching| {
            watching.inspect_err(|error| tracing::warn!(%error, "a login is noticed some seconds later")).ok()
        });
        Self { watcher, aws, nudges }
    }

    /// Tells of each login, until it is dropped.
    pub(crate) async fn keep_told(mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        loop {
            watcher.changed().await;
            tracing::debug!("AWS's profiles or credentials have changed");
            // First: whoever is told asks at once.
            self.aws.credentials_may_be_others();
            self.nudges.send(Nudge::Login);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{AwsError, AwsScope, BoxFuture, SsmApi};
    use crate::watch::Watched;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;
    use tokio::time::timeout;

    /// Only a failing test waits so long.
    const BOUND: Duration = Duration::from_mins(1);

    #[derive(Debug)]
    struct Files(PathBuf, AtomicUsize);

    impl AwsConnector for Files {
        fn connect<'a>(&'a self, _: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>> {
            Box::pin(async { Err(AwsError::NoRegion) })
        }

        fn credential_files(&self) -> Vec<Watched> {
            vec![Watched::Folder(self.0.clone())]
        }

        fn credentials_may_be_others(&self) {
            self.1.fetch_add(1, Relaxed);
        }
    }

    #[tokio::test]
    async fn a_file_that_a_login_writes_is_told_of_after_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("sso/cache");
        let files = Arc::new(Files(cache.clone(), AtomicUsize::new(0)));
        let nudges = Nudges::new();
        let mut told = nudges.subscribe();
        let logins = Logins::watch(Arc::clone(&files) as Arc<dyn AwsConnector>, nudges);
        let _task = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(logins.keep_told()));
        std::fs::create_dir_all(&cache).unwrap();
        assert_eq!(timeout(BOUND, told.next()).await.unwrap(), Nudge::Login);
        let before = files.1.load(Relaxed);
        std::fs::write(cache.join("token.json"), "{}").unwrap();
        assert_eq!(timeout(BOUND, told.next()).await.unwrap(), Nudge::Login);
        assert!(before >= 1 && files.1.load(Relaxed) > before);
    }

    #[tokio::test]
    async fn where_there_is_nothing_to_watch_nobody_is_told() {
        let aws = crate::aws::fake::FakeAws::default();
        let logins = Logins::watch(Arc::new(aws), Nudges::new());
        timeout(BOUND, logins.keep_told()).await.expect("it ends at once");
    }
}
