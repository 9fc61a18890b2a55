//! What answers at the end of a tunnel, and how one talks to it: its connection string, its client.
//!
//! Pure. Known from the tunnel's probe, which is what its configuration says or its remote port suggests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tunnels_api::TunnelStatus;

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Mysql,
    Redis,
    Http,
    Tls,
    Other,
}

impl Engine {
    pub(crate) fn of(tunnel: &TunnelStatus) -> Self {
        match tunnel.probe.as_deref() {
            Some("postgres") => Self::Postgres,
            Some("mysql") => Self::Mysql,
            Some("redis") => Self::Redis,
            Some("http") => Self::Http,
            Some("tls") => Self::Tls,
            _ => Self::Other,
        }
    }

    /// What stands before a remote in lists, three columns at most.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Postgres => "pg",
            Self::Mysql => "my",
            Self::Redis => "kv",
            Self::Http => "web",
            Self::Tls => "tls",
            Self::Other => "tcp",
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Redis => "Redis",
            Self::Http => "HTTP",
            Self::Tls => "TLS",
            Self::Other => "TCP",
        }
    }

    /// All of them.
    pub(crate) const ALL: [Self; 6] = [Self::Postgres, Self::Mysql, Self::Redis, Self::Http, Self::Tls, Self::Other];
}

/// Where a program of this machine reaches the tunnel; none for a Unix socket.
pub(crate) fn address(tunnel: &TunnelStatus) -> Option<SocketAddr> {
    let local: SocketAddr = tunnel.local.parse().ok()?;
    // Who listens everywhere is reached here all the same.
    let ip = match local.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(SocketAddr::new(ip, local.port()))
}

/// The connection string, as programs of that engine take it; the local address where there is none.
pub(crate) fn url(tunnel: &TunnelStatus) -> String {
    let Some(address) = address(tunnel) else {
        let path = tunnel.local.strip_prefix("unix:");
        return match (Engine::of(tunnel), path) {
            (Engine::Redis, Some(path)) => format!("unix://{path}"),
            _ => tunnel.local.clone(),
        };
    };
    match Engine::of(tunnel) {
        Engine::Postgres => format!("postgresql://{address}/"),
        Engine::Mysql => format!("mysql://{address}/"),
        Engine::Redis => format!("redis://{address}/"),
        Engine::Http => format!("http://{address}/"),
        Engine::Tls => format!("https://{address}/"),
        Engine::Other => address.to_string(),
    }
}

/// The client to run, as a program and its arguments: whose user and database are wanted its own variables and files
/// say (`PGUSER`, `~/.my.cnf`). None where there is no usual one.
pub(crate) fn client(tunnel: &TunnelStatus) -> Option<Vec<String>> {
    let engine = Engine::of(tunnel);
    let Some(address) = address(tunnel) else {
        let path = tunnel.local.strip_prefix("unix:")?;
        return (engine == Engine::Redis).then(|| words(&["redis-cli", "-s", path]));
    };
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    match engine {
        Engine::Postgres => Some(words(&["psql", "-h", &ip, "-p", &port])),
        Engine::Mysql => Some(words(&["mysql", "-h", &ip, "-P", &port, "-p"])),
        Engine::Redis => Some(words(&["redis-cli", "-h", &ip, "-p", &port])),
        Engine::Http => Some(words(&["curl", &format!("http://{address}/")])),
        // The certificate is made out to the remote's name, not to this address.
        Engine::Tls if !tunnel.remote.starts_with(':') => Some(words(&[
            "curl",
            "--connect-to",
            &format!("{}:{address}", tunnel.remote),
            &format!("https://{}/", tunnel.remote),
        ])),
        Engine::Tls | Engine::Other => None,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::status;
    use tunnels_api::TunnelState;

    fn tunnel(probe: &str, local: &str) -> TunnelStatus {
        TunnelStatus { probe: Some(probe.into()), local: local.into(), ..status("a", TunnelState::Ready) }
    }

    #[test]
    fn each_engine_has_its_string_and_its_client() {
        let cases = [
            ("postgres", "postgresql://127.0.0.1:1/", "psql -h 127.0.0.1 -p 1"),
            ("mysql", "mysql://127.0.0.1:1/", "mysql -h 127.0.0.1 -P 1 -p"),
            ("redis", "redis://127.0.0.1:1/", "redis-cli -h 127.0.0.1 -p 1"),
            ("http", "http://127.0.0.1:1/", "curl http://127.0.0.1:1/"),
        ];
        for (probe, string, command) in cases {
            // Who listens everywhere is reached on loopback.
            for local in ["127.0.0.1:1", "0.0.0.0:1"] {
                let tunnel = tunnel(probe, local);
                assert_eq!((url(&tunnel).as_str(), client(&tunnel).unwrap().join(" ").as_str()), (string, command));
            }
        }
        assert_eq!(url(&tunnel("tcp", "[::]:1")), "[::1]:1");
        assert_eq!(client(&tunnel("tcp", "[::1]:1")), None);
        assert_eq!(url(&tunnel("postgres", "[::1]:1")), "postgresql://[::1]:1/");
    }

    #[test]
    fn a_unix_socket_is_for_those_that_take_one() {
        let redis = tunnel("redis", "unix:/run/r.sock");
        assert_eq!(client(&redis).unwrap(), ["redis-cli", "-s", "/run/r.sock"]);
        assert_eq!(url(&redis), "unix:///run/r.sock");
        let postgres = tunnel("postgres", "unix:/run/p.sock");
        assert_eq!((client(&postgres), url(&postgres).as_str()), (None, "unix:/run/p.sock"));
    }
}
