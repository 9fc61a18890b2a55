//! Which columns there is room for, and how wide each is.
//!
//! Sign, name and local address are always there; the rest is a list of wishes in the order of their worth, and each
//! is granted that still fits. Figures have the width that is usual for them, so that nothing jumps with each.

use super::cell::{Row, SHORT_WHY, WHY};
use crate::dashboard::model::{Model, SPARK};
use crate::dashboard::theme::Theme;
use crate::dashboard::view::line::{cut, span, width};
use crate::text;
use ratatui::text::{Line, Span};
use tunnels_api::TunnelStatus;

/// In the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    State,
    Name,
    Local,
    Remote,
    Account,
    Sessions,
    Streams,
    In,
    Out,
    Spark,
    RoundTrip,
    Since,
    Why,
}

/// Before the first column: the mark.
const MARGIN: usize = 1;
const GAP: usize = 2;

/// The longest state: `↻ reconnecting`.
const STATE: usize = 14;
/// The sign alone.
const SIGN: usize = 1;
/// A longer name is cut if everything else is more useful.
const USUAL_NAME: usize = 18;
/// An IPv4 address with its port is whole; the path of a Unix socket must not cost all others their columns.
const USUAL_LOCAL: usize = 21;

impl Column {
    pub(super) const ALL: [Self; 13] = [
        Self::State,
        Self::Name,
        Self::Local,
        Self::Remote,
        Self::Account,
        Self::Sessions,
        Self::Streams,
        Self::In,
        Self::Out,
        Self::Spark,
        Self::RoundTrip,
        Self::Since,
        Self::Why,
    ];

    fn heading(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Name => "NAME",
            Self::Local => "LOCAL",
            Self::Remote => "REMOTE",
            Self::Account => "PROFILE/REGION",
            Self::Sessions => "SESS",
            Self::Streams => "CONN",
            Self::In => "IN",
            Self::Out => "OUT",
            Self::Spark => "LAST 10 s",
            Self::RoundTrip => "RTT",
            Self::Since => "SINCE",
            Self::Why => "WHY · NEXT TRY",
        }
    }

    /// Figures stand to the right.
    fn is_figure(self) -> bool {
        matches!(self, Self::Sessions | Self::Streams | Self::In | Self::Out | Self::RoundTrip | Self::Since)
    }
}

/// What may be added where there is room, what is worth most first.
const WISHES: [(Column, usize); 20] = [
    (Column::State, STATE),
    (Column::Why, SHORT_WHY),
    (Column::Remote, 18),
    (Column::Streams, 4),
    (Column::RoundTrip, 7),
    (Column::Name, 24),
    (Column::In, 8),
    (Column::Out, 8),
    (Column::Since, 7),
    (Column::Why, WHY),
    (Column::Remote, 28),
    (Column::Account, 16),
    (Column::Spark, SPARK),
    (Column::Name, usize::MAX),
    (Column::Account, usize::MAX),
    (Column::Sessions, 4),
    (Column::Why, 40),
    (Column::Remote, usize::MAX),
    (Column::Why, 60),
    (Column::Local, usize::MAX),
];

/// The columns that are shown, with their widths; 0 for those that are not.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    widths: [usize; Column::ALL.len()],
}

impl Columns {
    /// The best columns for all tunnels of the list, also for those that are not in sight.
    pub(super) fn of(model: &Model) -> Self {
        let room = usize::from(model.size.width);
        let tunnels = model.tunnels.tunnels();
        let widest = |column: Column, text_of: fn(&TunnelStatus) -> String| {
            let widths = tunnels.iter().map(|tunnel| text::width(&text_of(tunnel)));
            widths.max().unwrap_or(0).max(text::width(column.heading()))
        };
        // Once for each: a thousand names are not measured for every wish.
        let natural = Column::ALL.map(|column| match column {
            Column::Name => widest(column, |tunnel| text::clean(&tunnel.name)),
            Column::Local => widest(column, |tunnel| text::clean(&tunnel.local)),
            // The engine stands before it.
            Column::Remote => widest(column, |tunnel| text::clean(&tunnel.remote)) + 4,
            Column::Account => widest(column, super::cell::account),
            _ => usize::MAX,
        });
        let natural = |column: Column| natural[column as usize];
        let mut columns = Self { widths: [0; Column::ALL.len()] };
        let name = natural(Column::Name);
        columns.set(Column::State, SIGN);
        columns.set(Column::Name, name.min(USUAL_NAME));
        let is_address = |tunnel: &&TunnelStatus| !tunnel.local.starts_with("unix:");
        let addresses = tunnels.iter().filter(is_address).map(|tunnel| text::width(&tunnel.local)).max();
        columns.set(Column::Local, addresses.unwrap_or(USUAL_LOCAL).clamp(5, USUAL_LOCAL));
        // Where even that does not fit the name gives way: the address is what is to be pasted.
        let over = columns.width().saturating_sub(room);
        columns.set(Column::Name, name.min(USUAL_NAME).saturating_sub(over).max(4));
        for (column, wanted) in WISHES {
            let mut granted = columns.clone();
            granted.set(column, wanted.min(natural(column)).max(columns.widths[column as usize]));
            if granted.width() <= room {
                columns = granted;
            }
        }
        // What is left over goes to what was cut, then to the reasons.
        for column in [Column::Remote, Column::Why] {
            let width = columns.widths[column as usize];
            if width > 0 {
                let left = room.saturating_sub(columns.width());
                columns.set(column, (width + left).min(natural(column)));
            }
        }
        columns
    }

    fn set(&mut self, column: Column, width: usize) {
        self.widths[column as usize] = width;
    }

    fn width(&self) -> usize {
        let shown = self.shown().map(|(_, width)| width.saturating_add(GAP));
        MARGIN.saturating_add(shown.fold(0, usize::saturating_add)).saturating_sub(GAP)
    }

    fn shown(&self) -> impl Iterator<Item = (Column, usize)> {
        Column::ALL.into_iter().zip(self.widths).filter(|(_, width)| *width > 0)
    }

    /// The titles of the columns; the one that is sorted by says in which direction.
    pub(super) fn headings(&self, sorted: Option<(Column, bool)>) -> Line<'static> {
        let mut spans = vec![Span::raw(" ".repeat(MARGIN))];
        for (column, wide) in self.shown() {
            let arrow = match sorted {
                Some((by, is_reversed)) if by == column => {
                    if is_reversed {
                        "↑"
                    } else {
                        "↓"
                    }
                }
                _ => "",
            };
            let heading = text::cut(&format!("{}{arrow}", if wide > SIGN { column.heading() } else { "" }), wide);
            spans.extend(set(vec![span(heading, Theme::dim())], column, wide));
        }
        Line::from(spans)
    }

    pub(super) fn row(&self, row: &Row<'_>) -> Line<'static> {
        let mark = if row.is_marked { span("*", row.theme.accent().patch(Theme::bold())) } else { Span::raw(" ") };
        let mut spans = vec![mark];
        for (column, wide) in self.shown() {
            spans.extend(set(row.cell(column, wide), column, wide));
        }
        Line::from(spans)
    }
}

/// A cell in its column, with the gap after it.
fn set(cell: Vec<Span<'static>>, column: Column, wide: usize) -> Vec<Span<'static>> {
    let mut cell = cut(cell, wide);
    let missing = wide.saturating_sub(width(&cell));
    if column.is_figure() {
        cell.insert(0, Span::raw(" ".repeat(missing)));
        cell.push(Span::raw(" ".repeat(GAP)));
    } else {
        cell.push(Span::raw(" ".repeat(missing + GAP)));
    }
    cell
}
