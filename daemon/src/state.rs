//! What the daemon remembers over its own end: what is wanted of each tunnel, and which sessions exist.
//!
//! Session ids only, never a token. Changes are written by one task a moment later, so that a hundred
//! tunnels that start at once cost a few writes; a file that cannot be written costs a warning and nothing
//! else.

use crate::aws::{AwsScope, Endpoints};
use crate::config::TunnelConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tunnels_api::TargetState;

/// How long changes are gathered. A crash within it loses them, so it is short.
const GATHER: Duration = Duration::from_millis(50);

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    #[serde(default)]
    wanted: BTreeMap<String, TargetState>,
    #[serde(default)]
    sessions: BTreeMap<String, Leftover>,
}

/// Where a session is to be terminated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leftover {
    pub(crate) tunnel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ssm_endpoint: Option<String>,
}

impl Leftover {
    pub(crate) fn scope(&self) -> AwsScope {
        AwsScope {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoints: Endpoints { ssm: self.ssm_endpoint.clone(), ..Endpoints::default() },
        }
    }
}

/// The file, as a cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct StateFile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    content: Mutex<Content>,
    changed: Notify,
}

impl StateFile {
    /// Reads the file of a folder, which is made if need be. One that cannot be read counts as empty.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = folder.join("state.json");
        let content = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "the state file is damaged and starts anew");
                Content::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(error) => return Err(error),
        };
        Ok(Self(Arc::new(Shared { path, content: Mutex::new(content), changed: Notify::new() })))
    }

    /// What was wanted of a tunnel when the last daemon ended.
    pub(crate) fn wanted(&self, tunnel: &str) -> Option<TargetState> {
        self.lock().wanted.get(tunnel).copied()
    }

    /// Notes what is wanted of a tunnel.
    pub(crate) fn want(&self, tunnel: &str, target: TargetState) {
        self.lock().wanted.insert(tunnel.to_owned(), target);
        self.0.changed.notify_one();
    }

    /// Notes that a session exists.
    pub(crate) fn session_opened(&self, id: &str, tunnel: &TunnelConfig) {
        let leftover = Leftover {
            tunnel: tunnel.name.clone(),
            profile: tunnel.scope.profile.clone(),
            region: tunnel.scope.region.clone(),
            ssm_endpoint: tunnel.scope.endpoints.ssm.clone(),
        };
        self.lock().sessions.insert(id.to_owned(), leftover);
        self.0.changed.notify_one();
    }

    /// Notes that a session exists no more.
    pub(crate) fn session_ended(&self, id: &str) {
        self.lock().sessions.remove(id);
        self.0.changed.notify_one();
    }

    /// Sessions that exist as far as is known.
    pub(crate) fn sessions(&self) -> Vec<(String, Leftover)> {
        self.lock().sessions.clone().into_iter().collect()
    }

    /// Writes changes as they come, until it is dropped.
    pub(crate) async fn keep_written(&self) {
        loop {
            self.0.changed.notified().await;
            tokio::time::sleep(GATHER).await;
            let this = self.clone();
            drop(tokio::task::spawn_blocking(move || this.write()).await);
        }
    }

    /// Writes it now: to a new file first, so that a crash leaves the old one or the new one.
    pub(crate) fn write(&self) {
        // The lock is held over the write, so that the file never goes back in time.
        let content = self.lock();
        let written = serde_json::to_vec_pretty(&*content).map_err(io::Error::other).and_then(|bytes| {
            let fresh = self.0.path.with_extension("json.new");
            write_private(&fresh, &bytes)?;
            std::fs::rename(&fresh, &self.0.path)
        });
        if let Err(error) = written {
            tracing::warn!(path = %self.0.path.display(), %error, "the state file cannot be written");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn tunnel() -> TunnelConfig {
        let text = "[tunnels.a]\nremote = 1\nlocal = 1\ntarget = \"i-01234567\"\nregion = \"eu-west-1\"\n";
        crate::config::parse(Path::new("c"), text).unwrap().tunnels.remove(0)
    }

    #[test]
    fn remembers_over_a_restart_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let state = StateFile::open(&folder).unwrap();
        state.want("a", TargetState::Up);
        state.session_opened("s-1", &tunnel());
        state.session_opened("s-2", &tunnel());
        state.session_ended("s-1");
        state.write();

        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("state.json")), 0o600);
        let state = StateFile::open(&folder).unwrap();
        assert_eq!(state.wanted("a"), Some(TargetState::Up));
        assert_eq!(state.wanted("b"), None);
        let [(id, leftover)] = state.sessions().try_into().unwrap();
        assert_eq!((id.as_str(), leftover.tunnel.as_str()), ("s-2", "a"));
        assert_eq!(leftover.scope().region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn a_damaged_file_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("state.json"), "{").unwrap();
        assert_eq!(StateFile::open(folder.path()).unwrap().sessions(), []);
    }
}
