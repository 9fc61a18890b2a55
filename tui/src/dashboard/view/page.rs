//! What lies over everything: help, a report, a question.

use super::ansi;
use super::line::span;
use crate::dashboard::keys::{BINDINGS, Binding, Place};
use crate::dashboard::model::{Model, Over};
use crate::dashboard::theme::{self, Theme};
use crate::engine::Engine;
use crate::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};
use tunnels_api::TunnelState;

/// Labels of keys stand in a column of this width.
const LABEL: usize = 18;
/// The widest question.
const QUESTION: u16 = 64;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let (area, title, scroll) = match &model.over {
        None => return,
        Some(Over::Help { scroll }) => (model.page(), "Help", *scroll),
        Some(Over::Report { title, scroll, .. }) => (model.page(), title.as_str(), *scroll),
        Some(Over::Question { .. }) => (question_area(model), "", 0),
    };
    // The terminal may have become smaller a moment ago.
    let area = area.intersection(frame.area());
    let lines = lines(model);
    let shown = usize::from(area.height.saturating_sub(2));
    let more = lines.len().saturating_sub(scroll + shown);
    let end = if more > 0 { format!(" {more} more lines: ↓ ") } else { String::new() };
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .title(span(if title.is_empty() { String::new() } else { format!(" {title} ") }, Theme::bold()))
        .title_bottom(Line::from(end).right_aligned());
    let lines: Vec<Line<'static>> = lines.into_iter().skip(scroll).take(shown).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The text of it, as lines that fit.
pub(super) fn lines(model: &Model) -> Vec<Line<'static>> {
    let columns = usize::from(model.page().width.saturating_sub(4)).max(10);
    match &model.over {
        None => Vec::new(),
        Some(Over::Help { .. }) => help(model, columns),
        // A report is laid out by whoever wrote it: a wrapped one could not be read.
        Some(Over::Report { text, .. }) => {
            let plain = anstream::adapter::strip_str(text).to_string();
            ansi::lines(&plain)
                .into_iter()
                .map(|line| Line::from([vec![Span::raw(" ")], line.spans].concat()))
                .collect()
        }
        Some(Over::Question { text, .. }) => {
            let columns = usize::from(question_width(model).saturating_sub(4));
            let wrapped = text::wrap(&text::clean(text), columns);
            wrapped.into_iter().map(|line| Line::from(format!(" {line}"))).collect()
        }
    }
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

/// Every key of the table, then the signs of the list.
fn help(model: &Model, columns: usize) -> Vec<Line<'static>> {
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
    let mut lines = Vec::new();
    for (at, (title, _)) in SECTIONS.iter().enumerate() {
        lines.push(Line::from(span(format!(" {title}"), Theme::bold())));
        for binding in BINDINGS.iter().filter(|binding| section(binding) == Some(at)) {
            let mut label = text::pad(&binding.label(), LABEL);
            for said in text::wrap(binding.help, columns.saturating_sub(LABEL + 2).max(10)) {
                lines.push(Line::from(vec![span(format!("   {label}"), model.theme.accent()), Span::raw(said)]));
                label = " ".repeat(LABEL);
            }
        }
        lines.push(Line::default());
    }
    lines.push(Line::from(span(" What the signs mean", Theme::bold())));
    for state in TunnelState::ALL {
        let sign = span(format!("   {} ", theme::symbol(state)), model.theme.state(state));
        lines.push(Line::from(vec![sign, Span::raw(state.as_str())]));
    }
    for engine in Engine::ALL {
        lines.push(Line::from(vec![span(format!("   {:<4}", engine.tag()), Theme::dim()), Span::raw(engine.name())]));
    }
    lines.push(Line::default());
    lines.push(Line::from(" The mouse selects, scrolls and turns tabs; with shift it marks text, as"));
    lines.push(Line::from(" anywhere in your terminal."));
    lines
}
