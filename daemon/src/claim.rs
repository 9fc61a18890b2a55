//! What a daemon must have to itself: folders that nobody else writes to, and locks that one process holds.
//!
//! Owns the rules and their errors. Which folders and locks there are is the callers' matter.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tunnels_api::{ApiError, ErrorCode, PlaceError};

/// A daemon that ends gives its locks up a moment after it is seen to be gone: so long whoever starts the
/// next one at once may have to wait.
const LAST_STEPS: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Why this process cannot be the daemon of a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Another daemon has the runtime folder.
    #[error("a daemon is already running{}", in_brackets(*pid))]
    AlreadyRunning {
        /// Its process id, where it could be read.
        pid: Option<u32>,
    },
    /// A daemon with another runtime folder has the state folder.
    #[error("a daemon of yours{} already uses {}{}", in_brackets(*pid), folder.display(), listening_on(socket.as_deref()))]
    StateInUse {
        /// The state folder.
        folder: PathBuf,
        /// The other daemon's process id, where it could be read.
        pid: Option<u32>,
        /// Its socket, where it could be read.
        socket: Option<PathBuf>,
    },
    /// Others could replace the socket, or what the daemon remembers.
    #[error("the folder {} must be yours and writable by nobody else: {problem}", folder.display())]
    Unsafe {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// Another user's: no change of its mode makes it ours.
        foreign: bool,
    },
    /// The socket's path is no good.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn in_brackets(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

fn listening_on(socket: Option<&Path>) -> String {
    socket.map(|socket| format!(", and listens on {}", socket.display())).unwrap_or_default()
}

impl ClaimError {
    /// For `map_err` on a call that the system may refuse.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl From<&ClaimError> for ApiError {
    fn from(error: &ClaimError) -> Self {
        let failed = |hint: String| Self::new(ErrorCode::Failed, error.to_string()).with_hint(hint);
        match error {
            ClaimError::AlreadyRunning { .. } => Self::new(ErrorCode::AlreadyRunning, error.to_string())
                .with_hint("`tunnels ls` shows its tunnels, `tunnels stop` ends it"),
            // Two daemons with one memory would end each other's sessions.
            ClaimError::StateInUse { socket, .. } => {
                let there = socket.as_deref().and_then(Path::parent).map(Path::display);
                failed(there.map_or_else(
                    || "set XDG_RUNTIME_DIR as it was where that one was started, or TUNNELS_RUNTIME_DIR".to_owned(),
                    |folder| format!("set XDG_RUNTIME_DIR as there, or TUNNELS_RUNTIME_DIR={folder}"),
                ))
            }
            ClaimError::Unsafe { foreign: true, .. } => failed(
                "name a folder of yours: TUNNELS_RUNTIME_DIR or XDG_RUNTIME_DIR for the socket, TUNNELS_STATE_DIR for the state"
                    .to_owned(),
            ),
            ClaimError::Unsafe { folder, .. } => failed(format!("chmod 700 {}", folder.display())),
            ClaimError::Place(place) => failed(place.hint().to_owned()),
            ClaimError::Io { .. } => failed("TUNNELS_RUNTIME_DIR names another folder for the socket".to_owned()),
        }
    }
}

/// Creates a folder of ours if need be, and sees that nobody else can change what is in it.
pub(crate) fn private_folder(folder: &Path) -> Result<(), ClaimError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(ClaimError::io("create the folder", folder))?;
    check_folder(folder)
}

/// Sees that nobody else can change what is in a folder; one that does not exist yet is fine. Called within a tokio
/// runtime.
///
/// # Errors
/// It is not ours alone, or cannot be looked at.
pub fn check_folder(folder: &Path) -> Result<(), ClaimError> {
    let ours = own_uid().map_err(ClaimError::io("find out who runs", folder))?;
    let found = match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(ClaimError::io("look at", folder))?,
    };
    match problem(found.uid(), found.mode(), ours) {
        Some(problem) => Err(ClaimError::Unsafe { folder: folder.to_owned(), problem, foreign: found.uid() != ours }),
        None => Ok(()),
    }
}

/// Why something with this owner and mode is not to be trusted by user `ours`.
pub(crate) fn problem(owner: u32, mode: u32, ours: u32) -> Option<String> {
    if owner != ours {
        return Some(format!("it belongs to user {owner}, and you are {ours}"));
    }
    (mode & 0o022 != 0).then(|| format!("its mode is {:04o}", mode & 0o7777))
}

/// Our user id, as the other end of a socket sees it: the one safe way the standard library has.
pub(crate) fn own_uid() -> io::Result<u32> {
    let (ours, _other) = UnixStream::pair()?;
    Ok(ours.peer_cred()?.uid())
}

/// A lock, which the system gives up with the process, however that ends. The file stays: removing it would
/// let two processes lock two files of one name.
///
/// It is the open file's, not the process's (flock(2)): another process that is given a descriptor of it has the lock, too, and
/// it is free when both have let go. So it passes from one daemon to the next without a moment in which it is free.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

/// Why a lock could not be had.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process has it.
    Held {
        /// Its process id, where it could be read.
        pid: Option<u32>,
        /// What it noted.
        note: Option<String>,
    },
    Claim(ClaimError),
}

impl Lock {
    /// Takes the lock and leaves our process id and a note in its file for whoever comes in vain. A holder
    /// of which `is_leaving` says that it is on its way out is waited for, for a moment.
    pub(crate) fn take(path: &Path, note: &str, is_leaving: impl Fn() -> bool) -> Result<Self, LockError> {
        let at = |action| move |source| LockError::Claim(ClaimError::io(action, path)(source));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(at("open the lock file"))?;
        let patience = Instant::now() + LAST_STEPS;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if is_leaving() && Instant::now() < patience => {
                    std::thread::sleep(LOOK_AGAIN);
                }
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    // It only makes the message better: without it there is still one.
                    let _ = file.take(4096).read_to_string(&mut text);
                    let mut lines = text.lines().map(str::trim);
                    return Err(LockError::Held {
                        pid: lines.next().and_then(|pid| pid.parse().ok()),
                        note: lines.next().filter(|note| !note.is_empty()).map(str::to_owned),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(at("lock")(source)),
            }
        }
        let lock = Self { file };
        lock.sign(note).map_err(at("write"))?;
        Ok(lock)
    }

    /// Takes over the lock of another daemon, which may still have it as well.
    pub(crate) fn inherit(file: OwnedFd) -> Self {
        Self { file: file.into() }
    }

    /// Leaves our process id and a note for whoever comes in vain.
    pub(crate) fn sign(&self, note: &str) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}\n{note}\n", std::process::id())
    }

    /// Another descriptor of it, to be given to another process.
    pub(crate) fn to_file(&self) -> io::Result<OwnedFd> {
        self.file.as_fd().try_clone_to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_s_and_what_others_can_write_to_is_not_trusted() {
        assert_eq!(problem(1001, 0o40700, 1000).as_deref(), Some("it belongs to user 1001, and you are 1000"));
        assert_eq!(problem(1000, 0o40777, 1000).as_deref(), Some("its mode is 0777"));
        assert_eq!(problem(1000, 0o40755, 1000), None);
    }

    #[test]
    fn the_mend_fits_what_is_wrong_with_a_folder() {
        let hint = |foreign| {
            let error = ClaimError::Unsafe { folder: "/run/x".into(), problem: String::new(), foreign };
            ApiError::from(&error).hint.unwrap()
        };
        assert_eq!(hint(false), "chmod 700 /run/x");
        assert!(hint(true).contains("TUNNELS_RUNTIME_DIR") && !hint(true).contains("chmod"));
    }

    #[test]
    fn a_lock_is_held_once_and_its_holder_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path, "a note", || false).unwrap();
        let LockError::Held { pid, note } = Lock::take(&path, "", || false).unwrap_err() else {
            panic!("it is held");
        };
        assert_eq!((pid, note.as_deref()), (Some(std::process::id()), Some("a note")));
        drop(first);
        Lock::take(&path, "", || false).expect("it is free again");
    }

    #[test]
    fn a_lock_that_was_handed_over_is_held_until_both_have_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path, "old", || false).unwrap();
        let second = Lock::inherit(first.to_file().unwrap());
        second.sign("new").unwrap();
        drop(first);
        let LockError::Held { note, .. } = Lock::take(&path, "", || false).unwrap_err() else { panic!("it is held") };
        assert_eq!(note.as_deref(), Some("new"));
        drop(second);
        Lock::take(&path, "", || false).expect("it is free again");
    }
}
