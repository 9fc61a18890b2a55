//! What a simulator is started with: addresses, managed nodes, which agent serves them.
//!
//! Owns the plain values and the text form of a node (`--node`). It starts nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ssm_session::SigningCredentials;

use crate::faults::Faults;
use crate::scenario::Scenario;

/// Port of the API, the gateway and `/_sim` when nothing else is asked for.
pub const DEFAULT_PORT: u16 = 8129;
/// TLS port for the official agent when nothing else is asked for.
pub const DEFAULT_AGENT_PORT: u16 = 9443;
/// The node that exists when no other is named.
pub const DEFAULT_NODE: &str = "i-0123456789abcdef0";

/// Everything [`Simulator::start`](crate::Simulator::start) needs to know.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where the API, the client's gateway and `/_sim` listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The region that the API answers for (only `--strict` looks at it).
    pub region: String,
    /// The managed nodes. With an external agent, nodes that connect are added.
    pub nodes: Vec<Node>,
    /// Names of further port session documents that exist in this account.
    pub documents: Vec<String>,
    /// Host names that the built-in agents resolve without DNS, in lower case.
    pub names: BTreeMap<String, IpAddr>,
    /// Who plays the agent.
    pub agent: AgentKind,
    /// Verify signatures of API calls and websocket upgrades made with these credentials.
    pub strict: Option<SigningCredentials>,
    /// Makes every random choice repeatable; `None` takes a new seed.
    pub seed: Option<u64>,
    /// The faults in force from the start, unless there is a scenario.
    pub faults: Faults,
    /// What goes wrong when; it has faults of its own from the start, and may have a seed.
    pub scenario: Option<Scenario>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            region: "us-east-1".to_owned(),
            nodes: vec![Node::default()],
            documents: Vec::new(),
            names: BTreeMap::new(),
            agent: AgentKind::BuiltIn(AgentPace::Real),
            strict: None,
            seed: None,
            faults: Faults::default(),
            scenario: None,
        }
    }
}

/// Who plays the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentKind {
    /// The agent in this crate, one per session, dialling real TCP.
    BuiltIn(AgentPace),
    /// The official agent, which connects to a TLS port of ours.
    External {
        /// Where the TLS port listens; port 0 picks a free one.
        listen: SocketAddr,
        /// Where the certificate of the port's certificate authority is written (PEM).
        ca_out: Option<PathBuf>,
    },
}

/// How fast the built-in agent sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AgentPace {
    /// The official agent's habits: 1 024 bytes, then a pause of 1 ms; head-only resend.
    #[default]
    Real,
    /// No pause and everything unacknowledged is sent again: for measuring the client.
    Fast,
}

impl FromStr for AgentPace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "real" => Ok(Self::Real),
            "fast" => Ok(Self::Fast),
            other => Err(format!("agent pace is `real` or `fast`, not `{other}`")),
        }
    }
}

/// One managed node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `i-…`, `mi-…` or `ecs:…`.
    pub id: String,
    /// Shown as `ComputerName`.
    pub name: String,
    /// What `tag:<key>` filters find.
    pub tags: BTreeMap<String, String>,
}

impl Node {
    /// A node whose `Name` tag is its name.
    pub fn named(id: impl Into<String>, name: impl Into<String>) -> Self {
        let name = name.into();
        let tags = BTreeMap::from([("Name".to_owned(), name.clone())]);
        Self { id: id.into(), name, tags }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::named(DEFAULT_NODE, "demo-bastion")
    }
}

impl FromStr for Node {
    type Err = String;

    /// Reads `ID[=NAME][,KEY=VALUE…]`; without a name the node is called as its id.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, rest) = text.split_once('=').unwrap_or((text, ""));
        if !is_target(id) {
            return Err(format!("`{id}` is no node id: i-…, mi-… or ecs:cluster_task_runtime-id"));
        }
        let mut parts = rest.split(',').filter(|part| !part.is_empty()).peekable();
        let name = parts.next_if(|part| !part.contains('=')).unwrap_or(id);
        let mut node = Self::named(id, name);
        for part in parts {
            let Some((key, value)) = part.split_once('=') else {
                return Err(format!("`{part}` is no tag: write KEY=VALUE"));
            };
            node.tags.insert(key.to_owned(), value.to_owned());
        }
        Ok(node)
    }
}

/// Whether `text` has the form of a StartSession target (docs/protocol.md §1.5).
pub(crate) fn is_target(text: &str) -> bool {
    let hex = |rest: &str, lengths: &[usize]| {
        lengths.contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if let Some(rest) = text.strip_prefix("i-") {
        hex(rest, &[8, 17])
    } else if let Some(rest) = text.strip_prefix("mi-") {
        hex(rest, &[17])
    } else if let Some(rest) = text.strip_prefix("ecs:") {
        rest.splitn(3, '_').filter(|part| !part.is_empty()).count() == 3
    } else {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_read_with_its_name_and_tags() {
        let node: Node = "i-0123456789abcdef1=web,env=dev,team=orders".parse().unwrap();
        assert_eq!(node.id, "i-0123456789abcdef1");
        assert_eq!(node.name, "web");
        assert_eq!(node.tags["Name"], "web");
        assert_eq!(node.tags["team"], "orders");
        let bare: Node = "mi-0123456789abcdef0".parse().unwrap();
        assert_eq!(bare.name, bare.id);
        let tags_only: Node = "i-01234567=Name=x".parse().unwrap();
        assert_eq!(tags_only.tags["Name"], "x");
    }

    #[test]
    fn what_is_no_node_is_refused() {
        assert!("bastion".parse::<Node>().is_err());
        assert!("i-xyz".parse::<Node>().is_err());
        assert!("i-01234567=name,oops".parse::<Node>().is_err());
        assert!(is_target("ecs:cluster_task_runtime-1"));
        assert!(!is_target("ecs:cluster_task"));
    }
}
