//! The local port: bound while the tunnel is up, every connection handed to a task of its own.
//!
//! Owns the sockets and the tasks of the connections; dropping it closes the port and ends them all. It
//! never fails once bound: an error of accepting is waited out.

use super::forward::{Shared, forward};
use super::local_stream::LocalStream;
use super::socket_file::SocketFile;
use super::turns::Turn;
use crate::accept::AcceptTrouble;
use crate::config::LocalAddr;
use crate::doors::{Doors, Socket};
use crate::sockets::{self, Holder};
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};
use tunnels_api::{Cause, CauseKind};

/// While the daemon before this one may still have an address.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A bound local address. Dropping it gives the address up and ends the connections.
#[derive(Debug)]
pub(super) struct Listener {
    /// Removed while the socket is still open, so that no other file can be taken for it.
    socket_file: Option<SocketFile>,
    doors: Doors,
    accepting: JoinSet<()>,
    connections: TaskTracker,
    /// Dropped with the listener, which ends the connections.
    _cancel: DropGuard,
}

impl Listener {
    /// Binds, unless the daemon before this one has left the socket, and once that one has let go of it; the error says who holds
    /// the address, where that can be told.
    pub(super) async fn bind(local: &LocalAddr, shared: &Shared, turn: Turn, doors: Doors) -> Result<Self, Cause> {
        let (sockets, socket_file) = loop {
            match sockets(local, &doors).await {
                Ok(bound) => break bound,
                // Not of a path: to see whether that is taken somebody has to connect.
                Err((LocalAddr::Ip(_) | LocalAddr::Loopback(_), error))
                    if error.kind() == io::ErrorKind::AddrInUse && doors.others_may_hold() =>
                {
                    sleep(LOOK_AGAIN).await;
                }
                Err((addr, error)) => return Err(taken(&addr, &error).await),
            }
        };
        let sockets: Vec<Arc<Socket>> = sockets.into_iter().map(Arc::new).collect();
        doors.opened(&sockets);
        let connections = TaskTracker::new();
        let token = CancellationToken::new();
        let mut accepting = JoinSet::new();
        let turn = Arc::new(turn);
        for socket in sockets {
            let bound = Bound { socket, _turn: Arc::clone(&turn) };
            let mut shared = shared.clone();
            shared.span = Span::current();
            accepting.spawn(bound.serve(shared, connections.clone(), token.clone()).in_current_span());
        }
        Ok(Self { socket_file, doors, accepting, connections, _cancel: token.drop_guard() })
    }

    /// Accepts no more; open connections go on. The future is ready when the last of them has ended.
    pub(super) fn drain(&mut self) -> impl Future<Output = ()> + use<> {
        self.give_path_up();
        let mut accepting = mem::take(&mut self.accepting);
        accepting.abort_all();
        let connections = self.connections.clone();
        async move {
            // One that was accepted in this very moment counts, too.
            while accepting.join_next().await.is_some() {}
            connections.close();
            connections.wait().await;
        }
    }

    /// Removes the path of a Unix socket, or leaves it to the other daemon that has the socket.
    fn give_path_up(&mut self) {
        match self.socket_file.take() {
            Some(file) if self.doors.paths_are_others() => file.leave(),
            gone => drop(gone),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.give_path_up();
    }
}

/// One socket, with the turn that passes on once it is closed.
struct Bound {
    socket: Arc<Socket>,
    _turn: Arc<Turn>,
}

impl Bound {
    async fn serve(self, shared: Shared, connections: TaskTracker, token: CancellationToken) {
        let mut trouble = AcceptTrouble::default();
        loop {
            match accept(&self.socket).await {
                Ok(stream) => {
                    trouble.over();
                    let (shared, token) = (shared.clone(), token.clone());
                    connections.spawn(async move {
                        token.run_until_cancelled(forward(stream, shared)).await;
                    });
                }
                Err(error) => trouble.wait_out(&error).await,
            }
        }
    }
}

async fn accept(socket: &Socket) -> io::Result<LocalStream> {
    match socket {
        Socket::Tcp(listener) => Ok(LocalStream::tcp(listener.accept().await?.0)),
        Socket::Unix(listener) => Ok(LocalStream::unix(listener.accept().await?.0)),
    }
}

/// The address's sockets, and the file that stands for it if it is a path.
async fn sockets(
    local: &LocalAddr,
    doors: &Doors,
) -> Result<(Vec<Socket>, Option<SocketFile>), (LocalAddr, io::Error)> {
    let failed = |error| (local.clone(), error);
    match local {
        LocalAddr::Unix(path) => {
            if let Some(socket) = doors.inherited_path(path) {
                let file = SocketFile::adopt(path).map_err(failed)?;
                return Ok((vec![socket], Some(file)));
            }
            let (listener, file) = SocketFile::bind(path).await.map_err(failed)?;
            Ok((vec![Socket::Unix(listener)], Some(file)))
        }
        LocalAddr::Ip(addr) => Ok((vec![tcp(*addr, doors).await.map_err(failed)?], None)),
        LocalAddr::Loopback(port) => {
            let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, *port));
            let mut sockets = vec![tcp((Ipv4Addr::LOCALHOST, *port).into(), doors).await.map_err(failed)?];
            match tcp(v6, doors).await {
                Ok(second) => sockets.push(second),
                // Half a port would send `localhost` to whoever holds the other half.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err((LocalAddr::Ip(v6), error));
                }
                Err(error) => tracing::debug!(%error, "no IPv6 loopback on this machine"),
            }
            Ok((sockets, None))
        }
    }
}

async fn tcp(address: SocketAddr, doors: &Doors) -> io::Result<Socket> {
    match doors.inherited_ip(address) {
        Some(socket) => Ok(socket),
        None => Ok(Socket::Tcp(TcpListener::bind(address).await?)),
    }
}

/// Why the address is not ours, with its holder if the system tells.
async fn taken(local: &LocalAddr, error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let wanted = local.clone();
            let holder = tokio::task::spawn_blocking(move || match &wanted {
                LocalAddr::Loopback(port) => sockets::holder_of((Ipv4Addr::LOCALHOST, *port).into()),
                LocalAddr::Ip(addr) => sockets::holder_of(*addr),
                LocalAddr::Unix(path) => sockets::holder_of_path(path),
            });
            let holder = holder.await.unwrap_or(Holder::Unknown);
            let what = if matches!(local, LocalAddr::Unix(_)) { "choose another path" } else { "choose another port" };
            Cause::new(CauseKind::PortTaken, format!("{local} is held by {holder}"))
                .with_next(format!("stop it, or {what} for `local`; it is tried again every 5 s"))
        }
        io::ErrorKind::PermissionDenied => {
            Cause::new(CauseKind::PortTaken, format!("{local} cannot be bound: {error}"))
                .with_next("choose a port above 1023, or a folder you may write to")
        }
        io::ErrorKind::AlreadyExists => {
            Cause::new(CauseKind::PortTaken, error.to_string()).with_next("choose another path, or move that file away")
        }
        io::ErrorKind::AddrNotAvailable => {
            let cause =
                Cause::new(CauseKind::PortTaken, format!("{local} cannot be bound: this machine has no such address"));
            cause.with_next(match local {
                // Linux has all of 127.0.0.0/8, macOS only the first until told otherwise.
                LocalAddr::Ip(addr) if addr.is_ipv4() && addr.ip().is_loopback() => format!(
                    "give it one: `sudo ifconfig lo0 alias {}` on macOS, until it is started again; or choose a port alone for `local`",
                    addr.ip()
                ),
                _ => "choose another address for `local`: 127.0.0.1, or the port alone".to_owned(),
            })
        }
        _ => Cause::new(CauseKind::PortTaken, format!("{local} cannot be bound: {error}")).with_next("check `local`"),
    }
}
