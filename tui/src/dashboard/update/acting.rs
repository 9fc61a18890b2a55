//! What keys do to tunnels: commands, what is copied, programs that are opened. And whether a key makes sense now,
//! which is what the footer goes by.

use super::super::effect::{Command, Effect, Program, Verb};
use super::super::keys::Action;
use super::super::model::{Link, Model, Over, Tab};
use crate::{engine, login, text};
use tunnels_api::{TargetState, Timestamp, TunnelState, TunnelStatus};

/// Does what a key asks for to the tunnels that are meant.
pub(super) fn act(model: &mut Model, action: Action, now: Timestamp) -> Vec<Effect> {
    match action {
        Action::BringUp => command(model, Verb::Up, now),
        Action::TakeDown => command(model, Verb::Down, now),
        Action::Restart => command(model, Verb::Restart, now),
        Action::CopyAddress => copy(model, "address", now, |tunnel| Some(tunnel.local.clone())),
        Action::CopyUrl => copy(model, "connection string", now, |tunnel| Some(engine::url(tunnel))),
        Action::CopyCommand => {
            copy(model, "command", now, |tunnel| engine::client(tunnel).map(|words| engine::posix_line(&words)))
        }
        Action::Client => client(model, now),
        Action::Login => log_in(model, now),
        Action::Edit => edit(model, now),
        Action::StartDaemon if makes_sense(model, action, now) => vec![Effect::StartDaemon],
        _ => Vec::new(),
    }
}

/// Whether a key would do something now.
pub(in super::super) fn makes_sense(model: &Model, action: Action, now: Timestamp) -> bool {
    let is_up = model.link == Link::Up;
    let meant = || model.meant().into_iter();
    let only = || model.current().filter(|_| meant().count() == 1);
    let is_wanted = |tunnel: &TunnelStatus| tunnel.wanted == TargetState::Up;
    match action {
        Action::BringUp => is_up && meant().any(|tunnel| !is_wanted(tunnel)),
        Action::TakeDown | Action::Restart => is_up && meant().any(is_wanted),
        Action::CopyAddress | Action::CopyUrl => meant().count() > 0,
        Action::CopyCommand => meant().any(|tunnel| engine::client(tunnel).is_some()),
        Action::Client => only().is_some_and(|tunnel| is_wanted(tunnel) && engine::client(tunnel).is_some()),
        Action::Login => is_up && renewal(model, now).is_some(),
        Action::Edit => is_up && model.daemon.as_ref().is_some_and(|daemon| daemon.config.is_some()),
        Action::StartDaemon => model.can_start && matches!(model.link, Link::Lost { .. }),
        Action::Open | Action::Mark => model.list.selected.is_some(),
        Action::Filter | Action::Group | Action::Sort => !model.tunnels.tunnels().is_empty(),
        Action::Back if model.detail.is_none() && model.over.is_none() && !model.is_filtering => {
            !model.list.marked.is_empty() || !model.list.wanted.filter.is_empty()
        }
        Action::Guide => !model.guide.is_empty(),
        Action::Span => {
            model.detail.as_ref().is_some_and(|detail| matches!(detail.tab, Tab::Throughput | Tab::Latency))
        }
        _ => true,
    }
}

fn command(model: &mut Model, verb: Verb, now: Timestamp) -> Vec<Effect> {
    if !is_connected(model, now) {
        return Vec::new();
    }
    let meant = model.meant();
    let names: Vec<String> = meant.iter().map(|tunnel| tunnel.name.clone()).collect();
    if names.is_empty() {
        model.complain("no tunnel is selected", now);
        return Vec::new();
    }
    // As the command line asks: what is up already is not brought up by accident.
    let is_guarded = |tunnel: &&&TunnelStatus| tunnel.protected && tunnel.wanted == TargetState::Down;
    let guarded: Vec<&str> = meant.iter().filter(is_guarded).map(|tunnel| tunnel.name.as_str()).collect();
    let command = Command { verb, names };
    if verb != Verb::Down && !guarded.is_empty() {
        let verb = if guarded.len() == 1 { "is" } else { "are" };
        let text = format!("{} {verb} protected: bring up all the same?", text::names(&guarded, 4));
        model.over = Some(Over::Question { text, command });
        return Vec::new();
    }
    vec![Effect::Command(command)]
}

fn is_connected(model: &mut Model, now: Timestamp) -> bool {
    if model.link != Link::Up {
        model.complain("no daemon answers: nothing was changed", now);
    }
    model.link == Link::Up
}

/// Copies a text for each tunnel that is meant, a line each.
fn copy(
    model: &mut Model,
    what: &str,
    now: Timestamp,
    text_of: impl Fn(&TunnelStatus) -> Option<String>,
) -> Vec<Effect> {
    let texts: Vec<String> = model.meant().into_iter().filter_map(text_of).collect();
    match texts.as_slice() {
        [] => {
            model.complain(format!("there is no {what} to copy"), now);
            return Vec::new();
        }
        [one] => model.notify(format!("copied {}", text::clean(one)), now),
        many => model.notify(format!("copied {} lines", many.len()), now),
    }
    vec![Effect::Copy(texts.join("\n"))]
}

fn client(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(tunnel) = model.current() else { return Vec::new() };
    let name = text::clean(&tunnel.name);
    let words = engine::client(tunnel);
    let is_bound = !matches!(tunnel.state, TunnelState::Down | TunnelState::Failed);
    match words {
        Some(words) if is_bound => return vec![Effect::Run(Program::Client(words))],
        Some(_) => model.complain(format!("nothing listens for {name}: bring it up first"), now),
        None => model.complain(format!("no client is known for {name}"), now),
    }
    Vec::new()
}

fn log_in(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    if !is_connected(model, now) {
        return Vec::new();
    }
    if let Some(command) = renewal(model, now) {
        let words = command.split_whitespace().map(str::to_owned).collect();
        return vec![Effect::Run(Program::Login(words))];
    }
    model.complain("no login is due here", now);
    Vec::new()
}

/// The command for the current tunnel; where that needs none, the one that all others wait for.
fn renewal(model: &Model, now: Timestamp) -> Option<&str> {
    if let Some(command) = model.current().and_then(|tunnel| login::command(tunnel, now)) {
        return Some(command);
    }
    let mut commands = model.tunnels.tunnels().iter().filter_map(|tunnel| login::command(tunnel, now));
    let first = commands.next()?;
    commands.all(|other| other == first).then_some(first)
}

fn edit(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    if let Some(file) = model.daemon.as_ref().and_then(|daemon| daemon.config.clone()) {
        return vec![Effect::Run(Program::Editor { file })];
    }
    model.complain("it is not known which file the daemon reads", now);
    Vec::new()
}
