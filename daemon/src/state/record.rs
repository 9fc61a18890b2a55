//! The content of the state file.

use crate::aws::{AwsScope, Endpoints};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tunnels_api::{TargetState, Timestamp};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Content {
    #[serde(default)]
    pub(super) wanted: BTreeMap<String, TargetState>,
    #[serde(default)]
    pub(super) sessions: BTreeMap<String, SessionRecord>,
    /// Calls of StartSession that were not answered, by the reason they gave.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) starts: BTreeMap<String, StartRecord>,
}

/// Where a session lives, and so where it is to be terminated: as resolved when it was opened, since the
/// environment of the next daemon may resolve otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    pub(crate) tunnel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// None means AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ssm_endpoint: Option<String>,
    /// The same of STS: the profile may assume a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sts_endpoint: Option<String>,
}

impl SessionRecord {
    pub(crate) fn scope(&self) -> AwsScope {
        let (ssm, sts) = (self.ssm_endpoint.clone(), self.sts_endpoint.clone());
        AwsScope {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoints: Endpoints { ssm, sts, ..Endpoints::default() },
        }
    }
}

/// A call of StartSession, and where the session lives that it may have made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartRecord {
    #[serde(flatten)]
    pub(crate) session: SessionRecord,
    /// The node that was asked.
    pub(crate) target: String,
    /// When it was called.
    pub(crate) at: Timestamp,
}
