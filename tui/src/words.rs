//! A tunnel's state and cause in a few words, the same in every view.
//!
//! Pure. The whole cause is the daemon's text, which views print as it is; this is for where there is no
//! room for it. The words of a cause are `tunnels-api`'s.

use crate::style::{self, DIM, RED};
use crate::units;
use anstyle::Style;
use tunnels_api::{Cause, Timestamp, TunnelState, TunnelStatus};

/// A state's sign: each has its own, so that it can be told without colour and in one column.
pub fn symbol(state: TunnelState) -> &'static str {
    match state {
        TunnelState::Ready => "●",
        TunnelState::Listening => "○",
        TunnelState::Connecting => "◌",
        TunnelState::Reconnecting => "↻",
        TunnelState::Degraded => "▲",
        TunnelState::NeedsLogin => "!",
        TunnelState::Failed => "✗",
        TunnelState::Down => "·",
        TunnelState::Unknown => "?",
    }
}

/// The cause in two or three words; none where the state itself says it.
pub fn brief(tunnel: &TunnelStatus) -> Option<&'static str> {
    // Needing a login is all there is to it; what is down is so because somebody wants it.
    if matches!(tunnel.state, TunnelState::NeedsLogin | TunnelState::Down) {
        return None;
    }
    tunnel.cause.as_ref().map(Cause::short)
}

/// Whether the tunnel is not what its user wants it to be, and a cause says why.
pub fn is_in_trouble(tunnel: &TunnelStatus) -> bool {
    let is_quiet = matches!(tunnel.state, TunnelState::Ready | TunnelState::Down | TunnelState::Listening);
    tunnel.cause.is_some() && !is_quiet
}

/// What comes next by itself: `retry in 4s`, or `trying again` while an attempt is under way.
pub fn next_try(tunnel: &TunnelStatus, now: Timestamp) -> Option<String> {
    match tunnel.retry_at {
        Some(at) if at > now => Some(format!("retry in {}", units::until(at, now))),
        _ if is_tried_again(tunnel) => Some("trying again".to_owned()),
        _ => None,
    }
}

/// Whether an attempt goes on, or will, after one that came to nothing.
pub(crate) fn is_tried_again(tunnel: &TunnelStatus) -> bool {
    use TunnelState::{Connecting, Degraded, Reconnecting};
    tunnel.cause.is_some() && matches!(tunnel.state, Connecting | Degraded | Reconnecting)
}

/// How much of a state is said beside its word.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Detail {
    /// The cause in a few words.
    pub(crate) cause: bool,
    /// When it is tried again.
    pub(crate) retry: bool,
}

/// The state as pieces with their styles, to be set one after the other.
pub(crate) fn state(tunnel: &TunnelStatus, detail: Detail, now: Timestamp) -> Vec<(String, Style)> {
    let mut parts = vec![(tunnel.state.to_string(), style::of_state(tunnel.state))];
    let mut add = |text: String, style| parts.push((format!(" · {text}"), style));
    if tunnel.protected {
        add("protected".to_owned(), RED);
    }
    if tunnel.sessions_resuming > 0 && tunnel.state == TunnelState::Ready {
        add(format!("{} of {} resuming", tunnel.sessions_resuming, tunnel.sessions), style::YELLOW);
    }
    if let Some(brief) = brief(tunnel).filter(|_| detail.cause && tunnel.state != TunnelState::Ready) {
        add(brief.to_owned(), style::PLAIN);
    }
    if let Some(next) = next_try(tunnel, now).filter(|_| detail.retry) {
        add(next, DIM);
    }
    parts
}

/// The same as plain text, with all there is to say.
pub fn whole_state(tunnel: &TunnelStatus, now: Timestamp) -> String {
    let parts = state(tunnel, Detail { cause: true, retry: true }, now);
    parts.into_iter().map(|(text, _)| text).collect()
}

/// What the tunnel does at this moment, for somebody who waits for it.
pub fn doing(tunnel: &TunnelStatus, now: Timestamp) -> String {
    let target = tunnel.target.as_deref().unwrap_or("the target");
    match (tunnel.state, &tunnel.cause) {
        (TunnelState::Ready, _) => tunnel.local.clone(),
        (TunnelState::Listening, _) => format!("{}, opens on demand", tunnel.local),
        (TunnelState::Connecting, None) if tunnel.sessions > 0 => format!("asking whether {} answers", tunnel.remote),
        (TunnelState::Connecting, None) => format!("opening a session on {target}"),
        (TunnelState::Down, _) => String::new(),
        (TunnelState::NeedsLogin, Some(cause)) => cause.next.clone().unwrap_or_else(|| cause.text.clone()),
        (_, cause) => {
            let what = cause.as_ref().map_or("", |cause| brief(tunnel).unwrap_or(&cause.text));
            match (next_try(tunnel, now), what) {
                (Some(next), "") => next,
                (Some(next), what) => format!("{what}, {next}"),
                (None, what) => what.to_owned(),
            }
        }
    }
}

/// `9 ready, 2 connecting, 1 failed`; what is well comes first, then in order of trouble.
pub fn summary<'a>(tunnels: impl Iterator<Item = &'a TunnelStatus>) -> String {
    let listed: Vec<String> = counts(tunnels).map(|(state, count)| format!("{count} {state}")).collect();
    listed.join(", ")
}

/// How many there are in each state that there is, in that order.
pub(crate) fn counts<'a>(
    tunnels: impl Iterator<Item = &'a TunnelStatus>,
) -> impl Iterator<Item = (TunnelState, usize)> {
    const ORDER: [TunnelState; 9] = [
        TunnelState::Ready,
        TunnelState::Listening,
        TunnelState::Connecting,
        TunnelState::Reconnecting,
        TunnelState::Degraded,
        TunnelState::NeedsLogin,
        TunnelState::Failed,
        TunnelState::Down,
        TunnelState::Unknown,
    ];
    let mut counts = [0_usize; ORDER.len()];
    for tunnel in tunnels {
        if let Some(at) = ORDER.iter().position(|state| *state == tunnel.state) {
            counts[at] += 1;
        }
    }
    ORDER.into_iter().zip(counts).filter(|(_, count)| *count > 0)
}
