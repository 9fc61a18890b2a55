//! The configuration as it is in force, value by value, and where each comes from.
//!
//! Origins stand beside the values, not in them: two configurations that mean the same are equal.

use super::diagnostic::ConfigError;
use super::keys::{TUNNEL_KEYS, Written};
use super::model::{Config, KeepAlive, LocalAddr, Probe, TunnelConfig};
use super::value::show as duration;
use crate::aws::Candidate;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A checked configuration with where it comes from.
#[derive(Debug)]
pub struct Resolved {
    /// What is in force.
    pub config: Config,
    /// What is allowed and yet worth a word.
    pub warnings: Vec<ConfigError>,
    /// For each tunnel of `config`, where the values that are written stand.
    pub(super) written: Vec<BTreeMap<&'static str, Written>>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file, with the line, from 1, and whether it stands in `[defaults]`.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// In `[defaults]`.
        defaults: bool,
    },
    /// A variable of the environment.
    Environment(&'static str),
    /// The program.
    BuiltIn,
    /// Nothing here says it: AWS's own configuration does, or nobody.
    Unset,
}

/// One key of a tunnel, as it is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key; endpoints as `endpoints.ssm`.
    pub key: &'static str,
    /// The value as it would be written; null where it is not set.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

impl Resolved {
    /// All settings of the tunnel at this place of `config.tunnels`, in the order of the documentation. What the
    /// files leave open is taken from `env` where AWS's variables say it.
    pub fn settings(&self, tunnel: usize, env: &dyn Fn(&str) -> Option<String>) -> Vec<Setting> {
        let (Some(config), Some(written)) = (self.config.tunnels.get(tunnel), self.written.get(tunnel)) else {
            return Vec::new();
        };
        let keys = TUNNEL_KEYS.iter().flat_map(|key| match *key {
            "endpoints" => ["endpoints.ssm", "endpoints.ssmmessages", "endpoints.kms", "endpoints.sts"].as_slice(),
            _ => std::slice::from_ref(key),
        });
        keys.map(|key| setting(key, config, written.get(key), env)).collect()
    }
}

fn setting(
    key: &'static str,
    tunnel: &TunnelConfig,
    written: Option<&Written>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Setting {
    let value = value(key, tunnel);
    if let Some(Written { place, in_defaults }) = written {
        let (line, _) = place.line_column();
        let origin = Origin::File { path: place.file.path.clone(), line, defaults: *in_defaults };
        return Setting { key, value, origin };
    }
    let variable = variables(key).iter().find_map(|name| Some((*name, env(name).filter(|value| !value.is_empty())?)));
    match variable {
        Some((name, value)) => Setting { key, value: value.into(), origin: Origin::Environment(name) },
        None if value.is_null() => Setting { key, value, origin: Origin::Unset },
        None => Setting { key, value, origin: Origin::BuiltIn },
    }
}

/// The variables of AWS that say what a key leaves open, the stronger first.
fn variables(key: &str) -> &'static [&'static str] {
    match key {
        "profile" => &["AWS_PROFILE"],
        "region" => &["AWS_REGION", "AWS_DEFAULT_REGION"],
        "endpoints.ssm" => &["AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"],
        "endpoints.ssmmessages" => &["AWS_ENDPOINT_URL_SSMMESSAGES"],
        _ => &[],
    }
}

/// A value as it would be written in the file.
fn value(key: &str, tunnel: &TunnelConfig) -> Value {
    let endpoints = &tunnel.scope.endpoints;
    match key {
        "remote" if tunnel.remote.host.is_none() => json!(tunnel.remote.port),
        "remote" => json!(tunnel.remote.to_string()),
        "local" => match &tunnel.local {
            LocalAddr::Loopback(port) => json!(port),
            other => json!(other.to_string()),
        },
        "target" => {
            let candidate = |candidate: &Candidate| match candidate {
                Candidate::Id(id) => json!(id),
                Candidate::Tag(tag) => json!({ "tag": tag.to_string() }),
            };
            match tunnel.targets.as_slice() {
                [one] => candidate(one),
                many => many.iter().map(candidate).collect(),
            }
        }
        "profile" => json!(tunnel.scope.profile),
        "region" => json!(tunnel.scope.region),
        "endpoints.ssm" => json!(endpoints.ssm),
        "endpoints.ssmmessages" => json!(endpoints.ssmmessages),
        "endpoints.kms" => json!(endpoints.kms),
        "endpoints.sts" => json!(endpoints.sts),
        "groups" => json!(tunnel.groups),
        "auto" => json!(tunnel.auto),
        "open" => json!(if tunnel.on_demand { "on-demand" } else { "eager" }),
        "park_after" => json!(tunnel.park_after.map_or("never".to_owned(), duration)),
        "keep_alive" => json!(match tunnel.keep_alive {
            KeepAlive::Policy => "policy",
            KeepAlive::Connected => "connected",
            KeepAlive::Always => "always",
        }),
        "hold" => json!(duration(tunnel.hold)),
        "patience" => json!(duration(tunnel.patience)),
        "ping_interval" => json!(duration(tunnel.ping_interval)),
        "ping_timeout" => json!(duration(tunnel.ping_timeout)),
        "max_sessions" => json!(tunnel.max_sessions),
        "payload" => json!(tunnel.payload),
        "probe" => json!(match tunnel.probe {
            Probe::Postgres => "postgres",
            Probe::Mysql => "mysql",
            Probe::Redis => "redis",
            Probe::Tls => "tls",
            Probe::Http => "http",
            Probe::Tcp => "tcp",
            Probe::None => "none",
        }),
        "document" => json!(tunnel.document_name()),
        "reason" => json!(tunnel.reason),
        "protected" => json!(tunnel.protected),
        other => unreachable!("TUNNEL_KEYS holds `{other}`, which has no arm here"),
    }
}

#[cfg(test)]
mod tests;
