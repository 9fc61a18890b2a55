//! How many tunnels are in which state, in words or in signs.

use super::line::span;
use crate::dashboard::theme::{self, Theme};
use crate::words as vocabulary;
use ratatui::text::Span;
use tunnels_api::TunnelStatus;

/// `12 tunnels`
pub(super) fn total(count: usize) -> String {
    if count == 1 { "1 tunnel".to_owned() } else { format!("{count} tunnels") }
}

/// `9 ready, 1 failed`
pub(super) fn words<'a>(tunnels: impl Iterator<Item = &'a TunnelStatus>, theme: Theme) -> Vec<Span<'static>> {
    let said = |(state, count)| span(format!("{count} {state}"), theme.state(state));
    joined(vocabulary::counts(tunnels).map(said), ", ")
}

/// `●9 ✗1`
pub(super) fn signs<'a>(tunnels: impl Iterator<Item = &'a TunnelStatus>, theme: Theme) -> Vec<Span<'static>> {
    let said = |(state, count)| span(format!("{}{count}", theme::symbol(state)), theme.state(state));
    joined(vocabulary::counts(tunnels).map(said), " ")
}

fn joined(pieces: impl Iterator<Item = Span<'static>>, between: &'static str) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for piece in pieces {
        if !spans.is_empty() {
            spans.push(Span::raw(between));
        }
        spans.push(piece);
    }
    spans
}
