//! Basti's configuration: `.basti.yaml`, `.basti.yml` or `.basti.json` (which YAML includes).
//!
//! A connection names a target, or has one in it. Only custom targets have a host; the others are identifiers that
//! Basti looks up in RDS or ElastiCache, and this program connects to hosts. Its format:
//! <https://github.com/basti-app/basti/blob/main/docs/reference/configuration-file.md>.

use crate::{Forward, Refusal, Report, name};
use saphyr::{LoadableYamlNode as _, MarkedYaml};

/// Larger than any of Basti's files; a tree that is nested more deeply than such a text can be is not built.
const MAX_SIZE: usize = 64 << 10;
const MAX_BRACKETS: usize = 4096;
const MAX_DASHES: usize = 100;

/// Targets that are looked up, with the command that tells the host of one.
const LOOKED_UP: &[(&str, &str, &str)] = &[
    (
        "rdsInstance",
        "an RDS instance",
        "aws rds describe-db-instances --db-instance-identifier ID --query 'DBInstances[0].Endpoint'",
    ),
    (
        "rdsCluster",
        "an RDS cluster",
        "aws rds describe-db-clusters --db-cluster-identifier ID --query 'DBClusters[0].[Endpoint,Port]'",
    ),
    (
        "elasticacheRedisCluster",
        "an ElastiCache cluster",
        "aws elasticache describe-replication-groups --replication-group-id ID --query \
         'ReplicationGroups[0].[ConfigurationEndpoint,NodeGroups[0].PrimaryEndpoint]'",
    ),
    (
        "elasticacheRedisNode",
        "an ElastiCache node",
        "aws elasticache describe-cache-clusters --cache-cluster-id ID --show-cache-node-info",
    ),
    (
        "elasticacheMemcachedCluster",
        "an ElastiCache cluster",
        "aws elasticache describe-cache-clusters --cache-cluster-id ID --query 'CacheClusters[0].ConfigurationEndpoint'",
    ),
    (
        "elasticacheMemcachedNode",
        "an ElastiCache node",
        "aws elasticache describe-cache-clusters --cache-cluster-id ID --show-cache-node-info",
    ),
];

pub(crate) fn read(text: &str) -> Report {
    let mut report = Report::default();
    if is_too_much(text) {
        let why = "this is larger or nested more deeply than any of Basti's files".to_owned();
        report.refusals.push(Refusal { line: 1, why, next: None });
        return report;
    }
    let documents = match MarkedYaml::load_from_str(text) {
        Ok(documents) => documents,
        Err(error) => {
            let line = error.marker().line();
            report.refusals.push(Refusal { line, why: format!("this is no YAML: {}", error.info()), next: None });
            return report;
        }
    };
    let Some(root) = documents.first() else { return report };
    let targets = get(root, "targets");
    for (name, connection) in pairs(get(root, "connections")) {
        let line = name.span.start.line();
        let named = name.data.as_str().unwrap_or_default();
        match forward(connection, targets) {
            Ok(forward) => {
                let slug = Some(name::slug(named)).filter(|name| !name.is_empty());
                let name = slug.unwrap_or_else(|| name::of_host(forward.host.as_deref(), forward.port));
                report.forwards.push(Forward { line, name, ..forward });
            }
            Err((why, next)) => {
                report.refusals.push(Refusal { line, why: format!("connection `{named}`: {why}"), next });
            }
        }
    }
    report
}

/// Trees are taken down recursively, so one as deep as a hostile text can make it would be too much for the stack.
fn is_too_much(text: &str) -> bool {
    text.len() > MAX_SIZE
        || text.matches(['[', '{']).count() > MAX_BRACKETS
        || text.lines().any(|line| line.matches("- ").count() + line.matches("? ").count() > MAX_DASHES)
}

fn forward(connection: &MarkedYaml<'_>, targets: Option<&MarkedYaml<'_>>) -> Result<Forward, (String, Option<String>)> {
    let Some(target) = get(connection, "target") else { return Err(("it has no `target`".to_owned(), None)) };
    let target = match target.data.as_str() {
        Some(name) => targets
            .and_then(|targets| get(targets, name))
            .ok_or_else(|| (format!("there is no target `{name}` in this file"), None))?,
        None => target,
    };
    let text = |key: &str| get(target, key).and_then(|value| value.data.as_str()).map(str::to_owned);
    for (key, what, command) in LOOKED_UP {
        if let Some(id) = text(key) {
            let why = format!("`{key}: {id}` is {what} by its identifier, and a tunnel leads to a host");
            let next = format!("its host and port: {}; then `tunnels add`", command.replace("ID", &id));
            return Err((why, Some(next)));
        }
    }
    let Some(host) = text("customTargetHost") else {
        return Err(("its target has no `customTargetHost`".to_owned(), None));
    };
    let port = |node: &MarkedYaml<'_>, key: &str| -> Result<Option<u16>, (String, Option<String>)> {
        let Some(value) = get(node, key) else { return Ok(None) };
        let number = value.data.as_integer().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        number.map(Some).ok_or_else(|| (format!("its `{key}` is no port"), None))
    };
    let Some(number) = port(target, "customTargetPort")? else {
        return Err(("its target has no `customTargetPort`".to_owned(), None));
    };
    Ok(Forward {
        host: Some(host),
        port: number,
        local_port: port(connection, "localPort")?,
        profile: text("awsProfile"),
        region: text("awsRegion"),
        ..Forward::default()
    })
}

fn get<'a, 'i>(node: &'a MarkedYaml<'i>, key: &str) -> Option<&'a MarkedYaml<'i>> {
    pairs(Some(node)).find(|(name, _)| name.data.as_str() == Some(key)).map(|(_, value)| value)
}

fn pairs<'a, 'i>(node: Option<&'a MarkedYaml<'i>>) -> impl Iterator<Item = (&'a MarkedYaml<'i>, &'a MarkedYaml<'i>)> {
    node.and_then(|node| node.data.as_mapping()).into_iter().flatten()
}
