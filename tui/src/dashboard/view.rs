//! Draws the model. Pure: the same model and time give the same cells.
//!
//! A file for each part of the screen. Where the parts are is `geometry`'s.

mod ansi;
mod body;
mod chart;
mod counts;
mod detail;
mod footer;
mod header;
mod line;
mod list;
mod page;
mod strip;

pub(super) use detail::tab_at;

use super::model::{Link, Model};
use super::theme::Theme;
use ratatui::Frame;
use tunnels_api::Timestamp;

/// Draws everything.
pub(super) fn view(model: &Model, frame: &mut Frame<'_>, now: Timestamp) {
    if model.detail.is_some() {
        detail::draw(model, frame, now);
    } else {
        list::draw(model, frame, now);
    }
    // What the daemon said last is no more than that.
    if matches!(model.link, Link::Lost { .. }) {
        let area = if model.detail.is_some() { model.detail_areas().body } else { model.areas().rows };
        frame.buffer_mut().set_style(area, Theme::dim());
    }
    header::draw(model, frame, now);
    footer::draw(model, frame, now);
    page::draw(model, frame, now);
}

/// Lines that the open tab would have on an endless screen.
pub(super) fn body_height(model: &Model, now: Timestamp) -> usize {
    body::lines(model, now).len()
}

/// Lines of the page that lies over everything.
pub(super) fn page_height(model: &Model) -> usize {
    page::lines(model).len()
}

#[cfg(test)]
mod tests;
