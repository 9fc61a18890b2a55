//! Whether a managed node is there that can carry a tunnel: found, online, and with its channel open.

use super::permission::Place;
use super::refused::{self, Asked};
use crate::aws::{Account, Identity, Node};
use futures_util::future::join_all;
use std::time::SystemTime;
use tunnels_api::{Check, Finding, Verdict};
use tunnels_daemon::aws::{AwsError, Candidate};
use tunnels_daemon::config::TunnelConfig;

/// Of the nodes that a tag finds, so many are asked whether they are connected: tunnels take the first that is.
const MOST_ASKED: usize = 3;

const SET_UP: &str = "a node needs the SSM agent, an instance role with AmazonSSMManagedInstanceCore, and a way to the endpoints \
                      ssm and ssmmessages of its region (NAT or VPC endpoints)";

/// What AWS says of one entry of `target`.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) candidate: Candidate,
    /// As the inventory has them, by id.
    pub(crate) nodes: Result<Vec<Node>, AwsError>,
    /// Whether nodes are connected right now.
    pub(crate) connected: Vec<(String, Result<bool, AwsError>)>,
}

/// What came of a tunnel's targets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) finding: Finding,
    /// The node that would carry it, with the agent's version where the inventory has it.
    pub(crate) carrier: Option<(String, Option<String>)>,
}

pub(crate) async fn ask(account: &dyn Account, candidate: &Candidate) -> Seen {
    let status = async |id: String| {
        let connected = account.api().connection_status(&id).await;
        (id, connected)
    };
    match candidate {
        Candidate::Id(id) => {
            let (nodes, connected) = tokio::join!(account.nodes(candidate), status(id.clone()));
            Seen { candidate: candidate.clone(), nodes, connected: vec![connected] }
        }
        Candidate::Tag(_) => {
            let nodes = account.nodes(candidate).await.map(|mut nodes| {
                nodes.sort_by(|a, b| a.id.cmp(&b.id));
                nodes
            });
            let online = nodes.iter().flatten().filter(|node| node.is_online()).take(MOST_ASKED);
            let connected = join_all(online.map(|node| status(node.id.clone()))).await;
            Seen { candidate: candidate.clone(), nodes, connected }
        }
    }
}

/// What is known beside the target itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) tunnel: &'a TunnelConfig,
    pub(crate) place: Place<'a>,
    pub(crate) who: Option<&'a Identity>,
    pub(crate) now: SystemTime,
}

impl About<'_> {
    /// ` in eu-west-1 of account 123456789012`
    fn here(self) -> String {
        let account = self.who.map_or_else(String::new, |who| format!(" of account {}", who.account));
        format!(" in {}{account}", self.place.region)
    }

    fn refused(self, error: &AwsError, action: &str, node: &str) -> Finding {
        let asked = Asked { check: Check::Target, action, tunnel: self.tunnel, node, place: self.place };
        refused::judge(error.clone(), asked)
    }
}

impl Outcome {
    fn fails(finding: Finding) -> Self {
        Self { finding, carrier: None }
    }

    fn carries(id: &str, version: Option<String>, finding: Finding) -> Self {
        Self { finding, carrier: Some((id.to_owned(), version)) }
    }
}

pub(crate) fn judge(seen: &[Seen], about: About<'_>) -> Outcome {
    let mut failures: Vec<Finding> = Vec::new();
    for candidate in seen {
        let Outcome { finding, carrier } = match &candidate.candidate {
            Candidate::Id(id) => of_id(id, candidate, about),
            Candidate::Tag(tag) => of_tag(&format!("tag:{tag}"), candidate, about),
        };
        let Some((id, version)) = carrier else {
            failures.push(finding);
            continue;
        };
        let Some(first) = failures.into_iter().next() else { return Outcome::carries(&id, version, finding) };
        let text = format!("{}; {id} carries the tunnel instead", first.text);
        return Outcome::carries(&id, version, Finding { verdict: Verdict::Warn, text, ..first });
    }
    let others: Vec<String> = failures.iter().skip(1).map(|finding| finding.text.clone()).collect();
    let none = || Finding::fail(Check::Target, "no target is configured");
    let mut finding = failures.into_iter().next().unwrap_or_else(none);
    if !others.is_empty() {
        let said = finding.evidence.take().map(|said| format!("{said}; ")).unwrap_or_default();
        finding.evidence = Some(format!("{said}nor the others: {}", others.join("; ")));
    }
    Outcome::fails(finding)
}

fn of_id(id: &str, seen: &Seen, about: About<'_>) -> Outcome {
    let connected = seen.connected.first().map(|(_, connected)| connected);
    let node = match &seen.nodes {
        Ok(nodes) => nodes.iter().find(|node| node.id == id),
        // Who may not list nodes may open sessions all the same, and ask whether one is connected.
        Err(AwsError::AccessDenied(_)) => None,
        Err(error) => return Outcome::fails(about.refused(error, "ssm:DescribeInstanceInformation", id)),
    };
    let version = node.and_then(|node| node.agent_version.clone());
    match connected {
        Some(Ok(true)) => {
            let text = format!("{id} is connected{}", about.here());
            Outcome::carries(id, version, Finding::ok(Check::Target, text))
        }
        Some(Err(AwsError::AccessDenied(_))) if node.is_none_or(Node::is_online) => {
            let text = format!("whether {id} is connected may not be asked; a session will show");
            Outcome::carries(id, version, Finding::ok(Check::Target, text))
        }
        Some(Err(error)) if !matches!(error, AwsError::AccessDenied(_)) => {
            Outcome::fails(about.refused(error, "ssm:GetConnectionStatus", id))
        }
        _ => Outcome::fails(offline(id, node, seen.nodes.is_ok(), about)),
    }
}

/// Why a node is not connected, as far as the inventory tells.
fn offline(id: &str, node: Option<&Node>, was_listed: bool, about: About<'_>) -> Finding {
    let here = about.here();
    match node {
        Some(node) if node.is_online() => channel_closed(id, &here),
        Some(node) => {
            let text = format!("{id} is not online{here}");
            let heard = node.last_ping.and_then(|at| about.now.duration_since(at).ok());
            let heard = heard
                .map_or_else(String::new, |ago| format!(", last heard of {} ago", crate::span::words(ago.as_secs())));
            Finding::fail(Check::Target, text)
                .with_evidence(format!("its ping status is {}{heard}", node.ping))
                .with_next("start the instance, or its SSM agent on it: sudo systemctl restart amazon-ssm-agent")
        }
        None if id.starts_with("ecs:") => {
            Finding::fail(Check::Target, format!("the container {id} is not connected{here}")).with_next(
                "check cluster, task and runtime id: a task that was replaced has others; the service needs ECS Exec \
                 (aws ecs describe-tasks shows ExecuteCommandAgent)",
            )
        }
        None if was_listed => Finding::fail(Check::Target, format!("there is no managed node {id}{here}"))
            .with_evidence("it is not in the inventory of Systems Manager, and it is not connected")
            .with_next(format!("check `target`, and that `profile` and `region` are its own; {SET_UP}")),
        None => Finding::fail(Check::Target, format!("{id} is not connected to Systems Manager{here}"))
            .with_next(format!("check that it runs, and that `profile` and `region` are its own; {SET_UP}")),
    }
}

/// The inventory hears of it, over another endpoint than the one that sessions need.
fn channel_closed(id: &str, here: &str) -> Finding {
    let text = format!("{id} is online{here}, but its channel for sessions is not open");
    Finding::fail(Check::Target, text)
        .with_evidence("its ping status is Online, which may be minutes old, and its connection status is notconnected")
        .with_next(
            "if it does not pass in a few minutes: its role needs the ssmmessages actions of AmazonSSMManagedInstanceCore, and \
             its subnet a way to the endpoint ssmmessages; then restart its SSM agent",
        )
}

fn of_tag(tag: &str, seen: &Seen, about: About<'_>) -> Outcome {
    let here = about.here();
    let nodes = match &seen.nodes {
        Ok(nodes) => nodes,
        Err(error) => return Outcome::fails(about.refused(error, "ssm:DescribeInstanceInformation", tag)),
    };
    let online: Vec<&Node> = nodes.iter().filter(|node| node.is_online()).collect();
    let Some(first) = online.first() else { return Outcome::fails(none_online(tag, nodes, &here)) };
    // One that may not be asked is taken as it comes.
    let is_connected = |node: &&Node| {
        let known = seen.connected.iter().find(|(id, _)| *id == node.id);
        known.is_none_or(|(_, connected)| !matches!(connected, Ok(false)))
    };
    let Some(carrier) = online.iter().copied().find(is_connected) else {
        return Outcome::fails(channel_closed(&first.id, &here));
    };
    let finding = if online.len() == 1 {
        let text = format!("{} is connected{here}", carrier.id);
        Finding::ok(Check::Target, text).with_evidence(format!("found by {tag}"))
    } else {
        let (count, id) = (online.len(), &carrier.id);
        let text = format!("{count} nodes that are online have {tag}: the first by id, {id}, carries the tunnel");
        Finding::warn(Check::Target, text)
            .with_evidence(format!("found: {}", ids(&online)))
            .with_next("nothing, if any of them will do; otherwise name its id, or a tag that only it has")
    };
    Outcome::carries(&carrier.id, carrier.agent_version.clone(), finding)
}

/// Nobody has the tag, or nobody who is online.
fn none_online(tag: &str, nodes: &[Node], here: &str) -> Finding {
    let text = match nodes {
        [] => {
            let tag = tag.trim_start_matches("tag:");
            return Finding::fail(Check::Target, format!("no managed node has the tag {tag}{here}")).with_next(
                format!("check the tag's key and value, and that `profile` and `region` are its node's; {SET_UP}"),
            );
        }
        [one] => format!("the node with {tag}, {}, is not online{here}", one.id),
        many => format!("none of the {} nodes with {tag} is online{here}", many.len()),
    };
    Finding::fail(Check::Target, text)
        .with_evidence(format!("found: {}", ids(&nodes.iter().collect::<Vec<_>>())))
        .with_next("start one of them, or its SSM agent on it: sudo systemctl restart amazon-ssm-agent")
}

/// The first few, by name.
fn ids(nodes: &[&Node]) -> String {
    let shown: Vec<&str> = nodes.iter().take(MOST_ASKED).map(|node| node.id.as_str()).collect();
    let more = if nodes.len() > MOST_ASKED { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests;
