//! Addresses: what a tunnel leads to, and where it listens.

use super::super::diagnostic::quote;
use super::super::model::{LocalAddr, Remote};
use super::{BadValue, bad, rather};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

pub(crate) const REMOTE_FORMS: &str =
    "`\"host:port\"`, or a port number alone for a port of the target itself; IPv6 as `\"[::1]:5432\"`";
pub(crate) const LOCAL_FORMS: &str = "a port (1–65535), `\"ip:port\"`, `\"unix:/path\"`, or `\"auto\"`";

/// The longest path that fits into `sockaddr_un.sun_path`, its closing NUL taken off.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// Of DNS, dots included.
const MAX_HOST: usize = 253;

pub(crate) fn remote(text: &str) -> Result<Remote, BadValue> {
    if text.trim() != text {
        return rather("there is space around the address", format!("\"{}\"", text.trim()));
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return url(scheme, rest);
    }
    if let Some((_, address)) = text.rsplit_once('@') {
        return rather("user and password belong to the program that connects", format!("\"{address}\""));
    }
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        // Its last number is more likely a port.
        if let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok()) {
            return rather("an IPv6 address needs brackets", format!("\"[{host}]:{port}\""));
        }
        return rather("an IPv6 address needs brackets, and a port", format!("\"[{ip}]:5432\""));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return match text.parse::<i64>() {
            Ok(port) => remote_port(port),
            Err(_) => bad(format!("{} has no port", quote(text)), REMOTE_FORMS),
        };
    };
    if let Some((number, _)) = port.split_once(['/', '?']).filter(|(number, _)| number.parse::<u16>().is_ok()) {
        return rather("a path is no part of an address", format!("\"{host}:{number}\""));
    }
    let Ok(number) = port.parse::<i64>() else {
        return bad(format!("{} is no port", quote(port)), REMOTE_FORMS);
    };
    let Remote { port, .. } = remote_port(number)?;
    if host.is_empty() {
        return Ok(Remote { host: None, port });
    }
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => inner,
        Some(inner) => return bad(format!("{} is no IPv6 address", quote(inner)), REMOTE_FORMS),
        None if host.parse::<Ipv6Addr>().is_ok() => {
            return rather("an IPv6 address needs brackets", format!("\"[{host}]:{port}\""));
        }
        None => name(host)?,
    };
    Ok(Remote { host: Some(host.to_owned()), port })
}

/// A host's name as resolvers take it; underscores are no letters of host names, but resolvers take them.
fn name(host: &str) -> Result<&str, BadValue> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if let Some(wrong) = host.chars().find(|c| !fits(*c)) {
        let message = format!("{} cannot be part of a host's name", quote(&wrong.to_string()));
        return match wrong {
            '$' => bad(message, "a name or an address; a variable is written `${NAME}`"),
            _ if !wrong.is_ascii() => bad(message, "a name of ASCII letters: `xn--…` for others"),
            _ => bad(message, "a name such as `orders.example.com`, or an address"),
        };
    }
    if host.len() > MAX_HOST || host.starts_with('.') || host.contains("..") {
        return bad(format!("{} is no host's name", quote(host)), REMOTE_FORMS);
    }
    Ok(host)
}

/// Connection strings are what people have at hand.
fn url(scheme: &str, rest: &str) -> Result<Remote, BadValue> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit('@').next().unwrap_or_default();
    let port = match scheme.to_ascii_lowercase().as_str() {
        "postgres" | "postgresql" | "jdbc:postgresql" => "5432",
        "mysql" | "mariadb" | "jdbc:mysql" | "jdbc:mariadb" => "3306",
        "redis" | "rediss" | "valkey" | "valkeys" => "6379",
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        "mongodb" | "mongodb+srv" => "27017",
        "amqp" => "5672",
        "amqps" => "5671",
        _ => "PORT",
    };
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let written = if has_port { address.to_owned() } else { format!("{}:{port}", address.trim_end_matches(':')) };
    rather("a URL is no address", format!("\"{written}\""))
}

/// A port of the remote.
pub(crate) fn remote_port(number: i64) -> Result<Remote, BadValue> {
    port(number, REMOTE_FORMS).map(|port| Remote { host: None, port })
}

/// A port to listen on.
pub(crate) fn local_port(number: i64) -> Result<u16, BadValue> {
    if number == 0 {
        return bad("port 0 would be another one at every start", LOCAL_FORMS);
    }
    port(number, LOCAL_FORMS)
}

fn port(number: i64, accepted: &str) -> Result<u16, BadValue> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        // What does not fit into a number at all arrives as the largest.
        _ if number == i64::MAX => bad("the number is no port: they go from 1 to 65535", accepted),
        _ => bad(format!("{number} is no port: they go from 1 to 65535"), accepted),
    }
}

pub(crate) fn local(text: &str) -> Result<LocalAddr, BadValue> {
    if text.trim() != text {
        return rather("there is space around the address", format!("\"{}\"", text.trim()));
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return socket(path);
    }
    if let Ok(port) = text.parse::<i64>() {
        return local_port(port).map(LocalAddr::Loopback);
    }
    if text.starts_with('/') {
        return rather("the path of a Unix socket needs a word before it", format!("\"unix:{text}\""));
    }
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return local_port(i64::from(addr.port())).map(|_| LocalAddr::Ip(addr));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return rather("the port is missing", format!("\"{}\"", SocketAddr::new(ip, 15432)));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return bad(format!("{} is no address to listen on", quote(text)), LOCAL_FORMS);
    };
    let Ok(port) = port.parse::<i64>() else {
        return bad(format!("{} is no port", quote(port)), LOCAL_FORMS);
    };
    let port = local_port(port)?;
    match host {
        "localhost" => Ok(LocalAddr::Loopback(port)),
        "" => rather("the address is missing", port),
        "*" => rather("`*` is no address; every address of this machine is", format!("\"0.0.0.0:{port}\"")),
        _ => match host.parse::<Ipv6Addr>() {
            Ok(ip) => rather("an IPv6 address needs brackets", format!("\"[{ip}]:{port}\"")),
            Err(_) => bad(format!("{} is no address of this machine: a name does not do", quote(host)), LOCAL_FORMS),
        },
    }
}

fn socket(path: &str) -> Result<LocalAddr, BadValue> {
    if let Some(rest) = path.strip_prefix("//") {
        return rather(
            "the path of a Unix socket begins with one `/`",
            format!("\"unix:/{}\"", rest.trim_start_matches('/')),
        );
    }
    if !path.starts_with('/') {
        return bad("the path of a Unix socket must be absolute", "`\"unix:/path\"`, or `\"unix:~/path\"`");
    }
    if path.len() > MAX_SOCKET_PATH {
        let message =
            format!("the path of the Unix socket has {} bytes; the system allows {MAX_SOCKET_PATH}", path.len());
        return bad(message, "a shorter path");
    }
    if path.ends_with('/') {
        return bad("this is the path of a folder", "the path of the socket itself");
    }
    Ok(LocalAddr::Unix(path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong and the help, as one text.
    fn words<T: std::fmt::Debug>(result: Result<T, BadValue>) -> String {
        let bad = result.expect_err("a bad value");
        format!("{}: {}", bad.wrong, bad.help)
    }

    #[test]
    fn remotes() {
        for (text, shown) in [
            ("db.example.com:5432", "db.example.com:5432"),
            ("my_db:5432", "my_db:5432"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[::1]:5432", "[::1]:5432"),
            (":80", ":80"),
            ("8080", ":8080"),
        ] {
            assert_eq!(remote(text).unwrap().to_string(), shown);
        }
        assert_eq!(remote("[::1]:5432").unwrap().host.as_deref(), Some("::1"));
    }

    #[test]
    fn wrong_remotes_and_what_they_are_meant_to_be() {
        for (text, expected) in [
            ("db", "`db` has no port"),
            ("db:", "`` is no port"),
            ("db:0", "0 is no port"),
            ("db:70000", "70000 is no port"),
            ("db:5432/orders", "write `\"db:5432\"`"),
            (" db:5432", "write `\"db:5432\"`"),
            ("postgres://me:secret@db.example:5433/orders?sslmode=x", "write `\"db.example:5433\"`"),
            ("postgresql://db.example/orders", "write `\"db.example:5432\"`"),
            ("rediss://cache.example", "write `\"cache.example:6379\"`"),
            ("https://api.example/", "write `\"api.example:443\"`"),
            ("::1:5432", "write `\"[::1]:5432\"`"),
            ("fd00::12", "write `\"[fd00::12]:5432\"`"),
            ("fd00::12:abcd:5432", "brackets"),
            ("[x]:1", "`x` is no IPv6 address"),
            ("a b:1", "` ` cannot be part of a host's name"),
            ("me:secret@db:5432", "write `\"db:5432\"`"),
            ("$HOST:5432", "a variable is written `${NAME}`"),
            ("bücher.example:443", "xn--"),
            ("db..example:1", "is no host's name"),
        ] {
            let words = words(remote(text));
            assert!(words.contains(expected), "{text}: {words}");
        }
    }

    #[test]
    fn locals() {
        assert_eq!(local("15432"), Ok(LocalAddr::Loopback(15432)));
        assert_eq!(local("localhost:1"), Ok(LocalAddr::Loopback(1)));
        assert_eq!(local("127.0.0.2:6379").unwrap().to_string(), "127.0.0.2:6379");
        assert_eq!(local("[::1]:1").unwrap().to_string(), "[::1]:1");
        assert_eq!(local("unix:/run/x.sock"), Ok(LocalAddr::Unix("/run/x.sock".into())));
        let long = format!("unix:/{}", "x".repeat(MAX_SOCKET_PATH));
        for (text, expected) in [
            ("0", "port 0 would be another one at every start"),
            ("127.0.0.1:0", "port 0"),
            ("99999", "from 1 to 65535"),
            ("-1", "from 1 to 65535"),
            ("", "is no address to listen on"),
            ("unix:x", "must be absolute"),
            ("unix:///run/x", "write `\"unix:/run/x\"`"),
            ("unix:/run/", "a folder"),
            ("/run/x.sock", "write `\"unix:/run/x.sock\"`"),
            (long.as_str(), "the system allows"),
            ("127.0.0.1", "write `\"127.0.0.1:15432\"`"),
            ("::1", "write `\"[::1]:15432\"`"),
            (":15432", "write `15432`"),
            ("*:80", "write `\"0.0.0.0:80\"`"),
            ("fe80::1:80:", "is no port"),
            ("myhost:80", "`myhost` is no address of this machine"),
            ("15432 ", "write `\"15432\"`"),
        ] {
            let words = words(local(text));
            assert!(words.contains(expected), "{text}: {words}");
        }
    }
}
