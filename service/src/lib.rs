//! The daemon as a service of the user's: what the service manager is given, and what it is asked to do.
//!
//! Owns the units (`units/`), where they are, and the calls of the managers' own programs. It runs no daemon and talks to none; what
//! users see of it is the command line's. Linux: a systemd user unit and its socket. macOS: a launchd agent.

#![warn(missing_docs)]

mod files;
mod launchd;
mod manager;
mod systemd;

pub use files::{FileState, ServiceFile};
pub use launchd::LABEL;
pub use manager::{Call, CallError, Look, Manager, run};
pub use systemd::{SERVICE, SOCKET};

use std::io;
use std::path::{Path, PathBuf};

/// The variable by which the daemon knows which service it is.
pub const SERVICE_VARIABLE: &str = "TUNNELS_SERVICE";

/// What a service is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The program, absolute.
    pub program: PathBuf,
    /// The user's home folder.
    pub home: PathBuf,
    /// Where the user's configuration of programs is: `$XDG_CONFIG_HOME`, or `~/.config`.
    pub config_home: PathBuf,
    /// The configuration to name; none is the usual one.
    pub config: Option<PathBuf>,
    /// The folder of the socket, where it is not the usual one.
    pub runtime_dir: Option<PathBuf>,
    /// The folder of the state, where it is not the usual one.
    pub state_dir: Option<PathBuf>,
    /// The search path for programs that the daemon starts, for a manager that has none to speak of.
    pub path: Option<String>,
    /// The user's id.
    pub uid: u32,
}

/// A service: its files, and the calls that make it live and end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Who runs it.
    pub manager: Manager,
    /// As its manager calls it.
    pub name: String,
    /// What it consists of.
    pub files: Vec<ServiceFile>,
    /// By which it starts at login.
    links: Vec<PathBuf>,
    uid: u32,
}

impl Service {
    /// The service as this version makes it.
    pub fn new(manager: Manager, setting: &Setting) -> Self {
        let (name, files, links) = match manager {
            Manager::Systemd => (SERVICE.to_owned(), systemd::files(setting), systemd::links(setting)),
            Manager::Launchd => (LABEL.to_owned(), launchd::files(setting), Vec::new()),
        };
        Self { manager, name, files, links, uid: setting.uid }
    }

    /// Whether there is anything of it that is the user's: a package has it for all, and nobody need want it.
    pub fn is_installed(&self) -> bool {
        let own = |file: &ServiceFile| matches!(file.state(), FileState::Current | FileState::Differs);
        self.files.iter().any(own) || self.links.iter().any(|link| link.symlink_metadata().is_ok())
    }

    /// Whether its socket, as it is installed, is this one.
    pub fn listens_at(&self, socket: &Path) -> bool {
        match self.manager {
            Manager::Systemd => systemd::listens_at(&self.files, socket),
            // It has none of its own: the daemon binds the usual one.
            Manager::Launchd => true,
        }
    }

    /// Removes the links by which its manager starts it at login, where the manager could not be asked to.
    ///
    /// # Errors
    /// Which one stays, and why.
    pub fn remove_links(&self) -> Result<(), (PathBuf, io::Error)> {
        for link in &self.links {
            match std::fs::remove_file(link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err((link.clone(), error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// What makes it live once its files are there; beside a daemon that was started by hand, whose place it takes.
    pub fn install(&self, beside_another: bool) -> Vec<Call> {
        match self.manager {
            Manager::Systemd => systemd::install(beside_another),
            Manager::Launchd => launchd::install(self.uid, self.plist()),
        }
    }

    /// What ends it, before its files are removed.
    pub fn uninstall(&self) -> Vec<Call> {
        match self.manager {
            Manager::Systemd => systemd::uninstall(),
            Manager::Launchd => launchd::uninstall(self.uid),
        }
    }

    /// What makes its manager forget it, once its files are removed.
    pub fn forget(&self) -> Vec<Call> {
        match self.manager {
            Manager::Systemd => systemd::forget(),
            Manager::Launchd => Vec::new(),
        }
    }

    /// What starts it where it is installed.
    pub fn start(&self) -> Vec<Call> {
        match self.manager {
            Manager::Systemd => systemd::start(),
            Manager::Launchd => launchd::start(self.uid),
        }
    }

    /// How it is, as far as its manager says.
    pub fn look(&self) -> Look {
        match self.manager {
            Manager::Systemd => systemd::look(),
            Manager::Launchd => launchd::look(self.uid),
        }
    }

    fn plist(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |file| file.path.as_path())
    }
}
