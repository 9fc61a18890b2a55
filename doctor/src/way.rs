//! The way to an endpoint, step by step as a call goes it: name, address, proxy, TLS, and whether HTTP is answered.
//!
//! Brings back facts; what they mean is `check/endpoint.rs` and `check/clock.rs`. Nothing secret is sent: the one request is unsigned.

use ssm_session::{ConnectError, Destination, Network};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::lookup_host;
use tokio::time::timeout;
use tunnels_daemon::aws::{AwsError, endpoint_host};
use tunnels_daemon::chain;

/// For looking the name up.
const LOOKUP: Duration = Duration::from_secs(5);
/// For TCP, proxy and TLS together, as calls have it.
const CONNECT: Duration = Duration::from_secs(5);
/// For the head of an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The head of an answer is smaller by far.
const LONGEST_HEAD: usize = 16 * 1024;

/// What was seen on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The proxy that it leads through, and the variable that names it.
    pub(crate) proxy: Option<String>,
    /// What this machine's resolver says; none where that fails, or a proxy looks the name up.
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether it could be gone.
    pub(crate) opened: Result<(), Blocked>,
    /// What was answered to a plain request, if one was sent.
    pub(crate) answer: Option<Result<Head, String>>,
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// As calls of AWS tell it.
    pub(crate) error: AwsError,
    /// At which step.
    pub(crate) step: BlockedStep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockedStep {
    Name,
    Tcp,
    Proxy,
    /// The proxy was reached, and did not come further.
    BehindProxy,
    Tls,
}

/// The head of an HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// By how many seconds the answerer's clock is ahead of ours; the header has whole seconds.
    pub(crate) clock_ahead: Option<i64>,
    /// Where it wants the caller to go instead.
    pub(crate) location: Option<String>,
}

/// Goes the way to the host of `url`; with `ask` it sends a request there, too. None if it names no host.
pub(crate) async fn go(network: &Network, url: &str, ask: bool) -> Option<Way> {
    let host = endpoint_host(url)?.to_owned();
    let tls = url.starts_with("https:") || url.starts_with("wss:");
    let port = port_of(url, &host).unwrap_or(if tls { 443 } else { 80 });
    let proxy = if tls { network.proxies.name_for(&host, port) } else { None };
    let opened = network.open(Destination { host: &host, port, tls }, CONNECT).await;
    let is_direct = proxy.is_none() && !matches!(opened, Err(ConnectError::Proxy(_) | ConnectError::Dns { .. }));
    let addresses = if is_direct { resolve(&host, port).await } else { Vec::new() };
    let (opened, answer) = match opened {
        Ok(stream) if ask => (Ok(()), Some(head(stream, &host, port).await)),
        Ok(_) => (Ok(()), None),
        Err(error) => (Err(Blocked { step: step(&error), error: AwsError::from(&error) }), None),
    };
    Some(Way { host, port, proxy: proxy.map(|name| name.to_string()), addresses, opened, answer })
}

/// The port of a URL that `endpoint_host` accepts.
fn port_of(url: &str, host: &str) -> Option<u16> {
    let rest = url.split_once("://")?.1.trim_start_matches('[').strip_prefix(host)?;
    let digits = rest.trim_start_matches(']').strip_prefix(':')?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

async fn resolve(host: &str, port: u16) -> Vec<IpAddr> {
    let Ok(Ok(found)) = timeout(LOOKUP, lookup_host((host, port))).await else { return Vec::new() };
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn step(error: &ConnectError) -> BlockedStep {
    use ssm_session::{ConnectPhase, ProxyError};
    match error {
        ConnectError::Dns { .. } | ConnectError::Timeout { phase: ConnectPhase::Resolve, proxy: None, .. } => {
            BlockedStep::Name
        }
        ConnectError::Tcp { .. } | ConnectError::Timeout { phase: ConnectPhase::Tcp, proxy: None, .. } => {
            BlockedStep::Tcp
        }
        ConnectError::Proxy(ProxyError::Refused { status: 502..=504, .. }) => BlockedStep::BehindProxy,
        ConnectError::Proxy(_) | ConnectError::Timeout { proxy: Some(_), .. } => BlockedStep::Proxy,
        _ => BlockedStep::Tls,
    }
}

async fn head(mut stream: ssm_session::Stream, host: &str, port: u16) -> Result<Head, String> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let host = if matches!(port, 80 | 443) { host } else { format!("{host}:{port}") };
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tunnels-doctor\r\nConnection: close\r\n\r\n");
    let mut read = Vec::new();
    let asked = timeout(ANSWER, async {
        stream.write_all(request.as_bytes()).await?;
        let mut some = [0; 2048];
        while !read.windows(4).any(|end| end == b"\r\n\r\n") && read.len() < LONGEST_HEAD {
            match stream.read(&mut some).await? {
                0 => break,
                count => read.extend_from_slice(&some[..count]),
            }
        }
        std::io::Result::Ok(())
    });
    match asked.await {
        Ok(Ok(())) if read.is_empty() => Err("the connection was closed without an answer".to_owned()),
        Ok(Ok(())) => parse(&String::from_utf8_lossy(&read), SystemTime::now())
            .ok_or_else(|| "what answers does not speak HTTP".to_owned()),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err(format!("no answer within {} s", ANSWER.as_secs())),
    }
}

fn parse(text: &str, now: SystemTime) -> Option<Head> {
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let mut head = Head { status, clock_ahead: None, location: None };
    for (name, value) in lines.map_while(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "date" => head.clock_ahead = ahead(value.trim(), now),
            "location" => head.location = Some(value.trim().chars().filter(|c| !c.is_control()).take(200).collect()),
            _ => {}
        }
    }
    Some(head)
}

fn ahead(date: &str, now: SystemTime) -> Option<i64> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let ours = jiff::Timestamp::try_from(now).ok()?;
    Some(theirs.as_second() - ours.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn ports_of_urls() {
        for (url, host, port) in [
            ("https://ssm.eu-west-1.amazonaws.com", "ssm.eu-west-1.amazonaws.com", None),
            ("http://127.0.0.1:8129", "127.0.0.1", Some(8129)),
            ("https://[::1]:8443/x", "::1", Some(8443)),
            ("https://[::1]/", "::1", None),
        ] {
            assert_eq!(endpoint_host(url), Some(host), "{url}");
            assert_eq!(port_of(url, host), port, "{url}");
        }
    }

    #[test]
    fn a_head_says_status_and_clock() {
        // RFC 9110's own example of a date.
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777 - 600);
        let head = parse("HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n<html>", now).unwrap();
        assert_eq!(head, Head { status: 404, clock_ahead: Some(600), location: None });
        let portal = parse("HTTP/1.1 302 Found\r\nLocation: https://hotel.example/login\r\n\r\n", now).unwrap();
        assert_eq!((portal.location.as_deref(), portal.clock_ahead), (Some("https://hotel.example/login"), None));
        for none in ["", "SSH-2.0-OpenSSH_9.2", "HTTP/1.1\r\n"] {
            assert_eq!(parse(none, now), None, "{none}");
        }
    }
}
