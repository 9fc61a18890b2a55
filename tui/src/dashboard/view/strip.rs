//! Below the list: the whole story of the selected tunnel in a few lines.

use super::line::{cut, span};
use crate::dashboard::model::Model;
use crate::dashboard::theme::Theme;
use crate::engine::Engine;
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
    let way = way(model, tunnel, columns);
    if room <= 1 {
        // Trouble is worth more than the way.
        return story.into_iter().next().or(Some(way)).into_iter().collect();
    }
    story.truncate(room - 1);
    story.insert(0, way);
    story
}

/// `orders-db  127.0.0.1:15432 → PostgreSQL orders.example:5432 via i-0123 (dev, eu-west-1)`
fn way(model: &Model, tunnel: &TunnelStatus, columns: usize) -> Line<'static> {
    let name = span(text::clean(&tunnel.name), model.theme.name(tunnel));
    let local = span(format!("  {}", text::clean(&tunnel.local)), model.theme.local(tunnel));
    let mut spans = vec![name, local, span(" → ", Theme::dim())];
    spans.push(Span::raw(format!("{} {}", Engine::of(tunnel).name(), text::clean(&tunnel.remote))));
    if let Some(target) = &tunnel.target {
        spans.push(span(" via ", Theme::dim()));
        spans.push(Span::raw(text::clean(target)));
    }
    let account: Vec<String> =
        [&tunnel.profile, &tunnel.region].into_iter().flatten().map(|part| text::clean(part)).collect();
    if !account.is_empty() {
        spans.push(span(format!(" ({})", account.join(", ")), Theme::dim()));
    }
    Line::from(cut(spans, columns))
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
