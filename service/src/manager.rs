//! The service managers, and calls of their programs.

use std::io;
use std::process::{Command, Stdio};

/// Who runs services for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// `systemd --user`.
    Systemd,
    /// macOS's.
    Launchd,
}

impl Manager {
    /// The one of this system; none where there is none that we know.
    pub fn of_this_system() -> Option<Self> {
        if cfg!(target_os = "macos") {
            Some(Self::Launchd)
        } else if cfg!(target_os = "linux") {
            Some(Self::Systemd)
        } else {
            None
        }
    }
}

/// One call of a manager's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Program and arguments.
    pub words: Vec<String>,
    /// What it refuses is how it should be already.
    pub may_fail: bool,
}

impl Call {
    pub(crate) fn new(words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| (*word).to_owned()).collect(), may_fail: false }
    }

    pub(crate) fn that_may_fail(words: &[&str]) -> Self {
        Self { may_fail: true, ..Self::new(words) }
    }

    /// Has a service take itself over; none where its manager has no such thing.
    pub fn reload(service: &str) -> Option<Self> {
        (service == crate::SERVICE).then(|| Self::new(&["systemctl", "--user", "reload", service]))
    }

    /// Has the manager of a service no longer listen in its place; none where it does not.
    pub fn stop_socket(service: &str) -> Option<Self> {
        (service == crate::SERVICE).then(|| Self::that_may_fail(&["systemctl", "--user", "stop", crate::SOCKET]))
    }

    /// As one would type it.
    pub fn line(&self) -> String {
        self.words.join(" ")
    }
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such program, or it does not start.
    #[error("`{line}` does not start: {source}")]
    Absent {
        /// The call.
        line: String,
        /// What the system said.
        source: io::Error,
    },
    /// The user's manager cannot be reached: in a container, over `su`, or without a login session.
    #[error("`{line}` does not reach your service manager: {said}")]
    NoManager {
        /// The call.
        line: String,
        /// What it said.
        said: String,
    },
    /// It failed.
    #[error("`{line}` failed: {said}")]
    Failed {
        /// The call.
        line: String,
        /// What it said.
        said: String,
    },
}

/// Makes a call, and returns what it printed.
///
/// # Errors
/// [`CallError`], unless the call may fail.
pub fn run(call: &Call) -> Result<String, CallError> {
    let line = call.line();
    let [program, arguments @ ..] = call.words.as_slice() else { return Ok(String::new()) };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|source| CallError::Absent { line: line.clone(), source })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = text(&output.stderr);
    if said.contains("Failed to connect to") && said.contains("bus") {
        return Err(CallError::NoManager { line, said });
    }
    if call.may_fail {
        return Ok(text(&output.stdout));
    }
    let said = if said.is_empty() { output.status.to_string() } else { said };
    Err(CallError::Failed { line, said })
}

/// How a service is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Look {
    /// Whether the manager could be asked.
    pub reachable: bool,
    /// Whether it starts at login.
    pub enabled: bool,
    /// Whether it runs.
    pub active: bool,
    /// The manager's word for how it is.
    pub state: String,
    /// The daemon's process id, where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What the daemon says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether the manager listens on the API's socket.
    pub socket_active: bool,
    /// Whether the user's services go on without a login; none where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lingers: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Call {
        Call::new(&["sh", "-c", script])
    }

    #[test]
    fn what_a_call_comes_to() {
        assert_eq!(run(&shell("echo yes")).unwrap(), "yes");
        assert!(matches!(run(&Call::new(&["/nonexistent/systemctl"])), Err(CallError::Absent { .. })));
        let error = run(&shell("echo no such unit >&2; exit 5")).unwrap_err();
        assert!(error.to_string().ends_with("failed: no such unit"), "{error}");
        assert!(run(&shell("exit 5")).unwrap_err().to_string().ends_with("exit status: 5"));
        assert_eq!(run(&Call { may_fail: true, ..shell("echo inactive; exit 3") }).unwrap(), "inactive");
        let unreachable = shell("echo 'Failed to connect to bus: No medium found' >&2; exit 1");
        assert!(matches!(run(&unreachable), Err(CallError::NoManager { .. })));
    }
}
