//! One tunnel: its title, the tabs, and what the open one shows.

use super::line::{both_ends, cut, span, width};
use super::{body, chart};
use crate::dashboard::model::{Detail, Model, Tab};
use crate::dashboard::theme::{self, Theme};
use crate::{text, units, words};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use tunnels_api::{Timestamp, TunnelStatus};

/// Between two tabs.
const GAP: &str = "  ";

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, now: Timestamp) {
    let (Some(detail), Some(tunnel)) = (&model.detail, model.current()) else { return };
    let areas = model.detail_areas();
    frame.render_widget(title(model, tunnel, now), areas.title);
    frame.render_widget(tabs(model, detail), areas.tabs);
    match detail.tab {
        Tab::Throughput => chart::throughput(model, detail, frame, areas.body),
        Tab::Latency => chart::latency(model, detail, frame, areas.body),
        _ => {
            let lines = body::lines(model, now);
            let shown = usize::from(areas.body.height);
            let last = lines.len().saturating_sub(shown);
            let first = detail.scroll.unwrap_or(if detail.tab.follows_end() { last } else { 0 }).min(last);
            if last > 0 {
                let place = format!("lines {}–{} of {} ", first + 1, (first + shown).min(lines.len()), lines.len());
                frame.render_widget(Line::from(span(place, Theme::dim())).right_aligned(), areas.gap);
            }
            for (line, y) in lines.into_iter().skip(first).zip(areas.body.top()..areas.body.bottom()) {
                frame.render_widget(line, Rect { y, height: 1, ..areas.body });
            }
        }
    }
}

/// `orders-db  ● ready for 3m 5s                    127.0.0.1:15432`; the address is left out last.
fn title(model: &Model, tunnel: &TunnelStatus, now: Timestamp) -> Line<'static> {
    let columns = usize::from(model.size.width);
    let right = vec![span(text::clean(&tunnel.local), model.theme.local(tunnel))];
    let state = [
        span(text::clean(&tunnel.name), model.theme.name(tunnel)),
        span(format!("  {} {}", theme::symbol(tunnel.state), tunnel.state), model.theme.state(tunnel.state)),
    ];
    let since = [span(format!(" for {}", units::ago(tunnel.since, now)), Theme::dim())];
    let mut why = Vec::new();
    if tunnel.protected {
        why.push(span(" · protected", model.theme.trouble()));
    }
    if let Some(brief) = words::brief(tunnel).filter(|_| words::is_in_trouble(tunnel)) {
        why.push(Span::raw(format!(" · {brief}")));
    }
    let next = words::next_try(tunnel, now).map(|next| span(format!(" · {next}"), Theme::dim()));
    let next: Vec<Span<'static>> = next.into_iter().collect();
    // What there is no room for stands in the overview.
    let lefts = [
        [&state[..], &since, &why, &next].concat(),
        [&state[..], &why, &next].concat(),
        [&state[..], &why].concat(),
        [&state[..], &since].concat(),
    ];
    let fits = |left: &&Vec<Span<'static>>| width(left) + 2 + width(&right) <= columns;
    let left = lefts.iter().find(fits).unwrap_or(&lefts[2]).clone();
    both_ends(left, right, columns)
}

/// What stands on each tab: its number and name; where there is no room for that, the names of the others are left out.
fn labels(model: &Model, open: Tab) -> Vec<(Tab, String)> {
    let long = |tab: Tab| format!("{} {}", tab as usize + 1, tab.title());
    let whole: usize = Tab::ALL.iter().map(|tab| long(*tab).len() + GAP.len()).sum();
    let has_room = whole <= usize::from(model.size.width) + GAP.len();
    let label = |tab: Tab| if has_room || tab == open { long(tab) } else { (tab as usize + 1).to_string() };
    Tab::ALL.into_iter().map(|tab| (tab, label(tab))).collect()
}

fn tabs(model: &Model, detail: &Detail) -> Line<'static> {
    let mut spans = Vec::new();
    for (tab, label) in labels(model, detail.tab) {
        let style = if tab == detail.tab { model.theme.selected().patch(Theme::bold()) } else { Theme::dim() };
        spans.push(span(label, style));
        spans.push(Span::raw(GAP));
    }
    spans.pop();
    if let Some(trouble) = &detail.trouble {
        spans.push(span(format!("  {trouble}"), model.theme.trouble()));
    } else if matches!(detail.tab, Tab::Throughput | Tab::Latency) {
        let over = span(format!("over {} (t)", detail.span.as_str()), Theme::dim());
        let columns = usize::from(model.size.width);
        if width(&spans) + 2 + width(std::slice::from_ref(&over)) <= columns {
            return both_ends(spans, vec![over], columns);
        }
    }
    Line::from(cut(spans, usize::from(model.size.width)))
}

/// The tab that is drawn there.
pub(in crate::dashboard) fn tab_at(model: &Model, at: Position) -> Option<usize> {
    let area = model.detail_areas().tabs;
    let open = model.detail.as_ref()?.tab;
    let mut from = area.x;
    for (tab, label) in labels(model, open) {
        let to = from + u16::try_from(text::width(&label)).ok()?;
        if area.contains(at) && (from..to).contains(&at.x) {
            return Some(tab as usize);
        }
        from = to + u16::try_from(GAP.len()).ok()?;
    }
    None
}
