//! The listening sockets of all tunnels, as far as others than their listeners have to know them: those that are open, to be
//! handed to another daemon, and those that were handed to this one and wait for their tunnel.
//!
//! Binds nothing and accepts nothing; that is `tunnel/listener.rs`.

use crate::clock;
use crate::config::LocalAddr;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};

/// A daemon that has handed over closes its sockets in milliseconds, or after a second where a client of its API is slow.
const LETTING_GO: Duration = Duration::from_secs(2);

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Address {
    Ip(SocketAddr),
    Path(PathBuf),
}

/// A cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doors(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<Vec<Weak<Socket>>>,
    inherited: Mutex<HashMap<Address, Socket>>,
    /// The paths of what was handed over, to us or by us, are the other daemon's to remove.
    paths_are_others: AtomicBool,
    /// Until when another daemon may still have what it has handed over to this one.
    letting_go: Mutex<Option<Instant>>,
}

impl Socket {
    /// Another descriptor of the same socket, with the same connections waiting in it.
    fn to_file(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Self::Unix(listener) => listener.as_fd().try_clone_to_owned(),
        }
    }

    /// What another process has handed over, with where it listens.
    fn from_file(file: OwnedFd) -> io::Result<(Address, Self)> {
        let socket = socket2::Socket::from(file);
        // Shared with whoever handed it over, who has it so as well.
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        if let Some(ip) = address.as_socket() {
            return Ok((Address::Ip(ip), Self::Tcp(TcpListener::from_std(socket.into())?)));
        }
        match address.as_pathname() {
            Some(path) => {
                let path = path.to_owned();
                Ok((Address::Path(path), Self::Unix(UnixListener::from_std(OwnedFd::from(socket).into())?)))
            }
            None => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "a socket that is bound to nothing was handed over"))
            }
        }
    }
}

impl Doors {
    /// Notes that these listen, for as long as they exist.
    pub(crate) fn opened(&self, sockets: &[Arc<Socket>]) {
        let mut open = lock(&self.0.open);
        open.retain(|socket| socket.strong_count() > 0);
        open.extend(sockets.iter().map(Arc::downgrade));
    }

    /// Descriptors of all that listen now, those included that wait for their tunnel.
    pub(crate) fn files(&self) -> io::Result<Vec<OwnedFd>> {
        let open: Vec<Arc<Socket>> = lock(&self.0.open).iter().filter_map(Weak::upgrade).collect();
        let inherited = lock(&self.0.inherited);
        open.iter().map(AsRef::as_ref).chain(inherited.values()).map(Socket::to_file).collect()
    }

    /// Another daemon has them from here on: their paths are its own.
    pub(crate) fn hand_over(&self) {
        self.0.paths_are_others.store(true, Ordering::Relaxed);
        *lock(&self.0.letting_go) = None;
    }

    /// Whether another daemon's clients find their way by these paths: it has taken over, or has not let go yet.
    pub(crate) fn paths_are_others(&self) -> bool {
        self.0.paths_are_others.load(Ordering::Relaxed)
    }

    /// Takes in what another daemon has handed over; their paths are that one's until [`Self::own`].
    ///
    /// # Errors
    /// It is not a socket, or not bound.
    pub(crate) fn inherit(&self, file: OwnedFd) -> io::Result<()> {
        let (address, socket) = Socket::from_file(file)?;
        self.0.paths_are_others.store(true, Ordering::Relaxed);
        self.others_let_go();
        lock(&self.0.inherited).insert(address, socket);
        Ok(())
    }

    /// All paths are ours from here on. Closes what was handed over and nobody will take: these are the addresses that are wanted.
    pub(crate) fn own<'a>(&self, wanted: impl Iterator<Item = &'a LocalAddr>) {
        self.0.paths_are_others.store(false, Ordering::Relaxed);
        self.others_let_go();
        let wanted: Vec<Address> = wanted.flat_map(addresses).collect();
        lock(&self.0.inherited).retain(|address, _| {
            let stays = wanted.contains(address);
            if let (false, Address::Path(path)) = (stays, address) {
                // What cannot be removed is found, and replaced, by whoever binds there next.
                drop(std::fs::remove_file(path));
            }
            stays
        });
    }

    /// Whether an address that is in use may be so because the other daemon has not closed its copy of the socket yet, or had
    /// just bound it when it handed over.
    pub(crate) fn others_may_hold(&self) -> bool {
        lock(&self.0.letting_go).is_some_and(|until| clock::now() < until)
    }

    fn others_let_go(&self) {
        *lock(&self.0.letting_go) = Some(clock::now() + LETTING_GO);
    }

    /// The socket at this address, if it was handed over.
    pub(crate) fn inherited_ip(&self, address: SocketAddr) -> Option<Socket> {
        lock(&self.0.inherited).remove(&Address::Ip(address))
    }

    /// The socket at this path, if it was handed over.
    pub(crate) fn inherited_path(&self, path: &Path) -> Option<Socket> {
        lock(&self.0.inherited).remove(&Address::Path(path.to_owned()))
    }
}

fn addresses(local: &LocalAddr) -> Vec<Address> {
    match local {
        LocalAddr::Ip(address) => vec![Address::Ip(*address)],
        LocalAddr::Loopback(port) => {
            vec![Address::Ip((Ipv4Addr::LOCALHOST, *port).into()), Address::Ip((Ipv6Addr::LOCALHOST, *port).into())]
        }
        LocalAddr::Unix(path) => vec![Address::Path(path.clone())],
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_connection_that_waits_in_a_socket_is_taken_by_whoever_inherits_it() {
        let (old, new) = (Doors::default(), Doors::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = Arc::new(Socket::Tcp(listener));
        old.opened(std::slice::from_ref(&socket));
        let waits = TcpStream::connect(address).await.unwrap();
        // Another one in between, which ends before its tunnel has taken it.
        let between = Doors::default();
        for file in old.files().unwrap() {
            between.inherit(file).unwrap();
        }
        for file in between.files().unwrap() {
            new.inherit(file).unwrap();
        }
        drop((socket, between));
        assert!(old.files().unwrap().is_empty(), "it is closed there");
        assert!(new.inherited_path(Path::new("/x")).is_none());
        let Some(Socket::Tcp(listener)) = new.inherited_ip(address) else { panic!("inherited") };
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, waits.local_addr().unwrap());
        assert!(new.inherited_ip(address).is_none(), "once");
    }

    #[tokio::test]
    async fn what_no_tunnel_wants_is_closed_and_its_path_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (old, new) = (Doors::default(), Doors::default());
        let sockets = ["a", "b"].map(|name| Arc::new(Socket::Unix(UnixListener::bind(path(name)).unwrap()))).to_vec();
        old.opened(&sockets);
        for file in old.files().unwrap() {
            new.inherit(file).unwrap();
        }
        new.own([LocalAddr::Unix(path("a"))].iter());
        assert!(path("a").exists() && !path("b").exists());
        assert!(new.inherited_path(&path("a")).is_some() && new.inherited_path(&path("b")).is_none());
    }
}
