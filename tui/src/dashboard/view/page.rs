//! What lies over everything: help, a report, a question.

use super::footer;
use super::line::{span, width};
use crate::dashboard::keys::{BINDINGS, Binding, Place};
use crate::dashboard::model::{Model, Over};
use crate::dashboard::theme::{self, Theme};
use crate::engine::{self, Engine};
use crate::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};
use tunnels_api::{Timestamp, TunnelState};

/// Labels of keys stand in a column of this width.
const LABEL: usize = 14;
/// The widest question.
const QUESTION: u16 = 64;
/// From this width on a column of the help is easy to read: where there is room for several they stand side by side.
const HELP: usize = 54;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, now: Timestamp) {
    let (area, title, scroll) = match &model.over {
        None => return,
        Some(Over::Help { scroll }) => (model.page(), "Help", *scroll),
        Some(Over::Report { title, scroll, .. }) => (model.page(), title.as_str(), *scroll),
        Some(Over::Question { .. }) => (question_area(model), "", 0),
    };
    let lines = lines(model);
    let needed = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = Rect { height: area.height.min(needed), ..area };
    // The terminal may have become smaller a moment ago.
    let area = area.intersection(frame.area());
    let shown = usize::from(area.height.saturating_sub(2));
    let more = lines.len().saturating_sub(scroll + shown);
    let end = match &model.over {
        // The eye is at the question, not at the last line of a large screen.
        Some(Over::Question { .. }) => {
            let room = usize::from(area.width.saturating_sub(4));
            let keys = footer::hints(model, Place::Question, room, now);
            Line::from([vec![Span::raw(" ")], keys].concat())
        }
        _ if more > 0 => Line::from(format!(" {more} more lines: ↓ ")),
        _ => Line::default(),
    };
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .title(span(if title.is_empty() { String::new() } else { format!(" {title} ") }, Theme::bold()))
        .title_bottom(end.right_aligned());
    let lines: Vec<Line<'static>> = lines.into_iter().skip(scroll).take(shown).collect();
    // What lies below is not what keys are for now.
    let footer = 1;
    let below = Rect { height: frame.area().height.saturating_sub(footer), ..frame.area() };
    frame.buffer_mut().set_style(below, Theme::dim());
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The text of it, as lines that fit.
pub(super) fn lines(model: &Model) -> Vec<Line<'static>> {
    let columns = usize::from(model.page().width.saturating_sub(4)).max(10);
    match &model.over {
        None => Vec::new(),
        Some(Over::Help { .. }) => help(model, columns),
        Some(Over::Report { text, .. }) => {
            let plain = anstream::adapter::strip_str(text).to_string();
            plain.lines().flat_map(|line| report(line, columns)).map(|line| Line::from(format!(" {line}"))).collect()
        }
        Some(Over::Question { text, .. }) => {
            let columns = usize::from(question_width(model).saturating_sub(4));
            let wrapped = text::wrap(&text::clean(text), columns);
            wrapped.into_iter().map(|line| Line::from(format!(" {line}"))).collect()
        }
    }
}

/// A line of a report as it fits. What stands below a line of a file points at places in it, so that these are cut; others
/// go on in the next line.
fn report(line: &str, columns: usize) -> Vec<String> {
    let is_of_a_file = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    if is_of_a_file { vec![text::cut(line, columns)] } else { text::fold(line, columns) }
}

fn question_width(model: &Model) -> u16 {
    model.size.width.min(QUESTION)
}

fn question_area(model: &Model) -> Rect {
    let width = question_width(model);
    let lines = u16::try_from(lines(model).len()).unwrap_or(u16::MAX);
    let height = lines.saturating_add(2).min(model.size.height.saturating_sub(1));
    Rect { x: (model.size.width - width) / 2, y: (model.size.height.saturating_sub(height)) / 2, width, height }
}

/// Every key of the table, then the signs of the list; side by side where there is room.
fn help(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let beside = (columns / HELP).max(1);
    let wide = columns / beside;
    let sections = sections(model, wide);
    let height = least_height(&sections, beside);
    let mut piles: Vec<Vec<Line<'static>>> = vec![Vec::new()];
    for section in sections {
        let is_full = piles.last().is_some_and(|pile| !pile.is_empty() && pile.len() + section.len() > height);
        if is_full {
            piles.push(Vec::new());
        }
        if let Some(pile) = piles.last_mut() {
            pile.extend(section);
        }
    }
    let line_at = |at: usize| {
        let mut spans: Vec<Span<'static>> = Vec::new();
        for (place, pile) in piles.iter().enumerate() {
            let missing = (place * wide).saturating_sub(width(&spans));
            spans.push(Span::raw(" ".repeat(missing)));
            spans.extend(pile.get(at).into_iter().flat_map(|line| line.spans.clone()));
        }
        Line::from(spans)
    };
    (0..piles.iter().map(Vec::len).max().unwrap_or(0)).map(line_at).collect()
}

/// How high columns must be for so many of them to hold all sections in their order.
fn least_height(sections: &[Vec<Line<'static>>], columns: usize) -> usize {
    let whole: usize = sections.iter().map(Vec::len).sum();
    let highest = sections.iter().map(Vec::len).max().unwrap_or(0);
    let needed = |height: usize| {
        let mut left = 0;
        let mut count = 0;
        for section in sections {
            if section.len() > left {
                (left, count) = (height, count + 1);
            }
            left -= section.len();
        }
        count
    };
    (highest..whole).find(|height| needed(*height) <= columns).unwrap_or(whole)
}

/// The parts of the help, each with an empty line at its end.
fn sections(model: &Model, columns: usize) -> Vec<Vec<Line<'static>>> {
    /// Each key stands in the first section that it belongs to.
    const SECTIONS: [(&str, &[Place]); 7] = [
        ("Moving about", &[Place::List, Place::Detail, Place::Page]),
        ("In the list and with one tunnel", &[Place::List, Place::Detail]),
        ("In the list", &[Place::List]),
        ("With one tunnel", &[Place::Detail]),
        ("While a filter is written", &[Place::Line]),
        ("On a page like this", &[Place::Page]),
        ("At a question", &[Place::Question]),
    ];
    let section =
        |binding: &Binding| SECTIONS.iter().position(|(_, places)| places.iter().all(|place| binding.is_for(*place)));
    let mut sections = Vec::new();
    for (at, (title, _)) in SECTIONS.iter().enumerate() {
        let mut lines = vec![Line::from(span(format!(" {title}"), Theme::bold()))];
        for binding in BINDINGS.iter().filter(|binding| section(binding) == Some(at)) {
            let mut label = text::pad(&binding.label(), LABEL);
            for said in text::wrap(binding.help, columns.saturating_sub(LABEL + 4).max(10)) {
                lines.push(Line::from(vec![span(format!("   {label}"), model.theme.accent()), Span::raw(said)]));
                label = " ".repeat(LABEL);
            }
        }
        lines.push(Line::default());
        sections.push(lines);
    }
    let mut lines = vec![Line::from(span(" What the signs mean", Theme::bold()))];
    for state in TunnelState::ALL {
        let sign = span(format!("   {} ", theme::symbol(state)), model.theme.state(state));
        lines.push(Line::from(vec![sign, Span::raw(state.as_str())]));
    }
    for engine in Engine::ALL {
        lines.push(Line::from(vec![
            span(format!("   {:<4}", engine::tag(engine)), Theme::dim()),
            Span::raw(engine.name()),
        ]));
    }
    lines.push(Line::default());
    sections.push(lines);
    let mouse =
        "The mouse selects, opens, scrolls and turns tabs; with shift it marks text, as anywhere in your terminal.";
    let mouse = text::wrap(mouse, columns.saturating_sub(2).max(10));
    sections.push(mouse.into_iter().map(|line| Line::from(format!(" {line}"))).collect());
    sections
}
