//! What is allowed, and yet worth a word: `config check` says it, nothing stops at it.

use super::diagnostic::{ConfigError, quote};
use super::merge::Merged;
use super::model::LocalAddr;
use super::place::Place;
use super::value;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;

/// Keys that are checked and do nothing yet.
const WITHOUT_EFFECT: &[(&str, &str)] = &[("endpoints.kms", "this version makes no call to KMS")];

/// `[defaults]` that nothing inherits.
pub(super) fn unused_defaults(place: Place) -> ConfigError {
    let help = "they hold for the tunnels of this file and of those that it includes, not of those that include it";
    ConfigError::new("these defaults have no effect", Some(place)).help(help)
}

/// Two names that people will mix up.
pub(super) fn only_case_differs(here: &Place, there: &Place) -> ConfigError {
    let warning = ConfigError::new("these names differ in upper and lower case only", Some(here.clone()));
    warning.other(there.clone(), "the other one")
}

/// Warnings about whole tunnels.
pub(super) fn of(tunnels: &[Merged]) -> Vec<ConfigError> {
    of_user(tunnels, first_unprivileged_port())
}

/// For a user who may listen on ports from `first_free` on.
fn of_user(tunnels: &[Merged], first_free: u16) -> Vec<ConfigError> {
    let mut warnings: Vec<ConfigError> = Vec::new();
    for (tunnel, written) in tunnels {
        let place = |key: &str| written.get(key).map(|written| written.place.clone());
        let name = quote(&tunnel.name);
        if tunnel.local.is_exposed() {
            let message = format!("{name} can be used from other machines: it listens beyond loopback");
            let help = "whoever reaches this port is connected with your AWS rights; a port alone listens on loopback";
            warnings.push(ConfigError::new(message, place("local")).help(help));
        }
        let port = match &tunnel.local {
            LocalAddr::Loopback(port) => Some(*port),
            LocalAddr::Ip(addr) => Some(addr.port()),
            LocalAddr::Unix(_) => None,
        };
        if let Some(port) = port.filter(|port| *port < first_free) {
            let message = format!("{name} needs a privilege to listen on port {port}");
            let help = format!("take a port from {first_free} on, such as {}", 10_000 + u32::from(port));
            warnings.push(ConfigError::new(message, place("local")).help(help));
        }
        if let Some(region) = tunnel.scope.region.as_deref().filter(|region| !value::is_known_region(region)) {
            let message = format!("{} is no region that this version knows", quote(region));
            let near = value::nearest_region(region).map(|near| format!("did you mean `{near}`?"));
            warnings.push(ConfigError::new(message, place("region")).label(near.unwrap_or_default()));
        }
        for (key, why) in WITHOUT_EFFECT {
            if let Some(place) = place(key) {
                warnings.push(ConfigError::new(format!("`{key}` has no effect yet"), Some(place)).label(*why));
            }
        }
    }
    // What stands in [defaults] would be said for each tunnel.
    let mut said = HashSet::new();
    warnings.retain(|warning| said.insert((warning.message.clone(), warning.location())));
    warnings
}

/// The first port that this user may listen on.
fn first_unprivileged_port() -> u16 {
    // The owner of our process: root may listen anywhere. Where there is no /proc, no port of loopback is privileged
    // for certain.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if is_root { 0 } else { start.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::parse_with;
    use std::path::Path;

    #[test]
    fn ports_that_need_a_privilege() {
        let text = "[defaults]\ntarget = \"i-01234567\"\n[tunnels.a]\nremote = 1\nlocal = 443\n\
                    [tunnels.b]\nremote = 1\nlocal = \"127.0.0.2:80\"\n[tunnels.c]\nremote = 1\nlocal = 1024\n";
        let resolved = parse_with(Path::new("c.toml"), text, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        let tunnels: Vec<Merged> = resolved.config.tunnels.into_iter().zip(resolved.written).collect();
        let places = |first_free| -> Vec<String> {
            let warnings = of_user(&tunnels, first_free);
            assert!(warnings.iter().all(|warning| warning.message.contains("needs a privilege")), "{warnings:?}");
            warnings.iter().filter_map(ConfigError::location).collect()
        };
        assert_eq!(places(1024), ["c.toml:5:9", "c.toml:8:9"]);
        assert_eq!(places(0), [""; 0]);
    }
}
