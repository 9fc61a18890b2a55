//! The session bus, as far as this program speaks on it itself: notifications, KDE's clipboard, one tray a daemon.
//!
//! The item in the panel has a connection of its own, which is `ksni`'s.

use crate::markup::escaped;
use crate::notice::Notice;
use futures_util::StreamExt as _;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::time::Duration;
use tunnels_api::{ApiError, ErrorCode};
use zbus::fdo::RequestNameFlags;
use zbus::zvariant::Value;
use zbus::{Connection, MessageStream, connection};

/// So long another program may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The notification server decides how long it shows one.
const AS_USUAL: i32 = -1;

/// A connection to the session bus.
#[derive(Debug)]
pub(crate) struct Bus {
    connection: Connection,
    /// Ends when the bus does.
    messages: MessageStream,
}

impl Bus {
    pub(crate) async fn connect() -> Result<Self, ApiError> {
        let no_bus = |error: zbus::Error| {
            ApiError::new(ErrorCode::Failed, format!("there is no session bus to show a tray icon on: {error}"))
                .with_hint(
                    "run it inside a desktop session, whose DBUS_SESSION_BUS_ADDRESS it needs; in a terminal without one \
                     `tunnels` is the dashboard",
                )
        };
        let builder = connection::Builder::session().map_err(no_bus)?;
        let connection = builder.method_timeout(PATIENCE).build().await.map_err(no_bus)?;
        let messages = MessageStream::from(&connection);
        Ok(Self { connection, messages })
    }

    /// Sees to it that there is one icon a session for the daemon behind `socket`: whoever starts it by hand may have it
    /// started with the session, too.
    pub(crate) async fn claim(&self, socket: &Path) -> Result<(), ApiError> {
        // Without keys of its own: the same in each process.
        let mut hasher = DefaultHasher::new();
        socket.hash(&mut hasher);
        let name = format!("org.tunnels.Tray.s{:016x}", hasher.finish());
        match self.connection.request_name_with_flags(name, RequestNameFlags::DoNotQueue.into()).await {
            Ok(_) => Ok(()),
            Err(zbus::Error::NameTaken) => {
                let text = format!("this session has a tray icon for the daemon at {} already", socket.display());
                Err(ApiError::new(ErrorCode::AlreadyRunning, text).with_hint("its menu has `Quit the tray`"))
            }
            Err(error) => {
                Err(ApiError::new(ErrorCode::Failed, format!("the session bus gives no name to the tray: {error}"))
                    .with_hint("see whether other tray icons work; a sandbox may have to allow `org.tunnels.Tray.*`"))
            }
        }
    }

    /// Another handle of the same connection.
    pub(crate) fn speaker(&self) -> Speaker {
        Speaker(self.connection.clone())
    }

    /// Waits until there is no bus any more, as at the end of the desktop session. Cancel-safe.
    pub(crate) async fn gone(&mut self) {
        while let Some(Ok(_)) = self.messages.next().await {}
    }
}

/// What is said to other programs on the bus.
#[derive(Debug, Clone)]
pub(crate) struct Speaker(Connection);

impl Speaker {
    /// Shows a notification.
    ///
    /// # Errors
    /// When nobody shows notifications, or not in time.
    pub(crate) async fn notify(&self, notice: &Notice) -> Result<(), zbus::Error> {
        const SERVER: &str = "org.freedesktop.Notifications";
        const REPLACES_NONE: u32 = 0;
        const NORMAL: u8 = 1;
        let actions: Vec<&str> = Vec::new();
        let hints: HashMap<&str, Value<'_>> = [
            ("urgency", Value::from(NORMAL)),
            ("category", Value::from("network")),
            ("transient", Value::from(notice.is_passing)),
        ]
        .into();
        let body = escaped(&notice.body);
        let arguments =
            ("tunnels", REPLACES_NONE, notice.icon, notice.summary.as_str(), body, actions, hints, AS_USUAL);
        let path = "/org/freedesktop/Notifications";
        self.0.call_method(Some(SERVER), path, Some(SERVER), "Notify", &arguments).await.map(drop)
    }

    /// Gives the text to KDE's clipboard, which needs no program and no display; whether it took it.
    pub(crate) async fn copy(&self, text: &str) -> bool {
        let (service, interface) = ("org.kde.klipper", "org.kde.klipper.klipper");
        self.0.call_method(Some(service), "/klipper", Some(interface), "setClipboardContents", &text).await.is_ok()
    }
}
