//! [`Proxies`]: which connections leave through an HTTP proxy, by the variables that everybody uses.
//!
//! The rules, for API calls and websockets alike:
//!
//! - Only TLS connections are proxied. What is unencrypted goes to this machine or to the metadata services beside it, so
//!   `HTTP_PROXY` has no effect.
//! - The first of `HTTPS_PROXY`, `https_proxy`, `ALL_PROXY`, `all_proxy` that is not empty names the proxy.
//! - Loopback is never proxied, nor what `NO_PROXY` or `no_proxy` lists: hosts and domains with all that is below them,
//!   addresses, networks, or `*`.
//! - The proxy looks up the host's name; this machine may not be able to.
//! - A variable that names no usable proxy is an error of each connection that would have used it, never a way around it.
//!
//! Reads the variables once, when made; [`http_connect`](crate::http_connect) speaks to the proxy.

use std::{ffi::OsString, fmt, sync::Arc};

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

use crate::{error::ProxyError, stream_url::is_loopback};

/// In order of precedence.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Stands in for a proxy that cannot be used, so that the exceptions still count.
const UNUSABLE: &str = "http://unusable.invalid";

/// The proxy settings of a program; clones share them. `Debug` hides user and password.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Option<Arc<Settings>>);

#[derive(Debug)]
struct Settings {
    proxy: Result<Proxy, Unusable>,
    rules: Matcher,
}

/// One HTTP proxy. `Debug` and `Display` hide user and password.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) name: ProxyName,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether the proxy itself is spoken to over TLS.
    pub(crate) tls: bool,
    /// Marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
}

/// How a proxy is called in messages: its address and the variable that names it, never its user or password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyName {
    url: Arc<str>,
    variable: &'static str,
}

impl ProxyName {
    /// The variable that names the proxy.
    pub fn variable(&self) -> &'static str {
        self.variable
    }
}

impl fmt::Display for ProxyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.url, self.variable)
    }
}

/// Why a variable's value cannot be used. Holds nothing of the value: a password may be anywhere in it.
#[derive(Clone, Debug)]
struct Unusable {
    variable: &'static str,
    reason: String,
}

impl Proxies {
    /// No proxy for anything.
    pub fn none() -> Self {
        Self::default()
    }

    /// The proxies of this process's environment; what comes of it is logged.
    pub fn from_env() -> Self {
        let proxies = Self::from_variables(|name| std::env::var_os(name));
        match proxies.0.as_deref().map(|settings| &settings.proxy) {
            Some(Ok(proxy)) => tracing::info!(proxy = %proxy.name, "connections to AWS go through a proxy"),
            Some(Err(unusable)) => tracing::warn!("{}", ProxyError::from(unusable)),
            None => {}
        }
        proxies
    }

    /// The proxies of another environment, such as a test's own.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| Some((*name, variable(name).filter(|value| !value.is_empty())?)))
        };
        let Some((variable, value)) = first(&VARIABLES) else { return Self::none() };
        let url = value.to_str().map(str::trim);
        let parsed = url.ok_or_else(|| "it is no text".to_owned()).and_then(|url| Proxy::parse(variable, url));
        let named = if parsed.is_ok() { url.unwrap_or_default() } else { UNUSABLE };
        let exceptions = first(&EXCEPTIONS).map(|(_, list)| list.to_string_lossy().into_owned()).unwrap_or_default();
        let rules = Matcher::builder().https(named).no(without_stars(&exceptions)).build();
        let proxy = parsed.map_err(|reason| Unusable { variable, reason });
        Self(Some(Arc::new(Settings { proxy, rules })))
    }

    /// What the proxy is called that a TLS connection to this host goes through; none if there is none, or none that can be used.
    pub fn name_for(&self, host: &str, port: u16) -> Option<ProxyName> {
        self.for_host(host, port).ok().flatten().map(|proxy| proxy.name.clone())
    }

    /// The proxy that a TLS connection to this host has to go through, if any.
    pub(crate) fn for_host(&self, host: &str, port: u16) -> Result<Option<&Proxy>, ProxyError> {
        let Some(settings) = self.0.as_deref().filter(|_| !is_loopback(host)) else { return Ok(None) };
        let Ok(uri) = format!("https://{}", authority(host, port)).parse::<Uri>() else { return Ok(None) };
        if settings.rules.intercept(&uri).is_none() {
            return Ok(None);
        }
        settings.proxy.as_ref().map(Some).map_err(ProxyError::from)
    }
}

impl From<&Unusable> for ProxyError {
    fn from(unusable: &Unusable) -> Self {
        Self::Unusable { variable: unusable.variable, reason: unusable.reason.clone() }
    }
}

impl Proxy {
    /// Reads a variable's value; the scheme may be missing, as with curl.
    fn parse(variable: &'static str, url: &str) -> Result<Self, String> {
        let scheme = url.split_once("://").map_or("http", |(scheme, _)| scheme).to_ascii_lowercase();
        let tls = match scheme.as_str() {
            "http" => false,
            "https" => true,
            _ if scheme.starts_with("socks") => {
                return Err(format!("it is a {scheme} proxy, and only http:// and https:// proxies are supported"));
            }
            _ => return Err("its scheme is neither http nor https".to_owned()),
        };
        let uri: Uri = url.parse().map_err(|error| format!("it is no URL: {error}"))?;
        let written = uri.authority().ok_or("it names no host")?.as_str();
        let (user, address) = written.rsplit_once('@').unwrap_or(("", written));
        if user.contains('@') {
            return Err("an @ in its user or password has to be written as %40".to_owned());
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("it names no host".to_owned());
        }
        let port = match uri.port_u16() {
            Some(0) => return Err("there is no port 0".to_owned()),
            Some(port) => port,
            None if address.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']')) => {
                return Err("its port is no number".to_owned());
            }
            None if tls => 443,
            None => 80,
        };
        // What the rules make of it: user and password with their %-escapes resolved.
        let intercept = Matcher::builder().https(url).build().intercept(&Uri::from_static("https://host"));
        let intercept = intercept.ok_or("it is no URL of a proxy")?;
        let name = ProxyName { url: format!("{scheme}://{}", authority(host, port)).into(), variable };
        Ok(Self { name, host: host.to_owned(), port, tls, authorization: intercept.basic_auth().cloned() })
    }
}

/// `host:port`, with brackets where the host has colons.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Many write `*.example.com` where the rules want `.example.com`.
fn without_stars(exceptions: &str) -> String {
    let entries = exceptions.split(',').map(str::trim);
    let plain = entries.map(|entry| if entry.starts_with("*.") { &entry[1..] } else { entry });
    plain.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &str = "ssm.eu-west-1.amazonaws.com";

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    fn used(variables: &[(&str, &str)], host: &str) -> Option<String> {
        proxies(variables).for_host(host, 443).unwrap().map(|proxy| proxy.name.to_string())
    }

    #[test]
    fn the_first_variable_that_says_something_counts() {
        let lower = ("https_proxy", "http://lower:3128");
        let all = ("ALL_PROXY", "http://all:3128");
        assert_eq!(used(&[], AWS), None);
        assert_eq!(used(&[("HTTP_PROXY", "http://plain:3128")], AWS), None);
        assert_eq!(used(&[all], AWS).as_deref(), Some("http://all:3128 (ALL_PROXY)"));
        assert_eq!(used(&[all, lower], AWS).as_deref(), Some("http://lower:3128 (https_proxy)"));
        assert_eq!(used(&[lower, ("HTTPS_PROXY", "")], AWS).as_deref(), Some("http://lower:3128 (https_proxy)"));
        let upper = ("HTTPS_PROXY", "http://upper:3128");
        assert_eq!(used(&[all, lower, upper], AWS).as_deref(), Some("http://upper:3128 (HTTPS_PROXY)"));
    }

    #[test]
    fn addresses_are_read_as_curl_does() {
        for (url, host, port, tls) in [
            ("http://proxy:3128", "proxy", 3128, false),
            ("http://proxy", "proxy", 80, false),
            ("https://proxy/", "proxy", 443, true),
            ("proxy:3128", "proxy", 3128, false),
            ("proxy", "proxy", 80, false),
            (" http://[fd00::1]:3128 ", "fd00::1", 3128, false),
            ("http://[fd00::1]", "fd00::1", 80, false),
            ("HTTP://Proxy:1", "Proxy", 1, false),
        ] {
            let proxies = proxies(&[("HTTPS_PROXY", url)]);
            let proxy = proxies.for_host(AWS, 443).unwrap().unwrap();
            assert_eq!((proxy.host.as_str(), proxy.port, proxy.tls), (host, port, tls), "{url}");
            assert_eq!(proxy.authorization, None);
        }
    }

    #[test]
    fn user_and_password_are_sent_and_never_shown() {
        let with_password = proxies(&[("HTTPS_PROXY", "http://Aladdin:open%20s%40same@proxy:3128")]);
        let proxy = with_password.for_host(AWS, 443).unwrap().unwrap();
        assert_eq!(proxy.authorization.as_ref().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNAc2FtZQ==");
        let shown = format!("{with_password:?} {proxy:?} {}", proxy.name);
        for secret in ["Aladdin", "open", "QWxh"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn exceptions_and_this_machine_are_reached_directly() {
        let through = |exceptions: &str, host: &str| {
            used(&[("HTTPS_PROXY", "http://proxy:1"), ("NO_PROXY", exceptions)], host).is_some()
        };
        for (exceptions, host, proxied) in [
            ("", AWS, true),
            ("*", AWS, false),
            ("amazonaws.com", AWS, false),
            (".amazonaws.com", AWS, false),
            ("*.amazonaws.com", AWS, false),
            ("example.com, eu-west-1.amazonaws.com ,", AWS, false),
            ("amazonaws.com", "notamazonaws.com", true),
            ("AMAZONAWS.COM", AWS, false),
            ("10.0.0.0/8", "10.1.2.3", false),
            ("10.0.0.0/8", "11.1.2.3", true),
            ("fd00::/8", "fd00::7", false),
            ("", "fd00::7", true),
            ("", "localhost", false),
            ("", "127.0.0.1", false),
            ("", "127.9.9.9", false),
            ("", "::1", false),
            ("", "localhost.example.com", true),
        ] {
            assert_eq!(through(exceptions, host), proxied, "NO_PROXY={exceptions} {host}");
        }
        assert_eq!(used(&[("ALL_PROXY", "http://proxy:1"), ("no_proxy", "amazonaws.com")], AWS), None);
    }

    #[test]
    fn a_variable_that_names_no_proxy_is_an_error_and_no_way_around() {
        for (value, reason) in [
            ("socks5h://s3cret@proxy:1080", "socks5h proxy"),
            ("ftp://proxy", "scheme"),
            ("http://", "no"),
            ("http://proxy:s3cret", "port"),
            ("http://proxy:0", "port 0"),
            ("http://proxy:99999", "port"),
            ("http://user:s3cret@@proxy:1", "%40"),
            ("http://pro xy", "URL"),
            ("http://user:s3cret#x@proxy:1", "port"),
        ] {
            let proxies = proxies(&[("HTTPS_PROXY", value), ("NO_PROXY", "direct.example")]);
            let error = proxies.for_host(AWS, 443).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("HTTPS_PROXY names no proxy that can be used: "), "{value}: {text}");
            assert!(text.contains(reason) && !text.contains("s3cret"), "{value}: {text}");
            assert!(error.advice().contains("HTTPS_PROXY"), "{value}");
            for direct in ["127.0.0.1", "localhost", "direct.example"] {
                assert!(proxies.for_host(direct, 443).unwrap().is_none(), "{value} {direct}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_an_error_as_well() {
        use std::os::unix::ffi::OsStringExt as _;
        let proxies =
            Proxies::from_variables(|name| (name == "ALL_PROXY").then(|| OsString::from_vec(b"http://\xff".to_vec())));
        assert!(proxies.for_host(AWS, 443).is_err());
    }
}
