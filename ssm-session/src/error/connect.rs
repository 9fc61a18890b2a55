//! Why no connection, or no websocket on it, could be opened – and what to do about it.

use std::{error::Error, fmt, io, path::PathBuf, sync::Arc, time::Duration};

use tokio_rustls::rustls::{CertificateError, Error as RustlsError};

use super::{SignError, Suffix};
use crate::proxy::ProxyName;

/// The steps of [`connect`](crate::connect()), to say where the time went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectPhase {
    /// Looking up the host name.
    Resolve,
    /// Opening the TCP connection.
    Tcp,
    /// Asking a proxy for a tunnel.
    Proxy,
    /// TLS handshake.
    Tls,
    /// HTTP upgrade to a websocket.
    Upgrade,
}

impl fmt::Display for ConnectPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "name lookup",
            Self::Tcp => "TCP connection",
            Self::Proxy => "tunnel",
            Self::Tls => "TLS handshake",
            Self::Upgrade => "websocket upgrade",
        })
    }
}

/// Why no connection or no websocket could be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host name could not be resolved.
    #[error("cannot resolve {host}")]
    Dns {
        /// The name asked for.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// No address of the host accepted the connection; the error is that of the last one tried.
    #[error("cannot connect to {host}:{port}")]
    Tcp {
        /// Host that was dialled.
        host: String,
        /// Port that was dialled.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The proxy that the connection had to go through did not open a tunnel.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The trust store or the TLS library could not be set up.
    #[error("TLS cannot be used")]
    TlsSetup(#[from] TlsSetupError),
    /// The other side's certificate is not to be trusted.
    #[error("{}", certificate_text(.host, .problem))]
    Certificate {
        /// Host that the certificate should be for.
        host: String,
        /// What is wrong with it.
        problem: CertificateError,
    },
    /// The TLS handshake failed for another reason.
    #[error("the TLS handshake with {host} failed")]
    Tls {
        /// Host that was spoken to.
        host: String,
        /// Holds the `rustls::Error`, if that is the reason.
        #[source]
        source: io::Error,
    },
    /// The upgrade request could not be signed.
    #[error("the websocket upgrade cannot be signed")]
    Sign(#[from] SignError),
    /// The service answered, but not with an upgrade.
    #[error("the service refused the websocket upgrade: HTTP {status}{}", Suffix(.body))]
    Http {
        /// HTTP status.
        status: u16,
        /// The header `x-amzn-ErrorType`, if there was one.
        error_type: Option<String>,
        /// Start of the body, printable.
        body: String,
    },
    /// The connection broke, or the answer was not HTTP, during the upgrade.
    #[error("the websocket upgrade failed")]
    Upgrade(#[source] Box<dyn Error + Send + Sync>),
    /// The time was up.
    #[error("the {phase}{} did not finish within {limit:?}", Through(.proxy))]
    Timeout {
        /// The step that was under way.
        phase: ConnectPhase,
        /// Time allowed for all steps together.
        limit: Duration,
        /// The proxy that it went through.
        proxy: Option<ProxyName>,
    },
}

impl ConnectError {
    /// What the user can do, where that is not plain from the text.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Proxy(error) => Some(error.advice()),
            Self::TlsSetup(error) => error.advice(),
            Self::Certificate { problem, .. } => Some(certificate_advice(problem).to_owned()),
            Self::Timeout { proxy: Some(proxy), .. } => {
                Some(format!("check that the proxy works, or {}", go_around(proxy.variable())))
            }
            _ => None,
        }
    }

    /// Whether only a change to this machine's settings can help.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Proxy(ProxyError::Unusable { .. }) | Self::TlsSetup(_))
    }

    /// Says which proxy a step went through.
    pub(crate) fn through(self, name: &ProxyName) -> Self {
        match self {
            Self::Timeout { phase, limit, proxy: None } => Self::Timeout { phase, limit, proxy: Some(name.clone()) },
            other => other,
        }
    }
}

/// Sorts a failed handshake: whether the certificate was at fault.
pub(crate) fn tls_failed(host: &str, error: io::Error) -> ConnectError {
    let host = host.to_owned();
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(RustlsError::InvalidCertificate(problem)) => ConnectError::Certificate { host, problem: problem.clone() },
        _ => ConnectError::Tls { host, source: error },
    }
}

fn certificate_text(host: &str, error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            format!("the certificate of {host} is signed by an authority that this machine does not trust")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {host} has expired, or this machine's clock is wrong")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {host} is not valid yet, or this machine's clock is wrong")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("what answers as {host} shows a certificate for another name")
        }
        other => format!("the certificate of {host} cannot be trusted: {other:?}"),
    }
}

fn certificate_advice(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => "check this machine's clock",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "check the endpoint's name, and whether this network asks for a login first"
        }
        _ => {
            "if a proxy or firewall inspects TLS here, set AWS_CA_BUNDLE to a PEM file with its certificate authority, \
             for the daemon as well"
        }
    }
}

/// Why no tunnel through a proxy could be opened. No text holds a user or password.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The variable that should name the proxy does not.
    #[error("{variable} names no proxy that can be used: {reason}")]
    Unusable {
        /// The variable.
        variable: &'static str,
        /// What is wrong with its value; holds nothing of it.
        reason: String,
    },
    /// The proxy itself could not be reached.
    #[error("the proxy {proxy} cannot be reached")]
    Unreachable {
        /// The proxy.
        proxy: ProxyName,
        /// The step that failed.
        source: Box<ConnectError>,
    },
    /// The proxy refused.
    #[error("the proxy {proxy} refused a connection to {target}: HTTP {status}{}", Reason(.reason))]
    Refused {
        /// The proxy.
        proxy: ProxyName,
        /// Host and port that were asked for.
        target: String,
        /// HTTP status.
        status: u16,
        /// The words beside it; may be empty.
        reason: String,
        /// The ways to log in that the proxy offers.
        schemes: Vec<String>,
        /// Whether it was given a user and password.
        with_password: bool,
    },
    /// Whatever answered is no HTTP proxy.
    #[error("the proxy {proxy} does not answer as an HTTP proxy: {what}")]
    NotHttp {
        /// The proxy.
        proxy: ProxyName,
        /// What is wrong with its answer.
        what: &'static str,
    },
    /// The connection to the proxy broke.
    #[error("the connection to the proxy {proxy} was lost")]
    Lost {
        /// The proxy.
        proxy: ProxyName,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl ProxyError {
    /// What the user can do.
    pub fn advice(&self) -> String {
        match self {
            Self::Unusable { variable, .. } => format!(
                "write {variable} as http://[user:password@]host:port, with %40 for an @ in the password and the like; or {}",
                go_around(variable)
            ),
            Self::Refused { proxy, status: 407, schemes, with_password, .. } => {
                login_advice(proxy, schemes, *with_password)
            }
            Self::Refused { proxy, status: 401 | 403 | 405, .. } => {
                format!("ask those who run the proxy to allow this host, or {}", go_around(proxy.variable()))
            }
            Self::Refused { proxy, status: 502..=504, .. } => format!(
                "the proxy cannot reach or resolve this host: check the region and endpoint, or {}",
                go_around(proxy.variable())
            ),
            Self::Unreachable { proxy, .. }
            | Self::Refused { proxy, .. }
            | Self::NotHttp { proxy, .. }
            | Self::Lost { proxy, .. } => format!("check {}; or {}", proxy.variable(), go_around(proxy.variable())),
        }
    }
}

fn login_advice(proxy: &ProxyName, schemes: &[String], with_password: bool) -> String {
    let variable = proxy.variable();
    if !schemes.is_empty() && !schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic")) {
        let schemes = schemes.join(", ");
        return format!(
            "it wants a login by {schemes}, and only Basic is supported: run a local proxy that logs in there, and name it in {variable}"
        );
    }
    if with_password {
        format!("check the user and password in {variable}")
    } else {
        format!("it wants a login: write {variable} as http://user:password@host:port")
    }
}

fn go_around(variable: &str) -> String {
    format!("go around the proxy by NO_PROXY or without {variable} (the daemon reads them when it starts)")
}

/// Why TLS could not be set up on this machine.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The system's trust store holds no usable certificate.
    #[error("no root certificates were found on this system{}", List(.errors))]
    NoRoots {
        /// What was looked at and could not be read.
        errors: Vec<String>,
    },
    /// A file of certificates to trust besides the system's cannot be used.
    #[error("{origin} names {}, {problem}", path.display())]
    Bundle {
        /// What names the file.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: BundleProblem,
    },
    /// The TLS library refused its own defaults.
    #[error("the TLS library refused its configuration")]
    Config(#[source] Arc<dyn Error + Send + Sync>),
}

impl TlsSetupError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::NoRoots { .. } => Some(
                "install the system's root certificates (often a package `ca-certificates`), or set SSL_CERT_FILE to a PEM file"
                    .to_owned(),
            ),
            Self::Bundle { origin, .. } => {
                Some(format!("let {origin} name a file with certificates in PEM (-----BEGIN CERTIFICATE-----)"))
            }
            Self::Config(_) => None,
        }
    }
}

/// What is wrong with a file of certificates.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BundleProblem {
    /// It cannot be read.
    #[error("which cannot be read")]
    Unreadable(#[source] Arc<io::Error>),
    /// It holds no certificate.
    #[error("which holds no certificate in PEM")]
    Empty,
    /// One of its certificates is none.
    #[error("whose certificate number {number} cannot be used")]
    Certificate {
        /// Counted from 1.
        number: usize,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
}

/// Writes ` through the proxy …` if there is one.
struct Through<'a>(&'a Option<ProxyName>);

impl fmt::Display for Through<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(proxy) => write!(f, " through the proxy {proxy}"),
            None => Ok(()),
        }
    }
}

/// Writes ` text` unless it is empty.
struct Reason<'a>(&'a str);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " {}", self.0) }
    }
}

/// Writes ` (a; b)` unless there is nothing to list.
struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " ({})", self.0.join("; ")) }
    }
}
