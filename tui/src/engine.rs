//! What answers at the end of a tunnel, and how one talks to it, for the views: `tunnels-client-config` says it.
//!
//! Pure.

use std::net::SocketAddr;
use tunnels_api::TunnelStatus;
use tunnels_client_config::{Endpoint, Local, Options, Tls};
pub(crate) use tunnels_client_config::{Engine, posix_line};

/// What is likely to answer.
pub(crate) fn of(tunnel: &TunnelStatus) -> Engine {
    endpoint(tunnel).map_or(Engine::Other, |endpoint| endpoint.engine)
}

/// What stands before a remote in lists, three columns at most.
pub(crate) fn tag(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "pg",
        Engine::Mysql => "my",
        Engine::Redis => "kv",
        Engine::Http => "web",
        Engine::Tls => "tls",
        Engine::Other => "tcp",
    }
}

/// Where a program of this machine reaches the tunnel; none for a Unix socket.
pub(crate) fn address(tunnel: &TunnelStatus) -> Option<SocketAddr> {
    match endpoint(tunnel)?.local {
        Local::Tcp(address) => Some(address),
        Local::Unix(_) => None,
    }
}

/// The connection string, as programs of that engine take it; the local address where there is none.
pub(crate) fn url(tunnel: &TunnelStatus) -> String {
    let written = endpoint(tunnel).and_then(|endpoint| tunnels_client_config::url(&endpoint, &Options::default()).ok());
    written.map_or_else(|| tunnel.local.clone(), |written| written.text)
}

/// The client to run, as a program and its arguments: whose user and database are wanted its own variables and files
/// say (`PGUSER`, `PGSSLMODE`, `~/.my.cnf`). None where there is no usual one.
pub(crate) fn client(tunnel: &TunnelStatus) -> Option<Vec<String>> {
    let endpoint = endpoint(tunnel)?;
    let tls = if endpoint.engine == Engine::Postgres { Tls::Unsaid } else { Tls::Auto };
    tunnels_client_config::client(&endpoint, &Options { tls, ..Options::default() })
}

/// None for addresses of a form that this version does not know: the daemon is newer.
fn endpoint(tunnel: &TunnelStatus) -> Option<Endpoint> {
    Endpoint::read(&tunnel.name, &tunnel.local, &tunnel.remote, tunnel.probe.as_deref()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::status;
    use tunnels_api::TunnelState;

    #[test]
    fn a_tunnel_s_addresses_are_those_of_its_status() {
        let tunnel = |local: &str, remote: &str| TunnelStatus {
            probe: Some("postgres".into()),
            local: local.into(),
            remote: remote.into(),
            ..status("a", TunnelState::Ready)
        };
        let plain = tunnel("0.0.0.0:1", ":5432");
        assert_eq!((of(&plain), address(&plain)), (Engine::Postgres, "127.0.0.1:1".parse().ok()));
        assert_eq!(url(&plain), "postgresql://127.0.0.1:1/");
        assert_eq!(client(&plain).unwrap(), ["psql", "-h", "127.0.0.1", "-p", "1"]);
        let odd = tunnel("unix:/run/p.sock", "db:5432");
        assert_eq!((address(&odd), client(&odd), url(&odd).as_str()), (None, None, "unix:/run/p.sock"));
        let newer = tunnel("vsock:3:1", "db:5432");
        assert_eq!((of(&newer), url(&newer).as_str()), (Engine::Other, "vsock:3:1"));
    }
}
