//! The list: headings of columns, a row for each tunnel in sight, the guide below them.
//!
//! Only what is in sight is made: a thousand tunnels cost no more than a screenful, but for the widths of columns.

mod cell;
mod columns;

use super::line::{cut, span};
use super::strip;
use crate::dashboard::model::{Link, Model};
use crate::dashboard::rows::{Grouping, Row};
use crate::dashboard::theme::Theme;
use crate::words;
use columns::Columns;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use tunnels_api::{Timestamp, TunnelStatus};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, now: Timestamp) {
    let areas = model.areas();
    let columns = Columns::of(model);
    if areas.headings.height > 0 && !model.tunnels.tunnels().is_empty() {
        frame.render_widget(columns.headings(), areas.headings);
    }
    if model.list.rows.is_empty() {
        nothing(model, frame, areas.rows);
    }
    let rows = model.list.rows.iter().enumerate().skip(model.list.offset);
    for ((at, row), y) in rows.zip(areas.rows.top()..areas.rows.bottom()) {
        let area = Rect { y, height: 1, ..areas.rows };
        match row {
            Row::Heading { title, members } => frame.render_widget(heading(model, title, members), area),
            Row::Tunnel(tunnel) => {
                let Some(tunnel) = model.tunnels.tunnels().get(*tunnel) else { continue };
                let is_marked = model.list.marked.contains(&tunnel.name);
                let recent = model.recent.get(&tunnel.name);
                let row = cell::Row { tunnel, is_marked, recent, theme: model.theme, now };
                frame.render_widget(columns.row(&row), area);
                if model.selected_row() == Some(at) {
                    frame.buffer_mut().set_style(area, model.theme.selected());
                }
            }
        }
    }
    for (line, y) in model.guide_lines().into_iter().zip(areas.guide.top()..areas.guide.bottom()) {
        frame.render_widget(Line::from(line), Rect { y, height: 1, ..areas.guide });
    }
    strip::draw(model, frame, now);
}

/// `@db  5 tunnels: 4 ready, 1 failed`
fn heading(model: &Model, title: &str, members: &[usize]) -> Line<'static> {
    let tunnels = model.tunnels.tunnels();
    let members: Vec<&TunnelStatus> = members.iter().filter_map(|&at| tunnels.get(at)).collect();
    let count = if members.len() == 1 { "1 tunnel".to_owned() } else { format!("{} tunnels", members.len()) };
    let mut spans = vec![span(format!(" {title}  "), Theme::bold()), span(count, Theme::dim())];
    // A heading that is a state says it already.
    let states = words::counts(members.into_iter()).filter(|_| model.list.wanted.grouping != Grouping::State);
    for (at, (state, count)) in states.enumerate() {
        let between = if at > 0 { ", " } else { ": " };
        spans.push(span(format!("{between}{count} {state}"), Theme::dim()));
    }
    Line::from(cut(spans, usize::from(model.size.width)))
}

/// What to do where there is no row.
fn nothing(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let lines: &[&str] = if !model.tunnels.tunnels().is_empty() {
        &["No tunnel has all of these words.", "esc drops the filter."]
    } else if model.link == Link::Up {
        &["The configuration has no tunnels.", "e edits it; config.example.toml shows every key."]
    } else {
        &[]
    };
    for (line, y) in lines.iter().zip(area.top() + area.height.min(1)..area.bottom()) {
        frame.render_widget(Line::from(format!("  {line}")), Rect { y, height: 1, ..area });
    }
}
