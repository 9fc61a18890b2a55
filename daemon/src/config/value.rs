//! Single values: from the text in the file to what it means. Pure; an error says what would be accepted.

use super::model::{LocalAddr, Remote};
use crate::aws::{Candidate, TagFilter};
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What is wrong with a value, and what would be accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadValue {
    pub(super) wrong: String,
    pub(super) accepted: &'static str,
}

fn bad<T>(wrong: impl Into<String>, accepted: &'static str) -> Result<T, BadValue> {
    Err(BadValue { wrong: wrong.into(), accepted })
}

pub(super) const REMOTE_FORMS: &str =
    "`\"host:port\"`, or a port number alone for a port of the target itself; IPv6 as `\"[::1]:5432\"`";
pub(super) const LOCAL_FORMS: &str = "a port (1–65535), `\"ip:port\"`, or `\"unix:/path\"`";
pub(super) const TARGET_FORMS: &str = "an instance id (`\"i-…\"`, `\"mi-…\"`, `\"ecs:cluster_task_runtime-id\"`), `{ tag = \"Key=Value\" }`, or a list of either";
pub(super) const DURATION_FORMS: &str = "a duration such as `\"30s\"`, `\"15m\"` or `\"1h30m\"`";

pub(super) fn remote(text: &str) -> Result<Remote, BadValue> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return match text.parse::<u16>() {
            Ok(port) => self::port(i64::from(port), REMOTE_FORMS).map(|port| Remote { host: None, port }),
            Err(_) => bad("the port is missing", REMOTE_FORMS),
        };
    };
    let Ok(port) = port.parse::<u16>() else {
        return bad(format!("`{port}` is no port"), REMOTE_FORMS);
    };
    let port = self::port(i64::from(port), REMOTE_FORMS)?;
    if host.is_empty() {
        return Ok(Remote { host: None, port });
    }
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => inner,
        Some(inner) => return bad(format!("`{inner}` is no IPv6 address"), REMOTE_FORMS),
        None if host.contains(':') => return bad("an IPv6 address needs brackets", REMOTE_FORMS),
        None => host,
    };
    if host.contains(|c: char| c.is_whitespace() || c == '/') {
        return bad(format!("`{host}` is no host name"), REMOTE_FORMS);
    }
    Ok(Remote { host: Some(host.to_owned()), port })
}

pub(super) fn local(text: &str) -> Result<LocalAddr, BadValue> {
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.starts_with('/') {
            Ok(LocalAddr::Unix(path.into()))
        } else {
            bad("the path of a Unix socket must be absolute", LOCAL_FORMS)
        };
    }
    if let Ok(port) = text.parse::<i64>() {
        return port_number(port).map(LocalAddr::Loopback);
    }
    let addr = match text.strip_prefix("localhost:") {
        Some(port) => return local(port),
        None => text.parse::<SocketAddr>(),
    };
    match addr {
        Ok(addr) => port_number(i64::from(addr.port())).map(|_| LocalAddr::Ip(addr)),
        Err(_) => bad("not an address to listen on", LOCAL_FORMS),
    }
}

/// A port to listen on.
pub(super) fn port_number(number: i64) -> Result<u16, BadValue> {
    if number == 0 {
        return bad("port 0 would be another one at every start", LOCAL_FORMS);
    }
    port(number, LOCAL_FORMS)
}

pub(super) fn port(number: i64, accepted: &'static str) -> Result<u16, BadValue> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => bad(format!("{number} is no port"), accepted),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, BadValue> {
    match text.parse::<jiff::SignedDuration>().map(Duration::try_from) {
        Ok(Ok(duration)) => Ok(duration),
        _ => bad("not a duration", DURATION_FORMS),
    }
}

pub(super) fn target(text: &str) -> Result<Candidate, BadValue> {
    let hex = |id: &str| id.len() >= 8 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let known = text.strip_prefix("i-").is_some_and(hex)
        || text.strip_prefix("mi-").is_some_and(hex)
        || text.strip_prefix("ecs:").is_some_and(|rest| rest.split('_').count() >= 3);
    if known { Ok(Candidate::Id(text.to_owned())) } else { bad("not the id of a managed node", TARGET_FORMS) }
}

pub(super) fn tag(text: &str) -> Result<TagFilter, BadValue> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok(TagFilter { key: key.to_owned(), value: value.to_owned() })
        }
        _ => bad("not a tag", "`{ tag = \"Key=Value\" }`"),
    }
}

/// Replaces a leading `~` and every `${VAR}`; the error is the variable that is not set.
pub(super) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    if rest == "~" || rest.starts_with("~/") {
        out.push_str(&env("HOME").ok_or("HOME")?);
        rest = &rest[1..];
    }
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            return Err(after.to_owned());
        };
        out.push_str(&env(name).ok_or(name)?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes() {
        let ok = |text: &str| remote(text).unwrap().to_string();
        assert_eq!(ok("db.example.com:5432"), "db.example.com:5432");
        assert_eq!(ok("[::1]:5432"), "[::1]:5432");
        assert_eq!(remote("[::1]:5432").unwrap().host.as_deref(), Some("::1"));
        assert_eq!(ok(":80"), ":80");
        assert_eq!(ok("8080"), ":8080");
        for wrong in ["db", "db:", "db:0", "db:70000", "::1:5432", "[x]:1", "a b:1", "http://x:1"] {
            assert!(remote(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn locals() {
        assert_eq!(local("15432"), Ok(LocalAddr::Loopback(15432)));
        assert_eq!(local("localhost:1"), Ok(LocalAddr::Loopback(1)));
        assert_eq!(local("127.0.0.2:6379").unwrap().to_string(), "127.0.0.2:6379");
        assert_eq!(local("[::1]:1").unwrap().to_string(), "[::1]:1");
        assert_eq!(local("unix:/run/x.sock"), Ok(LocalAddr::Unix("/run/x.sock".into())));
        for wrong in ["0", "127.0.0.1:0", "unix:x", "host:1", "99999", ""] {
            assert!(local(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn targets_and_tags() {
        for id in ["i-0123456789abcdef0", "mi-0123456789abcdef0", "ecs:c_0123_0123-1", "i-01234567"] {
            assert_eq!(target(id), Ok(Candidate::Id(id.into())));
        }
        for wrong in ["", "bastion", "i-xyz", "i-1", "ecs:c"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
        assert_eq!(tag("Name=a=b").unwrap().to_string(), "Name=a=b");
        assert!(tag("Name").is_err() && tag("=x").is_err() && tag("Name=").is_err());
    }

    #[test]
    fn durations() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "30", "-1s", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn home_and_variables_expand() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/u".to_owned()),
            "TEAM" => Some("orders".to_owned()),
            _ => None,
        };
        assert_eq!(expand("~/x/${TEAM}.toml", &env).unwrap(), "/home/u/x/orders.toml");
        assert_eq!(expand("a~b$c", &env).unwrap(), "a~b$c");
        assert_eq!(expand("${NOPE}", &env).unwrap_err(), "NOPE");
        assert_eq!(expand("${open", &env).unwrap_err(), "open");
    }
}
