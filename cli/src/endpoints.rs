//! Tunnels as their programs see them: from the daemon that runs, else from the configuration.
//!
//! Commands that only say how a tunnel is reached need no daemon, and start none.

use crate::command::{config as configuration, pick_from};
use crate::link::Link;
use std::path::Path;
use tunnels_api::{ApiError, ErrorCode, TunnelState, TunnelStatus};
use tunnels_client_config::{BadAddress, Endpoint};
use tunnels_daemon::config;

/// Where names are given addresses on this machine.
pub(crate) const HOSTS_FILE: &str = "/etc/hosts";

/// A tunnel and its labels.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) endpoint: Endpoint,
    groups: Vec<String>,
    /// Whether its port is bound.
    is_bound: bool,
}

impl Known {
    /// What to do before its address is of use.
    pub(crate) fn note(&self) -> Option<String> {
        let name = &self.endpoint.name;
        (!self.is_bound).then(|| format!("{name} is down: `tunnels up {name}` brings it up"))
    }
}

/// All tunnels there are.
pub(crate) async fn known(link: &Link) -> Result<Vec<Known>, ApiError> {
    let hosts = hosts_text();
    match link.running().await {
        Ok(client) => client.tunnels().await?.tunnels.iter().map(|tunnel| of_status(tunnel, &hosts)).collect(),
        Err(error) if error.code == ErrorCode::DaemonUnreachable => configured(link.config(), &hosts),
        Err(error) => Err(error),
    }
}

/// Those that `select` picks; none selected picks all.
pub(crate) async fn picked(link: &Link, select: &[String]) -> Result<Vec<Known>, ApiError> {
    let mut all = known(link).await?;
    let names: Vec<(&str, &[String])> =
        all.iter().map(|known| (known.endpoint.name.as_str(), known.groups.as_slice())).collect();
    let picked: Vec<String> =
        pick_from(select, &names, "tunnels config show")?.into_iter().map(str::to_owned).collect();
    all.retain(|known| picked.contains(&known.endpoint.name));
    Ok(all)
}

/// The one of that name.
pub(crate) async fn one(link: &Link, name: &str) -> Result<Known, ApiError> {
    let found = picked(link, &[name.to_owned()]).await?.into_iter().find(|known| known.endpoint.name == name);
    found.ok_or_else(|| {
        ApiError::new(ErrorCode::NoSuchTunnel, format!("no tunnel is named `{name}`"))
            .with_hint("this command is for one tunnel: groups and patterns do not do")
    })
}

/// How a tunnel is reached, as the daemon describes it.
pub(crate) fn of_status(tunnel: &TunnelStatus, hosts: &str) -> Result<Known, ApiError> {
    let endpoint = Endpoint::read(&tunnel.name, &tunnel.local, &tunnel.remote, tunnel.probe.as_deref());
    let is_bound = !matches!(tunnel.state, TunnelState::Down | TunnelState::Failed);
    Ok(Known {
        endpoint: endpoint.map_err(|e| unreadable(&e))?.with_hosts(hosts),
        groups: tunnel.groups.clone(),
        is_bound,
    })
}

fn configured(named: Option<&Path>, hosts: &str) -> Result<Vec<Known>, ApiError> {
    let path = configuration::find(named)?;
    configuration::must_exist(&path)?;
    let config = config::load(&path).map_err(|errors| configuration::invalid(&errors))?;
    let known = |tunnel: config::TunnelConfig| {
        let (local, remote) = (tunnel.local.to_string(), tunnel.remote.to_string());
        let endpoint = Endpoint::read(&tunnel.name, &local, &remote, Some(&tunnel.probe.to_string()));
        let endpoint = endpoint.map_err(|e| unreadable(&e))?.with_hosts(hosts);
        Ok(Known { endpoint, groups: tunnel.groups, is_bound: false })
    };
    config.tunnels.into_iter().map(known).collect()
}

/// The hosts file's text; nothing where it cannot be read, which leads nowhere, either.
pub(crate) fn hosts_text() -> String {
    std::fs::read(HOSTS_FILE).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn unreadable(error: &BadAddress) -> ApiError {
    ApiError::new(ErrorCode::Failed, error.to_string()).with_hint("is the daemon of another version? `tunnels version`")
}
