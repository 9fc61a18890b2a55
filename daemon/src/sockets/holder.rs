//! Who holds a local address that cannot be bound.
//!
//! From the kernel's tables to an inode, and from there to the process that has it open (`process`).

use super::process;
use super::table::{self, Listening};
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use tunnels_api::Process;

/// Who it is, as well as can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// One process, by its command's name.
    Process {
        /// The name.
        command: String,
        /// Its process id.
        pid: u32,
    },
    /// Another user's, which we may not look into.
    User {
        /// Their user id.
        uid: u32,
    },
    /// The system does not tell.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { command, pid } => write!(f, "`{command}` (pid {pid})"),
            Self::User { uid } => write!(f, "another user's program (uid {uid})"),
            Self::Unknown => f.write_str("another program"),
        }
    }
}

/// Who listens on `addr`, or on that port of all addresses. Reads `/proc`, and blocks meanwhile.
pub fn holder_of(addr: SocketAddr) -> Holder {
    let listeners = table::listeners(addr);
    let inodes: Vec<u64> = listeners.iter().map(|listening| listening.inode).collect();
    process_with(&inodes).unwrap_or_else(|| other_user(&listeners))
}

/// Who listens on the Unix socket at `path`. Reads `/proc`, and blocks meanwhile.
pub fn holder_of_path(path: &Path) -> Holder {
    let table = std::fs::read_to_string("/proc/self/net/unix").unwrap_or_default();
    let inodes: Vec<u64> = table.lines().filter_map(|line| unix_inode(line, path)).collect();
    process_with(&inodes).unwrap_or(Holder::Unknown)
}

/// `num: refs protocol flags type state inode path`, of a socket that is listened on at `path`.
fn unix_inode(line: &str, path: &Path) -> Option<u64> {
    /// `__SO_ACCEPTCON` of `linux/net.h`.
    const LISTENS: u32 = 1 << 16;
    let fields: Vec<&str> = line.strip_suffix(path.to_str()?)?.strip_suffix(' ')?.split_ascii_whitespace().collect();
    let [_, _, _, flags, _, _, inode] = fields.as_slice() else {
        return None;
    };
    let listens = u32::from_str_radix(flags, 16).ok()? & LISTENS != 0;
    inode.parse().ok().filter(|_| listens)
}

fn process_with(inodes: &[u64]) -> Option<Holder> {
    let (_, Process { command, pid }) = process::holding(inodes).pop_first()?;
    Some(Holder::Process { command, pid })
}

fn other_user(listeners: &[Listening]) -> Holder {
    let own = std::fs::metadata("/proc/self").map(|own| own.uid()).ok();
    let other = listeners.iter().map(|listening| listening.uid).find(|uid| Some(*uid) != own);
    other.map_or(Holder::Unknown, |uid| Holder::User { uid })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    fn ourselves(holder: &Holder) -> bool {
        matches!(holder, Holder::Process { command, pid } if *pid == std::process::id() && !command.is_empty())
    }

    #[test]
    fn a_port_s_holder_is_named_by_the_address_that_clashes() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let taken = listener.local_addr().unwrap();
            let loopback = |v4: bool| if v4 { "127.0.0.1" } else { "::1" }.parse().unwrap();
            let holder = holder_of(SocketAddr::new(loopback(taken.is_ipv4()), taken.port()));
            assert!(ourselves(&holder), "{address}: {holder:?}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let elsewhere = holder_of(SocketAddr::new("127.0.0.9".parse().unwrap(), port));
        assert_eq!(elsewhere, Holder::Unknown, "another address of that port is free");
    }

    #[test]
    fn a_unix_socket_s_holder_is_named_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("with a space.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        assert!(ourselves(&holder_of_path(&path)));
        assert_eq!(holder_of_path(&folder.path().join("other")), Holder::Unknown);
    }

    #[test]
    fn what_cannot_be_told_is_said_in_words() {
        assert_eq!(Holder::Unknown.to_string(), "another program");
        assert_eq!(Holder::User { uid: 105 }.to_string(), "another user's program (uid 105)");
        assert_eq!(Holder::Process { command: "psql".into(), pid: 7 }.to_string(), "`psql` (pid 7)");
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(other_user(&[Listening { inode: 1, uid: own + 1 }]), Holder::User { uid: own + 1 });
        assert_eq!(other_user(&[Listening { inode: 1, uid: own }]), Holder::Unknown);
    }
}
