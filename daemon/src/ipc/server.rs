//! One daemon a folder: claims it, binds the socket in it, and serves the routes there.
//!
//! Owns the lock file and the socket. Two rules keep others out: the folder must be ours and not
//! writable by anyone else, and a connection of another user is dropped before a byte is read.
//! What is served is in `routes.rs`.

use super::routes;
use crate::handle::DaemonHandle;
use axum::serve::Listener;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream, unix::SocketAddr};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use tunnels_api::{ApiError, ErrorCode, PlaceError};

/// How long an answer that is under way at the end may take. Answers come from memory; only a client
/// that does not read makes one slow.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A daemon that ends removes its socket first and gives up its lock a moment later: so long whoever
/// starts the next one at once may have to wait.
const LAST_STEPS: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The pause after a failed accept, so that a lack of descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why this process cannot be the daemon of a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Another daemon has the folder.
    #[error("a daemon is already running{}", pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    AlreadyRunning {
        /// Its process id, where it could be read.
        pid: Option<u32>,
    },
    /// Others could replace the socket.
    #[error("the folder {} must be yours and writable by nobody else: {problem}", folder.display())]
    Unsafe {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
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

impl From<&ClaimError> for ApiError {
    fn from(error: &ClaimError) -> Self {
        let message = error.to_string();
        match error {
            ClaimError::AlreadyRunning { .. } => Self::new(ErrorCode::AlreadyRunning, message)
                .with_hint("`tunnels ls` shows its tunnels, `tunnels stop` ends it"),
            ClaimError::Unsafe { folder, .. } => {
                Self::new(ErrorCode::Failed, message).with_hint(format!("chmod 700 {}", folder.display()))
            }
            ClaimError::Place(place) => Self::new(ErrorCode::Failed, message).with_hint(place.hint()),
            ClaimError::Io { .. } => Self::new(ErrorCode::Failed, message)
                .with_hint("TUNNELS_RUNTIME_DIR names another folder for the socket"),
        }
    }
}

/// The right to be the daemon of a folder, and the socket in it. Dropping it removes the socket.
#[derive(Debug)]
pub(crate) struct Instance {
    listener: Option<UnixListener>,
    socket: PathBuf,
    /// Held for its lock, which the system gives up with the process, however that ends.
    _lock: File,
}

impl Instance {
    /// Creates the folder if need be, takes its lock and binds the socket. A socket that a crashed
    /// daemon left is removed: the lock says that nobody listens on it.
    ///
    /// # Errors
    /// [`ClaimError`]; nothing is left changed but the folder and its lock file.
    pub(crate) fn claim(runtime_dir: &Path) -> Result<Self, ClaimError> {
        let socket = tunnels_api::socket_in(runtime_dir)?;
        let at = |action, path: &Path| {
            let path = path.to_owned();
            move |source| ClaimError::Io { action, path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(runtime_dir)
            .map_err(at("create the folder", runtime_dir))?;
        let ours = own_uid().map_err(at("find out who runs", runtime_dir))?;
        let folder = fs::metadata(runtime_dir).map_err(at("look at", runtime_dir))?;
        check_folder(runtime_dir, folder.uid(), folder.mode(), ours)?;

        let lock = take_lock(&runtime_dir.join("daemon.lock"), &socket)?;
        match fs::remove_file(&socket) {
            Ok(()) => debug!(socket = %socket.display(), "removed a stale socket"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at("remove the stale socket", &socket)(error)),
        }
        let listener = UnixListener::bind(&socket).map_err(at("bind the socket", &socket))?;
        // From here on dropping `instance` removes the socket.
        let instance = Self { listener: Some(listener), socket, _lock: lock };
        fs::set_permissions(&instance.socket, Permissions::from_mode(0o600))
            .map_err(at("set the mode of", &instance.socket))?;
        Ok(instance)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Serves until `shutdown`, then lets answers under way finish and removes the socket. Event
    /// streams end with `shutdown`, which tells their readers that the daemon has ended.
    ///
    /// # Errors
    /// What the system says when it cannot tell who connects.
    pub(crate) async fn serve(mut self, daemon: DaemonHandle, shutdown: CancellationToken) -> io::Result<()> {
        let Some(listener) = self.listener.take() else {
            return Ok(());
        };
        let listener = OwnPeers { listener, ours: own_uid()? };
        let router = routes::router(daemon, shutdown.clone());
        let ended = shutdown.clone();
        let serving =
            axum::serve(listener, router).with_graceful_shutdown(async move { ended.cancelled().await }).into_future();
        tokio::select! {
            served = serving => served,
            () = async { shutdown.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => Ok(()),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.socket) {
            debug!(socket = %self.socket.display(), %error, "could not remove the socket");
        }
    }
}

/// Accepts connections of our own user only.
struct OwnPeers {
    listener: UnixListener,
    ours: u32,
}

impl Listener for OwnPeers {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept on the socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == self.ours => return (stream, address),
                Ok(peer) => warn!(uid = peer.uid(), "refused a connection of another user"),
                Err(error) => warn!(%error, "refused a connection of an unknown user"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Our user id, as the other end of a socket sees it: the one safe way the standard library has.
fn own_uid() -> io::Result<u32> {
    let (ours, _other) = UnixStream::pair()?;
    Ok(ours.peer_cred()?.uid())
}

fn check_folder(folder: &Path, owner: u32, mode: u32, ours: u32) -> Result<(), ClaimError> {
    let unsafe_because = |problem: String| Err(ClaimError::Unsafe { folder: folder.to_owned(), problem });
    if owner != ours {
        return unsafe_because(format!("it belongs to user {owner}, and you are {ours}"));
    }
    if mode & 0o022 != 0 {
        return unsafe_because(format!("its mode is {:04o}", mode & 0o7777));
    }
    Ok(())
}

/// Locks the file and writes our process id into it. The file stays: removing it would let two
/// processes lock two files of one name.
fn take_lock(path: &Path, socket: &Path) -> Result<File, ClaimError> {
    let at = |action| move |source| ClaimError::Io { action, path: path.to_owned(), source };
    let mut file = OpenOptions::new()
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
            // Its holder has no socket: it is on its way out, or not yet there.
            Err(TryLockError::WouldBlock) if !socket.exists() && Instant::now() < patience => {
                std::thread::sleep(LOOK_AGAIN);
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The pid only makes the message better: without it there is still one.
                let _ = file.take(32).read_to_string(&mut pid);
                return Err(ClaimError::AlreadyRunning { pid: pid.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(at("lock")(source)),
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(at("write"))?;
    Ok(file)
}

#[cfg(test)]
#[path = "server/tests.rs"]
mod tests;
