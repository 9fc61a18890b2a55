//! What the daemon remembers over its own end: what is wanted of each tunnel, which sessions exist, and which may, since
//! they were asked for and no answer was seen.
//!
//! Session ids only, never a token. One daemon at a time has the folder. Changes are written by one task a moment later, so that a hundred
//! tunnels that start at once cost a few writes; a file that cannot be written costs a warning and nothing
//! else.

mod estate;
mod record;

pub(crate) use estate::{Estate, Used};
pub(crate) use record::{SessionRecord, StartRecord};

use crate::claim::{ClaimError, Lock, LockError, own_uid, private_folder, problem};
use record::Content;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tunnels_api::TargetState;

/// How long changes are gathered. A crash within it loses them, so it is short.
const GATHER: Duration = Duration::from_millis(50);

/// Starts that are remembered at once: an outage in which many calls get no answer must not make the file grow without
/// end. The oldest are forgotten, and left to the account's idle timeout.
const MOST_STARTS: usize = 1000;

/// The file, as a cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct StateFile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    memory: Mutex<Memory>,
    changed: Notify,
    /// A start has become one whose answer nobody waits for.
    unanswered: Notify,
    /// Whoever has to have it written waits here: one writes what all who wait have changed.
    writing: tokio::sync::Mutex<()>,
    /// Another daemon would take our sessions for leftovers. None once another one has the folder, and knows of them.
    lock: Mutex<Option<Lock>>,
}

#[derive(Debug)]
struct Memory {
    content: Content,
    /// The sessions in it that nobody uses: a crashed daemon's, and ours that could not be ended.
    leftovers: BTreeSet<String>,
    /// The starts in it whose answer nobody waits for any more.
    unseen: BTreeSet<String>,
    /// Counts changes; and how far the file is.
    version: u64,
    written: u64,
    /// Why the file could not be written the last time, which is told once.
    unwritten: Option<String>,
    /// What the daemon before this one still uses; it is in the file as well.
    predecessor: Used,
    sink: Sink,
}

/// Where changes go.
#[derive(Debug)]
enum Sink {
    File,
    /// Nowhere for now: another daemon may be taking over. This is in the file.
    Held(Used),
    /// To the daemon that has taken over, and has the file.
    Heir(watch::Sender<Used>),
}

impl StateFile {
    /// Takes the folder, which is made if need be, for the daemon that listens on `socket`, and reads the
    /// file in it. One that is damaged, or that another user can have written, counts as empty.
    pub(crate) fn open(folder: &Path, socket: &Path) -> Result<Self, ClaimError> {
        private_folder(folder)?;
        let note = socket.display().to_string();
        // A daemon that ends is seen to be gone by its socket, and gives this up a moment later.
        let lock = Lock::take(&folder.join("state.lock"), &note, || true).map_err(|error| match error {
            LockError::Held { pid, note } => {
                ClaimError::StateInUse { folder: folder.to_owned(), pid, socket: note.map(PathBuf::from) }
            }
            LockError::Claim(error) => error,
        })?;
        let path = folder.join("state.json");
        let content = read(&path).map_err(ClaimError::io("read", &path))?;
        Ok(Self::new(path, lock, content))
    }

    /// Sessions and starts in `content` are nobody's.
    fn new(path: PathBuf, lock: Lock, content: Content) -> Self {
        let memory = Mutex::new(Memory {
            leftovers: content.sessions.keys().cloned().collect(),
            unseen: content.starts.keys().cloned().collect(),
            content,
            version: 0,
            written: 0,
            unwritten: None,
            predecessor: Used::default(),
            sink: Sink::File,
        });
        let (changed, unanswered, writing) = (Notify::new(), Notify::new(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { path, memory, changed, unanswered, writing, lock: Mutex::new(Some(lock)) }))
    }

    /// What was wanted of a tunnel when the last daemon ended.
    pub(crate) fn wanted(&self, tunnel: &str) -> Option<TargetState> {
        self.lock().content.wanted.get(tunnel).copied()
    }

    /// Notes what is wanted of a tunnel.
    pub(crate) fn want(&self, tunnel: &str, target: TargetState) {
        self.change(|memory| memory.content.wanted.insert(tunnel.to_owned(), target));
    }

    /// Forgets what was wanted of the other tunnels: names would pile up over the years.
    pub(crate) fn keep_wanted(&self, is_known: impl Fn(&str) -> bool) {
        self.change(|memory| memory.content.wanted.retain(|name, _| is_known(name)));
    }

    /// Notes that a session exists, and is in use.
    pub(crate) fn session_opened(&self, id: &str, record: SessionRecord) {
        self.change(|memory| memory.content.sessions.insert(id.to_owned(), record));
    }

    /// Notes that a session exists no more.
    pub(crate) fn session_ended(&self, id: &str) {
        self.change(|memory| {
            memory.content.sessions.remove(id);
            memory.leftovers.remove(id);
        });
    }

    /// Notes that StartSession is about to be called with this reason, which no other call has. Returns when that is
    /// on disk, so that whoever comes after a crash looks for the session.
    pub(crate) async fn starting(&self, reason: String, record: StartRecord) -> Starting {
        self.change(|memory| {
            while memory.content.starts.len() >= MOST_STARTS {
                let oldest = memory.content.starts.iter().min_by_key(|(_, start)| start.at);
                let Some(oldest) = oldest.map(|(reason, _)| reason.clone()) else { break };
                memory.forget_start(&oldest);
            }
            memory.content.starts.insert(reason.clone(), record)
        });
        let starting = Starting { state: self.clone(), reason: Some(reason) };
        self.written().await;
        starting
    }

    /// Starts whose answer was never seen, by their reasons.
    pub(crate) fn unseen_starts(&self) -> Vec<(String, StartRecord)> {
        let memory = self.lock();
        let recorded = |reason: &String| Some((reason.clone(), memory.content.starts.get(reason)?.clone()));
        memory.unseen.iter().filter_map(recorded).collect()
    }

    /// Returns when there is another of these. Cancel-safe.
    pub(crate) async fn another_unseen_start(&self) {
        self.0.unanswered.notified().await;
    }

    /// Notes that nothing is left of a start, or that it cannot be found.
    pub(crate) fn start_settled(&self, reason: &str) {
        self.change(|memory| memory.forget_start(reason));
    }

    /// Notes that a session is not used any more, but not ended either, if it exists at all.
    fn session_left(&self, id: &str) {
        let mut memory = self.lock();
        if memory.content.sessions.contains_key(id) {
            memory.leftovers.insert(id.to_owned());
        }
    }

    /// For whoever is about to end a session, or may yet have to: dropped without
    /// [`Self::session_ended`], for whatever reason, it makes the session a leftover.
    pub(crate) fn leaving(&self, id: &str) -> Leaving {
        Leaving(Some((self.clone(), id.to_owned())))
    }

    /// Sessions that exist as far as is known, and that nobody uses.
    pub(crate) fn leftovers(&self) -> Vec<(String, SessionRecord)> {
        let memory = self.lock();
        let recorded = |id: &String| Some((id.clone(), memory.content.sessions.get(id)?.clone()));
        memory.leftovers.iter().filter_map(recorded).collect()
    }

    /// Writes changes as they come, until it is dropped.
    pub(crate) async fn keep_written(&self) {
        loop {
            self.0.changed.notified().await;
            tokio::time::sleep(GATHER).await;
            let this = self.clone();
            drop(tokio::task::spawn_blocking(move || this.write()).await);
        }
    }

    /// Returns when everything changed so far is on disk, or was tried to be. However many wait, few writes serve them.
    pub(crate) async fn written(&self) {
        let version = self.lock().version;
        let _turn = self.0.writing.lock().await;
        if self.lock().written < version {
            let this = self.clone();
            drop(tokio::task::spawn_blocking(move || this.write()).await);
        }
    }

    fn change<T>(&self, make: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.lock();
        memory.version += 1;
        let made = make(&mut memory);
        self.0.changed.notify_one();
        made
    }

    /// Writes it now: to a new file first, so that a crash leaves the old one or the new one.
    pub(crate) fn write(&self) {
        // The lock is held over the write, so that the file never goes back in time.
        let mut memory = self.lock();
        match &memory.sink {
            Sink::File => {}
            Sink::Held(_) => return,
            Sink::Heir(heir) => {
                heir.send_replace(memory.known());
                memory.written = memory.version;
                return;
            }
        }
        let written = serde_json::to_vec_pretty(&memory.all()).map_err(io::Error::other).and_then(|bytes| {
            let fresh = self.0.path.with_extension("json.new");
            write_private(&fresh, &bytes)?;
            std::fs::rename(&fresh, &self.0.path)
        });
        memory.written = memory.version;
        let trouble = written.err().map(|error| error.to_string());
        if trouble == memory.unwritten {
            return;
        }
        let path = self.0.path.display();
        if let Some(trouble) = &trouble {
            tracing::warn!("what is wanted is not remembered, {path} cannot be written: {trouble}");
        } else {
            tracing::info!("{path} is written again");
        }
        memory.unwritten = trouble;
    }

    fn folder_lock(&self) -> MutexGuard<'_, Option<Lock>> {
        self.0.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that is a leftover when this is dropped, unless it has ended.
#[derive(Debug)]
pub(crate) struct Leaving(Option<(StateFile, String)>);

impl Leaving {
    /// The session is used from here on.
    pub(crate) fn stays(mut self) {
        self.0 = None;
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some((state, id)) = self.0.take() {
            state.session_left(&id);
        }
    }
}

impl Memory {
    fn forget_start(&mut self, reason: &str) {
        self.content.starts.remove(reason);
        self.unseen.remove(reason);
    }
}

/// A call of StartSession that is under way. Dropped without its answer, for whatever reason, it is looked for later.
#[derive(Debug)]
pub(crate) struct Starting {
    state: StateFile,
    reason: Option<String>,
}

impl Starting {
    /// It has made this session.
    pub(crate) fn opened(mut self, id: &str, record: SessionRecord) {
        let reason = self.reason.take();
        self.state.change(|memory| {
            memory.content.sessions.insert(id.to_owned(), record);
            reason.inspect(|reason| memory.forget_start(reason))
        });
    }

    /// It has made none.
    pub(crate) fn refused(mut self) {
        if let Some(reason) = self.reason.take() {
            self.state.start_settled(&reason);
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(reason) = self.reason.take() {
            self.state.change(|memory| {
                let is_known = memory.content.starts.contains_key(&reason);
                is_known.then(|| memory.unseen.insert(reason))
            });
            self.state.0.unanswered.notify_one();
        }
    }
}

/// Whoever writes this file chooses where we send signed calls: only ours counts.
fn read(path: &Path) -> io::Result<Content> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if let Some(problem) = problem(found.uid(), found.mode(), own_uid()?) {
        tracing::warn!(path = %path.display(), problem, "the state file is not trusted and starts anew");
        return Ok(Content::default());
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "the state file is damaged and starts anew");
        Content::default()
    }))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests;
