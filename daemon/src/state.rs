//! What the daemon remembers over its own end: what is wanted of each tunnel, and which sessions exist.
//!
//! Session ids only, never a token. One daemon at a time has the folder. Changes are written by one task a moment later, so that a hundred
//! tunnels that start at once cost a few writes; a file that cannot be written costs a warning and nothing
//! else.

use crate::aws::{AwsScope, Endpoints};
use crate::claim::{ClaimError, Lock, LockError, own_uid, private_folder, problem};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tunnels_api::TargetState;

/// How long changes are gathered. A crash within it loses them, so it is short.
const GATHER: Duration = Duration::from_millis(50);

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    #[serde(default)]
    wanted: BTreeMap<String, TargetState>,
    #[serde(default)]
    sessions: BTreeMap<String, SessionRecord>,
}

/// Where a session lives, and so where it is to be terminated: as resolved when it was opened, since the
/// environment of the next daemon may resolve otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    pub(crate) tunnel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// None means AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ssm_endpoint: Option<String>,
}

impl SessionRecord {
    pub(crate) fn scope(&self) -> AwsScope {
        AwsScope {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoints: Endpoints { ssm: self.ssm_endpoint.clone(), ..Endpoints::default() },
        }
    }
}

/// The file, as a cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct StateFile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    memory: Mutex<Memory>,
    changed: Notify,
    /// Another daemon would take our sessions for leftovers.
    _lock: Lock,
}

#[derive(Debug)]
struct Memory {
    content: Content,
    /// The sessions in it that nobody uses: a crashed daemon's, and ours that could not be ended.
    leftovers: BTreeSet<String>,
    /// Why the file could not be written the last time, which is told once.
    unwritten: Option<String>,
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
        let leftovers = content.sessions.keys().cloned().collect();
        let memory = Mutex::new(Memory { content, leftovers, unwritten: None });
        Ok(Self(Arc::new(Shared { path, memory, changed: Notify::new(), _lock: lock })))
    }

    /// What was wanted of a tunnel when the last daemon ended.
    pub(crate) fn wanted(&self, tunnel: &str) -> Option<TargetState> {
        self.lock().content.wanted.get(tunnel).copied()
    }

    /// Notes what is wanted of a tunnel.
    pub(crate) fn want(&self, tunnel: &str, target: TargetState) {
        self.lock().content.wanted.insert(tunnel.to_owned(), target);
        self.0.changed.notify_one();
    }

    /// Forgets what was wanted of the other tunnels: names would pile up over the years.
    pub(crate) fn keep_wanted(&self, is_known: impl Fn(&str) -> bool) {
        self.lock().content.wanted.retain(|name, _| is_known(name));
    }

    /// Notes that a session exists, and is in use.
    pub(crate) fn session_opened(&self, id: &str, record: SessionRecord) {
        self.lock().content.sessions.insert(id.to_owned(), record);
        self.0.changed.notify_one();
    }

    /// Notes that a session exists no more.
    pub(crate) fn session_ended(&self, id: &str) {
        let mut memory = self.lock();
        memory.content.sessions.remove(id);
        memory.leftovers.remove(id);
        self.0.changed.notify_one();
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

    /// Writes it now: to a new file first, so that a crash leaves the old one or the new one.
    pub(crate) fn write(&self) {
        // The lock is held over the write, so that the file never goes back in time.
        let mut memory = self.lock();
        let written = serde_json::to_vec_pretty(&memory.content).map_err(io::Error::other).and_then(|bytes| {
            let fresh = self.0.path.with_extension("json.new");
            write_private(&fresh, &bytes)?;
            std::fs::rename(&fresh, &self.0.path)
        });
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
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use tunnels_api::ApiError;

    const SOCKET: &str = "/run/a/daemon.sock";

    fn open(folder: &Path) -> Result<StateFile, ClaimError> {
        StateFile::open(folder, Path::new(SOCKET))
    }

    fn record() -> SessionRecord {
        SessionRecord {
            tunnel: "a".into(),
            profile: None,
            region: Some("eu-west-1".into()),
            ssm_endpoint: Some("http://127.0.0.1:1".into()),
        }
    }

    fn ids(state: &StateFile) -> Vec<String> {
        state.leftovers().into_iter().map(|(id, _)| id).collect()
    }

    #[tokio::test]
    async fn remembers_over_a_restart_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let state = open(&folder).unwrap();
        state.want("a", TargetState::Up);
        state.session_opened("s-1", record());
        state.session_opened("s-2", record());
        state.session_ended("s-1");
        state.write();
        drop(state);

        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("state.json")), 0o600);
        let state = open(&folder).unwrap();
        assert_eq!(state.wanted("a"), Some(TargetState::Up));
        assert_eq!(state.wanted("b"), None);
        assert_eq!(state.leftovers(), [("s-2".to_owned(), record())]);
        let scope = record().scope();
        assert_eq!(scope.region.as_deref(), Some("eu-west-1"));
        assert_eq!(scope.endpoints.ssm.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[tokio::test]
    async fn only_what_nobody_uses_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path()).unwrap();
        state.session_opened("s-1", record());
        state.session_opened("s-2", record());
        assert!(ids(&state).is_empty(), "both are in use");
        state.leaving("s-1").stays();
        drop(state.leaving("s-2"));
        assert_eq!(ids(&state), ["s-2"]);
        let leaving = state.leaving("s-1");
        state.session_ended("s-1");
        state.session_ended("s-2");
        drop(leaving);
        assert!(ids(&state).is_empty());
    }

    #[tokio::test]
    async fn a_damaged_file_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("state.json"), "{").unwrap();
        assert!(ids(&open(folder.path()).unwrap()).is_empty());
    }

    #[tokio::test]
    async fn a_second_daemon_is_refused_and_told_where_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let _first = open(folder.path()).unwrap();
        let error = StateFile::open(folder.path(), Path::new("/other/daemon.sock")).unwrap_err();
        let (pid, shown) = (std::process::id(), folder.path().display());
        assert_eq!(
            error.to_string(),
            format!("a daemon of yours (pid {pid}) already uses {shown}, and listens on {SOCKET}")
        );
        let hint = ApiError::from(&error).hint.unwrap();
        assert_eq!(hint, "set XDG_RUNTIME_DIR as there, or TUNNELS_RUNTIME_DIR=/run/a");
    }

    #[tokio::test]
    async fn what_others_can_have_written_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let chmod = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let state = open(folder.path()).unwrap();
        state.session_opened("s-1", record());
        state.write();
        drop(state);
        chmod(folder.path(), 0o777);
        assert!(matches!(open(folder.path()), Err(ClaimError::Unsafe { .. })));
        chmod(folder.path(), 0o700);
        chmod(&folder.path().join("state.json"), 0o666);
        assert!(ids(&open(folder.path()).unwrap()).is_empty());
        chmod(&folder.path().join("state.json"), 0o600);
        assert_eq!(ids(&open(folder.path()).unwrap()), ["s-1"]);
    }
}
