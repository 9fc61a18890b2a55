//! One daemon a folder: claims it, binds the socket in it, and serves the routes there.
//!
//! Owns the socket and its lock. Two rules keep others out: the folder must be ours and not
//! writable by anyone else, and a connection of another user is dropped before a byte is read.
//! What is served is in `routes.rs`.

use super::routes;
use crate::accept::AcceptTrouble;
use crate::claim::{ClaimError, Lock, LockError, own_uid, private_folder};
use crate::clock;
use crate::handle::DaemonHandle;
use crate::log_limit::LogLimit;
use axum::serve::Listener;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream, unix::SocketAddr};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How long an answer that is under way at the end may take. Answers come from memory; only a client
/// that does not read makes one slow.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Between two lines about others who try to connect; the folder's mode keeps most from trying.
const STRANGERS: Duration = Duration::from_mins(1);

/// The right to be the daemon of a folder, and the socket in it. Dropping it removes the socket.
#[derive(Debug)]
pub(crate) struct Instance {
    listener: Option<UnixListener>,
    socket: PathBuf,
    _lock: Lock,
}

impl Instance {
    /// Creates the folder if need be, takes its lock and binds the socket. A socket that a crashed
    /// daemon left is removed: the lock says that nobody listens on it.
    ///
    /// # Errors
    /// [`ClaimError`]; nothing is left changed but the folder and its lock file.
    pub(crate) fn claim(runtime_dir: &Path) -> Result<Self, ClaimError> {
        let socket = tunnels_api::socket_in(runtime_dir)?;
        private_folder(runtime_dir)?;
        // A holder without a socket is on its way out, or not yet there.
        let lock =
            Lock::take(&runtime_dir.join("daemon.lock"), "", || !socket.exists()).map_err(|error| match error {
                LockError::Held { pid, .. } => ClaimError::AlreadyRunning { pid },
                LockError::Claim(error) => error,
            })?;
        match fs::remove_file(&socket) {
            Ok(()) => debug!(socket = %socket.display(), "removed a stale socket"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ClaimError::io("remove the stale socket", &socket)(error)),
        }
        let listener = UnixListener::bind(&socket).map_err(ClaimError::io("bind the socket", &socket))?;
        // From here on dropping `instance` removes the socket.
        let instance = Self { listener: Some(listener), socket, _lock: lock };
        fs::set_permissions(&instance.socket, Permissions::from_mode(0o600))
            .map_err(ClaimError::io("set the mode of", &instance.socket))?;
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
        let listener = OwnPeers {
            listener,
            ours: own_uid()?,
            trouble: AcceptTrouble::default(),
            strangers: LogLimit::new(1, STRANGERS),
        };
        let router = routes::router(daemon, shutdown.clone());
        let (ended, socket) = (shutdown.clone(), self.socket.clone());
        let last = async move {
            ended.cancelled().await;
            // Before the listener closes: whoever finds nobody there finds no socket either.
            remove(&socket);
        };
        let serving = axum::serve(listener, router).with_graceful_shutdown(last).into_future();
        tokio::select! {
            served = serving => served,
            () = async { shutdown.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => Ok(()),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // We hold the lock, so a socket that is there is ours.
        remove(&self.socket);
    }
}

fn remove(socket: &Path) {
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            debug!(socket = %socket.display(), %error, "could not remove the socket");
        }
        _ => {}
    }
}

/// Accepts connections of our own user only.
struct OwnPeers {
    listener: UnixListener,
    ours: u32,
    trouble: AcceptTrouble,
    strangers: LogLimit,
}

impl Listener for OwnPeers {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.trouble.wait_out(&error).await;
                    continue;
                }
            };
            self.trouble.over();
            let who = match stream.peer_cred() {
                Ok(peer) if peer.uid() == self.ours => return (stream, address),
                Ok(peer) => format!("user {}", peer.uid()),
                Err(error) => format!("a user who cannot be told ({error})"),
            };
            if let Some(left_out) = self.strangers.pass(clock::now()) {
                warn!(left_out, "refused a connection of {who}");
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[cfg(test)]
#[path = "server/tests.rs"]
mod tests;
