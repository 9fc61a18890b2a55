//! The list: headings of columns, a row for each tunnel in sight, the guide below them.
//!
//! Only what is in sight is made: a thousand tunnels cost no more than a screenful, but for the widths of columns.

mod cell;
mod columns;

use super::line::{cut, span, width};
use super::{counts, strip};
use crate::dashboard::model::{Link, Model};
use crate::dashboard::rows::{Grouping, Row, Sort};
use crate::dashboard::theme::Theme;
use crate::text;
use columns::{Column, Columns};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use tunnels_api::{Timestamp, TunnelStatus};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, now: Timestamp) {
    let areas = model.areas();
    let columns = Columns::of(model);
    if areas.headings.height > 0 && !model.tunnels.tunnels().is_empty() {
        frame.render_widget(columns.headings(sorted(model)), areas.headings);
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

/// The column that the tunnels are sorted by, and whether it is the other way round.
fn sorted(model: &Model) -> Option<(Column, bool)> {
    let by = match model.list.wanted.sort {
        Sort::Configured => return None,
        Sort::Name => Column::Name,
        Sort::State => Column::State,
        Sort::Traffic => Column::In,
        Sort::RoundTrip => Column::RoundTrip,
    };
    Some((by, model.list.wanted.reversed))
}

/// `@db  5 tunnels: 4 ready, 1 failed`, or `@db  ●4 ✗1` where there is no room for words.
fn heading(model: &Model, title: &str, members: &[usize]) -> Line<'static> {
    let columns = usize::from(model.size.width);
    let tunnels = model.tunnels.tunnels();
    let members: Vec<&TunnelStatus> = members.iter().filter_map(|&at| tunnels.get(at)).collect();
    let title = span(format!(" {title}  "), Theme::bold());
    let total = counts::total(members.len());
    // A heading that is a state says it already.
    if model.list.wanted.grouping == Grouping::State {
        return Line::from(cut(vec![title, span(total, Theme::dim())], columns));
    }
    let mut spans = vec![title.clone(), span(format!("{total}: "), Theme::dim())];
    spans.extend(counts::words(members.iter().copied(), model.theme));
    if width(&spans) > columns {
        spans = vec![title];
        spans.extend(counts::signs(members.into_iter(), model.theme));
    }
    Line::from(cut(spans, columns))
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
    let room = usize::from(area.width).saturating_sub(2);
    let lines = lines.iter().flat_map(|line| text::wrap(line, room));
    for (line, y) in lines.zip(area.top() + area.height.min(1)..area.bottom()) {
        frame.render_widget(Line::from(format!("  {line}")), Rect { y, height: 1, ..area });
    }
}
