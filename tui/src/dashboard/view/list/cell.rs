//! What each column says of a tunnel.

use super::columns::Column;
use crate::dashboard::theme::{self, Theme};
use crate::dashboard::view::line::span;
use crate::engine;
use crate::{login, text, units, words};
use ratatui::text::Span;
use std::collections::VecDeque;
use tunnels_api::{Cause, Timestamp, TunnelState, TunnelStatus};

/// `credentials expired · 12s` and all causes that are shorter.
pub(super) const SHORT_WHY: usize = 26;
/// `credentials expired · in 12s`, `1 of 4 resuming · protected`
pub(super) const WHY: usize = 28;

/// `credentials expired · L logs in`
const WHY_AND_KEY: usize = 31;

/// Below this many bytes a second a bar would only show noise.
const LEAST_SCALE: u64 = 1000;

/// One tunnel's row.
pub(super) struct Row<'a> {
    pub(super) tunnel: &'a TunnelStatus,
    pub(super) is_marked: bool,
    pub(super) recent: Option<&'a VecDeque<u64>>,
    pub(super) theme: Theme,
    pub(super) now: Timestamp,
}

impl Row<'_> {
    pub(super) fn cell(&self, column: Column, wide: usize) -> Vec<Span<'static>> {
        let tunnel = self.tunnel;
        let plain = |text: String| vec![Span::raw(text)];
        let count = |n: u32| if n == 0 { vec![span("-", Theme::dim())] } else { vec![Span::raw(n.to_string())] };
        let figure = |text: String| if text == "-" { vec![span(text, Theme::dim())] } else { vec![Span::raw(text)] };
        match column {
            Column::State => {
                let style = self.theme.state(tunnel.state);
                let sign = theme::symbol(tunnel.state);
                let said = if wide == 1 { sign.to_owned() } else { format!("{sign} {}", tunnel.state) };
                vec![span(said, style)]
            }
            Column::Name => vec![span(text::cut(&text::clean(&tunnel.name), wide), self.theme.name(tunnel))],
            Column::Local => {
                // The port is at the end, and so is what tells one path from another.
                vec![span(text::cut_start(&text::clean(&tunnel.local), wide), self.theme.local(tunnel))]
            }
            Column::Remote => {
                let engine = span(format!("{:<4}", engine::tag(engine::of(tunnel))), Theme::dim());
                vec![engine, Span::raw(text::cut_host(&text::clean(&tunnel.remote), wide.saturating_sub(4)))]
            }
            Column::Account => plain(account(tunnel)),
            Column::Sessions => count(tunnel.sessions),
            Column::Streams => count(tunnel.streams),
            Column::In => figure(units::rate(tunnel.rate_in)),
            Column::Out => figure(units::rate(tunnel.rate_out)),
            Column::Spark => vec![span(self.spark(wide), self.theme.accent())],
            // What it was on a channel that is lost says nothing.
            Column::RoundTrip => figure(units::round_trip(tunnel.rtt_ms.filter(|_| carries(tunnel.state)))),
            Column::Since => plain(units::ago(tunnel.since, self.now)),
            Column::Why => self.why(wide),
        }
    }

    /// A bar for each of the last seconds, as high as its share of the highest.
    fn spark(&self, wide: usize) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let Some(recent) = self.recent else { return String::new() };
        let most = recent.iter().copied().max().unwrap_or(0).max(LEAST_SCALE);
        let bar = |rate: &u64| match rate {
            0 => ' ',
            &rate => {
                let eighth = u128::from(rate) * 7 / u128::from(most);
                BARS[usize::try_from(eighth).unwrap_or(7).min(7)]
            }
        };
        let bars: String = recent.iter().rev().take(wide).rev().map(bar).collect();
        // The newest stands at the right.
        format!("{bars:>wide$}")
    }

    /// Why it is like that, and what comes next; the state itself is said elsewhere.
    fn why(&self, wide: usize) -> Vec<Span<'static>> {
        let tunnel = self.tunnel;
        let mut parts: Vec<Span<'static>> = Vec::new();
        let mut add = |text: String, style| {
            if !parts.is_empty() {
                parts.push(span(" · ", Theme::dim()));
            }
            parts.push(span(text, style));
        };
        if tunnel.state == TunnelState::NeedsLogin {
            let short = tunnel.cause.as_ref().map_or("no login is known", Cause::short);
            add(short.to_owned(), self.theme.trouble());
            // The header and the footer say so, too.
            if login::command(tunnel, self.now).is_some() && wide >= WHY_AND_KEY {
                add("L logs in".to_owned(), self.theme.plain());
            }
        }
        if tunnel.sessions_resuming > 0 && tunnel.state == TunnelState::Ready {
            add(format!("{} of {} resuming", tunnel.sessions_resuming, tunnel.sessions), self.theme.warning());
        }
        if let Some(brief) = words::brief(tunnel).filter(|_| tunnel.state != TunnelState::Ready) {
            add(brief.to_owned(), self.theme.plain());
        }
        match tunnel.retry_at {
            Some(at) if at > self.now => {
                // The heading says what it is.
                let preposition = if wide >= WHY { "in " } else { "" };
                add(format!("{preposition}{}", units::until(at, self.now)), Theme::dim());
            }
            _ if words::is_tried_again(tunnel) => add("trying".to_owned(), Theme::dim()),
            _ => {}
        }
        if tunnel.state != TunnelState::NeedsLogin
            && let Some(at) = tunnel.credentials_expire_soon(self.now)
        {
            let said = if at <= self.now {
                "login has run out".to_owned()
            } else {
                format!("login ends in {}", units::until(at, self.now))
            };
            add(said, self.theme.warning());
        }
        // These are so all the time, and red in the other columns as well.
        if tunnel.protected {
            add("protected".to_owned(), self.theme.trouble());
        }
        if tunnel.exposed && tunnel.state != TunnelState::Down {
            add("exposed".to_owned(), self.theme.trouble());
        }
        parts
    }
}

fn carries(state: TunnelState) -> bool {
    !matches!(state, TunnelState::Reconnecting | TunnelState::NeedsLogin)
}

/// `dev/eu-west-1`
pub(super) fn account(tunnel: &TunnelStatus) -> String {
    let part = |part: &Option<String>| part.as_deref().map_or_else(|| "-".to_owned(), text::clean);
    match (&tunnel.profile, &tunnel.region) {
        (None, None) => "-".to_owned(),
        (None, region) => part(region),
        (profile, region) => format!("{}/{}", part(profile), part(region)),
    }
}
