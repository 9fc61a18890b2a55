//! Which tunnels the list shows, in which order, under which headings.
//!
//! Pure: tunnels, filter, sorting and grouping in, rows out.

use crate::list;
use crate::text;
use std::cmp::Ordering;
use std::collections::HashMap;
use tunnels_api::TunnelStatus;

/// What stands together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Grouping {
    /// By the first group of each.
    #[default]
    Group,
    Profile,
    State,
    Flat,
}

impl Grouping {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Group => Self::Profile,
            Self::Profile => Self::State,
            Self::State => Self::Flat,
            Self::Flat => Self::Group,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Group => "by group",
            Self::Profile => "by profile",
            Self::State => "by state",
            Self::Flat => "not grouped",
        }
    }

    /// What tunnels that stand together have in common; none of those without.
    fn key(self, tunnel: &TunnelStatus) -> Option<&str> {
        match self {
            Self::Group => tunnel.groups.first().map(String::as_str),
            Self::Profile => tunnel.profile.as_deref(),
            Self::State => Some(tunnel.state.as_str()),
            Self::Flat => None,
        }
    }

    fn title(self, key: Option<&str>) -> String {
        match (self, key) {
            (Self::Group, Some(group)) => format!("@{}", text::clean(group)),
            (Self::Group, None) => "no group".to_owned(),
            (Self::Profile, None) => "no profile".to_owned(),
            (_, key) => text::clean(key.unwrap_or_default()),
        }
    }
}

/// What comes first within a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Configured,
    Name,
    State,
    Traffic,
    RoundTrip,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Configured => Self::Name,
            Self::Name => Self::State,
            Self::State => Self::Traffic,
            Self::Traffic => Self::RoundTrip,
            Self::RoundTrip => Self::Configured,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Configured => "as configured",
            Self::Name => "by name",
            Self::State => "by state",
            Self::Traffic => "by traffic",
            Self::RoundTrip => "by round trip",
        }
    }

    fn compare(self, a: &TunnelStatus, b: &TunnelStatus) -> Ordering {
        let traffic = |tunnel: &TunnelStatus| tunnel.rate_in.saturating_add(tunnel.rate_out);
        match self {
            Self::Configured => Ordering::Equal,
            Self::Name => a.name.cmp(&b.name),
            Self::State => list::need(a.state).cmp(&list::need(b.state)),
            Self::Traffic => traffic(b).cmp(&traffic(a)),
            // Those without any come last.
            Self::RoundTrip => {
                let rtt = |tunnel: &TunnelStatus| tunnel.rtt_ms.unwrap_or(-1.0);
                rtt(b).total_cmp(&rtt(a))
            }
        }
    }
}

/// What the list is to be like.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) filter: String,
    pub(super) grouping: Grouping,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// A heading over the tunnels at these places.
    Heading { title: String, members: Vec<usize> },
    /// The tunnel at this place.
    Tunnel(usize),
}

/// The rows for these tunnels.
pub(super) fn of(tunnels: &[TunnelStatus], wanted: &Wanted) -> Vec<Row> {
    let words: Vec<String> = wanted.filter.split_whitespace().map(str::to_lowercase).collect();
    // In the order of their first tunnels; a thousand tunnels may have as many groups.
    let mut groups: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
    let mut places: HashMap<Option<&str>, usize> = HashMap::new();
    for (at, tunnel) in tunnels.iter().enumerate().filter(|(_, tunnel)| fits(tunnel, &words)) {
        let key = wanted.grouping.key(tunnel);
        let place = *places.entry(key).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(at);
    }
    if wanted.grouping == Grouping::State {
        groups.sort_by_key(|(_, members)| members.first().map(|&at| list::need(tunnels[at].state)));
    }
    // One heading over all would say nothing, unless it is the state of all.
    let is_headed = groups.len() > 1 || wanted.grouping == Grouping::State;
    let mut rows = Vec::new();
    for (key, mut members) in groups {
        // A stable sort: what is equal stays as configured.
        members.sort_by(|&a, &b| wanted.sort.compare(&tunnels[a], &tunnels[b]));
        if wanted.reversed {
            members.reverse();
        }
        if is_headed {
            rows.push(Row::Heading { title: wanted.grouping.title(key), members: members.clone() });
        }
        rows.extend(members.into_iter().map(Row::Tunnel));
    }
    rows
}

/// Whether each word is in something that the list says of the tunnel.
fn fits(tunnel: &TunnelStatus, words: &[String]) -> bool {
    let said = |word: &String| {
        let has = |text: &str| text.to_lowercase().contains(word);
        let is_group = |group: &String| format!("@{group}").to_lowercase().contains(word);
        has(&tunnel.name)
            || has(&tunnel.local)
            || has(&tunnel.remote)
            || has(tunnel.state.as_str())
            || tunnel.profile.as_deref().is_some_and(has)
            || tunnel.region.as_deref().is_some_and(has)
            || tunnel.target.as_deref().is_some_and(has)
            || tunnel.groups.iter().any(is_group)
    };
    words.iter().all(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::status;
    use tunnels_api::TunnelState;

    fn tunnels() -> Vec<TunnelStatus> {
        let tunnel = |name: &str, state, group: &str, profile: &str, rate, rtt| TunnelStatus {
            groups: if group.is_empty() { vec![] } else { vec![group.to_owned()] },
            profile: (!profile.is_empty()).then(|| profile.to_owned()),
            rate_in: rate,
            rtt_ms: rtt,
            ..status(name, state)
        };
        vec![
            tunnel("orders", TunnelState::Ready, "db", "dev", 10, Some(2.0)),
            tunnel("cache", TunnelState::Failed, "", "prod", 0, None),
            tunnel("billing", TunnelState::Ready, "db", "prod", 500, Some(30.0)),
        ]
    }

    fn shown(wanted: &Wanted) -> Vec<String> {
        let tunnels = tunnels();
        let said = |row: Row| match row {
            Row::Heading { title, members } => format!("{title} ({})", members.len()),
            Row::Tunnel(at) => tunnels[at].name.clone(),
        };
        of(&tunnels, wanted).into_iter().map(said).collect()
    }

    fn grouped(grouping: Grouping) -> Wanted {
        Wanted { grouping, ..Wanted::default() }
    }

    #[test]
    fn tunnels_stand_together_as_was_asked_for() {
        assert_eq!(shown(&grouped(Grouping::Group)), ["@db (2)", "orders", "billing", "no group (1)", "cache"]);
        assert_eq!(shown(&grouped(Grouping::Profile)), ["dev (1)", "orders", "prod (2)", "cache", "billing"]);
        assert_eq!(shown(&grouped(Grouping::State)), ["failed (1)", "cache", "ready (2)", "orders", "billing"]);
        assert_eq!(shown(&grouped(Grouping::Flat)), ["orders", "cache", "billing"]);
        let mut grouping = Grouping::default();
        for _ in 0..4 {
            grouping = grouping.next();
        }
        assert_eq!(grouping, Grouping::default());
    }

    #[test]
    fn one_heading_over_all_is_left_out() {
        let one = Wanted { filter: "failed".into(), ..Wanted::default() };
        assert_eq!(shown(&one), ["cache"]);
    }

    #[test]
    fn each_order_has_its_first_and_its_last() {
        let sorted = |sort, reversed| shown(&Wanted { sort, reversed, ..grouped(Grouping::Flat) });
        assert_eq!(sorted(Sort::Name, false), ["billing", "cache", "orders"]);
        assert_eq!(sorted(Sort::Name, true), ["orders", "cache", "billing"]);
        assert_eq!(sorted(Sort::State, false), ["cache", "orders", "billing"]);
        assert_eq!(sorted(Sort::Traffic, false), ["billing", "orders", "cache"]);
        assert_eq!(sorted(Sort::RoundTrip, false), ["billing", "orders", "cache"]);
    }

    #[test]
    fn a_filter_wants_every_word_somewhere() {
        let filtered = |filter: &str| shown(&Wanted { filter: filter.into(), ..grouped(Grouping::Flat) });
        assert_eq!(filtered("@DB"), ["orders", "billing"]);
        assert_eq!(filtered("prod ready"), ["billing"]);
        assert_eq!(filtered("failed"), ["cache"]);
        assert_eq!(filtered("nobody"), [""; 0]);
    }
}
