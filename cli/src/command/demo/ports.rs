//! Where the demo's tunnels listen: their usual ports, or, where these are taken, others that are free.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_daemon::holder_of;

/// So many ports behind a taken one are looked at.
const TRIES: u16 = 100;

/// A port to listen on, and what to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) port: u16,
    /// Who has the usual one.
    pub(super) note: Option<String>,
}

/// A port for the tunnel `name`: `usual` if it can be had, and never one of `given`.
pub(super) fn choose(name: &str, usual: u16, given: &[u16]) -> Result<Chosen, ApiError> {
    let Err(error) = bind(usual) else { return Ok(Chosen { port: usual, note: None }) };
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => format!("is held by {}", holder_of((Ipv4Addr::LOCALHOST, usual).into())),
        _ => format!("cannot be bound ({error})"),
    };
    let others = usual.saturating_add(1)..=usual.saturating_add(TRIES);
    let Some(port) = others.filter(|port| !given.contains(port)).find(|port| bind(*port).is_ok()) else {
        return Err(ApiError::new(
            ErrorCode::Failed,
            format!("port {usual} {why}, and none of the {TRIES} ports behind it is free for {name}"),
        )
        .with_hint("stop what listens there, and try again"));
    };
    let note = format!("port {usual} {why}: {name} takes {port}");
    Ok(Chosen { port, note: Some(note) })
}

/// Tries both loopback addresses, as the daemon will; a machine without IPv6 has one.
fn bind(port: u16) -> io::Result<()> {
    let listen = |ip: IpAddr| TcpListener::bind(SocketAddr::new(ip, port));
    let _first = listen(Ipv4Addr::LOCALHOST.into())?;
    match listen(Ipv6Addr::LOCALHOST.into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_holder_and_another_one_chosen() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let chosen = choose("orders-db", port, &[port.saturating_add(1)]).unwrap();
        assert!(chosen.port > port + 1, "{chosen:?}");
        let note = chosen.note.unwrap();
        assert!(note.starts_with(&format!("port {port} is held by `")), "{note}");
        assert!(note.contains(&format!("` (pid {}): ", std::process::id())), "{note}");
        assert!(note.ends_with(&format!("orders-db takes {}", chosen.port)), "{note}");
    }

    #[test]
    fn where_nothing_is_free_it_says_so() {
        let error = choose("orders-db", 1, &(2..=1 + TRIES).collect::<Vec<_>>());
        // Nobody but root may bind port 1; root may, and then it is simply chosen.
        match error {
            Err(error) => assert!(error.message.contains("port 1 cannot be bound"), "{}", error.message),
            Ok(chosen) => assert_eq!(chosen.port, 1),
        }
    }
}
