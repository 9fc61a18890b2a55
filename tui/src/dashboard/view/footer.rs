//! The last line: the keys that make sense now, or the filter that is being written. And what was just done, above it.

use super::line::{cut, span, width};
use crate::dashboard::keys::{Action, BINDINGS, Binding, Place};
use crate::dashboard::model::{Model, Over};
use crate::dashboard::theme::Theme;
use crate::dashboard::update::makes_sense;
use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use tunnels_api::Timestamp;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, now: Timestamp) {
    let area = if model.detail.is_some() { model.detail_areas().footer } else { model.areas().footer };
    frame.render_widget(line(model, now), area);
    // Where it would stand over the keys of what is read or answered now, it has been seen already.
    let is_over_keys = model.over.is_some() && model.notice() == area;
    if let Some(notice) = model.notice.as_ref().filter(|_| !is_over_keys) {
        let style = if notice.is_trouble { model.theme.trouble() } else { model.theme.good() };
        let area = model.notice().intersection(frame.area());
        // Nothing of what stood there is to be taken for a part of it.
        frame.render_widget(Clear, area);
        let said = span(format!("{} ", notice.text), style.patch(Theme::bold()));
        frame.render_widget(Line::from(cut(vec![said], usize::from(area.width))), area);
    }
}

fn line(model: &Model, now: Timestamp) -> Line<'static> {
    let columns = usize::from(model.size.width);
    let place = match &model.over {
        Some(Over::Question { .. }) => Place::Question,
        Some(_) => Place::Page,
        None if model.is_filtering => Place::Line,
        None if model.detail.is_some() => Place::Detail,
        None => Place::List,
    };
    let mut spans = Vec::new();
    if place == Place::Line {
        spans.push(span("filter: ", Theme::bold()));
        spans.push(Span::raw(model.list.wanted.filter.clone()));
        spans.push(span("▏  ", model.theme.accent()));
    } else if place == Place::List && !model.list.wanted.filter.is_empty() {
        let (shown, all) = (model.shown().count(), model.tunnels.tunnels().len());
        spans.push(span(format!("/{}", model.list.wanted.filter), model.theme.accent()));
        spans.push(span(format!(" {shown} of {all}  "), Theme::dim()));
    }
    if place == Place::List && !model.list.marked.is_empty() {
        spans.push(span(format!("{} marked  ", model.list.marked.len()), model.theme.accent()));
    }
    let hints = hints(model, place, columns.saturating_sub(width(&spans)), now);
    spans.extend(hints);
    Line::from(cut(spans, columns))
}

/// The last ones are never left out.
fn is_kept(binding: &Binding) -> bool {
    matches!(binding.action, Action::Help | Action::Quit)
}

/// As many as fit, in the order of the table.
pub(super) fn hints(model: &Model, place: Place, columns: usize, now: Timestamp) -> Vec<Span<'static>> {
    let here =
        |binding: &&Binding| binding.is_for(place) && binding.hint.is_some() && makes_sense(model, binding.action, now);
    let spans = |binding: &Binding| {
        let key = binding.keys.first().map(ToString::to_string).unwrap_or_default();
        [span(key, model.theme.accent().patch(Theme::bold())), Span::raw(format!(" {}  ", binding.hint.unwrap_or("")))]
    };
    let (kept, rest): (Vec<&Binding>, Vec<&Binding>) =
        BINDINGS.iter().filter(here).partition(|binding| is_kept(binding));
    let kept: Vec<Span<'static>> = kept.into_iter().flat_map(spans).collect();
    let mut left = columns.saturating_sub(width(&kept));
    let mut shown = Vec::new();
    for binding in rest {
        let pieces = spans(binding);
        let Some(after) = left.checked_sub(width(&pieces)) else { break };
        left = after;
        shown.extend(pieces);
    }
    shown.extend(kept);
    shown
}
