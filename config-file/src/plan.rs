//! Several new tunnels beside those that there are: names and ports that are taken give way to free ones.

use crate::port::free_port;
use crate::tunnel::{Local, NewTunnel, Target};
use tunnels_daemon::aws::Candidate;
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

/// What becomes of each, in their order, beside the tunnels of `config`; `default_targets` carry those that name none.
pub fn plan(config: Option<&Config>, default_targets: &[Candidate], wanted: Vec<Wanted>) -> Vec<Planned> {
    let known = config.map_or(&[][..], |config| config.tunnels.as_slice());
    let mut names: Vec<String> = known.iter().map(|tunnel| tunnel.name.clone()).collect();
    let mut addresses: Vec<LocalAddr> = known.iter().map(|tunnel| tunnel.local.clone()).collect();
    let mut plans: Vec<Planned> = Vec::new();
    for Wanted { mut tunnel, has_local } in wanted {
        if let Some(same) = known.iter().find(|known| is_same(known, &tunnel, default_targets)) {
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
        let is_taken = match &tunnel.local {
            Local::At(local) => addresses.iter().any(|other| other.clashes(local)),
            Local::Own => false,
        };
        if !has_local || is_taken {
            let Some(port) = free_port(tunnel.remote.port, &addresses) else {
                plans.push(Planned::NoPort);
                continue;
            };
            if has_local {
                notes.push(format!("{} is another tunnel's address, so it gets {port}", tunnel.local));
            }
            tunnel.local = LocalAddr::Loopback(port).into();
        }
        names.push(tunnel.name.clone());
        if let Local::At(local) = &tunnel.local {
            addresses.push(local.clone());
        }
        plans.push(Planned::Add(Box::new(tunnel), notes));
    }
    plans
}

/// Whether a tunnel that is there does what the new one would.
fn is_same(known: &TunnelConfig, new: &NewTunnel, default_targets: &[Candidate]) -> bool {
    let fits = |theirs: &Option<String>, ours: &Option<String>| ours.is_none() || theirs == ours;
    known.remote == new.remote
        && has_same_targets(known, new, default_targets)
        && fits(&known.scope.profile, &new.profile)
        && fits(&known.scope.region, &new.region)
        && fits(&known.scope.endpoints.ssm, &new.endpoint)
        && fits(&known.document, &new.document)
}

fn has_same_targets(known: &TunnelConfig, new: &NewTunnel, default_targets: &[Candidate]) -> bool {
    let is = |candidate: &Candidate, target: &Target| match (candidate, target) {
        (Candidate::Id(theirs), Target::Id(ours)) => theirs == ours,
        (Candidate::Tag(theirs), Target::Tag(ours)) => theirs.to_string() == *ours,
        _ => false,
    };
    if new.remote.host.is_some() {
        // A host may have its namesake in another network, which another target is in; further candidates do no harm.
        return new.targets.iter().all(|target| known.targets.iter().any(|candidate| is(candidate, target)));
    }
    // Without a host the target is where it leads.
    if new.targets.is_empty() {
        return known.targets == default_targets;
    }
    known.targets.len() == new.targets.len()
        && known.targets.iter().zip(&new.targets).all(|(one, other)| is(one, other))
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
            &[],
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
                Planned::Add(tunnel, notes) => match &tunnel.local {
                    Local::At(local) => (tunnel.name.as_str(), local, notes.len()),
                    Local::Own => panic!("{tunnel:?}"),
                },
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
        let plans = plan(None, &[], vec![wanted("db", "db", Some(25432))]);
        assert!(matches!(&plans[0], Planned::Add(tunnel, notes) if tunnel.name == "db" && notes.is_empty()));
    }

    #[test]
    fn what_leads_elsewhere_is_not_taken_for_known() {
        let text = "[tunnels.web1]\nremote = 8080\nlocal = 18080\ntarget = \"i-0aaaaaaaa\"\n\
                    [tunnels.db]\nremote = \"db:5432\"\nlocal = 25432\nendpoints.ssm = \"https://one.example\"\n\
                    target = [{ tag = \"Name=bastion\" }, \"i-0aaaaaaaa\"]\n";
        let config = config::parse(Path::new("/nowhere/config.toml"), text).unwrap();
        let default_targets = [Candidate::Id("i-0aaaaaaaa".to_owned())];
        let planned = |host: Option<&str>, targets: &[&str], endpoint: Option<&str>, default_targets: &[Candidate]| {
            let port = if host.is_some() { 5432 } else { 8080 };
            let tunnel = NewTunnel {
                targets: targets.iter().map(|word| Target::from_word(word)).collect(),
                endpoint: endpoint.map(str::to_owned),
                ..NewTunnel::new("new", Remote { host: host.map(str::to_owned), port }, LocalAddr::Loopback(1))
            };
            match plan(Some(&config), default_targets, vec![Wanted { tunnel, has_local: false }]).remove(0) {
                Planned::Known(name) => Some(name),
                _ => None,
            }
        };
        // Without a host the node is the destination, whoever names it.
        assert_eq!(planned(None, &["i-0aaaaaaaa"], None, &[]).as_deref(), Some("web1"));
        assert_eq!(planned(None, &["i-0bbbbbbbb"], None, &[]), None);
        assert_eq!(planned(None, &["i-0aaaaaaaa", "i-0bbbbbbbb"], None, &[]), None);
        assert_eq!(planned(None, &[], None, &default_targets).as_deref(), Some("web1"));
        assert_eq!(planned(None, &[], None, &[Candidate::Id("i-0bbbbbbbb".to_owned())]), None);
        // With one it is the way.
        for (targets, endpoint, expected) in [
            (&[][..], None, Some("db")),
            (&["i-0aaaaaaaa"], None, Some("db")),
            (&["Name=bastion"], Some("https://one.example"), Some("db")),
            (&["Name=other"], None, None),
            (&["i-0bbbbbbbb"], None, None),
            (&["i-0aaaaaaaa"], Some("https://two.example"), None),
        ] {
            assert_eq!(planned(Some("db"), targets, endpoint, &[]).as_deref(), expected, "{targets:?} {endpoint:?}");
        }
    }
}
