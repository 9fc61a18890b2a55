//! What answers at the end of a tunnel.

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL, and what speaks its protocol.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// Redis or Valkey.
    Redis,
    /// Plain HTTP.
    Http,
    /// HTTPS, most likely.
    Tls,
    /// Not known.
    Other,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Postgres, Self::Mysql, Self::Redis, Self::Http, Self::Tls, Self::Other];

    /// By how the tunnel's `ready` is established, and by the remote's port where that says nothing of the server: a
    /// TLS handshake, or nothing at all.
    pub fn of(probe: Option<&str>, remote_port: u16) -> Self {
        match probe {
            Some("postgres") => Self::Postgres,
            Some("mysql") => Self::Mysql,
            Some("redis") => Self::Redis,
            Some("http") => Self::Http,
            probe => match (remote_port, probe) {
                (5432..=5439, _) => Self::Postgres,
                (3306 | 3307, _) => Self::Mysql,
                (6379 | 6380, _) => Self::Redis,
                (_, Some("tls")) => Self::Tls,
                _ => Self::Other,
            },
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Redis => "Redis",
            Self::Http => "HTTP",
            Self::Tls => "TLS",
            Self::Other => "TCP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_says_it_and_else_the_port() {
        for (probe, port, engine) in [
            (Some("postgres"), 1, Engine::Postgres),
            (Some("redis"), 5432, Engine::Redis),
            (Some("tls"), 6379, Engine::Redis),
            (Some("tls"), 443, Engine::Tls),
            (Some("none"), 3306, Engine::Mysql),
            (Some("tcp"), 22, Engine::Other),
            (Some("http"), 80, Engine::Http),
            (None, 5432, Engine::Postgres),
        ] {
            assert_eq!(Engine::of(probe, port), engine, "{probe:?} {port}");
        }
    }
}
