//! The item in the panel: what `ksni` asks for, and what somebody clicks on.

use crate::action::Action;
use crate::icon;
use crate::menu::{Item, Kind};
use crate::scene::View;
use ksni::menu::{CheckmarkItem, StandardItem, SubMenu};
use ksni::{Icon, MenuItem, OfflineReason, Status, ToolTip};
use tokio::sync::mpsc;

/// What happens to the item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Clicked(Action),
    /// Somebody shows tray icons now, or nobody does.
    Watched(bool),
}

/// The item and its menu.
#[derive(Debug)]
pub(crate) struct PanelItem {
    pub(crate) view: View,
    pub(crate) events: mpsc::Sender<Event>,
}

impl PanelItem {
    fn clicked(&self, action: &Action) {
        self.tell(Event::Clicked(action.clone()));
    }

    fn tell(&self, event: Event) {
        // Whoever clicks faster than anything can be done has clicked often enough.
        let _ = self.events.try_send(event);
    }

    fn pixmaps(&self) -> Vec<Icon> {
        let picture =
            |pixmap: &icon::Pixmap| Icon { width: pixmap.side, height: pixmap.side, data: pixmap.argb.clone() };
        icon::of(self.view.overall).iter().map(picture).collect()
    }
}

impl ksni::Tray for PanelItem {
    // Nothing that a click should do without saying so first.
    const MENU_ON_ACTIVATE: bool = true;

    fn id(&self) -> String {
        "tunnels".to_owned()
    }

    fn title(&self) -> String {
        "tunnels".to_owned()
    }

    fn status(&self) -> Status {
        if self.view.overall.wants_attention() { Status::NeedsAttention } else { Status::Active }
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        self.pixmaps()
    }

    fn attention_icon_pixmap(&self) -> Vec<Icon> {
        // Some panels show nothing at all where there is none.
        if self.view.overall.wants_attention() { self.pixmaps() } else { Vec::new() }
    }

    fn tool_tip(&self) -> ToolTip {
        let tooltip = self.view.tooltip.clone();
        ToolTip { title: tooltip.title, description: tooltip.description, ..ToolTip::default() }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.view.menu.iter().map(entry).collect()
    }

    fn secondary_activate(&mut self, _x: i32, _y: i32) {
        self.clicked(&Action::Dashboard);
    }

    fn watcher_online(&self) {
        self.tell(Event::Watched(true));
    }

    fn watcher_offline(&self, _reason: OfflineReason) -> bool {
        self.tell(Event::Watched(false));
        // Panels are restarted, and some come up after us.
        true
    }
}

fn entry(item: &Item) -> MenuItem<PanelItem> {
    // An underscore would mark a key.
    let label = item.label.replace('_', "__");
    let (enabled, visible) = (item.is_enabled, item.is_visible);
    match &item.kind {
        Kind::Separator => MenuItem::Separator,
        Kind::Text => StandardItem { label, enabled, visible, ..StandardItem::default() }.into(),
        Kind::Click(action) => {
            let action = action.clone();
            let activate = Box::new(move |item: &mut PanelItem| item.clicked(&action));
            StandardItem { label, enabled, visible, activate, ..StandardItem::default() }.into()
        }
        Kind::Switch { is_on, action } => {
            let action = action.clone();
            let activate = Box::new(move |item: &mut PanelItem| item.clicked(&action));
            CheckmarkItem { label, enabled, visible, checked: *is_on, activate, ..CheckmarkItem::default() }.into()
        }
        Kind::Submenu(items) => {
            let submenu = items.iter().map(entry).collect();
            SubMenu { label, enabled, visible, submenu, ..SubMenu::default() }.into()
        }
    }
}
