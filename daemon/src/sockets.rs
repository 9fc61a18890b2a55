//! What the kernel knows of TCP sockets of this machine: whether the other end of a loopback connection
//! still has an owner and which process that is, and who listens on a port.
//!
//! One socket is asked for by its addresses (`diag`), in microseconds however many there are; where that is
//! not to be had, and for ports, the whole table is read (`table`). Other systems than Linux have neither:
//! there every answer is "cannot tell".

mod diag;
mod holder;
mod process;
mod table;

use crate::connections::Peer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tunnels_api::Process;

pub use holder::{Holder, holder_of, holder_of_path};

/// Whether some process still holds a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Somebody does.
    Present,
    /// The socket is there, but nobody holds it.
    Gone,
    /// No such socket is to be seen.
    Invisible,
}

/// Looks for the socket at `local` that is connected to `remote`.
pub(crate) async fn owner(local: SocketAddr, remote: SocketAddr) -> Owner {
    let (local, remote) = (canonical(local), canonical(remote));
    match diag::owner(local, remote) {
        Ok(owner) => owner,
        Err(_) => tokio::task::spawn_blocking(move || table::owner(local, remote)).await.unwrap_or(Owner::Invisible),
    }
}

/// The processes at the other ends of local connections, each at the place of its peer; none where the system does
/// not tell. Reads `/proc`, and blocks meanwhile.
pub(crate) fn processes_of(peers: &[Peer]) -> Vec<Option<Process>> {
    let ends: Vec<_> = peers
        .iter()
        .map(|peer| match *peer {
            Peer::Tcp { theirs, ours } => Some((canonical(theirs), canonical(ours))),
            Peer::Unix { .. } | Peer::Unknown => None,
        })
        .collect();
    let wanted: Vec<_> = ends.iter().copied().flatten().collect();
    let inodes = if wanted.is_empty() { BTreeMap::new() } else { table::inodes(&wanted) };
    let processes = process::holding(&inodes.values().copied().collect::<Vec<_>>());
    let found = |(peer, ends): (&Peer, Option<(SocketAddr, SocketAddr)>)| match peer {
        Peer::Unix { pid } => process::named((*pid)?),
        Peer::Tcp { .. } | Peer::Unknown => processes.get(inodes.get(&ends?)?).cloned(),
    };
    peers.iter().zip(ends).map(found).collect()
}

/// A dual-stack socket shows an IPv4 address inside an IPv6 one; scope and flow are not asked for.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener, TcpStream};

    /// Every way of asking says the same at every stage of a connection's end.
    #[tokio::test]
    async fn tells_a_half_close_from_a_close() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let ours = listener.local_addr().unwrap();
            let client = TcpStream::connect(ours).unwrap();
            let (_accepted, peer) = listener.accept().unwrap();
            let all = async || {
                let found = owner(peer, ours).await;
                assert_eq!(table::owner(peer, ours), found);
                if let Ok(answer) = diag::owner(peer, ours) {
                    assert_eq!(answer, found);
                }
                found
            };
            assert_eq!(all().await, Owner::Present);
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(all().await, Owner::Present);
            drop(client);
            assert_eq!(all().await, Owner::Gone);
            let nobody = SocketAddr::new(ours.ip(), 1);
            assert_eq!(owner(nobody, ours).await, Owner::Invisible);
            assert_eq!(owner(ours, nobody).await, Owner::Invisible, "a listener is no connection");
        }
    }

    #[test]
    fn the_processes_of_connections_are_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = listener.local_addr().unwrap();
        let _client = TcpStream::connect(ours).unwrap();
        let (_accepted, theirs) = listener.accept().unwrap();
        let nobody = Peer::Tcp { theirs: SocketAddr::new(ours.ip(), 1), ours };
        let unix = Peer::Unix { pid: Some(std::process::id()) };
        let found = processes_of(&[nobody, Peer::Tcp { theirs, ours }, Peer::Unknown, unix]);
        let pids: Vec<_> = found.iter().map(|process| process.as_ref().map(|process| process.pid)).collect();
        assert_eq!(pids, [None, Some(std::process::id()), None, Some(std::process::id())]);
        assert!(!found[1].as_ref().unwrap().command.is_empty());
    }
}
