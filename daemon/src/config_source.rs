//! The configuration as it comes to be: read again after each edit, and when somebody asks.
//!
//! Owns the watcher and the reading, which happens off the async threads: an include may lie on a file system
//! that hangs. What is read is handed over whole; applying it is the daemon's.

use crate::config::{self, Config, ConfigErrors, Watcher};
use std::future::pending;
use std::panic::resume_unwind;
use std::path::PathBuf;
use tokio::task::JoinHandle;

/// What reading gave.
pub(crate) type Loaded = Result<Config, ConfigErrors>;

#[derive(Debug)]
pub(crate) struct ConfigSource {
    path: PathBuf,
    /// None where the system does not let us watch: then only on request.
    watcher: Option<Watcher>,
    loading: Option<JoinHandle<Loaded>>,
    /// Something changed while it was being read: what is read now may be half of it.
    again: bool,
}

impl ConfigSource {
    /// Reads the configuration for the first time, and watches what was read from then on.
    pub(crate) fn open(path: PathBuf) -> (Self, Loaded) {
        // First: an edit from here on is seen by one or the other.
        let watcher = Watcher::new(std::slice::from_ref(&path))
            .inspect_err(|error| {
                tracing::warn!(%error, "edits of the configuration are not noticed; SIGHUP makes the daemon read it");
            })
            .ok();
        let loaded = config::load(&path);
        let mut source = Self { path, watcher, loading: None, again: false };
        source.follow(&loaded);
        (source, loaded)
    }

    /// Wants it read from now on; it comes out of [`Self::next`].
    pub(crate) fn reload(&mut self) {
        if self.loading.is_some() {
            self.again = true;
        } else {
            let path = self.path.clone();
            self.loading = Some(tokio::task::spawn_blocking(move || config::load(&path)));
        }
    }

    /// What was read after an edit or a request. Cancel-safe: what is under way stays so.
    pub(crate) async fn next(&mut self) -> Loaded {
        loop {
            let changed = async {
                match &mut self.watcher {
                    Some(watcher) => watcher.changed().await,
                    None => pending().await,
                }
            };
            let read = async {
                match &mut self.loading {
                    Some(loading) => loading.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = changed => self.reload(),
                read = read => {
                    self.loading = None;
                    let loaded = match read {
                        Ok(loaded) => loaded,
                        // It is never cancelled while somebody waits for it.
                        Err(panic) => resume_unwind(panic.into_panic()),
                    };
                    if std::mem::take(&mut self.again) {
                        self.reload();
                        continue;
                    }
                    self.follow(&loaded);
                    return loaded;
                }
            }
        }
    }

    /// The files may be others now. Of a configuration that is wrong, too: its mending is to be seen.
    fn follow(&mut self, loaded: &Loaded) {
        let files: &[PathBuf] = match loaded {
            Ok(config) => &config.files,
            Err(errors) => errors.files(),
        };
        if let Some(watcher) = &mut self.watcher {
            watcher.follow(files);
        }
    }
}
