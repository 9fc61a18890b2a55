//! Notices that files have changed – written, replaced, removed, created, made readable – or what is in a folder:
//! those of the configuration, and those in which AWS's programs keep profiles and credentials.
//!
//! One thread looks at the metadata of all files and compares it with what it saw last. The system's file events
//! (inotify, FSEvents) only make it look at once; it looks every few seconds anyway, because network and container
//! file systems have no events and watches can run out. So what counts as a change rests on the files alone
//! (`trail.rs`), never on which events an editor's way of saving happens to cause.
//!
//! Only that thread touches the files: where a file system hangs, nobody else waits for it.
//!
//! It reads no content: whether a change means anything is the reader's matter.

mod events;
mod trail;

use events::Events;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use trail::{Folder, Trail};

/// Files that stay the same for so long are complete: editors and `git checkout` write in bursts.
const REST: Duration = Duration::from_millis(100);
/// Looks at files that do not rest, one each [`REST`], before their change is reported all the same.
const MAX_RESTLESS: u32 = 20;
/// Between looks when the system reports events: for what it cannot see.
const WITH_EVENTS: Duration = Duration::from_secs(5);
/// Between looks when it does not.
const WITHOUT_EVENTS: Duration = Duration::from_secs(2);
/// File systems stamp files with the time of the last timer tick, which may be so far back.
const TICK: Duration = Duration::from_millis(20);

/// How long a new watcher lets its owner wait for the first look, which nearly always takes no time at all.
const AT_ONCE: Duration = Duration::from_millis(100);

/// That files cannot be watched at all.
#[derive(Debug, thiserror::Error)]
#[error("no thread can be started to watch {subject}: {source}")]
pub(crate) struct WatchError {
    subject: &'static str,
    source: io::Error,
}

/// What is watched. Neither has to exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// One file.
    File(PathBuf),
    /// All files that stand directly in a folder.
    Folder(PathBuf),
}

impl Watched {
    fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Folder(path) => path,
        }
    }

    /// The same with an absolute path.
    fn absolute(&self) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match self {
            Self::File(path) => Self::File(absolute(path)),
            Self::Folder(path) => Self::Folder(absolute(path)),
        }
    }
}

/// Watches files until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    shared: Arc<Shared>,
}

impl Watcher {
    /// Watches files and folders, which may or may not exist; `subject` is what the log calls them. Changes count
    /// from here on: call it before the files are read.
    ///
    /// # Errors
    /// The system gives no thread. That it gives no file events is no error but a warning in the log.
    pub(crate) fn new(subject: &'static str, watched: &[Watched]) -> Result<Self, WatchError> {
        let shared = Arc::new(Shared { since: Mutex::new(SystemTime::now() - TICK), ..Shared::default() });
        let watched: Vec<Watched> = watched.iter().map(Watched::absolute).collect();
        let patrol = Patrol::new(subject, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("file watcher".into());
        thread.spawn(move || patrol.begin(watched).run()).map_err(|source| WatchError { subject, source })?;
        shared.await_begin(AT_ONCE);
        Ok(Self { shared })
    }

    /// Returns when a file has changed since the last return, once it rests. Several changes that nobody waited
    /// for are one.
    ///
    /// Cancel-safe: a change is not lost with the future.
    pub(crate) async fn changed(&mut self) {
        self.shared.changed.notified().await;
    }

    /// Watches these files instead, those that were read after the last change. Nothing is missed of files that
    /// are watched already. One that is new and was written since that change counts as changed, since it may
    /// have been read before.
    pub(crate) fn follow(&mut self, watched: &[Watched]) {
        let since = *lock(&self.shared.since);
        let watched = watched.iter().map(Watched::absolute).collect();
        lock(&self.shared.calls).follow = Some(Follow { watched, since });
        self.shared.bell.notify_one();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        lock(&self.shared.calls).stop = true;
        self.shared.bell.notify_one();
    }
}

/// `None` is unlike anything that will be found.
type Trails = BTreeMap<Watched, Option<Trail>>;

/// What the owner, the system's events and the thread have in common.
#[derive(Debug)]
struct Shared {
    calls: Mutex<Calls>,
    bell: Condvar,
    /// What the first look found is known, or nobody waits for it any more.
    begun: Condvar,
    changed: Notify,
    /// When the last change was reported: what was written later may not have been read.
    since: Mutex<SystemTime>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            calls: Mutex::default(),
            bell: Condvar::new(),
            begun: Condvar::new(),
            changed: Notify::new(),
            since: Mutex::new(SystemTime::UNIX_EPOCH),
        }
    }
}

/// What the thread is called for.
#[derive(Debug, Default)]
struct Calls {
    event: bool,
    follow: Option<Follow>,
    stop: bool,
    begin: Begin,
}

/// Files to watch from now on. What was written from then on may have been read before.
#[derive(Debug)]
struct Follow {
    watched: Vec<Watched>,
    since: SystemTime,
}

/// How the first look stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Begin {
    #[default]
    Awaited,
    /// Its owner has gone on: what was written meanwhile may have been read already.
    Late,
    Done,
}

impl Shared {
    /// Waits for the first look, not longer than so.
    fn await_begin(&self, timeout: Duration) {
        let awaited = |calls: &mut Calls| calls.begin == Begin::Awaited;
        let waited = self.begun.wait_timeout_while(lock(&self.calls), timeout, awaited);
        let (mut calls, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if calls.begin == Begin::Awaited {
            calls.begin = Begin::Late;
        }
    }

    /// Waits, not longer than so; events may or may not end it.
    fn wait(&self, timeout: Duration, for_events: bool) -> MutexGuard<'_, Calls> {
        let idle = |calls: &mut Calls| !(calls.stop || calls.follow.is_some() || for_events && calls.event);
        let waited = self.bell.wait_timeout_while(lock(&self.calls), timeout, idle);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Each lock covers plain assignments, so a poisoned one holds nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread.
struct Patrol {
    subject: &'static str,
    shared: Arc<Shared>,
    /// As last reported.
    seen: Trails,
    /// Files that differ from that, as last found.
    unsettled: BTreeMap<Watched, Trail>,
    /// Looks in a row that found them changing.
    restless: u32,
    events: Option<Events>,
    /// Why there are no events, once that was said.
    blind: Option<String>,
}

impl Patrol {
    fn new(subject: &'static str, shared: Arc<Shared>) -> Self {
        Self {
            subject,
            shared,
            seen: Trails::new(),
            unsettled: BTreeMap::new(),
            restless: 0,
            events: None,
            blind: None,
        }
    }

    /// Takes the files as they are.
    fn begin(mut self, watched: Vec<Watched>) -> Self {
        let since = *lock(&self.shared.since);
        let look = |watched: Watched| (Some(Trail::of(&watched)), watched);
        let mut trails: Trails = watched.into_iter().map(look).map(|(trail, watched)| (watched, trail)).collect();
        let mut calls = lock(&self.shared.calls);
        if calls.begin == Begin::Late {
            for trail in trails.values_mut() {
                *trail = trail.take().filter(|trail| !trail.is_newer_than(since));
            }
        }
        calls.begin = Begin::Done;
        drop(calls);
        self.shared.begun.notify_one();
        self.seen = trails;
        self
    }

    fn run(mut self) {
        loop {
            if self.look() {
                *lock(&self.shared.since) = SystemTime::now() - TICK;
                self.shared.changed.notify_one();
            }
            let mut calls = self.shared.wait(REST, false);
            if self.unsettled.is_empty() {
                drop(calls);
                let interval = if self.blind.is_none() { WITH_EVENTS } else { WITHOUT_EVENTS };
                calls = self.shared.wait(interval, true);
            }
            calls.event = false;
            let (stop, follow) = (calls.stop, calls.follow.take());
            drop(calls);
            if stop {
                return;
            }
            if let Some(follow) = follow {
                self.follow(follow);
            }
        }
    }

    fn follow(&mut self, Follow { watched, since }: Follow) {
        let known = std::mem::take(&mut self.seen);
        let trail = |file: &Watched| {
            known.get(file).cloned().unwrap_or_else(|| {
                let trail = Trail::of(file);
                (!trail.is_newer_than(since)).then_some(trail)
            })
        };
        self.seen = watched.into_iter().map(|file| (trail(&file), file)).map(|(trail, file)| (file, trail)).collect();
        self.unsettled.retain(|file, _| self.seen.contains_key(file));
    }

    /// Compares every file with what was last reported. Those that differ are to be reported when they are as they
    /// were at the last look.
    fn look(&mut self) -> bool {
        let trails = self.trails();
        let differs = |(file, trail): &(Watched, Trail)| {
            !self.seen.get(file).is_some_and(|seen| seen.as_ref().is_some_and(|seen| seen.reads_as(trail)))
        };
        let unsettled: BTreeMap<Watched, Trail> = trails.into_iter().filter(differs).collect();
        let rested =
            |(file, trail): (&Watched, &Trail)| self.unsettled.get(file).is_some_and(|before| before.reads_as(trail));
        let all_rest = unsettled.iter().all(rested);
        self.unsettled = unsettled;
        if !self.unsettled.is_empty() && !all_rest && self.restless < MAX_RESTLESS {
            self.restless += 1;
            return false;
        }
        self.restless = 0;
        let changed = !self.unsettled.is_empty();
        for (file, trail) in std::mem::take(&mut self.unsettled) {
            tracing::debug!(file = %file.path().display(), "a file of {} has changed", self.subject);
            self.seen.insert(file, Some(trail));
        }
        changed
    }

    /// What is there now. Watches the folders first, so that nothing happens between looking and watching.
    fn trails(&mut self) -> Vec<(Watched, Trail)> {
        let find = |seen: &Trails| -> Vec<_> { seen.keys().map(|file| (file.clone(), Trail::of(file))).collect() };
        let trails = find(&self.seen);
        let folders: Vec<&Folder> = trails.iter().flat_map(|(_, trail)| &trail.folders).collect();
        match self.watch(&folders) {
            Ok(true) => find(&self.seen),
            Ok(false) => trails,
            Err(error) => {
                let why = error.to_string();
                if self.blind.as_ref() != Some(&why) {
                    tracing::warn!(
                        reason = %why,
                        "the system reports no file events (is fs.inotify.max_user_watches or max_user_instances \
                         used up?): looking at {} every {} s instead",
                        self.subject,
                        WITHOUT_EVENTS.as_secs(),
                    );
                }
                self.blind = Some(why);
                trails
            }
        }
    }

    /// Whether that took a new watch.
    fn watch(&mut self, folders: &[&Folder]) -> notify::Result<bool> {
        let events = match &mut self.events {
            Some(events) => events,
            none => {
                let shared = Arc::downgrade(&self.shared);
                none.insert(Events::new(move || {
                    if let Some(shared) = shared.upgrade() {
                        lock(&shared.calls).event = true;
                        shared.bell.notify_one();
                    }
                })?)
            }
        };
        let fresh = events.watch(folders)?;
        self.blind = None;
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests;
