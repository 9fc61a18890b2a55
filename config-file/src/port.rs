//! A local port for a tunnel that has none yet: stable, so none that the system gives to others.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use tunnels_daemon::config::LocalAddr;

/// The lowest that needs no privilege.
const LOWEST: u16 = 1024;
/// From here on systems take ports for outgoing connections (Linux: `ip_local_port_range`).
const EPHEMERAL: u16 = 32768;
/// What people add to a well-known port.
const SHIFT: u16 = 10_000;

/// A port for a tunnel to `remote_port` that no other tunnel has and on which nobody listens: 15432 for 5432, or the
/// next that is free.
pub fn free_port(remote_port: u16, taken: &[LocalAddr]) -> Option<u16> {
    first_free(remote_port, |port| {
        !taken.iter().any(|other| other.clashes(&LocalAddr::Loopback(port))) && is_idle(port)
    })
}

fn first_free(remote_port: u16, is_free: impl Fn(u16) -> bool) -> Option<u16> {
    let first = match remote_port.checked_add(SHIFT) {
        Some(shifted) if shifted < EPHEMERAL => shifted,
        _ if (LOWEST..EPHEMERAL).contains(&remote_port) => remote_port,
        _ => SHIFT + remote_port % SHIFT,
    };
    (first..EPHEMERAL).chain(LOWEST..first).find(|port| is_free(*port))
}

/// Whether nobody listens there, on either of the addresses that a port alone stands for.
fn is_idle(port: u16) -> bool {
    let binds = |address: SocketAddr| match TcpListener::bind(address) {
        Ok(_) => true,
        // A machine without IPv6 has no such address to take.
        Err(error) => matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported),
    };
    binds((Ipv4Addr::LOCALHOST, port).into()) && binds((Ipv6Addr::LOCALHOST, port).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_those_that_people_would_take() {
        for (remote, expected) in [
            (5432, 15432),
            (6379, 16379),
            (443, 10443),
            (8080, 18080),
            (27017, 27017),
            (50000, 10000),
            (65535, 15535),
            (22768, 22768),
        ] {
            assert_eq!(first_free(remote, |_| true), Some(expected), "{remote}");
        }
        assert_eq!(first_free(5432, |port| port != 15432), Some(15433));
        assert_eq!(first_free(22767, |port| port < 32767), Some(1024));
        assert_eq!(first_free(1, |_| false), None);
    }

    #[test]
    fn what_is_taken_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_idle(listener.local_addr().unwrap().port()));
        let all: LocalAddr = LocalAddr::Ip("0.0.0.0:15432".parse().unwrap());
        assert_ne!(free_port(5432, &[all, LocalAddr::Loopback(15433)]), Some(15432));
    }
}
