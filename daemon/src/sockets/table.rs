//! The kernel's table of TCP sockets, as Linux shows it in `/proc/net/tcp` and `/proc/net/tcp6`.
//!
//! Reading blocks for as long as the table is long. On other systems the table is empty.

use super::{Owner, canonical};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `TCP_LISTEN` in the kernel's numbering.
const LISTEN: u8 = 0x0a;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
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

/// Who listens on a port, as `name (pid 123)`, if that is one of this user's processes (or we may look).
pub(crate) fn listener_on(port: u16) -> Option<String> {
    let inodes: Vec<String> = tables()
        .iter()
        .flat_map(|table| entries(table))
        .filter(|entry| entry.state == LISTEN && entry.local.port() == port)
        .map(|entry| format!("socket:[{}]", entry.inode))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = files
            .flatten()
            .filter_map(|file| std::fs::read_link(file.path()).ok())
            .any(|link| link.to_str().is_some_and(|link| inodes.iter().any(|inode| inode == link)));
        if holds {
            let comm = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", comm.trim()));
        }
    }
    None
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
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Entry { local, remote, state, inode })
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
            "   0: 0100007F:1538 0200007F:9C40 05 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 20";
        #[cfg(target_endian = "little")]
        assert_eq!(
            entry(line),
            Some(Entry {
                local: "127.0.0.1:5432".parse().unwrap(),
                remote: "127.0.0.2:40000".parse().unwrap(),
                state: 5,
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
