//! The rows of the list: a line for each tunnel under a line of headings.
//!
//! Pure: statuses and a time in, text out. Made for pipes as well: there every column is whole, and `awk`
//! can count on them until the first one with blanks. What is said below the rows is `notes`'s.

use crate::column::Column;
use crate::layout::{GAP, Layout, fits_a_column};
use crate::style::{self, DIM, Look, PLAIN};
use crate::text;
use crate::words::{self, Detail};
use anstyle::Style;
use tunnels_api::{Timestamp, TunnelStatus};

/// The list as lines, not yet put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The headings; empty where there are no columns.
    pub heading: String,
    /// For each tunnel its lines, without the last newline.
    pub rows: Vec<String>,
    /// Whether the rows say when a tunnel is tried again.
    pub says_retry: bool,
}

/// Renders a row for each tunnel, in their order.
pub fn rows(tunnels: &[TunnelStatus], now: Timestamp, look: Look) -> Rows {
    let Some(layout) = Layout::of(tunnels, now, look) else {
        let rows = tunnels.iter().map(|tunnel| stacked(tunnel, now, look)).collect();
        return Rows { heading: String::new(), rows, says_retry: false };
    };
    let heading = line(
        layout.columns().map(|(column, width)| {
            let title = column.heading();
            (vec![(title.to_owned(), DIM)], width, column.is_figure())
        }),
        look,
    );
    let rows = tunnels.iter().map(|tunnel| row(tunnel, &layout, now, look)).collect();
    Rows { heading, rows, says_retry: layout.detail.retry }
}

/// Pieces with their styles, set one after the other.
type Cell = Vec<(String, Style)>;

fn painted(cell: &Cell, look: Look) -> String {
    cell.iter().map(|(part, style)| look.paint(*style, part)).collect()
}

/// Cells with their widths, and whether they stand to the right.
fn line(cells: impl Iterator<Item = (Cell, usize, bool)>, look: Look) -> String {
    let mut line = String::new();
    // Blanks that come before the next cell; none at the end of a line.
    let mut blanks = 0;
    for (cell, width, to_the_right) in cells {
        let taken: usize = cell.iter().map(|(part, _)| text::width(part)).sum();
        let free = width.saturating_sub(taken);
        let (before, after) = if to_the_right { (free, 0) } else { (0, free) };
        blanks += before;
        if taken > 0 {
            line.extend(std::iter::repeat_n(' ', blanks));
            blanks = 0;
            line.push_str(&painted(&cell, look));
        }
        blanks += after + GAP;
    }
    line
}

fn row(tunnel: &TunnelStatus, layout: &Layout, now: Timestamp, look: Look) -> String {
    let own_line = !fits_a_column(text::width(&tunnel.local), look);
    let mut row = line(
        layout.columns().map(|(column, width)| {
            let plain = column.text(tunnel, now);
            let cell = match column {
                Column::Name => vec![(text::cut(&plain, width), style::of_name(tunnel))],
                Column::State => words::state(tunnel, layout.detail, now),
                Column::Local if own_line => vec![("(below)".to_owned(), DIM)],
                Column::Local => vec![(plain, style::of_local(tunnel))],
                Column::Remote => vec![(text::cut_host(&plain, width), PLAIN)],
                Column::Target => vec![(text::cut(&plain, width), PLAIN)],
                _ => vec![(plain, PLAIN)],
            };
            (cell, width, column.is_figure())
        }),
        look,
    );
    if own_line {
        row.push_str(&own_line_of(tunnel, look));
    }
    row
}

/// The address to paste on a line of its own.
fn own_line_of(tunnel: &TunnelStatus, look: Look) -> String {
    format!("\n  {}", look.paint(style::of_local(tunnel), &text::clean(&tunnel.local)))
}

/// For a terminal too narrow for columns: name and state, and below them the address to paste.
fn stacked(tunnel: &TunnelStatus, now: Timestamp, look: Look) -> String {
    let name = text::clean(&tunnel.name);
    let room = look.columns().saturating_sub(text::width(&name) + GAP);
    let fits = |parts: &Cell| parts.iter().map(|(part, _)| text::width(part)).sum::<usize>() <= room;
    let brief = words::state(tunnel, Detail::default(), now);
    let whole = words::state(tunnel, Detail { cause: true, retry: false }, now);
    let state = if fits(&whole) { whole } else { brief };
    let mut row = look.paint(style::of_name(tunnel), &name);
    row.push_str(if fits(&state) { "  " } else { "\n  " });
    row.push_str(&painted(&state, look));
    row.push_str(&own_line_of(tunnel, look));
    row
}

#[cfg(test)]
mod tests;
