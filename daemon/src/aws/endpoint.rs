//! Which endpoints calls may go to: they carry credentials, so plain text stays on this machine.
//!
//! Reads a URL as strictly as possible: what another reader could take for another host is refused.

use std::net::{IpAddr, Ipv6Addr};

/// Why an endpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// No URL of a host.
    #[error("`{0}` is no URL of an endpoint")]
    Malformed(String),
    /// A scheme that endpoints do not have.
    #[error("`{0}` is no scheme of an endpoint")]
    Scheme(String),
    /// User or password before the host.
    #[error("an endpoint's URL cannot hold a user or password")]
    UserInfo,
    /// Credentials would cross a network in the clear.
    #[error("`{0}` is unencrypted: plain http is for this machine only")]
    Unencrypted(String),
}

/// Whether calls and tokens may be sent to this endpoint: encrypted, or to this machine.
///
/// # Errors
/// What is wrong with it.
pub fn check_endpoint(url: &str) -> Result<(), EndpointError> {
    let (scheme, _) = url.split_once("://").ok_or_else(|| EndpointError::Malformed(url.to_owned()))?;
    let encrypted = match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => true,
        "http" | "ws" => false,
        _ => return Err(EndpointError::Scheme(scheme.to_owned())),
    };
    if authority(url).contains('@') {
        return Err(EndpointError::UserInfo);
    }
    let host = endpoint_host(url).ok_or_else(|| EndpointError::Malformed(url.to_owned()))?;
    if encrypted || is_loopback_host(host) { Ok(()) } else { Err(EndpointError::Unencrypted(url.to_owned())) }
}

/// Whether an endpoint is on this machine: the simulator, then.
pub fn is_loopback(url: &str) -> bool {
    endpoint_host(url).is_some_and(is_loopback_host)
}

/// The host of an endpoint's URL, without brackets.
pub fn endpoint_host(url: &str) -> Option<&str> {
    let authority = authority(url);
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
    } else {
        let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        (Some(host).filter(|host| !host.is_empty() && host.chars().all(is_name))?, port)
    };
    let is_port = |port: &str| port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok();
    port.is_none_or(is_port).then_some(host)
}

/// From the scheme to the path: a backslash ends it too, as some readers have it.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_endpoints() {
        for url in
            ["http://127.0.0.1:8129", "http://localhost", "http://[::1]:1/", "https://127.9.9.9", "ws://LOCALHOST"]
        {
            assert!(is_loopback(url), "{url}");
            assert_eq!(check_endpoint(url), Ok(()), "{url}");
        }
        for url in ["https://ssm.eu-west-1.amazonaws.com", "http://localhost.evil.example", "http://10.0.0.1", ""] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for url in ["http://ssm.example", "ws://10.0.0.1:80/", "HTTP://ssm.example", "http://localhost.evil.example"] {
            assert_eq!(check_endpoint(url), Err(EndpointError::Unencrypted(url.to_owned())), "{url}");
        }
        for url in ["https://ssm.example", "wss://ssm.example:443/x", "https://[fd00::1]:8443"] {
            assert_eq!(check_endpoint(url), Ok(()), "{url}");
        }
        assert_eq!(check_endpoint("ftp://x"), Err(EndpointError::Scheme("ftp".into())));
    }

    #[test]
    fn a_host_that_only_looks_local_is_refused() {
        for url in ["http://localhost:80@evil/", "https://me:secret@ssm.example", "http://127.0.0.1@evil"] {
            assert!(!is_loopback(url), "{url}");
            assert_eq!(check_endpoint(url), Err(EndpointError::UserInfo), "{url}");
        }
        for url in [
            "http://localhost:x",
            "http://[::1]evil",
            "http://localhost:80:80",
            "http://",
            "http://loc%41l",
            "localhost",
        ] {
            assert!(matches!(check_endpoint(url), Err(EndpointError::Malformed(_))), "{url}");
        }
        assert!(!is_loopback("http://evil\\@localhost/"));
    }
}
