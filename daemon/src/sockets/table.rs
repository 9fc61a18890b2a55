//! The kernel's table of TCP sockets, as Linux shows it in `/proc/net/tcp` and `/proc/net/tcp6`.
//!
//! Reading blocks for as long as the table is long. On other systems the table is empty.

use super::{Owner, canonical};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `TCP_LISTEN` in the kernel's numbering.
const LISTEN: u8 = 0x0a;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    uid: u32,
    /// 0 when no process holds the socket any more.
    inode: u64,
}

/// Looks for the socket at `local` that is connected to `remote`.
pub(super) fn owner(local: SocketAddr, remote: SocketAddr) -> Owner {
    tables()
        .iter()
        .flat_map(|table| entries(table))
        .find(|entry| entry.local == local && entry.remote == remote)
        .map_or(Owner::Invisible, |entry| if entry.inode == 0 { Owner::Gone } else { Owner::Present })
}

/// The inodes of the sockets that are connected like this: their own address, then the other.
pub(super) fn inodes(ends: &[(SocketAddr, SocketAddr)]) -> BTreeMap<(SocketAddr, SocketAddr), u64> {
    let ends: BTreeSet<_> = ends.iter().copied().collect();
    let held = |table: &String| {
        let all =
            entries(table).filter(|entry| entry.inode != 0).map(|entry| ((entry.local, entry.remote), entry.inode));
        all.filter(|(between, _)| ends.contains(between)).collect::<Vec<_>>()
    };
    tables().iter().flat_map(held).collect()
}

/// A socket that somebody listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listening {
    pub(super) inode: u64,
    /// Whose it is.
    pub(super) uid: u32,
}

/// The sockets that keep `addr` from being bound: on that very address, or on all addresses.
pub(super) fn listeners(addr: SocketAddr) -> Vec<Listening> {
    let clashes = |other: SocketAddr| {
        let (a, b) = (addr.ip(), other.ip());
        // `[::]` usually takes IPv4 as well.
        let everything =
            a.is_unspecified() && (a.is_ipv6() || b.is_ipv4()) || b.is_unspecified() && (b.is_ipv6() || a.is_ipv4());
        other.port() == addr.port() && (a == b || everything)
    };
    let listening = |entry: &Entry| entry.state == LISTEN && clashes(entry.local);
    let found = |table: &String| entries(table).filter(listening).collect::<Vec<_>>();
    let all = tables().iter().flat_map(found).collect::<Vec<_>>();
    all.into_iter().map(|entry| Listening { inode: entry.inode, uid: entry.uid }).collect()
}

fn tables() -> Vec<String> {
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"].iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

fn entries(table: &str) -> impl Iterator<Item = Entry> + '_ {
    table.lines().skip(1).filter_map(entry)
}

/// `sl local rem st tx:rx tr:when retrnsmt uid timeout inode …`
fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Entry { local, remote, state, uid, inode })
}

/// `0100007F:1538`: 32-bit words in the machine's order, in hexadecimal, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_tables() {
        let line =
            "   0: 0100007F:1538 0200007F:9C40 05 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 20";
        #[cfg(target_endian = "little")]
        assert_eq!(
            entry(line),
            Some(Entry {
                local: "127.0.0.1:5432".parse().unwrap(),
                remote: "127.0.0.2:40000".parse().unwrap(),
                state: 5,
                uid: 1000,
                inode: 4242
            })
        );
        #[cfg(target_endian = "little")]
        for (text, expected) in [
            ("00000000000000000000000001000000:0050", "[::1]:80"),
            ("0000000000000000FFFF00000100007F:0050", "127.0.0.1:80"),
        ] {
            assert_eq!(address(text), Some(expected.parse().unwrap()));
        }
        for wrong in ["", "x", "0: a b c", "0: 0100007F:1538 0100007F 05"] {
            assert_eq!(entry(wrong), None, "{wrong}");
        }
    }
}
