//! One daemon a folder: claims it, binds the socket in it, and serves the routes there.
//!
//! Owns the socket and its lock. Two rules keep others out: the folder must be ours and not
//! writable by anyone else, and a connection of another user is dropped before a byte is read.
//! What is served is in `routes.rs`.

use super::routes;
use super::visitor::{Silent, Visitor};
use crate::accept::AcceptTrouble;
use crate::claim::{ClaimError, Lock, LockError, own_uid, private_folder};
use crate::clock;
use crate::handle::DaemonHandle;
use crate::log_limit::LogLimit;
use axum::serve::Listener;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{UnixListener, unix::SocketAddr};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How long an answer that is under way at the end may take, with the request where that is yet to come. Answers come from memory;
/// only a client that does not read makes one slow.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long whoever was accepted before the end may take to begin. It is sent at once, unless a busy machine has other things to do first.
const FIRST_WORDS: Duration = Duration::from_millis(500);

/// Between two lines about others who try to connect; the folder's mode keeps most from trying.
const STRANGERS: Duration = Duration::from_mins(1);

/// The right to be the daemon of a folder, and the socket in it. Dropping it removes the socket, unless that is
/// another's by then.
#[derive(Debug)]
pub(crate) struct Instance(Arc<Door>);

#[derive(Debug)]
struct Door {
    listener: UnixListener,
    socket: PathBuf,
    /// The service manager's, which listens on when we are gone, or another daemon's.
    stays: AtomicBool,
    /// Closed while another daemon may be taking over: whoever connects then waits, and is served by whichever it is.
    is_open: watch::Sender<bool>,
    lock: Lock,
}

/// What another daemon needs to take an [`Instance`]'s place, and the way to keep clients waiting meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Post(Arc<Door>);

impl Instance {
    /// Creates the folder if need be, takes its lock and binds the socket, unless the service manager has done that. A
    /// socket that a crashed daemon left is removed: the lock says that nobody listens on it.
    ///
    /// # Errors
    /// [`ClaimError`]; nothing is left changed but the folder and its lock file.
    pub(crate) fn claim(
        runtime_dir: &Path,
        activated: Option<std::os::unix::net::UnixListener>,
    ) -> Result<Self, ClaimError> {
        let socket = tunnels_api::socket_in(runtime_dir)?;
        private_folder(runtime_dir)?;
        let activated = activated.filter(|listener| {
            let is_this = listener.local_addr().is_ok_and(|address| address.as_pathname() == Some(&socket));
            if !is_this {
                warn!("the service manager's socket is not {}, and is not used", socket.display());
            }
            is_this
        });
        // A holder without a socket is on its way out, or not yet there.
        let is_leaving = || activated.is_some() || !socket.exists();
        let lock = Lock::take(&runtime_dir.join("daemon.lock"), "", is_leaving).map_err(|error| match error {
            LockError::Held { pid, .. } => ClaimError::AlreadyRunning { pid },
            LockError::Claim(error) => error,
        })?;
        if let Some(listener) = activated {
            let used = listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener));
            let listener = used.map_err(ClaimError::io("listen on", &socket))?;
            return Ok(Self::new(listener, socket, true, lock));
        }
        match fs::remove_file(&socket) {
            Ok(()) => debug!(socket = %socket.display(), "removed a stale socket"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ClaimError::io("remove the stale socket", &socket)(error)),
        }
        let listener = UnixListener::bind(&socket).map_err(ClaimError::io("bind the socket", &socket))?;
        // From here on dropping `instance` removes the socket.
        let instance = Self::new(listener, socket, false, lock);
        fs::set_permissions(instance.socket(), Permissions::from_mode(0o600))
            .map_err(ClaimError::io("set the mode of", instance.socket()))?;
        Ok(instance)
    }

    /// For a daemon that is given socket and lock by another. The path is that one's until [`Post::own`].
    ///
    /// # Errors
    /// What the system says of the socket.
    pub(crate) fn inherit(runtime_dir: &Path, listener: OwnedFd, lock: Lock) -> Result<Self, ClaimError> {
        let socket = tunnels_api::socket_in(runtime_dir)?;
        let listener = std::os::unix::net::UnixListener::from(listener);
        let used = listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener));
        Ok(Self::new(used.map_err(ClaimError::io("listen on", &socket))?, socket, true, lock))
    }

    fn new(listener: UnixListener, socket: PathBuf, stays: bool, lock: Lock) -> Self {
        Self(Arc::new(Door {
            listener,
            socket,
            stays: AtomicBool::new(stays),
            is_open: watch::Sender::new(true),
            lock,
        }))
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.0.socket
    }

    /// For another daemon that may take over.
    pub(crate) fn post(&self) -> Post {
        Post(Arc::clone(&self.0))
    }

    /// Serves until `shutdown`, then removes the socket, hears out who was accepted and lets answers under way finish. Event
    /// streams end with `shutdown`, which tells their readers that the daemon has ended.
    ///
    /// # Errors
    /// What the system says when it cannot tell who connects.
    pub(crate) async fn serve(self, daemon: DaemonHandle, shutdown: CancellationToken) -> io::Result<()> {
        let silent = Silent::default();
        let listener = OwnPeers {
            silent: silent.clone(),
            is_open: self.0.is_open.subscribe(),
            door: Arc::clone(&self.0),
            ours: own_uid()?,
            trouble: AcceptTrouble::default(),
            strangers: LogLimit::new(1, STRANGERS),
        };
        let router = routes::router(daemon, shutdown.clone());
        // Only as long as `self`: axum waits for this in a task of its own, which would keep socket and lock after a crash of ours.
        let (ended, door) = (shutdown.clone(), Arc::downgrade(&self.0));
        let last = async move {
            ended.cancelled().await;
            // Before the listener closes: whoever finds nobody there finds no socket either.
            if let Some(door) = door.upgrade() {
                door.remove();
                door.is_open.send_replace(false);
            }
            tokio::select! {
                // Cancel-safe, both.
                () = silent.none() => {}
                () = tokio::time::sleep(FIRST_WORDS) => {}
            }
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
        self.0.remove();
    }
}

impl Door {
    fn remove(&self) {
        if !self.stays.load(Ordering::Relaxed) {
            remove(&self.socket);
        }
    }
}

impl Post {
    /// Descriptors of the socket and of the lock.
    pub(crate) fn files(&self) -> io::Result<[OwnedFd; 2]> {
        Ok([self.0.listener.as_fd().try_clone_to_owned()?, self.0.lock.to_file()?])
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.0.socket
    }

    /// Whether the socket's path is the service manager's.
    pub(crate) fn stays(&self) -> bool {
        self.0.stays.load(Ordering::Relaxed)
    }

    /// Accepts nobody from here on; connections wait in the system's queue.
    pub(crate) fn close(&self) {
        self.0.is_open.send_replace(false);
    }

    /// Accepts again.
    pub(crate) fn open(&self) {
        self.0.is_open.send_replace(true);
    }

    /// The socket's path is another's from here on.
    pub(crate) fn leave(&self) {
        self.0.stays.store(true, Ordering::Relaxed);
    }

    /// Socket and lock are ours alone from here on; the path too, unless it is the service manager's.
    pub(crate) fn own(&self, stays: bool) {
        self.0.stays.store(stays, Ordering::Relaxed);
        if let Err(error) = self.0.lock.sign("") {
            debug!(%error, "the lock names the daemon before this one");
        }
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
    door: Arc<Door>,
    silent: Silent,
    is_open: watch::Receiver<bool>,
    ours: u32,
    trouble: AcceptTrouble,
    strangers: LogLimit,
}

impl Listener for OwnPeers {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        loop {
            // An error would be a door that is gone, which we hold.
            let _ = self.is_open.wait_for(|is_open| *is_open).await;
            let accepted = tokio::select! {
                // Cancel-safe, both: a watch, and a connection that is not accepted stays in the queue.
                biased;
                _ = self.is_open.wait_for(|is_open| !is_open) => continue,
                accepted = self.door.listener.accept() => accepted,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.trouble.wait_out(&error).await;
                    continue;
                }
            };
            self.trouble.over();
            let who = match stream.peer_cred() {
                Ok(peer) if peer.uid() == self.ours => return (self.silent.enter(stream), address),
                Ok(peer) => format!("user {}", peer.uid()),
                Err(error) => format!("a user who cannot be told ({error})"),
            };
            if let Some(left_out) = self.strangers.pass(clock::now()) {
                warn!(left_out, "refused a connection of {who}");
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.door.listener.local_addr()
    }
}

#[cfg(test)]
#[path = "server/tests.rs"]
mod tests;
