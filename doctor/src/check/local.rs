//! Whether a tunnel's local address can be had: free, or ours already.
//!
//! Binds a port for a moment, as the daemon would. A socket's file is only looked at as long as the system or the daemon says who
//! listens there: a connection would wake a tunnel that opens on demand.

use crate::case::DaemonSeen;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use tunnels_api::{CauseKind, Check, Finding, TunnelState, TunnelStatus};
use tunnels_daemon::config::LocalAddr;
use tunnels_daemon::{Holder, holder_of, holder_of_path};

/// What the system says of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Free,
    /// Somebody listens there.
    Held {
        address: String,
        holder: Holder,
    },
    /// It cannot be had at all.
    Refused {
        kind: ErrorKind,
        error: String,
    },
    /// A file stands where the socket would.
    OtherFile,
}

/// Looks at the address; `is_up` is whether the daemon says that it listens there. Blocks while it reads `/proc`.
pub(crate) fn ask(local: &LocalAddr, is_up: bool) -> Seen {
    match local {
        LocalAddr::Unix(path) => ask_path(path, is_up, holder_of_path),
        LocalAddr::Ip(address) => ask_port(*address),
        LocalAddr::Loopback(port) => match ask_port((Ipv4Addr::LOCALHOST, *port).into()) {
            // A machine without IPv6 has no second half.
            Seen::Free => match ask_port((Ipv6Addr::LOCALHOST, *port).into()) {
                held @ Seen::Held { .. } => held,
                _ => Seen::Free,
            },
            other => other,
        },
    }
}

fn ask_port(address: SocketAddr) -> Seen {
    match TcpListener::bind(address) {
        Ok(_) => Seen::Free,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Seen::Held { address: address.to_string(), holder: holder_of(address) }
        }
        Err(error) => Seen::Refused { kind: error.kind(), error: error.to_string() },
    }
}

fn ask_path(path: &Path, is_up: bool, holder_of_path: impl Fn(&Path) -> Holder) -> Seen {
    let Ok(found) = path.symlink_metadata() else {
        let folder = path.parent().unwrap_or(Path::new("/"));
        return match folder.metadata() {
            Ok(folder) if folder.is_dir() => Seen::Free,
            Ok(_) => {
                Seen::Refused { kind: ErrorKind::NotADirectory, error: format!("{} is no folder", folder.display()) }
            }
            Err(error) => Seen::Refused { kind: error.kind(), error: format!("{}: {error}", folder.display()) },
        };
    };
    if !found.file_type().is_socket() {
        return Seen::OtherFile;
    }
    let holder = holder_of_path(path);
    if holder == Holder::Unknown && !is_up {
        // What a crash left is taken over.
        let is_refused = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
        if UnixStream::connect(path).is_err_and(is_refused) {
            return Seen::Free;
        }
    }
    Seen::Held { address: path.display().to_string(), holder }
}

pub(crate) fn judge(local: &LocalAddr, tunnel: &str, seen: &Seen, daemon: Option<&DaemonSeen>) -> Finding {
    let is_unix = matches!(local, LocalAddr::Unix(_));
    match seen {
        Seen::Free => Finding::ok(Check::Local, format!("{local} is free")),
        Seen::Held { .. } if is_ours(tunnel, seen, daemon) => {
            Finding::ok(Check::Local, format!("{local} is held by the running daemon, as it should be"))
        }
        Seen::Held { address, holder } => {
            let other = if is_unix { "path" } else { "port" };
            let next = match holder {
                Holder::Process { pid, .. } => format!("stop it (kill {pid}), or choose another {other} for `local`"),
                _ => format!("stop it, or choose another {other} for `local`"),
            };
            Finding::fail(Check::Local, format!("{address} is held by {holder}")).with_next(next)
        }
        Seen::OtherFile => Finding::fail(Check::Local, format!("{local} exists and is not a socket"))
            .with_next("choose another path, or move that file away"),
        Seen::Refused { kind, error } => {
            let next = match kind {
                ErrorKind::PermissionDenied => "choose a port above 1023, or a folder you may write to",
                ErrorKind::AddrNotAvailable if cfg!(target_os = "macos") => {
                    "this machine has no such address: choose 127.0.0.1, or add it: sudo ifconfig lo0 alias ADDRESS up"
                }
                ErrorKind::AddrNotAvailable => "this machine has no such address: choose 127.0.0.1, or the port alone",
                ErrorKind::NotFound => "create the folder, or choose another path",
                _ => "check `local`",
            };
            Finding::fail(Check::Local, format!("{local} cannot be bound")).with_evidence(error.clone()).with_next(next)
        }
    }
}

/// Whether it is the daemon that holds it: by its process id, or, where the system does not tell, by what it says.
fn is_ours(tunnel: &str, seen: &Seen, daemon: Option<&DaemonSeen>) -> bool {
    let (Seen::Held { holder, .. }, Some(daemon)) = (seen, daemon) else { return false };
    match holder {
        Holder::Process { pid, .. } => *pid == daemon.version.pid,
        Holder::User { .. } => false,
        Holder::Unknown => daemon.tunnel(tunnel).is_some_and(listens),
    }
}

/// Whether the daemon has the address, by what it says of any tunnel: the one there may be of another configuration.
pub(crate) fn is_up(local: &LocalAddr, daemon: Option<&DaemonSeen>) -> bool {
    let local = local.to_string();
    daemon.is_some_and(|daemon| daemon.tunnels.iter().any(|status| status.local == local && listens(status)))
}

fn listens(status: &TunnelStatus) -> bool {
    let is_taken = status.cause.as_ref().is_some_and(|cause| cause.kind == CauseKind::PortTaken);
    status.state != TunnelState::Down && !is_taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::Verdict;

    fn judged(local: &LocalAddr) -> Finding {
        judge(local, "db", &ask(local, false), None)
    }

    #[test]
    fn a_port_that_somebody_holds_names_the_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for local in [LocalAddr::Loopback(port), LocalAddr::Ip(([127, 0, 0, 1], port).into())] {
            let finding = judged(&local);
            assert_eq!(finding.verdict, Verdict::Fail);
            #[cfg(target_os = "linux")]
            assert!(finding.text.contains(&format!("(pid {})", std::process::id())), "{}", finding.text);
        }
        drop(listener);
        assert_eq!(judged(&LocalAddr::Loopback(port)).verdict, Verdict::Ok);
    }

    #[test]
    fn an_address_of_another_machine_cannot_be_bound() {
        // RFC 5737: no machine has it.
        let finding = judged(&LocalAddr::Ip(([192, 0, 2, 1], 15432).into()));
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(finding.next.unwrap().starts_with("this machine has no such address"));
    }

    #[test]
    fn who_listens_at_a_path_is_not_woken_where_system_or_daemon_know_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("live.sock");
        let live = std::os::unix::net::UnixListener::bind(&path).unwrap();
        live.set_nonblocking(true).unwrap();
        let ours = || Holder::Process { command: "tunnels".into(), pid: 7 };
        for (is_up, holder) in [(true, Holder::Unknown), (true, ours()), (false, ours())] {
            let seen = ask_path(&path, is_up, |_| holder.clone());
            assert_eq!(seen, Seen::Held { address: path.display().to_string(), holder });
            assert_eq!(live.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{seen:?}");
        }
        #[cfg(target_os = "linux")]
        {
            ask(&LocalAddr::Unix(path.clone()), false);
            assert_eq!(live.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        // Where nobody can tell, it is tried.
        assert!(matches!(ask_path(&path, false, |_| Holder::Unknown), Seen::Held { .. }));
        live.accept().unwrap();
    }

    #[test]
    fn what_the_daemon_says_of_an_address_counts_whatever_the_tunnel_is_called_there() {
        let status = |state: &str| {
            serde_json::from_value(serde_json::json!({
                "name": "other", "state": state, "wanted": "up", "local": "unix:/r/db.sock", "remote": "db:1", "groups": [],
                "sessions": 0, "streams": 0, "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0,
                "since": "2026-11-21T06:00:00Z",
            }))
            .unwrap()
        };
        let version = serde_json::from_value(serde_json::json!({"version": "0.1.0", "pid": 7, "socket": "/r/d.sock"}));
        let mut daemon = DaemonSeen {
            version: version.unwrap(),
            tunnels: vec![status("listening")],
            skew: None,
            variables: Vec::new(),
            other_config: Some("/other.toml".into()),
        };
        let local = |path: &str| LocalAddr::Unix(path.into());
        assert!(is_up(&local("/r/db.sock"), Some(&daemon)) && !is_up(&local("/r/x.sock"), Some(&daemon)));
        daemon.tunnels = vec![status("down")];
        assert!(!is_up(&local("/r/db.sock"), Some(&daemon)) && !is_up(&local("/r/db.sock"), None));
    }

    #[test]
    fn a_socket_s_path_is_looked_at_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| LocalAddr::Unix(folder.path().join(name));
        assert_eq!(judged(&path("free.sock")).verdict, Verdict::Ok);
        assert_eq!(judged(&path("no/such.sock")).verdict, Verdict::Fail);
        std::fs::write(folder.path().join("file"), "precious").unwrap();
        assert!(judged(&path("file")).text.ends_with("is not a socket"));
        let left = std::os::unix::net::UnixListener::bind(folder.path().join("left.sock")).unwrap();
        assert_eq!(judged(&path("left.sock")).verdict, Verdict::Fail);
        drop(left);
        assert_eq!(judged(&path("left.sock")).verdict, Verdict::Ok, "nobody listens there any more");
        assert!(folder.path().join("left.sock").exists() && folder.path().join("file").exists());
    }
}
