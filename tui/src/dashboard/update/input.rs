//! Keys, the mouse and what is pasted: where they go, and how they move about.

use super::super::effect::Effect;
use super::super::keys::{self, Action, Place};
use super::super::model::{Detail, Model, Over, Seen, Tab};
use super::super::rows::Row;
use super::super::view;
use super::{acting, look};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use tunnels_api::{Span, Timestamp};

/// Lines for one turn of the wheel.
const WHEEL: isize = 3;
/// A filter is a few words.
const LONGEST_FILTER: usize = 200;

/// Where keys go now.
fn place(model: &Model) -> Place {
    match &model.over {
        Some(Over::Question { .. }) => Place::Question,
        Some(Over::Help { .. } | Over::Report { .. }) => Place::Page,
        None if model.is_filtering => Place::Line,
        None if model.detail.is_some() => Place::Detail,
        None => Place::List,
    }
}

pub(super) fn key(model: &mut Model, event: &KeyEvent, now: Timestamp) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let place = place(model);
    if let Some(action) = keys::action(place, event) {
        return perform(model, place, action, now);
    }
    let is_text = (event.modifiers - KeyModifiers::SHIFT).is_empty();
    if let (Place::Line, KeyCode::Char(c), true) = (place, event.code, is_text) {
        write(model, &c.to_string());
    }
    Vec::new()
}

pub(super) fn paste(model: &mut Model, text: &str) {
    if place(model) == Place::Line {
        write(model, &crate::text::clean(text));
    }
}

fn write(model: &mut Model, text: &str) {
    if model.list.wanted.filter.len() + text.len() <= LONGEST_FILTER {
        model.filter(|filter| filter.push_str(text));
    }
}

fn perform(model: &mut Model, place: Place, action: Action, now: Timestamp) -> Vec<Effect> {
    match action {
        Action::Quit => return vec![Effect::Quit],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Help => model.over = Some(Over::Help { scroll: 0 }),
        Action::Yes | Action::No => {
            if let Some(Over::Question { command, .. }) = model.over.take()
                && action == Action::Yes
            {
                return vec![Effect::Command(command)];
            }
        }
        Action::Previous => shift(model, place, -1, now),
        Action::Next => shift(model, place, 1, now),
        Action::PageUp => shift(model, place, -page(model, place), now),
        Action::PageDown => shift(model, place, page(model, place), now),
        Action::First => shift(model, place, isize::MIN, now),
        Action::Last => shift(model, place, isize::MAX, now),
        Action::Back => back(model, place),
        Action::Accept => model.is_filtering = false,
        Action::Erase => model.filter(|filter| {
            filter.pop();
        }),
        Action::EraseAll => model.filter(String::clear),
        Action::Filter => model.is_filtering = true,
        Action::Guide => guide(model),
        Action::Sort => {
            model.list.wanted.sort = model.list.wanted.sort.next();
            model.arrange();
            model.notify(format!("sorted {}", model.list.wanted.sort.words()), now);
        }
        Action::Reverse => {
            model.list.wanted.reversed = !model.list.wanted.reversed;
            model.arrange();
            let order = if model.list.wanted.reversed { ", the other way round" } else { "" };
            model.notify(format!("sorted {}{order}", model.list.wanted.sort.words()), now);
        }
        Action::Group => {
            model.list.wanted.grouping = model.list.wanted.grouping.next();
            model.arrange();
            model.notify(model.list.wanted.grouping.words(), now);
        }
        Action::Mark => {
            if let Some(name) = model.list.selected.clone() {
                if !model.list.marked.remove(&name) {
                    model.list.marked.insert(name);
                }
                shift(model, place, 1, now);
            }
        }
        Action::MarkAll => mark_all(model),
        Action::Open => return open(model).into_iter().collect(),
        Action::NextTab | Action::PreviousTab | Action::Tab(_) | Action::Span => {
            return turn(model, action).into_iter().collect();
        }
        Action::BringUp
        | Action::TakeDown
        | Action::Restart
        | Action::CopyAddress
        | Action::CopyUrl
        | Action::CopyCommand
        | Action::Client
        | Action::Login
        | Action::Edit
        | Action::StartDaemon => return acting::act(model, action, now),
    }
    Vec::new()
}

/// Shows the guide below the list or takes it away; over everything where there is no room for it below.
fn guide(model: &mut Model) {
    if model.guide.is_empty() {
        return;
    }
    let was_shown = model.areas().guide.height > 0;
    model.shows_guide = !was_shown;
    if !was_shown && model.areas().guide.height == 0 {
        let title = "What to try".to_owned();
        model.over = Some(Over::Report { title, text: model.guide_lines().join("\n"), scroll: 0 });
    }
    model.keep_in_sight();
}

fn back(model: &mut Model, place: Place) {
    match place {
        Place::Page | Place::Question => model.over = None,
        Place::Line => {
            model.is_filtering = false;
            model.filter(String::clear);
        }
        Place::Detail => model.detail = None,
        Place::List if model.list.marked.is_empty() => model.filter(String::clear),
        Place::List => model.list.marked.clear(),
    }
}

fn mark_all(model: &mut Model) {
    let shown: Vec<String> = model.shown().map(|tunnel| tunnel.name.clone()).collect();
    if shown.iter().all(|name| model.list.marked.contains(name)) {
        model.list.marked.clear();
    } else {
        model.list.marked.extend(shown);
    }
}

/// Opens the selected tunnel.
fn open(model: &mut Model) -> Option<Effect> {
    let name = model.list.selected.clone()?;
    // What was done to the list says nothing of this tunnel.
    model.notice = model.notice.take().filter(|notice| notice.is_trouble);
    model.detail = Some(Detail {
        name,
        tab: Tab::Overview,
        span: Span::default(),
        scroll: None,
        seen: Seen::default(),
        is_loading: false,
        trouble: None,
    });
    look(model)
}

/// Turns to another tab or another span.
fn turn(model: &mut Model, action: Action) -> Option<Effect> {
    let detail = model.detail.as_mut()?;
    match action {
        Action::NextTab => detail.tab = detail.tab.step(1),
        Action::PreviousTab => detail.tab = detail.tab.step(-1),
        Action::Tab(at) => detail.tab = Tab::ALL[usize::from(at) % Tab::ALL.len()],
        Action::Span => {
            let at = Span::ALL.iter().position(|span| *span == detail.span).unwrap_or(0);
            detail.span = Span::ALL[(at + 1) % Span::ALL.len()];
            detail.seen.traffic = None;
        }
        _ => return None,
    }
    detail.scroll = None;
    detail.trouble = None;
    // What is on its way is for the tab before.
    detail.is_loading = false;
    look(model)
}

/// Lines of a page, but one: so that the eye finds its place again.
fn page(model: &Model, place: Place) -> isize {
    let lines = match place {
        Place::List | Place::Line => usize::from(model.areas().rows.height),
        Place::Detail => usize::from(model.detail_areas().body.height),
        Place::Page | Place::Question => model.page_lines(),
    };
    isize::try_from(lines.saturating_sub(1).max(1)).unwrap_or(isize::MAX)
}

/// Moves the selection, or scrolls what is read, by so many lines.
fn shift(model: &mut Model, place: Place, by: isize, now: Timestamp) {
    match place {
        Place::List | Place::Line => move_selection(model, by),
        Place::Page | Place::Question => {
            let last = view::page_height(model).saturating_sub(model.page_lines());
            if let Some(Over::Help { scroll } | Over::Report { scroll, .. }) = &mut model.over {
                *scroll = scroll.saturating_add_signed(by).min(last);
            }
        }
        Place::Detail => {
            let lines = view::body_height(model, now);
            let last = lines.saturating_sub(usize::from(model.detail_areas().body.height));
            if let Some(detail) = &mut model.detail {
                let end = if detail.tab.follows_end() { last } else { 0 };
                let to = detail.scroll.unwrap_or(end).min(last).saturating_add_signed(by).min(last);
                // At the end it follows again.
                detail.scroll = if detail.tab.follows_end() && to == last { None } else { Some(to) };
            }
        }
    }
}

fn move_selection(model: &mut Model, by: isize) {
    let Some(row) = model.selected_row() else { return };
    let last = model.list.rows.len().saturating_sub(1);
    let to = row.saturating_add_signed(by).min(last);
    let before = model.list.selected.clone();
    model.select_near(to);
    // A heading upwards is passed over upwards.
    if by < 0 && model.list.selected == before && to > 0 {
        model.select_near(to - 1);
    }
    model.keep_in_sight();
}

pub(super) fn mouse(model: &mut Model, event: MouseEvent, now: Timestamp) -> Vec<Effect> {
    let place = place(model);
    match event.kind {
        MouseEventKind::ScrollUp => shift(model, place, if place == Place::List { -1 } else { -WHEEL }, now),
        MouseEventKind::ScrollDown => shift(model, place, if place == Place::List { 1 } else { WHEEL }, now),
        MouseEventKind::Down(MouseButton::Left) => {
            return click(model, place, Position { x: event.column, y: event.row }).into_iter().collect();
        }
        _ => {}
    }
    Vec::new()
}

fn click(model: &mut Model, place: Place, at: Position) -> Option<Effect> {
    match place {
        Place::List | Place::Line => {
            let rows = model.areas().rows;
            let row = usize::from(at.y.checked_sub(rows.y)?) + model.list.offset;
            let is_tunnel = matches!(model.list.rows.get(row), Some(Row::Tunnel(_)));
            if !rows.contains(at) || !is_tunnel {
                return None;
            }
            model.is_filtering = false;
            if model.selected_row() == Some(row) {
                return open(model);
            }
            model.select_near(row);
        }
        Place::Detail => {
            let tab = view::tab_at(model, at)?;
            return turn(model, Action::Tab(u8::try_from(tab).ok()?));
        }
        Place::Page => model.over = None,
        Place::Question => {}
    }
    None
}
