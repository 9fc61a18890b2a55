//! What an edit of the configuration means for the tunnels that run. Pure.
//!
//! Decides which keys cost a tunnel its session. How a change is applied is the supervisor's and the tunnel's
//! matter.

use super::model::{Config, TunnelConfig};

/// One tunnel's share of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    /// It is new.
    Add(TunnelConfig),
    /// It is gone.
    Remove(String),
    /// Some of its keys have changed.
    Update(TunnelConfig, Impact),
}

/// What has to be made anew because of changed keys; nothing if both are false.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Impact {
    /// The local port.
    pub rebind: bool,
    /// The session.
    pub reconnect: bool,
}

impl Impact {
    /// What is different between two configurations of one tunnel.
    pub fn of(old: &TunnelConfig, new: &TunnelConfig) -> Self {
        // Taken apart, so that a key that is added later cannot be forgotten here.
        let TunnelConfig {
            name: _,
            remote,
            local,
            targets,
            scope,
            groups: _,
            auto: _,
            on_demand: _,
            park_after: _,
            keep_alive: _,
            hold: _,
            // In force with the next session.
            patience: _,
            ping_interval: _,
            ping_timeout: _,
            max_sessions: _,
            payload: _,
            probe: _,
            document,
            // Said with the next session; this one was opened for another reason.
            reason: _,
            protected: _,
        } = old;
        Self {
            rebind: *local != new.local,
            reconnect: *remote != new.remote
                || *targets != new.targets
                || *scope != new.scope
                || *document != new.document,
        }
    }

    /// Whether open connections are affected.
    pub fn restarts(self) -> bool {
        self.rebind || self.reconnect
    }
}

/// What leads from one configuration to the next: what goes first, so that the ports it holds are free for what
/// comes.
pub fn diff(old: &Config, new: &Config) -> Vec<ConfigChange> {
    let find = |config: &Config, name: &str| config.tunnels.iter().find(|tunnel| tunnel.name == name).cloned();
    let removed = old
        .tunnels
        .iter()
        .filter(|tunnel| find(new, &tunnel.name).is_none())
        .map(|tunnel| ConfigChange::Remove(tunnel.name.clone()));
    let others = new.tunnels.iter().filter_map(|tunnel| match find(old, &tunnel.name) {
        None => Some(ConfigChange::Add(tunnel.clone())),
        Some(old) if old == *tunnel => None,
        Some(old) => Some(ConfigChange::Update(tunnel.clone(), Impact::of(&old, tunnel))),
    });
    removed.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use std::path::Path;

    const BASE: &str = r#"
        [defaults]
        target = "i-0123456789abcdef0"
        [tunnels.a]
        remote = "db:5432"
        local = 15432
        [tunnels.b]
        remote = "cache:6379"
        local = 16379
    "#;

    fn parse(text: &str) -> Config {
        config::parse(Path::new("/nowhere/config.toml"), text).unwrap()
    }

    fn edit(from: &str, to: &str) -> Vec<ConfigChange> {
        assert!(BASE.contains(from), "{from}");
        diff(&parse(BASE), &parse(&BASE.replacen(from, to, 1)))
    }

    #[test]
    fn the_same_changes_nothing() {
        assert_eq!(diff(&parse(BASE), &parse(BASE)), []);
        assert_eq!(edit("[defaults]", "# a remark\n[defaults]\nhold = \"30s\""), []);
    }

    #[test]
    fn each_key_has_its_impact_on_its_own_tunnel() {
        let (nothing, rebind, reconnect) =
            (Impact::default(), Impact { rebind: true, reconnect: false }, Impact { rebind: false, reconnect: true });
        for (from, to, impact) in [
            ("local = 15432", "local = 15433", rebind),
            ("\"db:5432\"", "\"db:5433\"", reconnect),
            ("\"db:5432\"", "\"db:5432\"\ntarget = \"i-00000000\"", reconnect),
            ("\"db:5432\"", "\"db:5432\"\nprofile = \"prod\"", reconnect),
            ("\"db:5432\"", "\"db:5432\"\nendpoints.ssm = \"https://x\"", reconnect),
            ("\"db:5432\"", "\"db:5432\"\ndocument = \"Doc\"", reconnect),
            ("\"db:5432\"", "\"db:5432\"\nreason = \"r\"", nothing),
            ("\"db:5432\"", "\"db:5432\"\ngroups = [\"g\"]\nauto = false\nhold = \"1s\"", nothing),
            ("\"db:5432\"", "\"db:5432\"\nprobe = \"tcp\"\nkeep_alive = \"always\"", nothing),
        ] {
            let changes = edit(from, to);
            let [ConfigChange::Update(tunnel, found)] = &*changes else { panic!("{to}: {changes:?}") };
            assert_eq!((tunnel.name.as_str(), *found), ("a", impact), "{to}");
        }
    }

    #[test]
    fn a_default_changes_all_that_have_it() {
        let changes = edit("i-0123456789abcdef0", "i-00000000");
        assert_eq!(changes.len(), 2);
    }

    #[test]
    fn what_goes_frees_its_port_before_what_comes() {
        let changes = edit("[tunnels.b]", "[tunnels.c]");
        assert!(
            matches!(&*changes, [ConfigChange::Remove(gone), ConfigChange::Add(new)] if gone == "b" && new.name == "c")
        );
    }
}
