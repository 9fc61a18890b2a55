//! What a command tells while it waits for tunnels: lines that change in place on a terminal, a line for
//! each change elsewhere.
//!
//! Owns the place on the terminal while it is drawn on. What is waited for, and for how long, is the
//! command's.

use crate::list;
use crate::model::Change;
use crate::region::Region;
use crate::style::{self, BOLD, DIM, GREEN, Look, RED, YELLOW};
use crate::text;
use crate::words;
use crossterm::terminal;
use std::io::Write;
use std::time::Duration;
use tunnels_api::{Timestamp, TunnelState, TunnelStatus};

/// Between two frames: often enough for a glyph that turns, and for a countdown.
pub const FRAME: Duration = Duration::from_millis(100);
/// In a pipe, what still opens is told after this long, and then with doubling pauses.
const FIRST_REMINDER: Duration = Duration::from_secs(5);
/// Tunnels that each get a line; of more, only some do, because the table comes afterwards.
const MOST_LINES: usize = 16;
/// Lines where there are more: their count, and what is waited for most.
const COMPACT_LINES: usize = 9;
/// A longer name is cut: the table has it whole.
const LONGEST_NAME: usize = 32;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Where progress goes.
#[derive(Debug)]
pub struct Progress<W: Write> {
    out: W,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    InPlace { region: Region, frames: usize, color: bool },
    Lines { told: Duration },
}

impl<W: Write> Progress<W> {
    /// Lines that change in place: for a terminal that can move its cursor.
    pub fn in_place(out: W, color: bool) -> Self {
        Self { out, kind: Kind::InPlace { region: Region::default(), frames: 0, color } }
    }

    /// A line for each change, and now and then one for what does not change.
    pub fn lines(out: W) -> Self {
        Self { out, kind: Kind::Lines { told: Duration::ZERO } }
    }

    /// A tunnel changed. Nothing that goes wrong with telling stops a command.
    pub fn changed(&mut self, change: &Change) {
        if let Kind::Lines { .. } = self.kind {
            let _ = writeln!(self.out, "{}", change_line(change));
        }
    }

    /// Called every [`FRAME`], `waited` after the start.
    pub fn tick(&mut self, tunnels: &[&TunnelStatus], waited: Duration, now: Timestamp) {
        match &mut self.kind {
            Kind::InPlace { region, frames, color } => {
                let (width, height) = terminal::size().unwrap_or((80, 24));
                let look = Look { color: *color, width: Some(width) };
                // The line below the region, and one to be sure.
                let most = usize::from(height).saturating_sub(2).clamp(1, MOST_LINES);
                let lines = frame(tunnels, now, look, most, *frames);
                *frames += 1;
                let _ = region.draw(&mut self.out, &lines, usize::from(width));
            }
            Kind::Lines { told } => {
                if waited < FIRST_REMINDER || waited < *told * 2 {
                    return;
                }
                *told = waited;
                for tunnel in tunnels.iter().filter(|tunnel| is_pending(tunnel)) {
                    let _ = writeln!(self.out, "{}", reminder(tunnel, now));
                }
            }
        }
    }

    /// Takes away what is on the terminal: for what comes after it.
    pub fn clear(&mut self) {
        if let Kind::InPlace { region, .. } = &mut self.kind {
            let width = terminal::size().map_or(80, |(width, _)| width);
            let _ = region.clear(&mut self.out, usize::from(width));
        }
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn is_pending(tunnel: &TunnelStatus) -> bool {
    use TunnelState::{Connecting, Degraded, Reconnecting};
    matches!(tunnel.state, Connecting | Degraded | Reconnecting)
}

/// A change as a line.
fn change_line(change: &Change) -> String {
    let state = change.to.map_or("removed", TunnelState::as_str);
    let name = text::clean(&change.name);
    match &change.cause {
        Some(cause) => format!("{name}: {state} ({})", text::clean(&cause.text)),
        None => format!("{name}: {state}"),
    }
}

/// A tunnel about which there is no news.
fn reminder(tunnel: &TunnelStatus, now: Timestamp) -> String {
    let doing = text::clean(&words::doing(tunnel, now));
    format!("{}: still {}: {doing}", text::clean(&tunnel.name), tunnel.state)
}

/// At most `most` lines about these tunnels; `frames` counts the frames for what turns.
fn frame(tunnels: &[&TunnelStatus], now: Timestamp, look: Look, most: usize, frames: usize) -> Vec<String> {
    let mut shown: Vec<&TunnelStatus> = tunnels.to_vec();
    let mut count = None;
    if tunnels.len() > most {
        // What is not done yet is what is waited for.
        shown.sort_by_key(|tunnel| list::need(tunnel.state));
        shown.truncate(most.min(COMPACT_LINES).saturating_sub(1));
        count = Some(format!("{} tunnels: {}", tunnels.len(), words::summary(tunnels.iter().copied())));
    }
    let widest = |f: fn(&TunnelStatus) -> usize| shown.iter().map(|tunnel| f(tunnel)).max().unwrap_or(0);
    let name = widest(|tunnel| text::width(&text::clean(&tunnel.name))).min(LONGEST_NAME);
    let state = widest(|tunnel| text::width(&state_of(tunnel)));
    let mut lines: Vec<String> =
        count.iter().map(|count| look.paint(BOLD, &text::cut(count, look.columns()))).collect();
    lines.extend(shown.iter().map(|tunnel| line(tunnel, now, look, frames, (name, state))));
    lines
}

/// The state's word; a tunnel that nobody should open by accident says so, not by its colour alone.
fn state_of(tunnel: &TunnelStatus) -> String {
    format!("{}{}", tunnel.state, if tunnel.protected { " · protected" } else { "" })
}

fn line(tunnel: &TunnelStatus, now: Timestamp, look: Look, frames: usize, (name, state): (usize, usize)) -> String {
    let (glyph, glyph_style) = match tunnel.state {
        TunnelState::Ready | TunnelState::Listening => ("✔", GREEN),
        TunnelState::Failed | TunnelState::NeedsLogin => ("✘", RED),
        TunnelState::Down | TunnelState::Unknown => ("·", DIM),
        TunnelState::Degraded => ("!", YELLOW),
        TunnelState::Connecting | TunnelState::Reconnecting => (SPINNER[frames % SPINNER.len()], YELLOW),
    };
    let shown = text::pad(&text::cut(&text::clean(&tunnel.name), name), name);
    let left = look.columns().saturating_sub(2 + name + 2 + state + 2);
    let doing = text::cut(&text::clean(&words::doing(tunnel, now)), left);
    let line = format!(
        "{} {}  {}  {doing}",
        look.paint(glyph_style, glyph),
        look.paint(style::of_name(tunnel), &shown),
        look.paint(style::of_state(tunnel.state), &text::pad(&state_of(tunnel), state)),
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
