//! Everything that the tray shows, and what it is made from.
//!
//! Pure. Written by the loop in `run` only.

use crate::menu::{self, Item};
use crate::overall::Overall;
use crate::tooltip::{self, Tooltip};
use tunnels_api::Timestamp;
use tunnels_tui::model::Model;

/// What is known.
#[derive(Debug)]
pub(crate) struct Scene {
    /// What the daemon said last.
    pub(crate) tunnels: Model,
    pub(crate) link: Link,
    /// There is a way to start a daemon from here.
    pub(crate) can_start: bool,
    /// There are to be notifications.
    pub(crate) notifies: bool,
}

/// Whether the daemon is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    /// Why not.
    Lost(String),
}

/// What stands in the panel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    pub(crate) overall: Overall,
    pub(crate) tooltip: Tooltip,
    pub(crate) menu: Vec<Item>,
}

impl Scene {
    pub(crate) fn view(&self, now: Timestamp) -> View {
        let overall = Overall::of(self.link == Link::Up, self.tunnels.tunnels());
        View { overall, tooltip: tooltip::of(self), menu: menu::of(self, now) }
    }
}
