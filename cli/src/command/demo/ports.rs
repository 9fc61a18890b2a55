//! Where the demo's tunnels listen: their usual ports, or, where these are taken, others that are free.
//!
//! The daemon binds them a while after they are chosen. Until the demo's end each is reserved by a UDP socket of
//! the same number: nobody but another demo looks at that, and the tunnel's TCP port is not in its way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_daemon::holder_of;

/// So many ports behind a taken one are looked at.
const TRIES: u16 = 100;

/// A port to listen on, and what to say about it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) port: u16,
    /// Who has the usual one.
    pub(super) note: Option<String>,
    /// Keeps other demos away.
    pub(super) reserved: UdpSocket,
}

/// A port for the tunnel `name`: `usual` if it can be had.
pub(super) fn choose(name: &str, usual: u16) -> Result<Chosen, ApiError> {
    let error = match reserve(usual) {
        Ok(reserved) => return Ok(Chosen { port: usual, note: None, reserved }),
        Err(error) => error,
    };
    let why = match error.kind() {
        // Of another demo that does not listen yet, nobody can tell more than that there is one.
        io::ErrorKind::AddrInUse => format!("is held by {}", holder_of((Ipv4Addr::LOCALHOST, usual).into())),
        _ => format!("cannot be bound ({error})"),
    };
    let mut others = usual.saturating_add(1)..=usual.saturating_add(TRIES);
    let Some((port, reserved)) = others.find_map(|port| Some((port, reserve(port).ok()?))) else {
        return Err(ApiError::new(
            ErrorCode::Failed,
            format!("port {usual} {why}, and none of the {TRIES} ports behind it is free for {name}"),
        )
        .with_hint("stop what listens there, and try again"));
    };
    let note = format!("port {usual} {why}: {name} takes {port}");
    Ok(Chosen { port, note: Some(note), reserved })
}

/// Reserves a port, then tries both loopback addresses, as the daemon will; a machine without IPv6 has one. A
/// port that another demo has reserved is not tried: its daemon may be about to bind it.
fn reserve(port: u16) -> io::Result<UdpSocket> {
    let reserved = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    let listen = |ip: IpAddr| TcpListener::bind(SocketAddr::new(ip, port));
    let _first = listen(Ipv4Addr::LOCALHOST.into())?;
    match listen(Ipv6Addr::LOCALHOST.into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        _ => Ok(reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_holder_and_another_one_chosen() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let first = choose("orders-db", port).unwrap();
        assert!(first.port > port, "{first:?}");
        let note = first.note.as_deref().unwrap();
        assert!(note.starts_with(&format!("port {port} is held by `")), "{note}");
        assert!(note.contains(&format!("` (pid {}): ", std::process::id())), "{note}");
        assert!(note.ends_with(&format!("orders-db takes {}", first.port)), "{note}");
    }

    #[test]
    fn what_is_chosen_is_reserved_until_it_is_let_go_and_can_be_bound() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let first = choose("orders-db", free).unwrap();
        let second = choose("sessions-cache", first.port).unwrap();
        assert_ne!(first.port, second.port);
        let note = second.note.unwrap();
        assert!(note.starts_with(&format!("port {} is held by ", first.port)), "{note}");
        let listeners = [first.port, second.port].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        drop((first.reserved, listeners));
    }

    #[test]
    fn where_nothing_is_free_it_says_so() {
        // Nobody but root may bind port 1; root may, and then it or one behind it is simply chosen.
        match choose("orders-db", 1) {
            Err(error) => assert!(error.message.contains("port 1 cannot be bound"), "{}", error.message),
            Ok(chosen) => assert!(chosen.port <= 1 + TRIES),
        }
    }
}
