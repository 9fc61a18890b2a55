//! The menu: each tunnel below its group with what can be done about it, and what can be done about all of them.
//!
//! Pure. A tunnel has the same entries in every state, some of which are hidden: hosts close a menu whose entries come
//! and go, and one that is open shall stay usable while tunnels change. A protected tunnel is brought up by its own
//! entry only, and a second click in a submenu confirms it; what brings several up leaves it out.

use crate::action::Action;
use crate::scene::{Link, Scene};
use tunnels_api::{TargetState, Timestamp, TunnelState, TunnelStatus};
use tunnels_tui::{login, text, words};

/// So many tunnels are listed: a menu of more is not read, and the dashboard has a filter.
const MOST_TUNNELS: usize = 100;
/// So many logins are offered at the top; each tunnel offers its own.
const MOST_LOGINS: usize = 5;
/// Characters of a cause, and of what to do about it.
const WIDE: usize = 80;

/// An entry of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) label: String,
    pub(crate) is_visible: bool,
    pub(crate) is_enabled: bool,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Separator,
    /// Something to read.
    Text,
    Click(Action),
    /// Something that is on or off, and what a click on it asks for.
    Switch {
        is_on: bool,
        action: Action,
    },
    Submenu(Vec<Item>),
}

impl Item {
    fn new(label: impl Into<String>, kind: Kind) -> Self {
        Self { label: label.into(), is_visible: true, is_enabled: true, kind }
    }

    fn text(label: impl Into<String>) -> Self {
        Self { is_enabled: false, ..Self::new(label, Kind::Text) }
    }

    fn click(label: impl Into<String>, action: Action) -> Self {
        Self::new(label, Kind::Click(action))
    }

    fn separator() -> Self {
        Self::new("", Kind::Separator)
    }

    fn visible(self, is_visible: bool) -> Self {
        Self { is_visible, ..self }
    }

    fn enabled(self, is_enabled: bool) -> Self {
        Self { is_enabled, ..self }
    }
}

/// The menu for what is known.
pub(crate) fn of(scene: &Scene, now: Timestamp) -> Vec<Item> {
    let mut menu = Vec::new();
    match &scene.link {
        Link::Up => heard(scene, now, &mut menu),
        Link::Lost(why) => {
            menu.push(Item::text(text::cut(&text::clean(why), WIDE)));
            menu.push(Item::click("Start the daemon", Action::StartDaemon).visible(scene.can_start));
        }
    }
    menu.push(Item::separator());
    menu.push(Item::click("Open the dashboard", Action::Dashboard));
    let action = Action::Notify(!scene.notifies);
    menu.push(Item::new("Notifications", Kind::Switch { is_on: scene.notifies, action }));
    menu.push(Item::separator());
    // The daemon and the tunnels go on.
    menu.push(Item::click("Quit the tray", Action::Quit));
    menu
}

fn heard(scene: &Scene, now: Timestamp, menu: &mut Vec<Item>) {
    let tunnels = scene.tunnels.tunnels();
    menu.push(Item::text(match tunnels {
        [] => "No tunnel is configured".to_owned(),
        _ => words::summary(tunnels.iter()),
    }));
    menu.push(
        Item::text("The last edit of the configuration was rejected: see `tunnels config check`")
            .visible(scene.tunnels.config_error().is_some()),
    );
    menu.extend(logins(tunnels, now));
    if tunnels.is_empty() {
        return;
    }
    menu.push(Item::separator());
    let listed = &tunnels[..tunnels.len().min(MOST_TUNNELS)];
    let (grouped, single): (Vec<_>, Vec<_>) = listed.iter().partition(|tunnel| !tunnel.groups.is_empty());
    menu.extend(groups(&grouped).into_iter().map(|(name, members)| group(name, &members, now)));
    menu.extend(single.into_iter().map(|tunnel| one(tunnel, now)));
    let more = tunnels.len() - listed.len();
    if more > 0 {
        menu.push(Item::click(format!("{more} more in the dashboard"), Action::Dashboard));
    }
    menu.push(Item::separator());
    let all: Vec<&TunnelStatus> = tunnels.iter().filter(|tunnel| tunnel.auto).collect();
    menu.push(bring_up("Bring all up", &all));
    menu.push(take_down("Take all down", &tunnels.iter().collect::<Vec<_>>()));
}

/// An entry for each command that tunnels wait for.
fn logins(tunnels: &[TunnelStatus], now: Timestamp) -> Vec<Item> {
    let mut waiting: Vec<(&str, usize)> = Vec::new();
    for command in tunnels.iter().filter_map(|tunnel| login::command(tunnel, now)) {
        match waiting.iter_mut().find(|(known, _)| *known == command) {
            Some((_, count)) => *count += 1,
            None => waiting.push((command, 1)),
        }
    }
    let entry = |(command, count): (&str, usize)| {
        let whom = if count == 1 { "1 tunnel".to_owned() } else { format!("{count} tunnels") };
        Item::click(format!("Log in for {whom}: {}", text::clean(command)), Action::LogIn(command.to_owned()))
    };
    waiting.into_iter().take(MOST_LOGINS).map(entry).collect()
}

/// The tunnels by the first group of each, groups in the order in which they come.
fn groups<'a>(tunnels: &[&'a TunnelStatus]) -> Vec<(&'a str, Vec<&'a TunnelStatus>)> {
    let mut groups: Vec<(&str, Vec<&TunnelStatus>)> = Vec::new();
    for &tunnel in tunnels {
        let Some(name) = tunnel.groups.first() else { continue };
        match groups.iter_mut().find(|(known, _)| known == name) {
            Some((_, members)) => members.push(tunnel),
            None => groups.push((name, vec![tunnel])),
        }
    }
    groups
}

fn group(name: &str, members: &[&TunnelStatus], now: Timestamp) -> Item {
    let name = text::clean(name);
    let mut menu: Vec<Item> = members.iter().map(|tunnel| one(tunnel, now)).collect();
    menu.push(Item::separator());
    menu.push(bring_up(&format!("Bring @{name} up"), members));
    menu.push(take_down(&format!("Take @{name} down"), members));
    Item::new(format!("@{name}: {}", words::summary(members.iter().copied())), Kind::Submenu(menu))
}

/// Brings several up, and says if some of them are not meant.
fn bring_up(label: &str, tunnels: &[&TunnelStatus]) -> Item {
    let (up, down): (Vec<&TunnelStatus>, Vec<&TunnelStatus>) =
        tunnels.iter().partition(|tunnel| tunnel.wanted == TargetState::Up);
    let (guarded, free): (Vec<_>, Vec<_>) = down.into_iter().partition(|tunnel| tunnel.protected);
    let label = match guarded.len() {
        0 => label.to_owned(),
        1 => format!("{label} but the protected one"),
        many => format!("{label} but {many} protected ones"),
    };
    let is_enabled = !free.is_empty();
    // What is wanted up already may have given up, and is tried again.
    let names = up.iter().chain(&free).map(|tunnel| tunnel.name.clone()).collect();
    Item::click(label, Action::Up(names)).enabled(is_enabled)
}

fn take_down(label: &str, tunnels: &[&TunnelStatus]) -> Item {
    let up = tunnels.iter().filter(|tunnel| tunnel.wanted == TargetState::Up);
    let names: Vec<String> = up.map(|tunnel| tunnel.name.clone()).collect();
    let is_enabled = !names.is_empty();
    Item::click(label, Action::Down(names)).enabled(is_enabled)
}

/// One tunnel: its state, and what can be done about it.
fn one(tunnel: &TunnelStatus, now: Timestamp) -> Item {
    let is_up = tunnel.wanted == TargetState::Up;
    let name = tunnel.name.clone();
    let cause = tunnel.cause.as_ref().filter(|_| tunnel.state != TunnelState::Down);
    let line = |said: Option<&str>| {
        Item::text(text::cut(&text::clean(said.unwrap_or_default()), WIDE)).visible(said.is_some())
    };
    let command = login::command(tunnel, now);
    let menu = vec![
        line(cause.map(|cause| cause.text.as_str())),
        line(cause.and_then(|cause| cause.next.as_deref())),
        Item::click(
            format!("Log in: {}", text::clean(command.unwrap_or_default())),
            Action::LogIn(command.unwrap_or_default().to_owned()),
        )
        .visible(command.is_some()),
        up(tunnel).visible(!is_up),
        Item::click("Take down", Action::Down(vec![name.clone()])).visible(is_up),
        Item::click("Restart", Action::Restart(name)).visible(is_up),
        Item::click(format!("Copy {}", text::clean(&tunnel.local)), Action::Copy(tunnel.local.clone())),
    ];
    Item::new(heading(tunnel), Kind::Submenu(menu))
}

/// The state in a few words; how long until the next try would be another text each second.
fn heading(tunnel: &TunnelStatus) -> String {
    let mut heading = format!("{} {}: {}", words::symbol(tunnel.state), text::clean(&tunnel.name), tunnel.state);
    let mut add = |said: &str| {
        heading.push_str(" · ");
        heading.push_str(said);
    };
    if tunnel.protected {
        add("protected");
    }
    if let Some(brief) = words::brief(tunnel).filter(|_| tunnel.state != TunnelState::Ready) {
        add(brief);
    }
    heading
}

/// Brings one up; a protected one only after another click.
fn up(tunnel: &TunnelStatus) -> Item {
    let action = Action::Up(vec![tunnel.name.clone()]);
    if tunnel.protected {
        let name = text::clean(&tunnel.name);
        let sure = Item::click(format!("{name} is protected: bring it up all the same"), action);
        return Item::new("Bring up", Kind::Submenu(vec![sure]));
    }
    Item::click("Bring up", action)
}

#[cfg(test)]
mod tests;
