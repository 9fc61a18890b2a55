//! Where the daemon's socket and state live, the same for the daemon and for every client.
//!
//! Only computes paths; creating the folder, its mode and the lock are the daemon's `ipc/server.rs`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The socket's file name inside [`Places::runtime_dir`].
const SOCKET: &str = "daemon.sock";

/// The longest path that fits into `sockaddr_un.sun_path`, its closing NUL taken off: 108 bytes on
/// Linux, 104 on macOS and the BSDs.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The folders this program keeps things in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Socket and lock file; gone after a reboot where the system has such a place.
    pub runtime_dir: PathBuf,
    /// What outlives the daemon: what the user wants, session ids, the daemon's log.
    pub state_dir: PathBuf,
}

/// Why there is no place for the socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Neither variable nor home directory says where to put things.
    #[error("there is no home directory to keep the daemon's socket in (HOME is not set)")]
    NoHome,
    /// The path does not fit into a socket address.
    #[error("the socket path {path} is {length} bytes long, and the system allows at most {MAX_SOCKET_PATH}")]
    TooLong {
        /// The path that would be needed.
        path: String,
        /// Its length in bytes.
        length: usize,
    },
}

impl PlaceError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        "set TUNNELS_RUNTIME_DIR to a short path of a folder that only you can write to"
    }
}

impl Places {
    /// Finds the folders from this process's environment.
    ///
    /// # Errors
    /// When there is no home directory and no variable that makes it unnecessary.
    pub fn from_env() -> Result<Self, PlaceError> {
        Self::resolve(|name| std::env::var_os(name), cfg!(target_os = "macos"))
    }

    /// `TUNNELS_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/tunnels`, else beside the state. A relative XDG
    /// path is ignored, as its specification asks.
    fn resolve(var: impl Fn(&str) -> Option<OsString>, macos: bool) -> Result<Self, PlaceError> {
        let set = |name: &str| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let xdg = |name: &str| set(name).filter(|path| path.is_absolute()).map(|path| path.join("tunnels"));
        // A later change of directory must not move the socket.
        let own = |name: &str| set(name).map(|path| std::path::absolute(&path).unwrap_or(path));
        let home_state = || {
            let home = set("HOME").ok_or(PlaceError::NoHome)?;
            Ok(if macos { home.join("Library/Application Support/tunnels") } else { home.join(".local/state/tunnels") })
        };

        let state_dir = match own("TUNNELS_STATE_DIR").or_else(|| xdg("XDG_STATE_HOME")) {
            Some(dir) => dir,
            None => home_state()?,
        };
        let runtime_dir = match own("TUNNELS_RUNTIME_DIR").or_else(|| xdg("XDG_RUNTIME_DIR")) {
            Some(dir) => dir,
            None => home_state()?,
        };
        Ok(Self { runtime_dir, state_dir })
    }

    /// The path of the socket.
    ///
    /// # Errors
    /// When it does not fit into a socket address.
    pub fn socket(&self) -> Result<PathBuf, PlaceError> {
        socket_in(&self.runtime_dir)
    }
}

/// The path of the socket in a runtime folder.
///
/// # Errors
/// When it does not fit into a socket address.
pub fn socket_in(runtime_dir: &Path) -> Result<PathBuf, PlaceError> {
    let path = runtime_dir.join(SOCKET);
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(PlaceError::TooLong { path: path.display().to_string(), length });
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(vars: &[(&str, &str)], macos: bool) -> Result<Places, PlaceError> {
        let vars: Vec<_> = vars.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(v))).collect();
        Places::resolve(|name| vars.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()), macos)
    }

    #[test]
    fn own_variables_win_then_xdg_then_home() {
        let home = [("HOME", "/home/ada")];
        let places = resolve(&home, false).unwrap();
        assert_eq!(places.runtime_dir, Path::new("/home/ada/.local/state/tunnels"));
        assert_eq!(places.state_dir, places.runtime_dir);

        let xdg =
            [("HOME", "/home/ada"), ("XDG_RUNTIME_DIR", "/run/user/1000"), ("XDG_STATE_HOME", "relative/is/ignored")];
        let places = resolve(&xdg, false).unwrap();
        assert_eq!(places.socket().unwrap(), Path::new("/run/user/1000/tunnels/daemon.sock"));
        assert_eq!(places.state_dir, Path::new("/home/ada/.local/state/tunnels"));

        let own = [("TUNNELS_RUNTIME_DIR", "/t/r"), ("TUNNELS_STATE_DIR", "/t/s"), ("XDG_RUNTIME_DIR", "/x")];
        let places = resolve(&own, false).unwrap();
        assert_eq!(places.socket().unwrap(), Path::new("/t/r/daemon.sock"));
        assert_eq!(places.state_dir, Path::new("/t/s"));
    }

    #[test]
    fn macos_uses_application_support() {
        let places = resolve(&[("HOME", "/Users/ada")], true).unwrap();
        assert_eq!(places.runtime_dir, Path::new("/Users/ada/Library/Application Support/tunnels"));
    }

    #[test]
    fn no_home_and_an_empty_variable_is_an_error() {
        let error = resolve(&[("HOME", ""), ("XDG_RUNTIME_DIR", "/run")], false).unwrap_err();
        assert!(matches!(error, PlaceError::NoHome));
    }

    #[test]
    fn a_path_that_does_not_fit_says_its_length_and_the_limit() {
        let fits = "/".to_owned() + &"a".repeat(MAX_SOCKET_PATH - 1 - "/daemon.sock".len());
        assert_eq!(socket_in(Path::new(&fits)).unwrap().as_os_str().len(), MAX_SOCKET_PATH);
        let error = socket_in(Path::new(&(fits + "a"))).unwrap_err().to_string();
        assert!(error.contains(&format!("{} bytes long", MAX_SOCKET_PATH + 1)), "{error}");
        assert!(error.contains(&format!("at most {MAX_SOCKET_PATH}")), "{error}");
    }
}
