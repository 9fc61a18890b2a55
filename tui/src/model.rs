//! Everything a live view shows, kept up to date from news of the daemon.
//!
//! Pure: news in, changes out. Drawing is `table`'s, listening is `conn`'s.

use std::collections::{HashMap, HashSet};
use tunnels_api::{Cause, DaemonEvent, Selector, TunnelState, TunnelStatus, Tunnels};

/// The tunnels a view is about, and whether the daemon can be heard.
#[derive(Debug, Default)]
pub struct Model {
    /// What is shown of all tunnels; none means all.
    selectors: Vec<Selector>,
    tunnels: Vec<TunnelStatus>,
    config_error: Option<String>,
    since: Since,
}

/// What was heard since a full answer was asked for: that may be older.
#[derive(Debug, Default)]
struct Since {
    /// Of these tunnels by name; as many as there are.
    changed: HashSet<String>,
    /// Of more than single tunnels.
    is_void: bool,
}

/// A tunnel that went from one state to another, or is new.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// What it was; none for a tunnel not seen before.
    pub from: Option<TunnelState>,
    /// What it is; none for a tunnel that left the configuration.
    pub to: Option<TunnelState>,
    /// Why, where there is something to say.
    pub cause: Option<Cause>,
}

impl Model {
    /// A model of the tunnels that `select` picks; nothing selected means all.
    pub fn new(select: &[String]) -> Self {
        let selectors = select.iter().map(|text| text.parse().unwrap_or_else(|never| match never {})).collect();
        Self { selectors, ..Self::default() }
    }

    /// The report of the last edit of the configuration, if that was rejected.
    pub fn config_error(&self) -> Option<&str> {
        self.config_error.as_deref()
    }

    /// The tunnels to show, in the order of the configuration.
    pub fn tunnels(&self) -> &[TunnelStatus] {
        &self.tunnels
    }

    /// A full answer is being asked for, which [`Self::answered`] takes.
    pub fn asking(&mut self) {
        self.since = Since::default();
    }

    /// Takes the answer to what was last asked for, but for what has been heard in between.
    pub fn answered(&mut self, mut answer: Tunnels) -> Vec<Change> {
        let Since { mut changed, is_void } = std::mem::take(&mut self.since);
        if !changed.is_empty() && !is_void {
            let known: HashMap<&str, &TunnelStatus> =
                self.tunnels.iter().map(|tunnel| (tunnel.name.as_str(), tunnel)).collect();
            for tunnel in &mut answer.tunnels {
                if changed.remove(&tunnel.name)
                    && let Some(newer) = known.get(tunnel.name.as_str())
                {
                    *tunnel = (*newer).clone();
                }
            }
        }
        // One that is new is not in the answer, and nobody knows its place: the next answer has it.
        if is_void || !changed.is_empty() {
            return Vec::new();
        }
        self.replace_all(answer)
    }

    /// Takes a piece of news; returns the tunnels whose state it changed.
    pub fn apply(&mut self, event: DaemonEvent) -> Vec<Change> {
        match &event {
            DaemonEvent::TunnelChanged { tunnel } if self.shows(tunnel) => {
                self.since.changed.insert(tunnel.name.clone());
            }
            DaemonEvent::Snapshot { .. }
            | DaemonEvent::TunnelRemoved { .. }
            | DaemonEvent::ConfigReloaded
            | DaemonEvent::ConfigRejected { .. } => self.since.is_void = true,
            _ => {}
        }
        match event {
            DaemonEvent::Snapshot { tunnels, config_error } => self.replace_all(Tunnels { tunnels, config_error }),
            DaemonEvent::TunnelChanged { tunnel } => self.put(tunnel).into_iter().collect(),
            DaemonEvent::TunnelRemoved { name } => self.remove(&name).into_iter().collect(),
            DaemonEvent::ConfigRejected { report } => {
                self.config_error = Some(report);
                Vec::new()
            }
            DaemonEvent::ConfigReloaded => {
                self.config_error = None;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Takes a full answer of the daemon.
    pub fn replace_all(&mut self, answer: Tunnels) -> Vec<Change> {
        self.config_error = answer.config_error;
        self.replace(answer.tunnels)
    }

    /// Takes a full list, as a snapshot or a poll for fresh figures gives it.
    pub fn replace(&mut self, tunnels: Vec<TunnelStatus>) -> Vec<Change> {
        let names: HashSet<&str> = tunnels.iter().map(|tunnel| tunnel.name.as_str()).collect();
        let old = std::mem::take(&mut self.tunnels).into_iter();
        let (stay, gone): (Vec<_>, Vec<_>) = old.partition(|known| names.contains(known.name.as_str()));
        let mut changes: Vec<Change> = gone.into_iter().map(removed).collect();
        let old: HashMap<String, TunnelStatus> = stay.into_iter().map(|known| (known.name.clone(), known)).collect();
        for tunnel in tunnels {
            if !self.shows(&tunnel) {
                continue;
            }
            changes.extend(changed(old.get(&tunnel.name), &tunnel));
            // In the order of the new list.
            self.tunnels.push(tunnel);
        }
        changes
    }

    fn shows(&self, tunnel: &TunnelStatus) -> bool {
        self.selectors.is_empty()
            || self.selectors.iter().any(|selector| selector.matches(&tunnel.name, &tunnel.groups))
    }

    fn put(&mut self, tunnel: TunnelStatus) -> Option<Change> {
        if !self.shows(&tunnel) {
            return None;
        }
        let known = self.tunnels.iter_mut().find(|known| known.name == tunnel.name);
        let change = changed(known.as_deref(), &tunnel);
        match known {
            Some(known) => *known = tunnel,
            None => self.tunnels.push(tunnel),
        }
        change
    }

    fn remove(&mut self, name: &str) -> Option<Change> {
        let at = self.tunnels.iter().position(|known| known.name == name)?;
        Some(removed(self.tunnels.remove(at)))
    }
}

fn removed(known: TunnelStatus) -> Change {
    Change { name: known.name, from: Some(known.state), to: None, cause: None }
}

/// What is news of a tunnel, if anything.
fn changed(known: Option<&TunnelStatus>, tunnel: &TunnelStatus) -> Option<Change> {
    let is_news = known.is_none_or(|known| known.state != tunnel.state || known.cause != tunnel.cause);
    is_news.then(|| Change {
        name: tunnel.name.clone(),
        from: known.map(|known| known.state),
        to: Some(tunnel.state),
        cause: tunnel.cause.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::status;
    use tunnels_api::CauseKind;

    fn snapshot(states: &[(&str, TunnelState)]) -> DaemonEvent {
        let tunnels = states.iter().map(|(name, state)| status(name, *state)).collect();
        DaemonEvent::Snapshot { tunnels, config_error: None }
    }

    fn told(changes: &[Change]) -> Vec<(&str, Option<TunnelState>, Option<TunnelState>)> {
        changes.iter().map(|c| (c.name.as_str(), c.from, c.to)).collect()
    }

    #[test]
    fn each_step_is_told_once() {
        let mut model = Model::new(&[]);
        let (ready, lost) = (TunnelState::Ready, TunnelState::Reconnecting);
        let changes = model.apply(snapshot(&[("a", ready), ("b", ready)]));
        assert_eq!(told(&changes), [("a", None, Some(ready)), ("b", None, Some(ready))]);
        let changes = model.apply(DaemonEvent::TunnelChanged { tunnel: status("b", lost) });
        assert_eq!(told(&changes), [("b", Some(ready), Some(lost))]);
        let changes = model.apply(DaemonEvent::TunnelChanged { tunnel: status("b", lost) });
        assert_eq!(told(&changes), []);
        let changes = model.apply(snapshot(&[("b", ready), ("c", lost)]));
        let expected = [("a", Some(ready), None), ("b", Some(lost), Some(ready)), ("c", None, Some(lost))];
        assert_eq!(told(&changes), expected);
        let names: Vec<_> = model.tunnels().iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn another_cause_in_the_same_state_is_news() {
        let mut model = Model::new(&[]);
        let mut tunnel = status("a", TunnelState::Connecting);
        model.apply(DaemonEvent::TunnelChanged { tunnel: tunnel.clone() });
        tunnel.cause = Some(Cause::new(CauseKind::TargetOffline, "i-0 is offline"));
        let changes = model.apply(DaemonEvent::TunnelChanged { tunnel });
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn an_answer_that_was_asked_for_before_something_happened_does_not_undo_it() {
        let (ready, lost) = (TunnelState::Ready, TunnelState::NeedsLogin);
        let answer = |states: &[(&str, TunnelState)]| Tunnels {
            tunnels: states.iter().map(|(name, state)| status(name, *state)).collect(),
            config_error: None,
        };
        let states = |model: &Model| -> Vec<_> { model.tunnels().iter().map(|t| (t.name.clone(), t.state)).collect() };
        let now = |states: &[(&str, TunnelState)]| -> Vec<_> {
            states.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect()
        };
        let mut model = Model::new(&[]);
        model.apply(snapshot(&[("a", ready), ("b", ready)]));
        model.asking();
        model.apply(DaemonEvent::TunnelChanged { tunnel: status("b", lost) });
        model.answered(answer(&[("a", lost), ("b", ready)]));
        assert_eq!(states(&model), now(&[("a", lost), ("b", lost)]), "only what was heard of is newer");
        // The next answer is as new as anything.
        model.asking();
        model.answered(answer(&[("a", ready), ("b", ready)]));
        assert_eq!(states(&model), now(&[("a", ready), ("b", ready)]));
        // Tunnels that have come or gone meanwhile are not undone either.
        model.asking();
        model.apply(DaemonEvent::TunnelChanged { tunnel: status("c", lost) });
        model.answered(answer(&[("a", ready), ("b", ready)]));
        assert_eq!(states(&model), now(&[("a", ready), ("b", ready), ("c", lost)]));
        model.asking();
        model.apply(DaemonEvent::TunnelRemoved { name: "b".into() });
        model.answered(answer(&[("a", ready), ("b", ready), ("c", lost)]));
        assert_eq!(states(&model), now(&[("a", ready), ("c", lost)]));
    }

    #[test]
    fn what_is_not_selected_is_not_shown() {
        let mut model = Model::new(&["a*".to_owned()]);
        let changes = model.apply(snapshot(&[("b", TunnelState::Ready), ("ab", TunnelState::Ready)]));
        assert_eq!(told(&changes), [("ab", None, Some(TunnelState::Ready))]);
        let changes = model.apply(DaemonEvent::TunnelRemoved { name: "b".into() });
        assert_eq!(told(&changes), []);
    }
}
