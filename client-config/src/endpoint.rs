//! A tunnel as its programs see it: an address here, a name there, and what answers.

use crate::engine::Engine;
use crate::hosts;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A tunnel, without what only its daemon is concerned with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its key in the configuration.
    pub name: String,
    /// Where it listens.
    pub local: Local,
    /// Where it leads.
    pub remote: Remote,
    /// What is likely to answer.
    pub engine: Engine,
    /// Whether its probe is a TLS handshake: then nothing else is spoken there.
    pub(crate) speaks_tls: bool,
    named_here: bool,
}

/// Where a tunnel listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// An address of this machine; one that stands for all of them is replaced by loopback.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Where a tunnel leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// A name or an address, without brackets; none means the target itself.
    pub host: Option<String>,
    /// The port there.
    pub port: u16,
}

impl Remote {
    /// Its name, if it has one and is not just an address.
    pub fn name(&self) -> Option<&str> {
        self.host.as_deref().filter(|host| host.parse::<IpAddr>().is_err())
    }
}

/// An address that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address")]
pub struct BadAddress(String);

impl Endpoint {
    /// Reads a tunnel's addresses as the daemon writes them: `local` as `127.0.0.1:15432` or `unix:/path`, `remote` as
    /// `host:port`, `[::1]:port` or `:port`. `probe` is how its `ready` is established.
    ///
    /// # Errors
    /// For an address of another form.
    pub fn read(name: &str, local: &str, remote: &str, probe: Option<&str>) -> Result<Self, BadAddress> {
        let remote = read_remote(remote).ok_or_else(|| BadAddress(remote.to_owned()))?;
        let local = read_local(local).ok_or_else(|| BadAddress(local.to_owned()))?;
        let engine = Engine::of(probe, remote.port);
        let speaks_tls = probe == Some("tls");
        Ok(Self { name: name.to_owned(), local, remote, engine, speaks_tls, named_here: false })
    }

    /// The same, with what a hosts file says of its name.
    #[must_use]
    pub fn with_hosts(self, hosts_file: &str) -> Self {
        let leads_here = |name: &str, ip: IpAddr| hosts::addresses(hosts_file, name).contains(&ip);
        let named_here =
            self.remote.name().zip(self.address()).is_some_and(|(name, address)| leads_here(name, address.ip()));
        Self { named_here, ..self }
    }

    /// Whether the remote's name leads to this tunnel on this machine.
    pub fn is_named_here(&self) -> bool {
        self.named_here
    }

    /// Where it listens; none for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.local {
            Local::Tcp(address) => Some(*address),
            Local::Unix(_) => None,
        }
    }

    /// Its Unix socket, if it has one.
    pub fn socket(&self) -> Option<&Path> {
        match &self.local {
            Local::Tcp(_) => None,
            Local::Unix(path) => Some(path),
        }
    }

    /// `host:port` of the remote with another port, brackets where they are needed.
    pub(crate) fn authority(host: &str, port: u16) -> String {
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

fn read_local(text: &str) -> Option<Local> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Some(Local::Unix(path.into()));
    }
    let address: SocketAddr = text.parse().ok()?;
    // Who listens everywhere is reached here all the same.
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(Local::Tcp(SocketAddr::new(ip, address.port())))
}

fn read_remote(text: &str) -> Option<Remote> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // A trailing dot ends a name for resolvers; certificates have none.
    let host = host.strip_suffix('.').unwrap_or(host);
    Some(Remote { host: (!host.is_empty()).then(|| host.to_owned()), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(local: &str, remote: &str) -> Result<Endpoint, BadAddress> {
        Endpoint::read("a", local, remote, None)
    }

    #[test]
    fn addresses_are_read_as_the_daemon_writes_them() {
        let plain = read("127.0.0.1:1", "db.example:5432").unwrap();
        assert_eq!(
            (plain.address().unwrap().to_string().as_str(), plain.remote.name()),
            ("127.0.0.1:1", Some("db.example"))
        );
        assert_eq!(read("0.0.0.0:1", "db:1").unwrap().address().unwrap().to_string(), "127.0.0.1:1");
        assert_eq!(read("[::]:1", "db:1").unwrap().address().unwrap().to_string(), "[::1]:1");
        assert_eq!(read("unix:/run/a b", "db:1").unwrap().socket(), Some(Path::new("/run/a b")));
        let six = read("127.0.0.1:1", "[fd00::1]:5432").unwrap().remote;
        assert_eq!((six.host.as_deref(), six.name(), six.port), (Some("fd00::1"), None, 5432));
        assert_eq!(read("127.0.0.1:1", ":22").unwrap().remote, Remote { host: None, port: 22 });
        assert_eq!(read("127.0.0.1:1", "db.example.:1").unwrap().remote.name(), Some("db.example"));
        for (local, remote) in [("nowhere", "db:1"), ("127.0.0.1:1", "db"), ("127.0.0.1:1", "db:x"), ("", "")] {
            assert!(read(local, remote).is_err(), "{local} {remote}");
        }
    }

    #[test]
    fn a_hosts_file_can_make_the_name_lead_here() {
        let endpoint = read("127.9.8.7:5432", "DB.example:5432").unwrap();
        assert!(!endpoint.is_named_here());
        assert!(endpoint.clone().with_hosts("127.9.8.7 db.example\n").is_named_here());
        assert!(!endpoint.clone().with_hosts("127.9.8.6 db.example\n# 127.9.8.7 db.example\n").is_named_here());
        assert!(!endpoint.with_hosts("").is_named_here());
    }
}
