//! From the configured candidates to managed nodes, in the order in which they are to be tried.
//!
//! A name is taken as it is; a tag is looked up. It does not start sessions and does not decide which
//! failure moves on to the next candidate: that is `tunnel/connect.rs`.

use super::{AwsError, SsmApi, TagFilter};
use std::fmt;

/// One entry of a tunnel's `target`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Candidate {
    /// `i-…`, `mi-…` or `ecs:…`.
    Id(String),
    /// Whatever node has this tag.
    Tag(TagFilter),
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
        }
    }
}

/// What a candidate stands for right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// Nodes to try, in this order.
    Nodes(Vec<String>),
    /// The tag finds nothing at all.
    Nothing,
    /// The tag finds nodes, but none is online.
    AllOffline(usize),
}

impl Candidate {
    /// Finds the nodes.
    pub(crate) async fn resolve(&self, api: &dyn SsmApi) -> Result<Resolved, AwsError> {
        let tag = match self {
            Self::Id(id) => return Ok(Resolved::Nodes(vec![id.clone()])),
            Self::Tag(tag) => tag,
        };
        let found = api.describe_instances(tag).await?;
        if found.is_empty() {
            return Ok(Resolved::Nothing);
        }
        let total = found.len();
        let mut online: Vec<String> =
            found.into_iter().filter(|instance| instance.online).map(|instance| instance.id).collect();
        // docs/protocol.md §1.4: the service's order is not documented; sorted, a tag target is stable.
        online.sort();
        Ok(if online.is_empty() { Resolved::AllOffline(total) } else { Resolved::Nodes(online) })
    }
}
