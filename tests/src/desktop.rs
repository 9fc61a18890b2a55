//! A desktop session without a screen: a session bus of its own, and on it what a desktop has for tray icons and
//! notifications. Both are this test's, and remember what they were given.

use std::collections::HashMap;
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, Message, connection};

use crate::process::Process;
use crate::wait::wait_until;

mod services;

pub use services::Notification;
use services::{Panel, Server};

const START_DEADLINE: Duration = Duration::from_secs(20);
/// No test waits longer than this for something to be shown.
const DEADLINE: Duration = Duration::from_secs(30);

/// A bus that everybody may do everything on, and that starts no services of this machine.
const BUS_CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>ADDRESS</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// The session, its bus and who is on it; everything ends with it.
#[derive(Debug)]
pub struct TestDesktop {
    runtime: Runtime,
    bus: Process,
    address: String,
    desktop: Connection,
    items: Arc<Mutex<Vec<String>>>,
    notifications: Arc<Mutex<Vec<Notification>>>,
    _folder: TempDir,
}

/// An entry of the menu.
#[derive(Debug, Clone)]
pub struct MenuEntry {
    id: i32,
    pub label: String,
    pub is_visible: bool,
    pub is_enabled: bool,
    /// For a switch: whether it is on.
    pub is_on: bool,
    pub children: Vec<MenuEntry>,
}

impl TestDesktop {
    /// A session with a panel and a notification server.
    #[track_caller]
    pub fn start() -> Self {
        let desktop = Self::start_without_panel();
        desktop.start_panel();
        desktop
    }

    /// A session whose panel is not there yet.
    #[track_caller]
    pub fn start_without_panel() -> Self {
        let folder = TempDir::with_prefix("tunnels-bus-").expect("a temporary folder");
        let socket = folder.path().join("bus");
        let address = format!("unix:path={}", socket.display());
        let config = folder.path().join("bus.conf");
        fs::write(&config, BUS_CONFIG.replace("ADDRESS", &address)).expect("our own folder");
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args(["--nofork", "--nopidfile"]);
        let mut bus = Process::start("dbus-daemon", &mut command);
        wait_until("the session bus to listen", START_DEADLINE, || {
            let ended = bus.ended();
            assert!(ended.is_none(), "dbus-daemon ended: {}", bus.output());
            UnixStream::connect(&socket).ok()
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (items, notifications) = <(Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<Notification>>>)>::default();
        let (panel, server) = (Panel(Arc::clone(&items)), Server(Arc::clone(&notifications)));
        let builder = || -> zbus::Result<connection::Builder<'_>> {
            connection::Builder::address(address.as_str())?
                .serve_at("/StatusNotifierWatcher", panel)?
                .serve_at("/org/freedesktop/Notifications", server)?
                .name("org.freedesktop.Notifications")
        };
        let desktop = runtime.block_on(builder().expect("valid names").build()).expect("the bus takes connections");
        Self { runtime, bus, address, desktop, items, notifications, _folder: folder }
    }

    /// Has a panel appear.
    #[track_caller]
    pub fn start_panel(&self) {
        let name = self.desktop.request_name("org.kde.StatusNotifierWatcher");
        self.runtime.block_on(name).expect("nobody else shows tray icons here");
    }

    /// Has the panel go away with all its icons.
    #[track_caller]
    pub fn stop_panel(&self) {
        let name = self.desktop.release_name("org.kde.StatusNotifierWatcher");
        assert!(self.runtime.block_on(name).expect("the bus answers"), "there was a panel");
        lock(&self.items).clear();
    }

    /// Ends the whole session.
    pub fn end(&mut self) {
        self.bus.signal("TERM");
        self.bus.wait();
    }

    /// What `DBUS_SESSION_BUS_ADDRESS` is in this session.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The items that have registered with the panel.
    pub fn items(&self) -> Vec<String> {
        lock(&self.items).clone()
    }

    /// Waits until an item is in the panel; the name under which it is found on the bus.
    #[track_caller]
    pub fn item(&self) -> String {
        wait_until("an item to register with the panel", DEADLINE, || self.items().last().cloned())
    }

    /// The notifications so far.
    pub fn notifications(&self) -> Vec<Notification> {
        lock(&self.notifications).clone()
    }

    /// Waits for a notification whose headline contains this.
    #[track_caller]
    pub fn notification(&self, headline: &str) -> Notification {
        wait_until(format!("a notification `{headline}` among {:?}", self.notifications()), DEADLINE, || {
            self.notifications().into_iter().find(|notification| notification.summary.contains(headline))
        })
    }

    /// The pixels of the icon in its largest size.
    #[track_caller]
    pub fn icon(&self) -> Vec<u8> {
        let pixmaps: Vec<(i32, i32, Vec<u8>)> =
            self.property("IconPixmap").try_into().expect("a list of pictures with width and height");
        let (width, height, argb) = pixmaps.into_iter().max_by_key(|(width, ..)| *width).expect("a picture");
        assert_eq!(argb.len(), usize::try_from(width * height * 4).expect("a size"), "{width} × {height}");
        argb
    }

    /// `Active` or `NeedsAttention`.
    #[track_caller]
    pub fn status(&self) -> String {
        self.property("Status").try_into().expect("a text")
    }

    /// Headline and text of the tooltip.
    #[track_caller]
    pub fn tooltip(&self) -> (String, String) {
        type Tooltip = (String, Vec<(i32, i32, Vec<u8>)>, String, String);
        let (_, _, title, text): Tooltip = self.property("ToolTip").try_into().expect("a tooltip");
        (title, text)
    }

    /// Waits until the tooltip's headline says this.
    #[track_caller]
    pub fn wait_for_tooltip(&self, says: &str) {
        let mut last = String::new();
        wait_until(format!("the tooltip to say `{says}`"), DEADLINE, || {
            let (title, _) = self.tooltip();
            if title != last {
                eprintln!("tooltip: {title}");
                last.clone_from(&title);
            }
            title.contains(says).then_some(())
        });
    }

    #[track_caller]
    fn property(&self, name: &str) -> OwnedValue {
        let arguments = ("org.kde.StatusNotifierItem", name);
        let answer = self.call("/StatusNotifierItem", "org.freedesktop.DBus.Properties", "Get", &arguments);
        answer.expect("the item answers").body().deserialize().expect("a value")
    }

    /// The menu as the panel would show it, hidden entries included.
    #[track_caller]
    pub fn menu(&self) -> Vec<MenuEntry> {
        type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);
        fn entry((id, mut properties, children): Layout) -> MenuEntry {
            fn take<T: TryFrom<OwnedValue>>(properties: &mut HashMap<String, OwnedValue>, name: &str) -> Option<T> {
                properties.remove(name)?.try_into().ok()
            }
            let label: String = take(&mut properties, "label").unwrap_or_default();
            MenuEntry {
                id,
                label: label.replace("__", "_"),
                is_visible: take(&mut properties, "visible").unwrap_or(true),
                is_enabled: take(&mut properties, "enabled").unwrap_or(true),
                is_on: take::<i32>(&mut properties, "toggle-state") == Some(1),
                children: children.into_iter().map(|child| entry(child.try_into().expect("an entry"))).collect(),
            }
        }
        let arguments = (0_i32, -1_i32, Vec::<&str>::new());
        let answer = self.call("/MenuBar", "com.canonical.dbusmenu", "GetLayout", &arguments);
        let (_, root): (u32, Layout) =
            answer.expect("the menu answers").body().deserialize().expect("a revision and a layout");
        entry(root).children
    }

    /// Clicks on the entry below these, each named by the text in its label, as soon as it can be clicked.
    #[track_caller]
    pub fn click(&self, labels: &[&str]) {
        wait_until(format!("{labels:?} to be there for a click"), DEADLINE, || {
            let entry = self.find(labels).filter(|entry| entry.is_enabled)?;
            let click = (entry.id, "clicked", Value::from(0_i32), 0_u32);
            // The menu may have changed between the look and the click.
            self.call("/MenuBar", "com.canonical.dbusmenu", "Event", &click).ok()
        });
    }

    /// The entry below these, if it can be seen.
    #[track_caller]
    pub fn find(&self, labels: &[&str]) -> Option<MenuEntry> {
        fn find(menu: Vec<MenuEntry>, labels: &[&str]) -> Option<MenuEntry> {
            let (label, below) = labels.split_first()?;
            let entry = menu.into_iter().find(|entry| entry.is_visible && entry.label.contains(label))?;
            if below.is_empty() { Some(entry) } else { find(entry.children, below) }
        }
        find(self.menu(), labels)
    }

    /// Waits until there is such an entry.
    #[track_caller]
    pub fn wait_for_entry(&self, labels: &[&str]) -> MenuEntry {
        wait_until(format!("{labels:?} in the menu"), DEADLINE, || self.find(labels))
    }

    #[track_caller]
    fn call<B>(&self, path: &str, interface: &str, method: &str, arguments: &B) -> zbus::Result<Message>
    where
        B: serde::ser::Serialize + zbus::zvariant::DynamicType,
    {
        let item = self.item();
        self.runtime.block_on(self.desktop.call_method(Some(item), path, Some(interface), method, arguments))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
