//! What the tray remembers from one start to the next: whether there are to be notifications.

use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// In the daemon's state folder.
const FILE: &str = "tray.json";

/// What was chosen in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) notifications: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { notifications: true }
    }
}

impl Settings {
    /// What was chosen last; what cannot be read was never chosen.
    pub(crate) fn load(state_dir: &Path) -> Self {
        let text = fs::read(state_dir.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Keeps it, whole or not at all.
    pub(crate) fn store(self, state_dir: &Path) -> io::Result<()> {
        // As the daemon makes it, which may come later.
        DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
        let new = state_dir.join(format!("{FILE}.new"));
        fs::write(&new, serde_json::to_vec(&self)?)?;
        fs::rename(new, state_dir.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_known_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("not/yet");
        assert!(Settings::load(&state).notifications, "never chosen");
        Settings { notifications: false }.store(&state).unwrap();
        assert!(!Settings::load(&state).notifications);
        fs::write(state.join(FILE), "{\"later\": 1}").unwrap();
        assert!(Settings::load(&state).notifications, "of another version");
        fs::write(state.join(FILE), "spoilt").unwrap();
        assert!(Settings::load(&state).notifications);
    }
}
