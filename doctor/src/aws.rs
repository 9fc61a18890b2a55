//! What is asked of AWS beside what tunnels themselves need, as traits: the SDK is one implementation, in a crate of its
//! own.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;
use tunnels_daemon::aws::{AwsError, AwsScope, BoxFuture, Candidate, Expiry, SsmApi};

/// Gives access to accounts, by what tunnels say of them.
pub trait Accounts: Send + Sync + fmt::Debug {
    /// The account as a scope leads there. Makes no call.
    fn account<'a>(&'a self, scope: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn Account>, AwsError>>;

    /// When somebody has to log in again, as far as that is known without a call to AWS.
    fn expiry<'a>(&'a self, profile: Option<&'a str>) -> BoxFuture<'a, Option<Expiry>>;
}

/// One account, seen with one scope.
pub trait Account: Send + Sync + fmt::Debug {
    /// The calls that tunnels make.
    fn api(&self) -> &dyn SsmApi;

    /// Where credentials come from, in words: "profile `dev` (SSO login)".
    fn source(&self) -> String;

    /// The base URL that calls of SSM go to, an override or AWS's own.
    fn ssm_url(&self) -> String;

    /// The base URL of the gateway where AWS's own data channels are; none where only the stream URL says.
    fn messages_url(&self) -> Option<String>;

    /// Who the caller is, as STS says.
    fn identity(&self) -> BoxFuture<'_, Result<Identity, AwsError>>;

    /// The managed nodes that a candidate stands for, as the inventory has them: ECS tasks are in none.
    fn nodes<'a>(&'a self, candidate: &'a Candidate) -> BoxFuture<'a, Result<Vec<Node>, AwsError>>;
}

/// Who a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// The user or the assumed role.
    pub arn: String,
}

/// One managed node, as the inventory of Systems Manager has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `i-…` or `mi-…`.
    pub id: String,
    /// `Online`, `ConnectionLost` or `Inactive`. Minutes old.
    pub ping: String,
    /// When it was last heard of.
    pub last_ping: Option<SystemTime>,
    /// Of the SSM agent there.
    pub agent_version: Option<String>,
}

impl Node {
    /// Whether its last ping was seen.
    pub fn is_online(&self) -> bool {
        self.ping == "Online"
    }
}

/// Whether an address belongs to a private network, as those of VPC endpoints do.
pub(crate) fn is_private(address: &IpAddr) -> bool {
    match address {
        // 100.64.0.0/10 is for carriers and used in VPCs.
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_link_local() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
