//! Starts the daemon in the background when none runs, and learns from itself whether it came up.
//!
//! The child is this program with `daemon --foreground --report`: it writes one line of JSON to its
//! standard output, `{"ready":true}` or an error, and nothing after it. So nobody has to poll, and
//! the error that the user sees is the daemon's own. Its standard error leads to its log file, for what is said
//! before and beside the log.

use crate::logging::file;
use crate::services;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::Instant;
use tunnels_api::{ApiError, Client, ErrorCode, Places};

/// How long a daemon may take until it listens: it reads files and binds a socket, no more.
const STARTUP: Duration = Duration::from_secs(10);
/// Between two looks for a daemon that another command is starting at the same moment.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The one line that the daemon writes to its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Report {
    /// It listens.
    Ready(bool),
    /// It does not, and why.
    Error(ApiError),
}

impl Report {
    /// Writes the line; whoever started us may be gone already.
    pub(crate) fn write(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }
}

/// What a service manager gives its own processes.
const MANAGERS: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// Starts a daemon that outlives us and waits until it listens; where one is to be taken over, its connections may go on for so
/// long.
pub(crate) async fn daemon(
    places: &Places,
    client: &Client,
    config: Option<&Path>,
    takeover: Option<Duration>,
) -> Result<(), ApiError> {
    let failed = |what: &str, error: &io::Error| {
        ApiError::new(ErrorCode::Failed, format!("cannot start the daemon: {what}: {error}"))
    };
    let log_path = log_path(places);
    // Without a file it says itself what is wrong with the folder, or goes on without one.
    let own_log = || file::open(&log_path).map_or_else(|_| Stdio::null(), Stdio::from);
    let stderr = if services::own_name().is_some() { Stdio::inherit() } else { own_log() };
    let program = std::env::current_exe().map_err(|e| failed("which program this is", &e))?;

    let mut command = Command::new(&program);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.args(["daemon", "--foreground", "--report"]);
    if let Some(drain) = takeover {
        command.arg("--takeover").arg(format!("--drain={}ms", drain.as_millis()));
    }
    if services::own_name().is_none() {
        // It is not the service that we may be part of.
        for name in MANAGERS {
            command.env_remove(name);
        }
    }
    command
        // The child works in `/`, so that no file system stays busy because of it. What names a file relative
        // to the folder we are in must still find it.
        .current_dir("/")
        .env("TUNNELS_RUNTIME_DIR", &places.runtime_dir)
        .env("TUNNELS_STATE_DIR", &places.state_dir)
        .envs(absolute_files(|name| std::env::var_os(name)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        // Ctrl-C in this terminal must not reach it.
        .process_group(0);
    let mut child = command.spawn().map_err(|e| failed(&program.display().to_string(), &e))?;
    let stdout = child.stdout.take().map(BufReader::new);
    let report = async {
        let mut line = String::new();
        if let Some(mut stdout) = stdout {
            stdout.read_line(&mut line).await?;
        }
        io::Result::Ok(line)
    };

    let see_log = format!("see its log: {}", log_path.display());
    let Ok(line) = tokio::time::timeout(STARTUP, report).await else {
        let text =
            format!("the daemon (pid {}) did not listen within {} s", child.id().unwrap_or(0), STARTUP.as_secs());
        return Err(ApiError::new(ErrorCode::DaemonUnreachable, text).with_hint(see_log));
    };
    let line = line.map_err(|e| failed("its report", &e))?;
    match serde_json::from_str(&line) {
        Ok(Report::Ready(_)) => Ok(()),
        // Somebody else was faster; theirs is as good.
        Ok(Report::Error(error)) if error.code == ErrorCode::AlreadyRunning => until_it_listens(client).await,
        Ok(Report::Error(error)) => Err(error),
        Err(_) => {
            let status = child.wait().await.map_err(|e| failed("its end", &e))?;
            let text = format!("the daemon ended before it listened ({status})");
            Err(ApiError::new(ErrorCode::DaemonUnreachable, text).with_hint(see_log))
        }
    }
}

/// The variables that name a file of AWS's or of trust, as they have to be for a program that works elsewhere.
pub(crate) fn absolute_files(
    variable: impl Fn(&str) -> Option<OsString>,
) -> impl Iterator<Item = (&'static str, PathBuf)> {
    const FILES: [&str; 4] = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"];
    FILES.into_iter().filter_map(move |name| {
        // The SDK knows `~`; nothing set is not made into the folder we are in.
        let path = variable(name).filter(|path| !path.is_empty()).map(PathBuf::from)?;
        if path.starts_with("~") { None } else { Some((name, std::path::absolute(path).ok()?)) }
    })
}

async fn until_it_listens(client: &Client) -> Result<(), ApiError> {
    let deadline = Instant::now() + STARTUP;
    loop {
        match client.version().await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_unreachable() && Instant::now() < deadline => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Where the daemon logs to.
pub(crate) fn log_path(places: &Places) -> PathBuf {
    file::path_in(&places.state_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_one_line_both_ways() {
        assert_eq!(serde_json::to_string(&Report::Ready(true)).unwrap(), r#"{"ready":true}"#);
        let error = ApiError::new(ErrorCode::ConfigInvalid, "two\nlines").with_hint("mend it");
        let line = serde_json::to_string(&Report::Error(error.clone())).unwrap();
        assert_eq!(line.lines().count(), 1);
        let Report::Error(read) = serde_json::from_str(&line).unwrap() else { panic!("an error") };
        assert_eq!(read, error);
    }

    #[test]
    fn files_are_named_so_that_the_daemon_finds_them() {
        let variable = |name: &str| match name {
            "AWS_CONFIG_FILE" => Some("aws/config".into()),
            "AWS_SHARED_CREDENTIALS_FILE" => Some("~/credentials".into()),
            _ => Some(OsString::new()),
        };
        let here = std::env::current_dir().unwrap();
        assert_eq!(absolute_files(variable).collect::<Vec<_>>(), [("AWS_CONFIG_FILE", here.join("aws/config"))]);
        let absolute = |name: &str| (name == "AWS_CA_BUNDLE").then(|| "/etc/ca.pem".into());
        assert_eq!(absolute_files(absolute).collect::<Vec<_>>(), [("AWS_CA_BUNDLE", "/etc/ca.pem".into())]);
    }
}
