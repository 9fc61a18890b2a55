//! Bodies of requests and answers that are not a tunnel's status, an event or an error.

use crate::status::TunnelStatus;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;

/// The answer of `GET /v1/tunnels` and the output of `tunnels ls --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tunnels {
    /// In the order of the configuration.
    pub tunnels: Vec<TunnelStatus>,
    /// The report on the last edit of the configuration, if it was rejected: the one before is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_error: Option<String>,
}

/// The body of `POST /v1/up` and `POST /v1/down`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectRequest {
    /// Names, `@group`s and globs. None means all; for `up`, all with `auto`.
    #[serde(default)]
    pub select: Vec<String>,
    /// For `up`: recorded by AWS with every session that these tunnels open until they go down, instead
    /// of the configured reason. 1 to 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of `POST /v1/tunnels/{name}/up`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpRequest {
    /// As in [`SelectRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer of `POST /v1/reload`: what the configuration as it is now has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Tunnels that are new.
    pub added: Vec<String>,
    /// Tunnels that are gone; their open connections get some time to end.
    pub removed: Vec<String>,
    /// Tunnels whose keys have changed.
    pub changed: Vec<String>,
    /// Of the changed ones, those that get a new session or port.
    pub restarted: Vec<String>,
}

/// The answer to a command: it was accepted, which is not yet that it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The names of the tunnels that the command is about.
    pub tunnels: Vec<String>,
}

/// The body of `POST /v1/stop`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// How long open connections may go on, in milliseconds; the daemon's own default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_ms: Option<u64>,
}

/// The answer of `GET /v1/version`: which daemon this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonVersion {
    /// Its version.
    pub version: String,
    /// The commit it was built from, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Its process id.
    pub pid: u32,
    /// The socket it listens on.
    pub socket: String,
    /// The configuration file it runs with, absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// When the configuration in force was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_loaded: Option<Timestamp>,
    /// The report on the last edit of the configuration, if it was rejected: the one before is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_error: Option<String>,
    /// The AWS variables it was started with, as [`aws_environment`] shows them.
    #[serde(default)]
    pub aws_environment: BTreeMap<String, String>,
    /// The service that it is, as the service manager calls it; none where it was started by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl DaemonVersion {
    /// How this daemon gets other AWS variables than it has, as the end of a sentence about those: a shell's are not a
    /// service's, and each service manager keeps them elsewhere.
    pub fn way_to_variables(&self) -> String {
        const ANEW: &str = "tunnels daemon --takeover";
        match self.service.as_deref() {
            None => format!("to use this shell's: {ANEW}"),
            Some(service) if service.ends_with(".service") => {
                let folder = std::env::var("XDG_CONFIG_HOME").ok().filter(|path| path.starts_with('/'));
                let folder = folder.as_deref().unwrap_or("~/.config");
                format!("to have them there: a line NAME=value each in {folder}/tunnels/environment, then {ANEW}")
            }
            Some(_) => "to have them there: launchctl setenv NAME value, then tunnels service install".to_owned(),
        }
    }
}

/// The output of `tunnels version --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The version of the command line.
    pub version: String,
    /// The commit it was built from, or `unknown`.
    pub commit: String,
    /// When that was made, where known: the date of the source, not of the build, so that the same source gives the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Timestamp>,
    /// The daemon, if one runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon: Option<DaemonVersion>,
}

/// Picks out of `vars`, usually [`std::env::vars_os`], the variables that decide where, how and as whom calls
/// to AWS are made.
///
/// Values that are secret, or lead to a secret, are left out or reduced: of an access key id only
/// the last four characters stay, which is enough to see that two shells differ, and of a proxy its address.
pub fn aws_environment(vars: impl IntoIterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    const SHOWN: [&str; 12] = [
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
        "AWS_ROLE_ARN",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "SSL_CERT_FILE",
        "NO_PROXY",
        "no_proxy",
    ];
    const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    vars.into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| {
            if SHOWN.contains(&name.as_str()) || name.starts_with("AWS_ENDPOINT_URL") {
                Some((name, value))
            } else if PROXIES.contains(&name.as_str()) {
                Some((name, without_login(&value)))
            } else if name == "AWS_ACCESS_KEY_ID" {
                let tail = value.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
                Some((name, format!("…{}", &value[tail..])))
            } else {
                None
            }
        })
        .collect()
}

/// A proxy's address without user and password. What is not plainly an address may be part of a password.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address).trim_end_matches('/');
    let port = address.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = port.ends_with(']') || port.bytes().all(|digit| digit.is_ascii_digit());
    if is_port { format!("{scheme}://{address}") } else { "…".to_owned() }
}
