//! `DescribeInstanceInformation` and `GetConnectionStatus`: which nodes there are.

use serde::{Deserialize, Serialize};

use super::{ApiError, Page};
use crate::config::Node;
use crate::service::Service;

/// What the nodes say of their agent; the built-in one is no newer than what it imitates.
pub(crate) const AGENT_VERSION: &str = "3.3.987.0";

const FILTER_KEYS: [&str; 13] = [
    "ActivationIds",
    "AgentVersion",
    "AssociationStatus",
    "IamRole",
    "InstanceIds",
    "PingStatus",
    "PlatformType",
    "PlatformTypes",
    "ResourceType",
    "SourceIds",
    "SourceTypes",
    "Status",
    "tag-key",
];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeRequest {
    filters: Option<Vec<Filter>>,
    instance_information_filter_list: Option<Vec<Filter>>,
    max_results: Option<u32>,
    next_token: Option<String>,
}

/// Both spellings: `{"Key", "Values"}` and the legacy `{"key", "valueSet"}`.
#[derive(Debug, Deserialize)]
struct Filter {
    #[serde(alias = "Key")]
    key: String,
    #[serde(alias = "Values", rename = "valueSet")]
    values: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeResponse {
    instance_information_list: Vec<InstanceInformation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceInformation {
    instance_id: String,
    ping_status: &'static str,
    last_ping_date_time: f64,
    agent_version: String,
    is_latest_version: bool,
    platform_type: &'static str,
    platform_name: &'static str,
    platform_version: &'static str,
    resource_type: &'static str,
    #[serde(rename = "IPAddress")]
    ip_address: &'static str,
    computer_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl InstanceInformation {
    fn of(node: &Node, online: bool, agent_version: String, now: f64) -> Self {
        let managed = node.id.starts_with("mi-");
        Self {
            instance_id: node.id.clone(),
            ping_status: if online { "Online" } else { "ConnectionLost" },
            last_ping_date_time: now,
            agent_version,
            is_latest_version: true,
            platform_type: "Linux",
            platform_name: "Amazon Linux",
            platform_version: "2023",
            resource_type: if managed { "ManagedInstance" } else { "EC2Instance" },
            ip_address: "127.0.0.1",
            computer_name: node.name.clone(),
            // AWS fills in `Name` for hybrid nodes only.
            name: managed.then(|| node.name.clone()),
        }
    }

    fn matches(&self, node: &Node, filter: &Filter) -> bool {
        let any = |value: &str| filter.values.iter().any(|wanted| wanted == value);
        match filter.key.as_str() {
            "InstanceIds" => any(&self.instance_id),
            "PingStatus" => any(self.ping_status),
            "AgentVersion" => any(&self.agent_version),
            "PlatformType" | "PlatformTypes" => any(self.platform_type),
            "ResourceType" => any(self.resource_type),
            "tag-key" => node.tags.keys().any(|key| any(key)),
            key => key.strip_prefix("tag:").and_then(|tag| node.tags.get(tag)).is_some_and(|value| any(value)),
        }
    }
}

pub(super) fn describe(service: &Service, request: &DescribeRequest) -> Result<DescribeResponse, ApiError> {
    let filters = match (&request.filters, &request.instance_information_filter_list) {
        (Some(_), Some(_)) => {
            return Err(ApiError::validation("Filters and InstanceInformationFilterList cannot be used together."));
        }
        (Some(filters), None) | (None, Some(filters)) => filters.as_slice(),
        (None, None) => &[],
    };
    check(filters)?;
    let (region, account) = (service.region(), crate::service::ACCOUNT);
    service.allow("ssm:DescribeInstanceInformation", || format!("arn:aws:ssm:{region}:{account}:*"))?;
    let page = Page::read(request.max_results, 10, 5..=50, request.next_token.as_deref())?;

    let now = super::epoch_seconds(jiff::Timestamp::now());
    let version =
        service.faults.look(|faults| faults.agent_version.clone()).unwrap_or_else(|| AGENT_VERSION.to_owned());
    let found: Vec<_> = service
        .nodes()
        .iter()
        // Nodes of ECS tasks are not listed (docs/protocol.md §1.4).
        .filter(|node| !node.id.starts_with("ecs:"))
        .map(|node| (node, InstanceInformation::of(node, service.is_online(&node.id), version.clone(), now)))
        .filter(|(node, info)| filters.iter().all(|filter| info.matches(node, filter)))
        .map(|(_, info)| info)
        .collect();
    let (instance_information_list, next_token) = page.cut(found)?;
    Ok(DescribeResponse { instance_information_list, next_token })
}

fn check(filters: &[Filter]) -> Result<(), ApiError> {
    for filter in filters {
        if !filter.key.starts_with("tag:") && !FILTER_KEYS.contains(&filter.key.as_str()) {
            return Err(ApiError::invalid_filter_key(&filter.key));
        }
        if filter.values.is_empty() {
            return Err(ApiError::invalid_filter_value(format!("{} has no value.", filter.key)));
        }
    }
    // docs/protocol.md §1.4: a tag filter cannot be combined with filters of another type.
    let tags = filters.iter().filter(|filter| filter.key.starts_with("tag")).count();
    if tags != 0 && tags != filters.len() {
        return Err(ApiError::invalid_filter_value("Tag filters cannot be combined with other filters."));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StatusRequest {
    pub(super) target: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StatusResponse {
    target: String,
    status: &'static str,
}

pub(super) fn connection_status(service: &Service, request: StatusRequest) -> Result<StatusResponse, ApiError> {
    let StatusRequest { target } = request;
    let (region, account) = (service.region(), crate::service::ACCOUNT);
    service.allow("ssm:GetConnectionStatus", || format!("arn:aws:ec2:{region}:{account}:instance/{target}"))?;
    let status = if service.is_connected(&target) { "connected" } else { "notconnected" };
    Ok(StatusResponse { target, status })
}
