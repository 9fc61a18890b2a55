//! What a message makes of the model, and what is to be done for it. Pure: `now` comes from outside.
//!
//! `update` itself takes what comes from the daemon; keys and the mouse are `input`'s, what they do to tunnels is
//! `acting`'s.

mod acting;
mod input;

pub(super) use acting::makes_sense;

use super::effect::{Effect, Look, Message, Program};
use super::model::{Link, Model, Over, SPARK, Tab};
use crate::conn::News;
use crate::text;
use jiff::SignedDuration;
use std::collections::{BTreeSet, VecDeque};
use tunnels_api::{ApiError, ClientError, DaemonEvent, ErrorCode, Reloaded, Timestamp, Tunnels};

/// So long a line about what was done stays, and one about what went wrong.
const NOTICE: SignedDuration = SignedDuration::from_secs(5);
const TROUBLE: SignedDuration = SignedDuration::from_secs(12);

/// Takes a message. What tunnels do only marks the rows as old, since a thousand may do something at once: call
/// [`Model::settle`] before the model is drawn.
pub(super) fn update(model: &mut Model, message: Message, now: Timestamp) -> Vec<Effect> {
    if matches!(message, Message::Key(_) | Message::Mouse(_) | Message::Paste(_) | Message::Resized(_)) {
        model.settle();
    }
    match message {
        Message::Key(event) => return input::key(model, &event, now),
        Message::Mouse(event) => return input::mouse(model, event, now),
        Message::Paste(text) => input::paste(model, &text),
        Message::Resized(size) => {
            model.size = size;
            model.keep_in_sight();
        }
        Message::Tick => return tick(model, now),
        Message::News(news) => return heard(model, news, now),
        Message::Figures(figures) => {
            model.is_refreshing = false;
            // What is wrong with the daemon is told by the subscription.
            if let Ok(figures) = figures {
                measured(model, figures);
            }
        }
        Message::Version(version) => model.daemon = version.ok().or(model.daemon.take()),
        Message::Looked { name, look } => looked(model, &name, look),
        Message::Done { command, result } => match result {
            Ok(count) => {
                let names: Vec<&str> = command.names.iter().map(String::as_str).collect();
                let said = format!("{}: {}", command.verb, text::names(&names, 4));
                model.notify(if count == 1 { said } else { format!("{said} ({count} tunnels)") }, now);
                return refresh(model);
            }
            Err(error) => model.complain(in_a_line(&error), now),
        },
        Message::Ran { program: Program::Editor { .. }, result: Ok(()) } => return vec![Effect::Reload],
        Message::Ran { program, result } => ran(model, &program, result, now),
        Message::Reloaded(result) => reloaded(model, result, now),
        Message::Started(Ok(())) => model.notify("the daemon has been started", now),
        Message::Started(Err(error)) => model.complain(in_a_line(&error), now),
    }
    Vec::new()
}

fn tick(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let is_over = |notice: &super::model::Notice| {
        now.duration_since(notice.at) >= if notice.is_trouble { TROUBLE } else { NOTICE }
    };
    if model.notice.as_ref().is_some_and(is_over) {
        model.notice = None;
    }
    let mut effects = refresh(model);
    effects.extend(look(model));
    effects
}

/// Asks for figures, unless they are on their way or nobody would answer.
fn refresh(model: &mut Model) -> Vec<Effect> {
    if model.link != Link::Up || std::mem::replace(&mut model.is_refreshing, true) {
        return Vec::new();
    }
    model.tunnels.asking();
    vec![Effect::Figures]
}

/// Asks for what the open tab shows, as `refresh` does.
fn look(model: &mut Model) -> Option<Effect> {
    let is_up = model.link == Link::Up;
    let detail = model.detail.as_mut().filter(|detail| is_up && !detail.is_loading)?;
    // A configuration changes with an edit, which is told.
    if detail.tab == Tab::Config && detail.seen.settings.is_some() {
        return None;
    }
    detail.is_loading = true;
    Some(Effect::Look { name: detail.name.clone(), tab: detail.tab, span: detail.span })
}

fn heard(model: &mut Model, news: News, now: Timestamp) -> Vec<Effect> {
    let event = match news {
        News::Event(event) => event,
        News::Lost(error) => {
            let why = match error {
                Some(error) => said_of(&error),
                None => "the daemon has ended".to_owned(),
            };
            // That nobody answers where the daemon has just ended is no better reason.
            if !matches!(model.link, Link::Lost { .. }) {
                model.link = Link::Lost { since: now, why };
            }
            model.is_refreshing = false;
            return Vec::new();
        }
    };
    let mut effects = Vec::new();
    if model.link != Link::Up {
        model.link = Link::Up;
        effects.push(Effect::Version);
        if let Some(detail) = &mut model.detail {
            detail.is_loading = false;
        }
    }
    if let DaemonEvent::Snapshot { .. } | DaemonEvent::ConfigReloaded = &event
        && let Some(detail) = &mut model.detail
    {
        detail.seen.settings = None;
    }
    model.tunnels.apply(event);
    changed(model);
    effects.extend(look(model));
    effects
}

fn measured(model: &mut Model, figures: Tunnels) {
    for tunnel in &figures.tunnels {
        if !model.recent.contains_key(&tunnel.name) {
            model.recent.insert(tunnel.name.clone(), VecDeque::with_capacity(SPARK));
        }
        let Some(recent) = model.recent.get_mut(&tunnel.name) else { continue };
        if recent.len() == SPARK {
            recent.pop_front();
        }
        recent.push_back(tunnel.rate_in.saturating_add(tunnel.rate_out));
    }
    model.tunnels.answered(figures);
    changed(model);
}

/// Tunnels have changed: their rows are old, and one that is gone is not looked at any more.
fn changed(model: &mut Model) {
    model.list.is_stale = true;
    if model.detail.as_ref().is_some_and(|detail| model.tunnel(&detail.name).is_none()) {
        model.detail = None;
    }
}

fn looked(model: &mut Model, name: &str, look: Result<Look, ClientError>) {
    let Some(detail) = model.detail.as_mut().filter(|detail| detail.name == name) else { return };
    detail.is_loading = false;
    detail.trouble = None;
    let seen = &mut detail.seen;
    match look {
        Ok(Look::Sessions(sessions)) => seen.sessions = Some(sessions),
        Ok(Look::Connections(connections)) => seen.connections = Some(connections),
        // A span that is not looked at any more.
        Ok(Look::Traffic(traffic)) if traffic.step_s != detail.span.step_s() => {}
        Ok(Look::Traffic(traffic)) => seen.traffic = Some(traffic),
        Ok(Look::History(history)) => seen.history = Some(history),
        Ok(Look::Logs(logs)) => seen.logs = Some(logs),
        Ok(Look::Settings(settings)) => seen.settings = Some(settings),
        Err(error) => detail.trouble = Some(said_of(&error)),
    }
}

fn ran(model: &mut Model, program: &Program, result: Result<(), String>, now: Timestamp) {
    match (program, result) {
        (Program::Login(_), Ok(())) => model.notify("logged in; tunnels that waited for it go on by themselves", now),
        (Program::Client(_) | Program::Editor { .. }, Ok(())) => {}
        (Program::Client(words) | Program::Login(words), Err(how)) => {
            model.complain(format!("{}: {how}", words.first().map_or("", String::as_str)), now);
        }
        (Program::Editor { .. }, Err(how)) => model.complain(format!("the editor: {how}"), now),
    }
}

fn reloaded(model: &mut Model, result: Result<Reloaded, ApiError>, now: Timestamp) {
    match result {
        Ok(Reloaded { added, removed, changed, .. }) => {
            let touched: BTreeSet<&String> = added.iter().chain(&removed).chain(&changed).collect();
            let said = if touched.is_empty() {
                // Nothing has changed for any tunnel, or the daemon, which watches the file, has seen it before.
                "the configuration is in force".to_owned()
            } else {
                let parts = [("added", added.len()), ("removed", removed.len()), ("changed", changed.len())];
                let parts: Vec<String> = parts
                    .iter()
                    .filter(|(_, count)| *count > 0)
                    .map(|(what, count)| format!("{count} {what}"))
                    .collect();
                format!("the configuration is in force: {}", parts.join(", "))
            };
            model.notify(said, now);
        }
        Err(error) if error.code == ErrorCode::ConfigInvalid => {
            let title = "The configuration has mistakes; the one before stays in force".to_owned();
            model.over = Some(Over::Report { title, text: error.message, scroll: 0 });
        }
        Err(error) => model.complain(in_a_line(&error), now),
    }
}

fn in_a_line(error: &ApiError) -> String {
    let message = text::clean(&error.message);
    match &error.hint {
        Some(hint) => format!("{message}; {}", text::clean(hint)),
        None => message,
    }
}

fn said_of(error: &ClientError) -> String {
    text::clean(&error.to_string())
}

#[cfg(test)]
mod tests;
