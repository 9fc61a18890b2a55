//! What the daemon wants of AWS, as traits: the SDK is one implementation, in a crate of its own, so that
//! nothing here or in the tests builds it.
//!
//! Owns the typed answers and errors. It makes no call and retries nothing: when to call again is the
//! lifecycle's decision.

mod connection;
mod endpoint;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod profile;
mod target;

pub use crate::watch::Watched;
pub use endpoint::{EndpointError, check_endpoint, endpoint_host, is_loopback};
pub use error::{AwsError, Obstacle};
pub use futures_util::future::BoxFuture;
pub use ssm_proto::TokenValue;
pub use target::Candidate;
pub(crate) use target::Resolved;

use ssm_session::{Connect, ConnectError, KeepAlive, Network, SigningCredentials, Transport, connect_with};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

/// Whose credentials, which region, which endpoints: one AWS client serves one scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AwsScope {
    /// A named profile; the SDK's default chain if absent.
    pub profile: Option<String>,
    /// The region; the profile's or environment's if absent.
    pub region: Option<String>,
    /// Overrides of the service endpoints.
    pub endpoints: Endpoints,
}

/// Endpoint overrides (`PrivateLink`, or the simulator).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Base URL of the SSM API.
    pub ssm: Option<String>,
    /// Replaces scheme, host and port of the stream URL.
    pub ssmmessages: Option<String>,
    /// Base URL of KMS.
    pub kms: Option<String>,
    /// Base URL of STS.
    pub sts: Option<String>,
}

/// What `StartSession` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartSession {
    /// The managed node.
    pub target: String,
    /// The session document.
    pub document: String,
    /// The document's parameters; every value is a list (docs/protocol.md §1.2).
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Shows in `CloudTrail`.
    pub reason: Option<String>,
}

/// What opens a data channel: from `StartSession` and again from every `ResumeSession`.
pub struct SessionGrant {
    /// The session's id.
    pub session_id: String,
    /// Where its data channel is; empty on a resume means: where it was.
    pub stream_url: String,
    /// Proves to the gateway that the channel is ours; works once.
    pub token: TokenValue,
}

impl fmt::Debug for SessionGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionGrant").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

/// A filter of `DescribeInstanceInformation`, by tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TagFilter {
    /// The tag's key.
    pub key: String,
    /// The value it must have.
    pub value: String,
}

impl fmt::Display for TagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// One managed node of `DescribeInstanceInformation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `i-…` or `mi-…`.
    pub id: String,
    /// Whether its last ping was seen (`PingStatus` is `Online`). Minutes old.
    pub online: bool,
}

/// A session as DescribeSessions tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSeen {
    /// Its id.
    pub id: String,
    /// What was sent as the reason for it.
    pub reason: Option<String>,
}

/// When credentials run out for good: from then on only the user can get others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// When.
    pub at: SystemTime,
    /// The command that renews them, where known.
    pub renew: Option<String>,
}

/// The calls of the SSM API that tunnels need, within one [`AwsScope`].
pub trait SsmApi: Send + Sync + fmt::Debug {
    /// Opens a session.
    fn start_session(&self, request: StartSession) -> BoxFuture<'_, Result<SessionGrant, AwsError>>;

    /// Gets a new token for a session. `None` when the service says, by an empty token, that the
    /// session has timed out.
    fn resume_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<SessionGrant>, AwsError>>;

    /// Ends a session; ending one that is gone is no error.
    fn terminate_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), AwsError>>;

    /// The caller's account's sessions on a target that have not ended, a few thousand at most.
    fn active_sessions<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Vec<SessionSeen>, AwsError>>;

    /// How long a session may live, if the service says so (docs/protocol.md §7.2).
    fn session_limit<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Duration>, AwsError>>;

    /// All nodes with that tag, in any order.
    fn describe_instances<'a>(&'a self, tag: &'a TagFilter) -> BoxFuture<'a, Result<Vec<Instance>, AwsError>>;

    /// Whether the node's agent is connected right now.
    fn connection_status<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<bool, AwsError>>;

    /// Credentials to sign the websocket upgrade with: those of the calls, for as long as they last.
    fn credentials(&self) -> BoxFuture<'_, Result<SigningCredentials, AwsError>>;

    /// The region calls go to.
    fn region(&self) -> String;

    /// The base URL calls go to, where it is not AWS's own.
    fn endpoint(&self) -> Option<String>;

    /// Through which proxy, and trusting whom, connections are opened: those of the calls and the websockets alike.
    fn network(&self) -> Network;

    /// Whether the user wants FIPS endpoints.
    fn wants_fips(&self) -> bool {
        false
    }

    /// What replaces scheme, host and port of stream URLs, if anything.
    fn messages_endpoint(&self) -> Option<String> {
        None
    }

    /// Opens a data channel; tests put another network in its place.
    fn open_channel<'a>(
        &'a self,
        request: Connect<'a>,
        keep_alive: KeepAlive,
    ) -> BoxFuture<'a, Result<Transport, ConnectError>> {
        Box::pin(connect_with(request, keep_alive))
    }
}

/// Makes clients: the seam between the daemon and the SDK.
pub trait AwsConnector: Send + Sync + fmt::Debug {
    /// Builds a client for a scope. Reads configuration and credentials anew, so that a login that has
    /// happened since is seen.
    fn connect<'a>(&'a self, scope: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>>;

    /// Says that a client's credentials are of no use any more: the next [`connect`](Self::connect) must not
    /// give it out again. One that keeps no clients has nothing to do.
    fn forget(&self, scope: &AwsScope, api: &Arc<dyn SsmApi>) {
        let _ = (scope, api);
    }

    /// The files and folders from which profiles and credentials are read; none where nothing of the user's counts.
    fn credential_files(&self) -> Vec<Watched> {
        Vec::new()
    }

    /// Says that credentials may be others now – one of these files has changed, or a user asks for a tunnel: what
    /// could not be had before may be had. What is good stays, so that nobody who has credentials notices.
    fn credentials_may_be_others(&self) {}

    /// When the credentials of a profile, or of the environment, run out unless the user does something, as far as
    /// that is known. Those that are renewed without anybody's doing have no such time, until their renewal fails.
    fn expiry<'a>(&'a self, profile: Option<&'a str>) -> BoxFuture<'a, Option<Expiry>> {
        let _ = profile;
        Box::pin(async { None })
    }
}
