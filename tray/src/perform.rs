//! Does what a click asks for; what comes of it is a notification, where there is something to say.

use crate::action::Action;
use crate::bus::Speaker;
use crate::notice::Notice;
use crate::program;
use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tunnels_api::{ApiError, Client, ErrorCode, SelectRequest};
use tunnels_tui::dashboard::StartDaemon;
use tunnels_tui::text;

/// So long what fills the clipboard may take to go into the background; one that stays in front works as well.
const CLIPBOARD: Duration = Duration::from_secs(5);
/// So many names are listed.
const MOST_NAMES: usize = 4;
/// Runs its arguments, and leaves an error on the screen until somebody has read it.
const UNTIL_READ: &str = r#"echo "\$ $*"; "$@" || { printf 'press enter to close '; read -r _; }"#;

/// The way to the daemon, to the desktop and to other programs.
#[derive(Debug, Clone)]
pub(crate) struct Performer {
    pub(crate) client: Client,
    pub(crate) speaker: Speaker,
    pub(crate) start: Option<StartDaemon>,
    /// The words that open the dashboard where there is a terminal.
    pub(crate) dashboard: Vec<OsString>,
}

impl Performer {
    /// Does it; returns what is to be told to whoever has clicked.
    pub(crate) async fn perform(self, action: Action) -> Option<Notice> {
        let what = describe(&action);
        match self.done(action).await {
            Ok(notice) => notice,
            Err(error) => Some(Notice::refused(&what, &error)),
        }
    }

    async fn done(&self, action: Action) -> Result<Option<Notice>, ApiError> {
        match action {
            Action::Up(select) => drop(self.client.up(&SelectRequest { select, reason: None }).await?),
            Action::Down(select) => drop(self.client.down(&select).await?),
            Action::Restart(name) => drop(self.client.restart(&name).await?),
            Action::Copy(text) => return Ok(self.copy(&text).await),
            Action::LogIn(command) => self.log_in(&command).await?,
            Action::Dashboard => self.open_dashboard().await?,
            Action::StartDaemon => {
                if let Some(StartDaemon(start)) = &self.start {
                    start().await?;
                }
            }
            // The loop's own.
            Action::Notify(_) | Action::Quit => {}
        }
        Ok(None)
    }

    /// Where nothing takes the text it is shown, so that it can be read.
    async fn copy(&self, text: &str) -> Option<Notice> {
        if self.speaker.copy(text).await {
            return None;
        }
        let why = match program::here().clipboard() {
            None => "no clipboard was found: install wl-clipboard (Wayland) or xclip (X11)".to_owned(),
            Some(words) => match fill_clipboard(&words, text).await {
                Ok(()) => return None,
                Err(error) => format!("{} cannot fill the clipboard: {error}", words[0]),
            },
        };
        Some(Notice::answer(text, why))
    }

    /// In a terminal, where it may ask for a code. Without one the login's own browser window has to do.
    async fn log_in(&self, command: &str) -> Result<(), ApiError> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let terminal = program::here().terminal();
        let has_terminal = terminal.is_some();
        let mut all: Vec<OsString> = terminal.into_iter().flatten().map(OsString::from).collect();
        if has_terminal {
            all.extend(["sh", "-c", UNTIL_READ, "sh"].map(OsString::from));
        }
        all.extend(words.iter().map(OsString::from));
        let failed =
            |how: String| ApiError::new(ErrorCode::Failed, how).with_hint(format!("run it in a terminal: {command}"));
        let mut child = spawn(&all).map_err(|error| failed(format!("{} cannot be run: {error}", said(&all))))?;
        let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
        // That of a terminal says nothing about what has run in it.
        if has_terminal || status.success() { Ok(()) } else { Err(failed(format!("{command} ended with {status}"))) }
    }

    async fn open_dashboard(&self) -> Result<(), ApiError> {
        let hint = format!("run it in a terminal: {}", said(&self.dashboard));
        let Some(terminal) = program::here().terminal() else {
            let text = "no terminal emulator was found: TERMINAL may name one";
            return Err(ApiError::new(ErrorCode::Failed, text).with_hint(hint));
        };
        let all: Vec<OsString> =
            terminal.into_iter().map(OsString::from).chain(self.dashboard.iter().cloned()).collect();
        let failed = |error: io::Error| {
            ApiError::new(ErrorCode::Failed, format!("{} cannot be run: {error}", said(&all))).with_hint(&*hint)
        };
        spawn(&all).map_err(failed)?.wait().await.map_err(failed).map(drop)
    }
}

/// The click in words, for when it could not be done.
fn describe(action: &Action) -> String {
    let names = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| text::clean(name)).collect();
        text::names(&names, MOST_NAMES)
    };
    match action {
        Action::Up(tunnels) => format!("Bring up {}", names(tunnels)),
        Action::Down(tunnels) => format!("Take down {}", names(tunnels)),
        Action::Restart(tunnel) => format!("Restart {}", text::clean(tunnel)),
        Action::Copy(_) => "Copy".to_owned(),
        Action::LogIn(_) => "Log in".to_owned(),
        Action::Dashboard => "Open the dashboard".to_owned(),
        Action::StartDaemon => "Start the daemon".to_owned(),
        Action::Notify(_) => "Notifications".to_owned(),
        Action::Quit => "Quit".to_owned(),
    }
}

fn said(words: &[OsString]) -> String {
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Starts a program that outlives us, and has nothing of our terminal.
fn spawn(words: &[OsString]) -> io::Result<Child> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    command(program).args(arguments).stdin(Stdio::null()).spawn()
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command
}

async fn fill_clipboard(words: &[&str], text: &str) -> io::Result<()> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = command(program).args(arguments).stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let fill = async {
        stdin.write_all(text.as_bytes()).await?;
        drop(stdin);
        child.wait().await
    };
    match timeout(CLIPBOARD, fill).await {
        Ok(status) => {
            let status = status?;
            if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
        }
        Err(_) => Ok(()),
    }
}
