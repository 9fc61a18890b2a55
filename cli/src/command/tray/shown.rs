//! The tray where there is one: it is given the way to the daemon, and a desktop is told to start it.

use super::super::{block_on, dashboard::starter, interrupted};
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_tray::{Options, autostart};

/// What it is started with.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) config: Option<PathBuf>,
    pub(super) no_notifications: bool,
}

impl Shown {
    /// Shows it until it is quit.
    pub(super) fn run(self) -> Result<Exit, ApiError> {
        block_on(async {
            let dashboard = ourselves(self.config.as_deref())?;
            let link = Link::new(self.config)?;
            match link.running().await {
                // One that is started later is seen by the tray.
                Err(error) if error.code != ErrorCode::DaemonUnreachable => return Err(error),
                _ => {}
            }
            let options = Options {
                client: link.client.clone(),
                dashboard,
                notifications: self.no_notifications.then_some(false),
                state_dir: link.places.state_dir.clone(),
                start: Some(starter(link)),
                say: output::say,
            };
            tokio::select! {
                ended = tunnels_tray::run(options) => ended.map(|()| Exit::Done),
                exit = interrupted() => Ok(exit),
            }
        })
    }

    /// Has the desktop start it with each session.
    pub(super) fn install(self) -> Result<Exit, ApiError> {
        let file = autostart_file()?;
        let mut words = ourselves(self.config.as_deref())?;
        let program = words.remove(0);
        words.push("tray".into());
        words.extend(self.no_notifications.then(|| "--no-notifications".into()));
        let text = autostart::entry(Path::new(&program), &words).ok_or_else(|| {
            ApiError::new(ErrorCode::Failed, "a path that is not UTF-8 cannot stand in a desktop entry")
                .with_hint("move the program, or its configuration, to a path that is")
        })?;
        let folder = file.parent().unwrap_or(&file);
        fs::create_dir_all(folder).and_then(|()| fs::write(&file, text)).map_err(|error| unwritable(&file, &error))?;
        output::print(&format!("the tray starts with each desktop session: {}\n", file.display()))?;
        Ok(Exit::Done)
    }
}

/// Has the desktop start it no more.
pub(super) fn uninstall() -> Result<Exit, ApiError> {
    let file = autostart_file()?;
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(&file, &error)),
        _ => output::print("the tray starts with desktop sessions no more\n")?,
    }
    Ok(Exit::Done)
}

/// The words that run this program with the same configuration, from whichever folder.
fn ourselves(config: Option<&Path>) -> Result<Vec<OsString>, ApiError> {
    let program = env::current_exe()
        .map_err(|error| ApiError::new(ErrorCode::Failed, format!("it is not known where this program is: {error}")))?;
    let mut words = vec![program.into_os_string()];
    if let Some(config) = config {
        let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        words.extend(["--config".into(), config.into_os_string()]);
    }
    Ok(words)
}

fn autostart_file() -> Result<PathBuf, ApiError> {
    autostart::path(|name| env::var_os(name)).ok_or_else(|| {
        ApiError::new(ErrorCode::Failed, "it is not known where your configuration is kept")
            .with_hint("set HOME or XDG_CONFIG_HOME to a folder")
    })
}

fn unwritable(file: &Path, error: &io::Error) -> ApiError {
    ApiError::new(ErrorCode::Failed, format!("cannot change {}: {error}", file.display()))
        .with_hint("see whose that folder is")
}
