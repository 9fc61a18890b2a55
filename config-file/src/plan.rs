//! Several new tunnels beside those that there are: names and ports that are taken give way to free ones.

use crate::port::free_port;
use crate::tunnel::NewTunnel;
use tunnels_daemon::config::{Config, LocalAddr, TunnelConfig};

/// A tunnel that somebody wants, with the name and the address that it should have if they are free.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its `local` counts only with `has_local`.
    pub tunnel: NewTunnel,
    /// Whether it has an address of its own, or is to get one.
    pub has_local: bool,
}

/// What becomes of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// It can be added like this; what is different from what was wanted, in sentences.
    Add(Box<NewTunnel>, Vec<String>),
    /// A tunnel of this name leads there already.
    Known(String),
    /// Every port is taken.
    NoPort,
}

/// What becomes of each, in their order, beside the tunnels of `config`.
pub fn plan(config: Option<&Config>, wanted: Vec<Wanted>) -> Vec<Planned> {
    let known = config.map_or(&[][..], |config| config.tunnels.as_slice());
    let mut names: Vec<String> = known.iter().map(|tunnel| tunnel.name.clone()).collect();
    let mut addresses: Vec<LocalAddr> = known.iter().map(|tunnel| tunnel.local.clone()).collect();
    let mut plans: Vec<Planned> = Vec::new();
    for Wanted { mut tunnel, has_local } in wanted {
        if let Some(same) = known.iter().find(|known| is_same(known, &tunnel)) {
            plans.push(Planned::Known(same.name.clone()));
            continue;
        }
        let twin = plans.iter().find_map(|plan| match plan {
            Planned::Add(other, _) if is_twin(other, &tunnel) => Some(other.name.clone()),
            _ => None,
        });
        if let Some(name) = twin {
            plans.push(Planned::Known(name));
            continue;
        }
        let mut notes = Vec::new();
        let name = free_name(&tunnel.name, &names);
        if name != tunnel.name {
            notes.push(format!("there is a tunnel `{}` already", tunnel.name));
            tunnel.name = name;
        }
        let is_taken = addresses.iter().any(|other| other.clashes(&tunnel.local));
        if !has_local || is_taken {
            let Some(port) = free_port(tunnel.remote.port, &addresses) else {
                plans.push(Planned::NoPort);
                continue;
            };
            if has_local {
                notes.push(format!("{} is another tunnel's address, so it gets {port}", tunnel.local));
            }
            tunnel.local = LocalAddr::Loopback(port);
        }
        names.push(tunnel.name.clone());
        addresses.push(tunnel.local.clone());
        plans.push(Planned::Add(Box::new(tunnel), notes));
    }
    plans
}

/// Whether a tunnel that is there does what the new one would.
fn is_same(known: &TunnelConfig, new: &NewTunnel) -> bool {
    let fits = |theirs: &Option<String>, ours: &Option<String>| ours.is_none() || theirs == ours;
    known.remote == new.remote
        && fits(&known.scope.profile, &new.profile)
        && fits(&known.scope.region, &new.region)
        && fits(&known.document, &new.document)
}

/// Whether two new ones would do the same.
fn is_twin(one: &NewTunnel, other: &NewTunnel) -> bool {
    let what = |tunnel: &NewTunnel| {
        let NewTunnel { remote, targets, profile, region, endpoint, document, .. } = tunnel.clone();
        (remote, targets, profile, region, endpoint, document)
    };
    what(one) == what(other)
}

/// The name, or the first of `NAME-2`, `NAME-3`, … that nobody has. Names that differ in case only count as one.
fn free_name(wanted: &str, taken: &[String]) -> String {
    let is_free = |name: &String| !taken.iter().any(|other| other.eq_ignore_ascii_case(name));
    let numbered = (2_u32..).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use tunnels_daemon::config::{self, Remote};

    fn wanted(name: &str, host: &str, local: Option<u16>) -> Wanted {
        let remote = Remote { host: Some(host.to_owned()), port: 5432 };
        let tunnel = NewTunnel::new(name, remote, LocalAddr::Loopback(local.unwrap_or(0)));
        Wanted { tunnel, has_local: local.is_some() }
    }

    #[test]
    fn names_and_ports_that_are_taken_give_way() {
        let text = "[defaults]\ntarget = \"i-01234567\"\n[tunnels.db]\nremote = \"db:5432\"\nlocal = 25432\n";
        let config = config::parse(Path::new("/nowhere/config.toml"), text).unwrap();
        let plans = plan(
            Some(&config),
            vec![
                wanted("other", "db", None),
                wanted("DB", "b", Some(25432)),
                wanted("db", "c", None),
                wanted("c", "d", Some(25999)),
                wanted("c", "e", Some(25999)),
                wanted("twin", "e", None),
            ],
        );
        assert_eq!(plans[0], Planned::Known("db".to_owned()));
        assert_eq!(plans[5], Planned::Known("c-2".to_owned()));
        let added: Vec<(&str, &LocalAddr, usize)> = plans[1..5]
            .iter()
            .map(|plan| match plan {
                Planned::Add(tunnel, notes) => (tunnel.name.as_str(), &tunnel.local, notes.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        let names: Vec<&str> = added.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, ["DB-2", "db-3", "c", "c-2"]);
        assert_eq!(added.iter().map(|(.., notes)| *notes).collect::<Vec<_>>(), [2, 1, 0, 2]);
        assert_eq!(added[2].1, &LocalAddr::Loopback(25999));
        for (at, (_, local, _)) in added.iter().enumerate() {
            assert!(added[..at].iter().all(|(_, other, _)| !other.clashes(local)), "{added:?}");
        }
    }

    #[test]
    fn without_a_configuration_everything_is_free() {
        let plans = plan(None, vec![wanted("db", "db", Some(25432))]);
        assert!(matches!(&plans[0], Planned::Add(tunnel, notes) if tunnel.name == "db" && notes.is_empty()));
    }
}
