//! The usual client of a tunnel's engine: a program and its arguments.

use crate::libpq::Libpq;
use crate::mysql::reachable_host;
use crate::{Endpoint, Engine, Options, Security, quote, redis};

/// The client to run. Whose user and database are wanted its own variables and files say (`PGUSER`, `~/.my.cnf`), where
/// `options` do not. None where there is no usual one, or where it cannot be led there.
pub fn client(endpoint: &Endpoint, options: &Options) -> Option<Vec<String>> {
    match endpoint.engine {
        Engine::Postgres => postgres(endpoint, options),
        Engine::Mysql => mysql(endpoint, options),
        Engine::Redis => Some(redis_cli(endpoint, options)),
        Engine::Http => Some(words(&["curl", &format!("http://{}/", endpoint.address()?)])),
        // The certificate is made out to the remote's name, not to this address.
        Engine::Tls => {
            let host = endpoint.remote.host.as_deref()?;
            let remote = Endpoint::authority(host, endpoint.remote.port);
            let way = format!("{remote}:{}", endpoint.address()?);
            Some(words(&["curl", "--connect-to", &way, &format!("https://{remote}/")]))
        }
        Engine::Other => None,
    }
}

fn postgres(endpoint: &Endpoint, options: &Options) -> Option<Vec<String>> {
    let server = Libpq::of(endpoint, options).ok()?;
    if server.hostaddr.is_none() && server.sslmode.is_none() {
        let mut command = words(&["psql", "-h", &server.host, "-p", &server.port.to_string()]);
        command.extend(server.user.into_iter().flat_map(|user| ["-U".to_owned(), user]));
        command.extend(server.dbname.into_iter().flat_map(|name| ["-d".to_owned(), name]));
        return Some(command);
    }
    let pairs = server.pairs().into_iter().map(|(key, value)| format!("{key}={}", quote::conninfo(&value)));
    Some(words(&["psql", &pairs.collect::<Vec<_>>().join(" ")]))
}

/// By name only where that leads here: at an address there is nothing that it could check.
fn mysql(endpoint: &Endpoint, options: &Options) -> Option<Vec<String>> {
    let mut command = match (reachable_host(endpoint), endpoint.address(), endpoint.socket()) {
        (Some(host), Some(address), _) => words(&["mysql", "-h", &host, "-P", &address.port().to_string()]),
        (.., Some(path)) => words(&["mysql", "-S", path.to_str()?]),
        _ => return None,
    };
    if options.security(endpoint) == Security::Verified && endpoint.is_named_here() {
        // MySQL's own client and MariaDB's each know one of these, and warn of the other.
        command.extend(words(&["--loose-ssl-mode=VERIFY_IDENTITY", "--loose-ssl-verify-server-cert"]));
        command.extend(options.ca.iter().map(|ca| format!("--ssl-ca={ca}")));
    }
    command.extend(options.user.iter().flat_map(|user| ["-u".to_owned(), user.clone()]));
    command.push("-p".to_owned());
    command.extend(options.database.clone());
    Some(command)
}

fn redis_cli(endpoint: &Endpoint, options: &Options) -> Vec<String> {
    let mut command = match (endpoint.address(), endpoint.socket()) {
        (Some(address), _) => words(&["redis-cli", "-h", &address.ip().to_string(), "-p", &address.port().to_string()]),
        (None, path) => words(&["redis-cli", "-s", &path.map(|path| path.display().to_string()).unwrap_or_default()]),
    };
    command.extend(redis::tls_words(endpoint, options));
    command.extend(options.user.iter().flat_map(|user| ["--user".to_owned(), user.clone(), "--askpass".to_owned()]));
    command.extend(options.database.iter().flat_map(|number| ["-n".to_owned(), number.clone()]));
    command
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posix_line;

    fn line(probe: &str, local: &str, remote: &str) -> String {
        let endpoint = Endpoint::read("a", local, remote, Some(probe)).unwrap();
        client(&endpoint, &Options::default()).map_or_else(String::new, |words| posix_line(&words))
    }

    #[test]
    fn each_engine_has_its_client() {
        for (probe, remote, expected) in [
            ("postgres", ":5432", "psql -h 127.0.0.1 -p 1"),
            ("postgres", "db:5432", "psql 'host=db hostaddr=127.0.0.1 port=1'"),
            ("mysql", "db:3306", "mysql -h 127.0.0.1 -P 1 -p"),
            ("redis", "kv:6379", "redis-cli -h 127.0.0.1 -p 1"),
            ("tls", "kv:6379", "redis-cli -h 127.0.0.1 -p 1 --tls --sni kv"),
            ("http", "web:80", "curl http://127.0.0.1:1/"),
            ("tls", "web:443", "curl --connect-to web:443:127.0.0.1:1 https://web:443/"),
            ("tls", ":443", ""),
            ("tcp", "web:22", ""),
        ] {
            // Who listens everywhere is reached on loopback.
            for local in ["127.0.0.1:1", "0.0.0.0:1"] {
                assert_eq!(line(probe, local, remote), expected, "{probe} {remote}");
            }
        }
        let cache = "master.s.abc.euw1.cache.amazonaws.com";
        assert_eq!(
            line("redis", "127.0.0.1:1", &format!("{cache}:6379")),
            format!("redis-cli -h 127.0.0.1 -p 1 --tls --sni {cache}")
        );
    }

    #[test]
    fn mysql_is_never_led_to_the_server_of_this_machine() {
        let endpoint = Endpoint::read("a", "127.0.0.1:13306", "localhost:3306", Some("mysql")).unwrap();
        let words = client(&endpoint.with_hosts("127.0.0.1 localhost\n"), &Options::default()).unwrap();
        assert_eq!(posix_line(&words), "mysql -h 127.0.0.1 -P 13306 -p");
    }

    #[test]
    fn a_unix_socket_is_for_those_that_take_one() {
        assert_eq!(line("redis", "unix:/run/r.sock", "kv:6379"), "redis-cli -s /run/r.sock");
        assert_eq!(line("mysql", "unix:/run/m.sock", "db:3306"), "mysql -S /run/m.sock -p");
        assert_eq!(line("postgres", "unix:/run/p.sock", "db:5432"), "");
        assert_eq!(line("postgres", "unix:/run/.s.PGSQL.5433", "db:5432"), "psql -h /run -p 5433");
    }
}
