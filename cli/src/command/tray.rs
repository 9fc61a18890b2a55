//! `tunnels tray`: an icon in the desktop's panel, with a menu and notifications. The tray itself is `tunnels-tray`'s.

#[cfg(all(feature = "tray", target_os = "linux"))]
mod shown;

use crate::exit::Exit;
use clap::Args;
use std::path::PathBuf;
use tunnels_api::ApiError;

const MORE: &str = "\
The icon says how the tunnels are together; its menu has each of them, with what can be done about it. A notification says
when a tunnel needs a login, has failed, or works again after more than a minute, and when a login runs out within half an
hour; the menu switches notifications off and on for good. It starts no daemon by itself, and leaves the one that runs when
it is quit.

The panel has to show StatusNotifierItem icons: KDE, Xfce, Cinnamon, MATE, LXQt and waybar do, GNOME with the extension
AppIndicator.

Examples:
  tunnels tray &            until it is quit from its menu
  tunnels tray --install    from now on with each desktop session; writes ~/.config/autostart/tunnels-tray.desktop
  tunnels tray --uninstall  not any more";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Tray {
    /// Show no notifications, whatever the menu's switch said last
    #[arg(long)]
    no_notifications: bool,
    /// Have the desktop start it with each session, with the options given here, and end
    #[arg(long)]
    install: bool,
    /// Have the desktop start it no more, and end
    #[arg(long, conflicts_with_all = ["install", "no_notifications"])]
    uninstall: bool,
}

#[cfg(all(feature = "tray", target_os = "linux"))]
impl Tray {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        let shown = shown::Shown { config, no_notifications: self.no_notifications };
        match (self.install, self.uninstall) {
            (true, _) => shown.install(),
            (_, true) => shown::uninstall(),
            _ => shown.run(),
        }
    }
}

#[cfg(not(all(feature = "tray", target_os = "linux")))]
impl Tray {
    #[expect(clippy::unused_self, reason = "as where there is a tray")]
    pub(crate) fn run(self, _config: Option<PathBuf>) -> Result<Exit, ApiError> {
        let text = if cfg!(target_os = "linux") {
            "this build of tunnels has no tray: it was built without the feature `tray`"
        } else {
            "there is no tray for this system yet, only for Linux"
        };
        Err(ApiError::new(tunnels_api::ErrorCode::Failed, text)
            .with_hint("`tunnels` in a terminal is the dashboard, `tunnels ls --watch` a list that follows"))
    }
}
