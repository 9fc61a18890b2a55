//! What stands where on the screen. Pure.
//!
//! `view` draws into these areas, `update` scrolls and takes clicks by them: both mean the same.

use super::model::{Link, Model};
use crate::text;
use ratatui::layout::Rect;

/// Columns and lines of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u16,
    pub(super) height: u16,
}

/// Lines of the list that the guide must leave.
const LEAST_ROWS: u16 = 6;

/// A page that is wider is as good with a margin of at least so much.
const WIDE_PAGE: u16 = 120;
const LEAST_MARGIN: u16 = 8;

/// The areas of the list, from top to bottom; some have no height where there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Areas {
    pub(super) header: Rect,
    pub(super) headings: Rect,
    pub(super) rows: Rect,
    pub(super) guide: Rect,
    /// What there is to say of the selected tunnel.
    pub(super) strip: Rect,
    pub(super) footer: Rect,
}

/// The areas of one tunnel's view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DetailAreas {
    pub(super) header: Rect,
    pub(super) title: Rect,
    pub(super) tabs: Rect,
    /// Between tabs and body; no height where there is no room for it.
    pub(super) gap: Rect,
    pub(super) body: Rect,
    pub(super) footer: Rect,
}

/// Takes lines off the top of what is left.
struct Rest(Rect);

impl Rest {
    fn take(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        let taken = Rect { height, ..self.0 };
        self.0.y += height;
        self.0.height -= height;
        taken
    }

    fn take_bottom(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        self.0.height -= height;
        Rect { y: self.0.y + self.0.height, height, ..self.0 }
    }
}

impl Model {
    fn screen(&self) -> Rest {
        Rest(Rect { x: 0, y: 0, width: self.size.width, height: self.size.height })
    }

    fn header_height(&self) -> u16 {
        if self.size.height >= 14 { 2 } else { 1 }
    }

    pub(super) fn areas(&self) -> Areas {
        let height = self.size.height;
        let mut rest = self.screen();
        let header = rest.take(self.header_height());
        let headings = rest.take(u16::from(height >= 12));
        let footer = rest.take_bottom(1);
        let strip = match height {
            30.. => 5,
            20..30 => 4,
            12..20 => 3,
            6..12 => 1,
            _ => 0,
        };
        let guide = u16::try_from(self.guide_lines().len()).unwrap_or(u16::MAX);
        // Whoever tries things out has more of the guide than of the selected tunnel's story.
        let (strip, guide) = match rest.0.height.checked_sub(guide.saturating_add(LEAST_ROWS)) {
            Some(left) if self.shows_guide => (if left >= strip { strip } else { 0 }, guide),
            _ => (strip, 0),
        };
        let strip = rest.take_bottom(strip);
        let guide = rest.take_bottom(guide);
        Areas { header, headings, rows: rest.0, guide, strip, footer }
    }

    /// The guide as it fits: what is to be pasted is wrapped as a shell takes it.
    pub(super) fn guide_lines(&self) -> Vec<String> {
        let columns = usize::from(self.size.width);
        self.guide.iter().flat_map(|line| text::wrap_pasted(line, columns)).collect()
    }

    pub(super) fn detail_areas(&self) -> DetailAreas {
        let mut rest = self.screen();
        // Where there is no room for it, it is there when it has to say that no daemon is heard.
        let is_lost = matches!(self.link, Link::Lost { .. });
        let header = rest.take(if self.size.height >= 14 { self.header_height() } else { u16::from(is_lost) });
        let title = rest.take(1);
        let tabs = rest.take(1);
        let footer = rest.take_bottom(1);
        let gap = rest.take(u16::from(self.size.height >= 14));
        DetailAreas { header, title, tabs, gap, body: rest.0, footer }
    }

    /// Where it is said what was just done: not over the keys, where there is another place.
    pub(super) fn notice(&self) -> Rect {
        let (free, footer) = if self.detail.is_some() {
            let areas = self.detail_areas();
            (areas.gap, areas.footer)
        } else {
            let areas = self.areas();
            // The line above the story.
            let line = Rect { height: u16::from(areas.strip.height > 1), ..areas.strip };
            (line, areas.footer)
        };
        if free.height > 0 { free } else { footer }
    }

    /// The area of a page that lies over everything but the keys: help, a report.
    pub(super) fn page(&self) -> Rect {
        // Beside it there is either enough of what is below to be recognised, or nothing.
        let margin = if self.size.width >= 2 * LEAST_MARGIN + WIDE_PAGE { LEAST_MARGIN } else { 0 };
        let top = if self.size.height >= 14 { self.header_height() } else { 0 };
        Rect {
            x: margin,
            y: top,
            width: self.size.width.saturating_sub(2 * margin),
            height: self.size.height.saturating_sub(top + 1),
        }
    }

    /// Lines of its text that a page shows.
    pub(super) fn page_lines(&self) -> usize {
        usize::from(self.page().height.saturating_sub(2))
    }
}
