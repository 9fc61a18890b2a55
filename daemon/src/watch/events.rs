//! The system's events of the folders in which watched files stand.
//!
//! Owns the watches that the system gives us. An event says only that it is time to look; what has happened is
//! read off the files.

use super::lock;
use super::trail::Folder;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The system's file events.
pub(super) struct Events {
    watcher: RecommendedWatcher,
    /// With device and inode, since a watch belongs to a folder and not to its name.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    /// Folders that are gone, as the events have it: another one may have got the same inode.
    gone: Arc<Mutex<Vec<PathBuf>>>,
}

impl Events {
    pub(super) fn new(ring: impl Fn() + Send + 'static) -> notify::Result<Self> {
        let gone = Arc::new(Mutex::new(Vec::new()));
        let buried = Arc::clone(&gone);
        let handler = move |event: notify::Result<notify::Event>| {
            if let Ok(event) = &event {
                match event.kind {
                    // Somebody reads: mostly we ourselves.
                    EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write) => return,
                    EventKind::Remove(_) => {
                        let mut gone = lock(&buried);
                        // As many as anybody could have watched; others will be found by the next look.
                        if gone.len() < 256 {
                            gone.extend(event.paths.iter().cloned());
                        }
                    }
                    _ => {}
                }
            }
            ring();
        };
        let watcher = RecommendedWatcher::new(handler, notify::Config::default())?;
        Ok(Self { watcher, watched: BTreeMap::new(), gone })
    }

    /// Watches these folders and no others. Says whether one is new; the first error ends it.
    pub(super) fn watch(&mut self, folders: &[&Folder]) -> notify::Result<bool> {
        for path in std::mem::take(&mut *lock(&self.gone)) {
            // A file's name, mostly, which nobody watches.
            if self.watched.remove(&path).is_some() {
                let _ = self.watcher.unwatch(&path);
            }
        }
        let watcher = &mut self.watcher;
        self.watched.retain(|path, id| {
            let wanted = folders.iter().any(|folder| folder.path == *path && folder.id == *id);
            if !wanted {
                // It fails where the folder is gone, and its watch with it.
                let _ = watcher.unwatch(path);
            }
            wanted
        });
        let mut fresh = false;
        for folder in folders {
            if self.watched.contains_key(&folder.path) {
                continue;
            }
            match self.watcher.watch(&folder.path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder.path.clone(), folder.id);
                    fresh = true;
                }
                // Gone in between: the next look finds what is there instead.
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => fresh = true,
                Err(error) => return Err(error),
            }
        }
        Ok(fresh)
    }
}
