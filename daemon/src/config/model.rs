//! A configuration that has been checked: plain values with every default filled in.
//!
//! Nothing here can be wrong; what can is found by `load.rs` before one of these exists.

use super::value::{self, BadValue};
use crate::aws::{AwsScope, Candidate};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Everything a daemon runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file that was asked for.
    pub path: PathBuf,
    /// That file and all it includes.
    pub files: Vec<PathBuf>,
    /// In the order in which they are written.
    pub tunnels: Vec<TunnelConfig>,
}

/// One `[tunnels.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelConfig {
    /// Its key.
    pub name: String,
    /// Where it leads.
    pub remote: Remote,
    /// Where it listens.
    pub local: LocalAddr,
    /// Who may carry it, in order.
    pub targets: Vec<Candidate>,
    /// Whose credentials, which region, which endpoints.
    pub scope: AwsScope,
    /// Labels, without `@`.
    pub groups: Vec<String>,
    /// Part of a bare `up`.
    pub auto: bool,
    /// The session opens with the first connection instead of at `up`.
    pub on_demand: bool,
    /// With no stream for so long the session is closed and the port kept.
    pub park_after: Option<Duration>,
    /// Whether smux no-ops keep the session from being idle.
    pub keep_alive: KeepAlive,
    /// How long a connection waits for a session that is opening or recovering.
    pub hold: Duration,
    /// How long an agent may keep silent on an open data channel before its session is given up.
    pub patience: Duration,
    /// Time between websocket pings.
    pub ping_interval: Duration,
    /// Time for the answer to a ping, at most `ping_interval`; then the data channel counts as lost.
    pub ping_timeout: Duration,
    /// Sessions the tunnel may have at once.
    pub max_sessions: u8,
    /// Largest payload of a message to the agent in bytes; above 1 024 each session tries first whether it gets through.
    pub payload: usize,
    /// How `ready` is established.
    pub probe: Probe,
    /// The session document, if not the one that fits `remote`.
    pub document: Option<String>,
    /// Sent as the session's reason.
    pub reason: Option<String>,
    /// `up` asks first.
    pub protected: bool,
}

/// The document for a port of the target itself.
const DOCUMENT_PORT: &str = "AWS-StartPortForwardingSession";
/// The document for a host behind the target.
const DOCUMENT_REMOTE: &str = "AWS-StartPortForwardingSessionToRemoteHost";

impl TunnelConfig {
    /// The session document: the one that is written, else the one that fits `remote`.
    pub fn document_name(&self) -> &str {
        let fitting = if self.remote.host.is_some() { DOCUMENT_REMOTE } else { DOCUMENT_PORT };
        self.document.as_deref().unwrap_or(fitting)
    }
}

/// Where a tunnel leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// A host that the target resolves; none means the target itself.
    pub host: Option<String>,
    /// The port there.
    pub port: u16,
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// What is wrong with an address that somebody typed, and what would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(String);

impl From<BadValue> for BadAddress {
    fn from(BadValue { wrong, help }: BadValue) -> Self {
        // Quotes belong to the file, not to a command line.
        Self(format!("{wrong} ({})", help.replace("`\"", "`").replace("\"`", "`")))
    }
}

impl FromStr for Remote {
    type Err = BadAddress;

    /// `host:port`, or a port alone, as `remote` has it.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        Ok(value::remote(text)?)
    }
}

impl FromStr for LocalAddr {
    type Err = BadAddress;

    /// A port, `ip:port` or `unix:/path`, as `local` has it.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        Ok(value::local(text)?)
    }
}

/// Where a tunnel listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LocalAddr {
    /// A bare port: `127.0.0.1` and, where the machine has it, `::1`.
    Loopback(u16),
    /// One address.
    Ip(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl LocalAddr {
    /// Whether both would want the same port of the same address.
    pub fn clashes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unix(a), Self::Unix(b)) => a == b,
            (Self::Unix(_), _) | (_, Self::Unix(_)) => false,
            (Self::Loopback(a), Self::Loopback(b)) => a == b,
            (Self::Loopback(port), Self::Ip(addr)) | (Self::Ip(addr), Self::Loopback(port)) => {
                let ip = addr.ip();
                let is_ours = match ip {
                    std::net::IpAddr::V4(ip) => ip == std::net::Ipv4Addr::LOCALHOST,
                    std::net::IpAddr::V6(ip) => ip == std::net::Ipv6Addr::LOCALHOST,
                };
                addr.port() == *port && (ip.is_unspecified() || is_ours)
            }
            (Self::Ip(a), Self::Ip(b)) => {
                a.port() == b.port()
                    && (a.ip() == b.ip()
                        || (a.is_ipv4() == b.is_ipv4() && (a.ip().is_unspecified() || b.ip().is_unspecified())))
            }
        }
    }

    /// Whether others than this machine's users could connect.
    pub fn is_exposed(&self) -> bool {
        matches!(self, Self::Ip(addr) if !addr.ip().is_loopback())
    }
}

impl fmt::Display for LocalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(port) => write!(f, "127.0.0.1:{port}"),
            Self::Ip(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `keep_alive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// Websocket pings only, so that the account's idle timeout counts as its admin meant it.
    Policy,
    /// No-ops while a connection is open.
    Connected,
    /// No-ops always.
    Always,
}

/// `probe`, with `auto` already turned into a guess by the remote's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// An `SSLRequest`; any answer.
    Postgres,
    /// The greeting.
    Mysql,
    /// `PING`; any answer.
    Redis,
    /// A `ClientHello`; any record.
    Tls,
    /// A `HEAD`; any answer.
    Http,
    /// No refusal within 300 ms.
    Tcp,
    /// The session is open.
    None,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::None => "none",
        })
    }
}

impl Probe {
    /// What `auto` means for a remote port.
    pub fn guess(port: u16) -> Self {
        match port {
            5432..=5439 => Self::Postgres,
            3306 | 3307 => Self::Mysql,
            6379 | 6380 => Self::Redis,
            443 | 8443 => Self::Tls,
            80 | 8080 => Self::Http,
            _ => Self::Tcp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_on_a_command_line() {
        assert_eq!("db:5432".parse(), Ok(Remote { host: Some("db".to_owned()), port: 5432 }));
        assert_eq!("8080".parse(), Ok(Remote { host: None, port: 8080 }));
        assert_eq!("15432".parse(), Ok(LocalAddr::Loopback(15432)));
        let error = "postgres://db/x".parse::<Remote>().unwrap_err().to_string();
        assert_eq!(error, "a URL is no address (write `db:5432`)");
    }

    #[test]
    fn clashes_are_where_binding_would_fail() {
        let port = LocalAddr::Loopback;
        let ip = |text: &str| LocalAddr::Ip(text.parse().unwrap());
        let unix = |path: &str| LocalAddr::Unix(path.into());
        for (a, b, clash) in [
            (port(1), port(1), true),
            (port(1), port(2), false),
            (port(1), ip("127.0.0.1:1"), true),
            (port(1), ip("[::1]:1"), true),
            (port(1), ip("127.0.0.2:1"), false),
            (port(1), ip("0.0.0.0:1"), true),
            (ip("127.0.0.2:1"), ip("0.0.0.0:1"), true),
            (ip("127.0.0.2:1"), ip("127.0.0.3:1"), false),
            (ip("[::]:1"), ip("127.0.0.2:1"), false),
            (unix("/a"), unix("/a"), true),
            (unix("/a"), port(1), false),
        ] {
            assert_eq!(a.clashes(&b), clash, "{a} {b}");
            assert_eq!(b.clashes(&a), clash, "{b} {a}");
        }
    }
}
