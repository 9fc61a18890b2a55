//! The list with everything that is said around it: `tunnels ls`, the table that `up` leaves, and one frame
//! of `ls --watch`.
//!
//! Pure. Puts rows and notes together, and decides what is left out when the terminal is not high enough.

use crate::notes::{self, Note, Retry};
use crate::style::{DIM, Look};
use crate::table;
use crate::words;
use tunnels_api::{Timestamp, TunnelState, TunnelStatus};

/// Renders the list and what is to be said below it; ends with a newline.
pub fn render(tunnels: &[TunnelStatus], config_error: Option<&str>, now: Timestamp, look: Look) -> String {
    let rows = table::rows(tunnels, now, look);
    let mut lines: Vec<String> = Some(rows.heading).filter(|heading| !heading.is_empty()).into_iter().collect();
    lines.extend(rows.rows);
    if tunnels.is_empty() {
        lines.push("(no tunnels)".to_owned());
    }
    for note in notes::of(tunnels, config_error, now, look, retry(rows.says_retry)) {
        lines.push(String::new());
        lines.extend(note);
    }
    lines.join("\n") + "\n"
}

/// The same in at most `height` lines: of the tunnels, those in trouble stay longest, and the rest is
/// counted; of the notes, the worst come first and the last ones are left out.
pub fn frame(
    tunnels: &[TunnelStatus],
    config_error: Option<&str>,
    now: Timestamp,
    look: Look,
    height: usize,
) -> Vec<String> {
    let rows = table::rows(tunnels, now, look);
    let notes = notes::of(tunnels, config_error, now, look, retry(rows.says_retry));
    let lines_of = |row: &String| row.matches('\n').count() + 1;
    let needed: usize = rows.rows.iter().map(lines_of).sum();
    let heading = usize::from(!rows.heading.is_empty());
    // Notes may have what the rows leave, and two fifths in any case.
    let notes = shortened(notes, height.saturating_sub(heading + needed).max(height * 2 / 5));
    let for_notes: usize = notes.iter().map(|note| note.len() + 1).sum();
    let for_rows = height.saturating_sub(heading + for_notes);

    let kept = kept(tunnels, &rows.rows.iter().map(lines_of).collect::<Vec<_>>(), for_rows);
    let mut lines: Vec<String> = Some(rows.heading).filter(|heading| !heading.is_empty()).into_iter().collect();
    for row in rows.rows.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(row, _)| row) {
        lines.extend(row.lines().map(str::to_owned));
    }
    let left_out = tunnels.iter().zip(&kept).filter(|(_, kept)| !**kept).map(|(tunnel, _)| tunnel);
    let count = left_out.clone().count();
    if count > 0 {
        lines.push(look.paint(DIM, &format!("… and {count} more: {}", words::summary(left_out))));
    }
    for note in notes {
        lines.push(String::new());
        lines.extend(note);
    }
    lines.truncate(height);
    lines
}

/// Which rows stay so that they take at most `room` lines, one of them for the count of the others.
fn kept(tunnels: &[TunnelStatus], heights: &[usize], room: usize) -> Vec<bool> {
    if heights.iter().sum::<usize>() <= room {
        return vec![true; tunnels.len()];
    }
    let mut by_need: Vec<usize> = (0..tunnels.len()).collect();
    by_need.sort_by_key(|&at| need(tunnels[at].state));
    let mut kept = vec![false; tunnels.len()];
    let mut left = room.saturating_sub(1);
    for at in by_need {
        let Some(rest) = left.checked_sub(heights[at]) else { break };
        left = rest;
        kept[at] = true;
    }
    kept
}

/// Who is shown first when there is no room for all.
pub(crate) fn need(state: TunnelState) -> u8 {
    match state {
        TunnelState::NeedsLogin | TunnelState::Failed => 0,
        TunnelState::Degraded => 1,
        TunnelState::Reconnecting => 2,
        TunnelState::Connecting => 3,
        TunnelState::Ready | TunnelState::Unknown => 4,
        TunnelState::Listening => 5,
        TunnelState::Down => 6,
    }
}

/// As many whole notes as fit into `room` lines, each with the empty line before it.
fn shortened(notes: Vec<Note>, room: usize) -> Vec<Note> {
    let mut left = room;
    let fits = |note: &Note| match left.checked_sub(note.len() + 1) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    notes.into_iter().take_while(fits).collect()
}

fn retry(says_retry: bool) -> Retry {
    if says_retry { Retry::SaidElsewhere } else { Retry::Said }
}

#[cfg(test)]
mod tests;
