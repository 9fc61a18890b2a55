//! The configuration as it comes to be: read again after each edit, and when somebody asks.
//!
//! Owns the watcher and the reading, which happens off the async threads: an include may lie on a file system
//! that hangs. What is read is handed over whole; applying it is the daemon's.

use crate::clock;
use crate::config::{self, ConfigErrors, Resolved};
use crate::watch::{Watched, Watcher};
use std::future::pending;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;
use tunnels_api::Timestamp;

/// A file that was written less than this ago may be half of what is being written: an editor that empties it
/// first must not cost all tunnels. The watcher waits as long; whoever asks may come in between.
const REST: Duration = Duration::from_millis(100);
/// A file that never rests is read all the same.
const MAX_WAITS: u32 = 20;

/// File systems stamp files with the time of the last timer tick, which may be so far back.
const TICK: Duration = Duration::from_millis(20);

/// What reading gave.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Files that are stamped later may hold something else.
    pub(crate) at: Timestamp,
    pub(crate) config: Result<Resolved, ConfigErrors>,
}

impl Loaded {
    fn read(path: &Path) -> Self {
        // Before anything is read: what is written meanwhile is later than this.
        let at = clock::timestamp() - TICK;
        Self { at, config: config::resolve(path) }
    }
}

#[derive(Debug)]
pub(crate) struct ConfigSource {
    path: PathBuf,
    /// None where the system does not let us watch: then only on request.
    watcher: Option<Watcher>,
    loading: Option<AbortOnDropHandle<Loaded>>,
    /// All that was read last.
    files: Vec<PathBuf>,
    /// Something changed while it was being read: what is read now may be half of it.
    again: bool,
}

impl ConfigSource {
    /// Reads the configuration for the first time, and watches what was read from then on.
    pub(crate) fn open(path: PathBuf) -> (Self, Loaded) {
        // First: an edit from here on is seen by one or the other.
        let watcher = Watcher::new("the configuration", &[Watched::File(path.clone())])
            .inspect_err(|error| {
                tracing::warn!(%error, "edits of the configuration are not noticed; SIGHUP makes the daemon read it");
            })
            .ok();
        let loaded = Loaded::read(&path);
        let mut source = Self { path, watcher, loading: None, files: Vec::new(), again: false };
        source.follow(&loaded);
        (source, loaded)
    }

    /// Wants it read from now on; it comes out of [`Self::next`].
    pub(crate) fn reload(&mut self) {
        if self.loading.is_some() {
            self.again = true;
        } else {
            self.loading = Some(AbortOnDropHandle::new(tokio::spawn(read(self.path.clone(), self.files.clone()))));
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
        let files: &[PathBuf] = match &loaded.config {
            Ok(resolved) => &resolved.config.files,
            Err(errors) => errors.files(),
        };
        if let Some(watcher) = &mut self.watcher {
            watcher.follow(&files.iter().cloned().map(Watched::File).collect::<Vec<_>>());
        }
        files.clone_into(&mut self.files);
    }
}

async fn read(path: PathBuf, files: Vec<PathBuf>) -> Loaded {
    let read = move || {
        for _ in 0..MAX_WAITS {
            match age(&files) {
                Some(age) if age < REST => sleep(REST.saturating_sub(age)),
                _ => break,
            }
        }
        Loaded::read(&path)
    };
    // It is never cancelled, so an error is a panic.
    spawn_blocking(read).await.unwrap_or_else(|panic| resume_unwind(panic.into_panic()))
}

/// How long ago the last of these was written; none if they are gone, or from the future.
fn age(files: &[PathBuf]) -> Option<Duration> {
    let written = |path: &PathBuf| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    SystemTime::now().duration_since(files.iter().filter_map(written).max()?).ok()
}
