//! A tunnel as its users see it: what is wanted, what is, and why.
//!
//! Owns the words of the states and the shape of one entry of `tunnels ls --json`. It holds no
//! rules about which state follows which: those are the daemon's lifecycle.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the user wants of a tunnel; remembered across restarts of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    /// The tunnel should carry connections.
    Up,
    /// The tunnel should hold nothing: no port, no session.
    Down,
}

/// What a tunnel is right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TunnelState {
    /// Nothing is bound.
    Down,
    /// The port is bound and there is no session (parked or on demand).
    Listening,
    /// A session is being opened; connections are held.
    Connecting,
    /// The probe has crossed to the remote and it answers.
    Ready,
    /// A session is open, but the remote does not answer; connections are still tried.
    Degraded,
    /// The data channel of every session was lost and is being resumed; streams are frozen.
    Reconnecting,
    /// A call is due and credentials are missing or expired.
    NeedsLogin,
    /// Retrying cannot help; the cause says what to do.
    Failed,
    /// A state that this version does not know: the daemon is newer. Never sent.
    #[serde(other)]
    Unknown,
}

impl TunnelState {
    /// Every state that a tunnel of this version can be in, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Down,
        Self::Listening,
        Self::Connecting,
        Self::Ready,
        Self::Degraded,
        Self::Reconnecting,
        Self::NeedsLogin,
        Self::Failed,
    ];

    /// The word used in JSON, tables and the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Listening => "listening",
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Reconnecting => "reconnecting",
            Self::NeedsLogin => "needs-login",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for TunnelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What kind of thing led to the present state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CauseKind {
    /// Somebody asked for it.
    User,
    /// The configuration changed or is wrong.
    Config,
    /// The service closed the websocket, as it does about every hour.
    ServiceRecycle,
    /// The account's idle timeout ended the session.
    IdlePolicy,
    /// The account's maximum session duration ended the session.
    MaxDuration,
    /// Credentials have expired, or AWS does not know them.
    Credentials,
    /// There are no credentials.
    NoCredentials,
    /// No region is set.
    NoRegion,
    /// There is no such AWS profile.
    NoProfile,
    /// AWS refused the call.
    AccessDenied,
    /// The target is not connected to Systems Manager.
    TargetOffline,
    /// There is no such target.
    NoSuchTarget,
    /// The session document does not exist in this account and region.
    DocumentMissing,
    /// AWS asks us to call less often, or a quota is used up.
    Throttled,
    /// AWS answered with an error of its own.
    ServiceError,
    /// The agent on the target restarted or ended the session.
    AgentRestarted,
    /// The agent stopped acknowledging what it was sent, without a word.
    Unresponsive,
    /// The agent is too old for what is asked of it.
    AgentTooOld,
    /// The network or DNS failed on our side.
    Network,
    /// A proxy between here and AWS refuses, or cannot be used.
    Proxy,
    /// A certificate between here and AWS is not trusted, or the certificates to trust cannot be read.
    Certificate,
    /// The machine slept.
    Sleep,
    /// The remote refused or could not be reached from the target.
    RemoteRefused,
    /// The target cannot find the remote's host.
    NoSuchHost,
    /// The remote did not answer the probe.
    ProbeFailed,
    /// The local port is held by another program.
    PortTaken,
    /// No connection for a while; the session was closed and the port kept.
    Parked,
    /// The other side broke the protocol.
    Protocol,
    /// Messages of the configured `payload` do not get through. Only in the history.
    Payload,
    /// A connection needs a session. Only in the history.
    Connection,
    /// What stood in the way is gone. Only in the history.
    Recovered,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}

impl CauseKind {
    /// Every kind that this version knows.
    pub const ALL: [Self; 32] = [
        Self::User,
        Self::Config,
        Self::ServiceRecycle,
        Self::IdlePolicy,
        Self::MaxDuration,
        Self::Credentials,
        Self::NoCredentials,
        Self::NoRegion,
        Self::NoProfile,
        Self::AccessDenied,
        Self::TargetOffline,
        Self::NoSuchTarget,
        Self::DocumentMissing,
        Self::Throttled,
        Self::ServiceError,
        Self::AgentRestarted,
        Self::Unresponsive,
        Self::AgentTooOld,
        Self::Network,
        Self::Proxy,
        Self::Certificate,
        Self::Sleep,
        Self::RemoteRefused,
        Self::NoSuchHost,
        Self::ProbeFailed,
        Self::PortTaken,
        Self::Parked,
        Self::Protocol,
        Self::Payload,
        Self::Connection,
        Self::Recovered,
        Self::Other,
    ];

    /// Two or three words for where there is no room for the cause's text.
    pub fn words(self) -> &'static str {
        match self {
            Self::User => "asked for",
            Self::Config => "configuration",
            Self::ServiceRecycle => "hourly reconnect",
            Self::IdlePolicy => "idle timeout",
            Self::MaxDuration => "maximum duration",
            Self::Credentials => "credentials expired",
            Self::NoCredentials => "no credentials",
            Self::NoRegion => "no region",
            Self::NoProfile => "no such profile",
            Self::AccessDenied => "access denied",
            Self::TargetOffline => "target offline",
            Self::NoSuchTarget => "no such target",
            Self::DocumentMissing => "document missing",
            Self::Throttled => "throttled by AWS",
            Self::ServiceError => "AWS error",
            Self::AgentRestarted => "agent restarted",
            Self::Unresponsive => "agent silent",
            Self::AgentTooOld => "agent too old",
            Self::Network => "network",
            Self::Proxy => "proxy",
            Self::Certificate => "certificate",
            Self::Sleep => "was asleep",
            Self::RemoteRefused => "remote unreachable",
            Self::NoSuchHost => "remote host unknown",
            Self::ProbeFailed => "no answer",
            Self::PortTaken => "port taken",
            Self::Parked => "parked",
            Self::Protocol => "protocol error",
            Self::Payload => "small payloads",
            Self::Connection => "a connection",
            Self::Recovered => "works again",
            Self::Other => "see status",
        }
    }
}

/// Why a tunnel is in its state, in a form a program and a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// For programs.
    pub kind: CauseKind,
    /// For people: what happened and why, one sentence without a full stop at its end.
    pub text: String,
    /// What the user can do about it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Cause {
    /// A cause with nothing for the user to do.
    pub fn new(kind: CauseKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), next: None }
    }

    /// A few words for a column of a table: by its kind, so that the same trouble reads the same everywhere.
    pub fn short(&self) -> &'static str {
        self.kind.words()
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One tunnel: an entry of `tunnels ls --json` and of `GET /v1/tunnels`.
///
/// `in` is towards the user, `out` towards the remote; sizes are bytes, rates bytes per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TunnelStatus {
    /// Its key in the configuration.
    pub name: String,
    /// What it is.
    pub state: TunnelState,
    /// What the user wants it to be.
    pub wanted: TargetState,
    /// Why it is in this state, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The address to paste: `127.0.0.1:15432`, or `unix:/path`.
    pub local: String,
    /// Whether other machines can reach `local`.
    #[serde(default)]
    pub exposed: bool,
    /// `host:port`, or `:port` for a port of the target itself.
    pub remote: String,
    /// The managed node that carries it, or the candidates' description while none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The AWS profile, if one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The AWS region, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How `ready` is established, which is also what is likely to answer there: `postgres`, `mysql`, `redis`,
    /// `tls`, `http`, `tcp` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// The tunnel's labels, without `@`.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether a bare `up` brings it up.
    #[serde(default = "yes")]
    pub auto: bool,
    /// Whether `up` asks first.
    #[serde(default)]
    pub protected: bool,
    /// Sessions that exist, those being resumed included.
    pub sessions: u32,
    /// Of these, the ones that are being resumed.
    #[serde(default)]
    pub sessions_resuming: u32,
    /// Forwarded connections that are open.
    pub streams: u32,
    /// Bytes towards the user since the tunnel came up.
    pub bytes_in: u64,
    /// Bytes towards the remote since the tunnel came up.
    pub bytes_out: u64,
    /// Bytes per second towards the user.
    pub rate_in: u64,
    /// Bytes per second towards the remote.
    pub rate_out: u64,
    /// Smoothed round trip to the agent, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When the next try is due, while waiting for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// When the credentials run out that calls need, unless somebody renews them; absent where they are renewed
    /// without anybody's doing, and where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_expire: Option<Timestamp>,
    /// The command that renews them, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_renew: Option<String>,
    /// Until when new sessions send small payloads, because messages of the configured `payload` do not get through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_payloads_until: Option<Timestamp>,
}

impl TunnelStatus {
    /// When credentials run out so soon that people are to be warned, or have run out: within 30 minutes.
    pub fn credentials_expire_soon(&self, now: Timestamp) -> Option<Timestamp> {
        self.credentials_expire.filter(|at| at.duration_since(now) <= CREDENTIALS_WARNING)
    }
}

/// So long before credentials run out people are warned: time to finish something and log in.
pub const CREDENTIALS_WARNING: SignedDuration = SignedDuration::from_mins(30);

fn yes() -> bool {
    true
}
