//! [`StreamUrl`]: where a data channel is opened, exactly as StartSession or ResumeSession wrote it.
//!
//! Owns the rules of what may be dialled and what a token may be sent to. It decodes and re-encodes nothing: the query holds
//! raw `+`, `/` and `=` that must reach the service byte for byte (`docs/protocol.md` §2.1).

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    ops::Range,
};

use http::Uri;

use crate::partition::{is_fips, is_gateway};

/// Longest URL taken; the service's are about 300 bytes.
const MAX_LEN: usize = 8 * 1024;

/// Query parameters of which a single one makes a URL a presigned one (`docs/protocol.md` §2.3).
const PRESIGNED: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// The address of one data channel. `Debug` hides the query.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamUrl {
    raw: String,
    tls: bool,
    /// Host, port and brackets as written: what the `Host` header says.
    authority: Range<usize>,
    /// Lower case, without brackets.
    host: String,
    port: u16,
}

/// Why a stream URL is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamUrlError {
    /// Not a websocket URL that can be dialled as it is.
    #[error("the stream URL is malformed: {0}")]
    Malformed(&'static str),
    /// Only `wss` may leave this machine.
    #[error("the stream URL is unencrypted and leads to {host}: plain ws is used towards loopback only")]
    Unencrypted {
        /// Host of the URL.
        host: String,
    },
    /// The URL leads to a host that the endpoint asked has no business to name.
    #[error("the stream URL leads to {host}, which does not belong to the endpoint that was asked")]
    Foreign {
        /// Host of the URL.
        host: String,
    },
}

use StreamUrlError::Malformed;

impl StreamUrl {
    /// Takes a URL as the service wrote it: `wss` to anywhere, `ws` to loopback.
    ///
    /// # Errors
    /// Malformed, or unencrypted to elsewhere.
    pub fn parse(url: &str) -> Result<Self, StreamUrlError> {
        if url.len() > MAX_LEN {
            return Err(Malformed("too long"));
        }
        if !url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Malformed("it holds spaces, control or non-ASCII characters"));
        }
        let (scheme, rest) = url.split_once("://").ok_or(Malformed("no scheme"))?;
        let tls = match scheme {
            "wss" => true,
            "ws" => false,
            _ => return Err(Malformed("the scheme is neither wss nor ws")),
        };
        let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(authority_len);
        if !target.starts_with('/') {
            return Err(Malformed("no path"));
        }
        if target.contains('#') {
            return Err(Malformed("it has a fragment"));
        }
        // What is written on the wire is `Uri`'s idea of path and query: hold it to the bytes that were given.
        let uri: Uri = url.parse().map_err(|_| Malformed("not a URI"))?;
        if uri.path_and_query().is_none_or(|written| written.as_str() != target) {
            return Err(Malformed("its path or query cannot be sent as they are"));
        }
        let (host, port) = split_authority(authority)?;
        if !tls && !is_loopback(&host) {
            return Err(StreamUrlError::Unencrypted { host });
        }
        let start = scheme.len() + "://".len();
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { raw: url.to_owned(), tls, authority: start..start + authority_len, host, port })
    }

    /// The same channel at another address: scheme, host and port are taken from `endpoint` (`https`, `http`, `wss` or `ws`,
    /// without a path), path and query stay byte for byte.
    ///
    /// # Errors
    /// Those of [`StreamUrl::parse`], for the endpoint.
    pub fn with_endpoint(&self, endpoint: &str) -> Result<Self, StreamUrlError> {
        let (scheme, rest) = endpoint.split_once("://").ok_or(Malformed("the endpoint has no scheme"))?;
        let scheme = match scheme {
            "https" | "wss" => "wss",
            "http" | "ws" => "ws",
            _ => return Err(Malformed("the endpoint's scheme is none of https, http, wss, ws")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(Malformed("the endpoint has a path"));
        }
        Self::parse(&format!("{scheme}://{authority}{}", self.path_and_query()))
    }

    /// Whether a token may be sent here: the host must be the message gateway of `region`, by whole DNS labels (`partition.rs`); or the host of
    /// `ssm_endpoint`, the address that stood in for SSM's own when the session was started; or loopback if that was.
    ///
    /// # Errors
    /// [`StreamUrlError::Foreign`], or malformed if `ssm_endpoint` is.
    pub fn check_belongs_to(&self, region: &str, ssm_endpoint: Option<&str>) -> Result<(), StreamUrlError> {
        if self.tls && is_gateway(&self.host, region) {
            return Ok(());
        }
        if let Some(endpoint) = ssm_endpoint {
            let asked = host_of(endpoint)?;
            if asked == self.host || (is_loopback(&asked) && is_loopback(&self.host)) {
                return Ok(());
            }
        }
        Err(StreamUrlError::Foreign { host: self.host.clone() })
    }

    /// The URL as it was given. It names the session: not for logs.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// Host in lower case; IPv6 addresses without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port to dial.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the channel is encrypted (`wss`).
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether the URL leads to this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether the URL leads to a FIPS endpoint of AWS's gateway.
    pub fn is_fips(&self) -> bool {
        is_fips(&self.host)
    }

    /// Whether the URL carries a signature already: such a one is not signed again.
    pub fn is_presigned(&self) -> bool {
        let query = self.raw.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|pair| {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            PRESIGNED.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// Host and port as written: the value of the `Host` header.
    pub(crate) fn authority(&self) -> &str {
        &self.raw[self.authority.clone()]
    }

    /// Everything behind the authority, as written.
    pub(crate) fn path_and_query(&self) -> &str {
        &self.raw[self.authority.end..]
    }
}

impl fmt::Debug for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.raw.split_once('?').map_or(self.raw.as_str(), |(front, _)| front);
        write!(f, "StreamUrl({shown}?…)")
    }
}

/// Whether a host, as given by [`StreamUrl::host`], is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn host_of(endpoint: &str) -> Result<String, StreamUrlError> {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    split_authority(authority).map(|(host, _)| host)
}

/// Splits `host:port` or `[v6]:port`; the host comes back in lower case and without brackets.
fn split_authority(authority: &str) -> Result<(String, Option<u16>), StreamUrlError> {
    if authority.contains('@') {
        return Err(Malformed("it holds user information"));
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(Malformed("the host is no IPv6 address"))?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(Malformed("the host is no IPv6 address"));
        }
        let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(Malformed("no port"))?) };
        (host, port)
    } else {
        let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !host.split('.').all(is_label) {
            return Err(Malformed("the host is no DNS name"));
        }
        (host, port)
    };
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(port) if port != 0 => Some(port),
            _ => return Err(Malformed("no such port")),
        },
        Some(_) => return Err(Malformed("the port is no number")),
    };
    Ok((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/jane-0123456789abcdef0\
                        ?role=publish_subscribe&cell-number=AAEAAa+b/c9d==";

    #[test]
    fn the_url_is_kept_byte_for_byte() {
        let url = StreamUrl::parse(REAL).unwrap();
        assert_eq!(url.as_str(), REAL);
        assert_eq!((url.host(), url.port(), url.is_tls()), ("ssmmessages.eu-west-1.amazonaws.com", 443, true));
        assert_eq!(url.authority(), "ssmmessages.eu-west-1.amazonaws.com");
        assert!(url.path_and_query().ends_with("cell-number=AAEAAa+b/c9d=="));
        assert!(!url.is_presigned());
    }

    #[test]
    fn debug_hides_the_query() {
        let shown = format!("{:?}", StreamUrl::parse(REAL).unwrap());
        assert!(shown.contains("data-channel") && !shown.contains("cell-number"), "{shown}");
    }

    #[test]
    fn plain_ws_goes_to_loopback_only() {
        for good in ["ws://127.0.0.1:8129/x?a=b", "ws://localhost:1/x", "ws://[::1]:8129/x", "ws://127.9.9.9/x"] {
            assert!(!StreamUrl::parse(good).unwrap().is_tls(), "{good}");
        }
        for bad in ["ws://10.0.0.1/x", "ws://localhost.evil.example/x", "ws://ssmmessages.eu-west-1.amazonaws.com/x"] {
            assert!(matches!(StreamUrl::parse(bad), Err(StreamUrlError::Unencrypted { .. })), "{bad}");
        }
    }

    #[test]
    fn malformed_urls_are_refused() {
        for bad in [
            "",
            "wss://",
            "wss:///x",
            "https://a/x",
            "WSS://a/x",
            "wss://a",
            "wss://a?b",
            "wss://a/x#f",
            "wss://a/x y",
            "wss://a/\u{fc}",
            "wss://user@a/x",
            "wss://user:pw@a/x",
            "wss://a:0/x",
            "wss://a:99999/x",
            "wss://a:+1/x",
            "wss://a:/x",
            "wss://a..b/x",
            "wss://a./x",
            "wss://a\\b/x",
            "wss://[::1/x",
            "wss://[nope]/x",
            "wss://[::1]8/x",
        ] {
            assert!(StreamUrl::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(StreamUrl::parse(&format!("wss://a/{}", "x".repeat(MAX_LEN))).is_err());
    }

    #[test]
    fn a_url_belongs_to_its_region_by_whole_labels() {
        let belongs = |host: &str, region: &str, asked: Option<&str>| {
            StreamUrl::parse(&format!("wss://{host}/x")).unwrap().check_belongs_to(region, asked).is_ok()
        };
        assert!(belongs("ssmmessages.eu-west-1.amazonaws.com", "eu-west-1", None));
        assert!(belongs("SSMMessages.EU-west-1.amazonaws.com", "eu-west-1", None));
        for foreign in [
            "ssmmessages.us-east-1.amazonaws.com",
            "ssmmessages.eu-west-1.amazonaws.com.evil.example",
            "evil.example",
            "127.0.0.1",
        ] {
            assert!(!belongs(foreign, "eu-west-1", None), "{foreign}");
        }
    }

    #[test]
    fn an_override_vouches_for_its_own_host_or_for_loopback() {
        let parse = |url: &str| StreamUrl::parse(url).unwrap();
        let local = parse("ws://127.0.0.1:9/x");
        assert!(local.check_belongs_to("eu-west-1", Some("http://localhost:8129")).is_ok());
        assert!(local.check_belongs_to("eu-west-1", Some("http://[::1]:8129/")).is_ok());
        assert!(local.check_belongs_to("eu-west-1", Some("https://vpce.example")).is_err());
        let remote = parse("wss://vpce.example:8443/x");
        assert!(remote.check_belongs_to("eu-west-1", Some("https://vpce.example")).is_ok());
        assert!(remote.check_belongs_to("eu-west-1", Some("https://example")).is_err());
        assert!(remote.check_belongs_to("eu-west-1", Some("http://127.0.0.1:8129")).is_err());
        let real = parse(REAL);
        assert!(real.check_belongs_to("eu-west-1", Some("https://vpce.example")).is_ok());
    }

    #[test]
    fn an_endpoint_replaces_only_the_address() {
        let url = StreamUrl::parse(REAL).unwrap();
        let moved = url.with_endpoint("https://vpce-1.example:8443/").unwrap();
        assert!(moved.as_str().starts_with("wss://vpce-1.example:8443/v1/data-channel/"));
        assert_eq!(moved.path_and_query(), url.path_and_query());
        assert!(!url.with_endpoint("http://127.0.0.1:8129").unwrap().is_tls());
        assert!(url.with_endpoint("http://10.0.0.1").is_err());
        assert!(url.with_endpoint("https://host/path").is_err());
        assert!(url.with_endpoint("host").is_err());
    }

    #[test]
    fn presigned_urls_are_known() {
        let presigned = |query: &str| StreamUrl::parse(&format!("wss://a/x?{query}")).unwrap().is_presigned();
        assert!(presigned("role=x&X-Amz-Signature=00"));
        assert!(presigned("x-amz-credential=a"));
        assert!(!presigned("role=X-Amz-Signature"));
    }
}
