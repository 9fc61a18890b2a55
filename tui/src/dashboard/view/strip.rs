//! Below the list: the whole story of the selected tunnel in a few lines.

use super::line::{cut, span, width};
use crate::dashboard::model::Model;
use crate::dashboard::theme::Theme;
use crate::engine;
use crate::{notes, text, words};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tunnels_api::{Timestamp, TunnelStatus};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, now: Timestamp) {
    let area = model.areas().strip;
    let lines: Vec<Line<'static>> = match model.current() {
        Some(tunnel) => lines(model, tunnel, area, now),
        None => Vec::new(),
    };
    if area.height > 1 {
        frame.render_widget(
            Line::from(span("─".repeat(usize::from(area.width)), Theme::dim())),
            Rect { height: 1, ..area },
        );
    }
    let first = area.top() + u16::from(area.height > 1);
    for (line, y) in lines.into_iter().zip(first..area.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

fn lines(model: &Model, tunnel: &TunnelStatus, area: Rect, now: Timestamp) -> Vec<Line<'static>> {
    let columns = usize::from(area.width);
    let room = usize::from(area.height).saturating_sub(usize::from(area.height > 1));
    let mut story = story(model, tunnel, columns, now);
    if room <= 1 {
        // Trouble is worth more than the remote; name and address stand in the row.
        return match &tunnel.cause {
            Some(cause) => vec![Line::from(cut(vec![Span::raw(text::clean(&cause.text))], columns))],
            None => story.into_iter().next().or_else(|| Some(destination(tunnel, columns))).into_iter().collect(),
        };
    }
    let mut lines = way(model, tunnel, columns, room.saturating_sub(story.len()).max(1));
    story.truncate(room - lines.len());
    lines.append(&mut story);
    lines
}

/// `→ PostgreSQL orders.example:5432`
fn destination(tunnel: &TunnelStatus, columns: usize) -> Line<'static> {
    let to = format!("→ {} ", engine::of(tunnel).name());
    let room = columns.saturating_sub(text::width(&to));
    Line::from(cut(
        vec![span(to, Theme::dim()), Span::raw(text::cut_host(&text::clean(&tunnel.remote), room))],
        columns,
    ))
}

/// `orders-db  127.0.0.1:15432 → PostgreSQL orders.example:5432 via i-0123 (dev, eu-west-1)`, in as many lines as it
/// needs and at most `most`.
fn way(model: &Model, tunnel: &TunnelStatus, columns: usize, most: usize) -> Vec<Line<'static>> {
    let name = span(text::clean(&tunnel.name), model.theme.name(tunnel));
    let local = span(format!("  {}", text::clean(&tunnel.local)), model.theme.local(tunnel));
    let remote = Span::raw(format!("{} {}", engine::of(tunnel).name(), text::clean(&tunnel.remote)));
    let mut parts = vec![vec![name, local], vec![span(" → ", Theme::dim()), remote]];
    if let Some(target) = &tunnel.target {
        parts.push(vec![span(" via ", Theme::dim()), Span::raw(text::clean(target))]);
    }
    let account: Vec<String> =
        [&tunnel.profile, &tunnel.region].into_iter().flatten().map(|part| text::clean(part)).collect();
    if !account.is_empty() {
        parts.push(vec![span(format!(" ({})", account.join(", ")), Theme::dim())]);
    }
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    for part in parts {
        let is_full = lines.last().is_some_and(|line| !line.is_empty() && width(line) + width(&part) > columns);
        if is_full && lines.len() < most {
            lines.push(vec![Span::raw(" ")]);
        }
        if let Some(line) = lines.last_mut() {
            line.extend(part);
        }
    }
    lines.into_iter().map(|line| Line::from(cut(line, columns))).collect()
}

/// Why it is not what it should be and what to do, or what else there is to know.
fn story(model: &Model, tunnel: &TunnelStatus, columns: usize, now: Timestamp) -> Vec<Line<'static>> {
    let mut said: Vec<(String, ratatui::style::Style)> = Vec::new();
    if let Some(cause) = &tunnel.cause {
        let next = words::next_try(tunnel, now).map(|next| format!(" ({next})")).unwrap_or_default();
        said.push((format!("{}{next}", text::clean(&cause.text)), model.theme.plain()));
        if let Some(next) = &cause.next {
            said.push((format!("next: {}", text::clean(next)), Theme::bold()));
        }
    }
    for warning in [notes::expiry(tunnel, now), notes::exposure(tunnel)].into_iter().flatten() {
        said.push((format!("warning: {warning}"), model.theme.trouble()));
    }
    let wrap = |(text, style)| {
        text::wrap(text, columns).into_iter().map(move |line| Line::from(cut(vec![span(line, style)], columns)))
    };
    let mut lines: Vec<Line<'static>> = said.iter().flat_map(|(text, style)| wrap((text, *style))).collect();
    // Where the cause takes all the room, what to do is worth more than its end.
    if lines.len() > 2
        && let Some((next, style)) = said.iter().find(|(text, _)| text.starts_with("next: "))
    {
        let first = lines.swap_remove(0);
        lines = vec![first, Line::from(cut(vec![span(next.clone(), *style)], columns))];
    }
    lines
}
