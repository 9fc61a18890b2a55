//! Which columns of the list there is room for, and how wide each may be.
//!
//! Pure. Name, state and local address are always there; the rest is a list of wishes in the order of their
//! worth, and each is granted that still fits. So a wide terminal shows all, and a narrow one what matters.

use crate::column::Column;
use crate::style::Look;
use crate::text;
use crate::words::{self, Detail};
use tunnels_api::{Timestamp, TunnelStatus};

/// Between two columns.
pub(crate) const GAP: usize = 2;
/// A local address that is longer stands on a line of its own: it is never cut, and one path of a Unix
/// socket must not cost all other tunnels their columns.
pub(crate) const LONGEST_LOCAL: usize = 24;
/// A longer name is cut if everything else is more useful.
const USUAL_NAME: usize = 24;
/// Columns of ` · retry in 30s`: kept free where the state grows and shrinks with every try.
const USUAL_RETRY: usize = 15;

/// What may be added where there is room, what is worth most first.
const WISHES: [Wish; 13] = [
    Wish::Cause,
    Wish::Remote(16),
    Wish::Name(usize::MAX),
    Wish::Figures(&[Column::RoundTrip]),
    Wish::Figures(&[Column::Streams]),
    Wish::Figures(&[Column::Since]),
    Wish::Figures(&[Column::In, Column::Out]),
    Wish::Remote(28),
    // Where it does not fit the notes below the list say it.
    Wish::Retry,
    Wish::Figures(&[Column::Sessions]),
    Wish::Target(19),
    Wish::Remote(usize::MAX),
    Wish::Target(usize::MAX),
];

#[derive(Debug, Clone, Copy)]
enum Wish {
    Name(usize),
    Cause,
    Retry,
    Remote(usize),
    Target(usize),
    Figures(&'static [Column]),
}

/// What is shown, and the width of each column.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    widths: [usize; Column::ALL.len()],
    pub(crate) detail: Detail,
}

impl Layout {
    /// The best layout for these tunnels; none where even the least does not fit beside each other.
    pub(crate) fn of(tunnels: &[TunnelStatus], now: Timestamp, look: Look) -> Option<Self> {
        let measure = Measure::of(tunnels, now, look);
        let room = look.columns();
        let mut layout = Self { widths: [0; Column::ALL.len()], detail: Detail::default() };
        layout.set(Column::Name, measure.natural[Column::Name as usize].min(USUAL_NAME));
        layout.set(Column::Local, measure.natural[Column::Local as usize]);
        layout.set(Column::State, measure.states[0]);
        if layout.width() > room {
            return None;
        }
        for wish in WISHES {
            let granted = layout.with(wish, &measure);
            if granted.width() <= room {
                layout = granted;
            }
        }
        // What is left over goes to what was cut.
        let left = room.saturating_sub(layout.width());
        let remote = Column::Remote as usize;
        if layout.widths[remote] > 0 {
            layout.widths[remote] = layout.widths[remote].saturating_add(left).min(measure.natural[remote]);
        }
        Some(layout)
    }

    /// Columns that are shown with their widths.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (Column, usize)> {
        Column::ALL.into_iter().zip(self.widths).filter(|(_, width)| *width > 0)
    }

    fn set(&mut self, column: Column, width: usize) {
        self.widths[column as usize] = width;
    }

    fn width(&self) -> usize {
        self.columns().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP)
    }

    fn with(&self, wish: Wish, measure: &Measure) -> Self {
        let mut layout = self.clone();
        let natural = |column: Column| measure.natural[column as usize];
        match wish {
            Wish::Name(most) => layout.set(Column::Name, natural(Column::Name).min(most)),
            Wish::Remote(most) => layout.set(Column::Remote, natural(Column::Remote).min(most)),
            Wish::Target(most) => layout.set(Column::Target, natural(Column::Target).min(most)),
            Wish::Figures(columns) => {
                for &column in columns {
                    layout.set(column, natural(column));
                }
            }
            Wish::Cause => layout.detail.cause = true,
            // Without its cause it would not be said what is tried again.
            Wish::Retry => layout.detail.retry = layout.detail.cause,
        }
        layout.set(Column::State, measure.state(layout.detail));
        layout
    }
}

/// How wide each column would be if there were no limit.
struct Measure {
    natural: [usize; Column::ALL.len()],
    /// Of the state: its word, with the cause, with cause and next try.
    states: [usize; 3],
}

impl Measure {
    fn of(tunnels: &[TunnelStatus], now: Timestamp, look: Look) -> Self {
        let widest = |column: Column| {
            let cells = tunnels.iter().map(|tunnel| text::width(&column.text(tunnel, now)));
            let cells = cells.filter(|width| column != Column::Local || fits_a_column(*width, look));
            let least = if look.width.is_some() { column.usual() } else { 0 };
            cells.max().unwrap_or(0).max(text::width(column.heading())).max(least)
        };
        let state = |detail: Detail| {
            let width = |tunnel| {
                let parts = words::state(tunnel, detail, now);
                let width: usize = parts.iter().map(|(part, _)| text::width(part)).sum();
                let steady = Detail { retry: false, ..detail };
                let without: usize = words::state(tunnel, steady, now).iter().map(|(part, _)| text::width(part)).sum();
                let is_jumpy = detail.retry && look.width.is_some() && words::is_tried_again(tunnel);
                if is_jumpy { width.max(without + USUAL_RETRY) } else { width }
            };
            tunnels.iter().map(width).max().unwrap_or(0).max(text::width(Column::State.heading()))
        };
        Self {
            natural: Column::ALL.map(widest),
            states: [
                state(Detail::default()),
                state(Detail { cause: true, retry: false }),
                state(Detail { cause: true, retry: true }),
            ],
        }
    }

    fn state(&self, detail: Detail) -> usize {
        self.states[usize::from(detail.cause) + usize::from(detail.cause && detail.retry)]
    }
}

/// Whether a local address of this width stands in its column, or on a line of its own.
pub(crate) fn fits_a_column(width: usize, look: Look) -> bool {
    look.width.is_none() || width <= LONGEST_LOCAL
}
