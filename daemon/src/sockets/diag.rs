//! One socket by its addresses, over the kernel's `sock_diag` netlink (sock_diag(7)).
//!
//! Layouts and numbers are those of `linux/netlink.h`, `linux/sock_diag.h` and `linux/inet_diag.h`; all is
//! in the machine's byte order but ports and addresses.

use super::Owner;
use std::io;
use std::net::SocketAddr;

#[cfg(not(target_os = "linux"))]
pub(super) fn owner(_: SocketAddr, _: SocketAddr) -> io::Result<Owner> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Asks for the socket at `local` that is connected to `remote`.
#[cfg(target_os = "linux")]
pub(super) fn owner(local: SocketAddr, remote: SocketAddr) -> io::Result<Owner> {
    use socket2::{Domain, Protocol, Socket, Type};
    use std::io::Read as _;

    const AF_NETLINK: i32 = 16;
    const NETLINK_SOCK_DIAG: i32 = 4;
    let mut socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(Protocol::from(NETLINK_SOCK_DIAG)))?;
    // The kernel has answered when `send` returns; nothing is waited for.
    socket.set_nonblocking(true)?;
    socket.send(&request(local, remote))?;
    let mut answer = [0; 512];
    let length = socket.read(&mut answer)?;
    understand(&answer[..length])
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const ENOENT: i32 = 2;
const LISTEN: u8 = 10;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
const REQUEST: usize = HEADER + 56;
/// Where `struct inet_diag_msg` has the inode: behind four bytes, `struct inet_diag_sockid` (48 bytes) and
/// four words.
const INODE: usize = HEADER + 4 + 48 + 16;

fn request(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    const TCP: u8 = 6;
    const NLM_F_REQUEST: u16 = 1;
    const ALL_STATES: u32 = u32::MAX;
    const NO_COOKIE: [u8; 8] = [0xff; 8];

    let mut request = Vec::with_capacity(REQUEST);
    request.extend(72_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([if local.is_ipv4() { AF_INET } else { AF_INET6 }, TCP, 0, 0]);
    request.extend(ALL_STATES.to_ne_bytes());
    request.extend(local.port().to_be_bytes());
    request.extend(remote.port().to_be_bytes());
    for addr in [local, remote] {
        let mut words = [0; 16];
        match addr {
            SocketAddr::V4(addr) => words[..4].copy_from_slice(&addr.ip().octets()),
            SocketAddr::V6(addr) => words.copy_from_slice(&addr.ip().octets()),
        }
        request.extend(words);
    }
    request.extend([0; 4]);
    request.extend(NO_COOKIE);
    request
}

fn understand(answer: &[u8]) -> io::Result<Owner> {
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let word = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short);
    let kind: [u8; 2] = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
    match u16::from_ne_bytes(kind) {
        SOCK_DIAG_BY_FAMILY => {
            let state = *answer.get(HEADER + 1).ok_or_else(short)?;
            let inode = u32::from_ne_bytes(word(INODE)?);
            Ok(match (state, inode) {
                // The kernel falls back to a listener on that port.
                (LISTEN, _) => Owner::Invisible,
                (_, 0) => Owner::Gone,
                _ => Owner::Present,
            })
        }
        NLMSG_ERROR => match i32::from_ne_bytes(word(HEADER)?) {
            error if error == -ENOENT => Ok(Owner::Invisible),
            error => Err(io::Error::from_raw_os_error(-error)),
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_as_long_as_it_says() {
        let request = request("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        assert_eq!(request.len(), REQUEST);
        assert_eq!(request[..4], 72_u32.to_ne_bytes());
    }

    #[test]
    fn a_cut_or_strange_answer_is_an_error() {
        for length in 0..INODE + 3 {
            let mut answer = vec![0; length];
            if let Some(kind) = answer.get_mut(4..6) {
                kind.copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
            }
            assert!(understand(&answer).is_err(), "{length}");
        }
        assert!(understand(&[0; 100]).is_err());
    }
}
