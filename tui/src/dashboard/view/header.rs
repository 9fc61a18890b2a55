//! The first lines: what there is, how it does, whose login runs out when. Or that no daemon is heard.

use super::counts;
use super::line::{both_ends, cut, span, width};
use crate::dashboard::model::{Link, Model};
use crate::dashboard::theme::Theme;
use crate::{notes, text, units};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::collections::BTreeMap;
use tunnels_api::{Timestamp, TunnelState, TunnelStatus};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, now: Timestamp) {
    let area = if model.detail.is_some() { model.detail_areas().header } else { model.areas().header };
    let is_rejected = model.tunnels.config_error().is_some() && !matches!(model.link, Link::Lost { .. });
    let lines = if area.height == 1 && is_rejected {
        // With one line only, what is wrong is worth more than the counts.
        vec![second(model, now)]
    } else {
        vec![first(model, now), second(model, now)]
    };
    for (line, y) in lines.into_iter().zip(area.top()..area.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

fn columns(model: &Model) -> usize {
    usize::from(model.size.width)
}

fn first(model: &Model, now: Timestamp) -> Line<'static> {
    if let Link::Lost { since, why } = &model.link {
        let said = format!("not connected for {}: {why}; trying again", units::ago(*since, now));
        let style = model.theme.trouble().patch(Theme::bold());
        return Line::from(cut(vec![span(said, style)], columns(model)));
    }
    let tunnels = model.tunnels.tunnels();
    let name = match &model.daemon {
        Some(daemon) => format!("tunnels {}  ", text::clean(&daemon.version)),
        _ => String::new(),
    };
    if tunnels.is_empty() {
        let said = if model.link == Link::Opening { "connecting to the daemon" } else { "no tunnels" };
        return Line::from(cut(vec![span(format!("{name}{said}"), Theme::bold())], columns(model)));
    }
    let sum = |rate: fn(&TunnelStatus) -> u64| tunnels.iter().map(rate).fold(0_u64, u64::saturating_add);
    let streams: u64 = tunnels.iter().map(|tunnel| u64::from(tunnel.streams)).sum();
    // As wide as ever, so that nothing beside it jumps.
    let rate = |rate: u64| format!("{:>8}", units::rate(rate));
    let mut right = Vec::new();
    if model.size.width >= 100 {
        right.push(span(format!("streams {streams:<4}  "), Theme::dim()));
    }
    right.push(span("in ", Theme::dim()));
    right.push(Span::raw(rate(sum(|tunnel| tunnel.rate_in))));
    right.push(span("  out ", Theme::dim()));
    right.push(Span::raw(rate(sum(|tunnel| tunnel.rate_out))));
    let has_room = |left: &Vec<Span<'static>>| width(left) + 2 + width(&right) <= columns(model);
    let total = counts::total(tunnels.len());
    let signs = |parts: &[&str]| {
        let mut spans: Vec<Span<'static>> = parts.iter().map(|part| span(*part, Theme::bold())).collect();
        spans.extend(counts::signs(tunnels.iter(), model.theme));
        spans
    };
    let mut in_words = vec![span(name.clone(), Theme::bold()), Span::raw(format!("{total}: "))];
    in_words.extend(counts::words(tunnels.iter(), model.theme));
    let total = format!("{total}  ");
    let lefts = [in_words, signs(&[&name, &total]), signs(&[&total]), signs(&[])];
    let left = lefts.into_iter().find(has_room).unwrap_or_else(|| signs(&[]));
    both_ends(left, right, columns(model))
}

/// What is worth most: a rejected configuration, else whose credentials run out when.
fn second(model: &Model, now: Timestamp) -> Line<'static> {
    if let Some(report) = model.tunnels.config_error() {
        let first = notes::mistakes(report).into_iter().next().unwrap_or_default();
        let said = format!("the edited configuration is not valid, the one before stays: {first}");
        return Line::from(cut(vec![span(said, model.theme.trouble())], columns(model)));
    }
    let logins = logins(model.tunnels.tunnels());
    if logins.is_empty() {
        return Line::from(span("no login is known to run out", Theme::dim()));
    }
    let mut spans = vec![span("logins  ", Theme::dim())];
    for (at, (profile, login)) in logins.iter().enumerate() {
        if at > 0 {
            spans.push(span(" · ", Theme::dim()));
        }
        spans.push(Span::raw(format!("{profile} ")));
        spans.push(match login {
            Login::Needed => span("needs login (L)", model.theme.trouble()),
            Login::Until(until) if *until <= now => span("has run out", model.theme.trouble()),
            Login::Until(until) => {
                let is_soon = until.duration_since(now) <= tunnels_api::CREDENTIALS_WARNING;
                let style = if is_soon { model.theme.warning() } else { model.theme.good() };
                span(units::until(*until, now), style)
            }
        });
    }
    Line::from(cut(spans, columns(model)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Login {
    Needed,
    Until(Timestamp),
}

/// The logins of profiles, those that are needed first, then those that run out first.
fn logins(tunnels: &[TunnelStatus]) -> Vec<(String, Login)> {
    let mut logins: BTreeMap<String, Login> = BTreeMap::new();
    for tunnel in tunnels {
        let login = match (tunnel.state, tunnel.credentials_expire) {
            (TunnelState::NeedsLogin, _) => Login::Needed,
            (_, Some(until)) => Login::Until(until),
            (_, None) => continue,
        };
        let profile = tunnel.profile.as_ref().map_or_else(|| "environment".to_owned(), |profile| text::clean(profile));
        let known = logins.entry(profile).or_insert(login);
        *known = login.min(*known);
    }
    let mut logins: Vec<_> = logins.into_iter().collect();
    logins.sort_by_key(|(_, login)| *login);
    logins
}
