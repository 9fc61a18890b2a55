//! `tunnels service`: the daemon as a service of the user's, which starts at login.

use super::{block_on, config};
use crate::exit::Exit;
use crate::link::Link;
use crate::{output, services};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, DaemonVersion, ErrorCode, aws_environment};
use tunnels_service::{CallError, FileState, Look, Manager, Service as Unit, run};

const EXAMPLES: &str = "\
Examples:
  tunnels service install --dry-run       what would be written and run
  tunnels service install                 from now on, and from each login on
  tunnels service status                  is it there, does it run, which daemon answers
  tunnels service uninstall               end it, and remove what was written
  tunnels daemon --takeover               after an upgrade: the new version, and nobody is refused
  journalctl --user --unit tunnels        what it has said, on Linux";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Service {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Write the service's files, and have it run from now on and from each login on
    ///
    /// Linux: a systemd user unit, and its socket. macOS: a launchd agent. A daemon that runs already is taken over: its
    /// ports stay open. Run again after an upgrade: what is as it should be stays.
    Install {
        /// Show what would be written and run, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// End the service, and remove all that `install` has made
    Uninstall {
        /// Show what would be removed and run, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Say what is there of it, and how it does
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The output of `tunnels service status --json`.
#[derive(Debug, Serialize)]
struct Status {
    manager: Manager,
    name: String,
    installed: bool,
    files: Vec<File>,
    #[serde(flatten)]
    look: Look,
    /// The daemon that answers, which need not be the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon: Option<DaemonVersion>,
}

#[derive(Debug, Serialize)]
struct File {
    path: PathBuf,
    state: FileState,
}

impl Service {
    /// Whether results and errors are to be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        matches!(self.action, Action::Status { json: true })
    }

    pub(crate) fn run(self, named: Option<&Path>) -> Result<Exit, ApiError> {
        let unit = services::of_this_user(named.map(Path::to_owned))?.ok_or_else(|| {
            ApiError::new(ErrorCode::Failed, "this system has no service manager that this program knows")
                .with_hint("start `tunnels daemon` where you log in")
        })?;
        let daemon = block_on(async { Ok(Link::new(None)?.client.version().await.ok()) })?;
        match self.action {
            Action::Install { dry_run } => install(&unit, daemon.as_ref(), named, dry_run),
            Action::Uninstall { dry_run } => uninstall(&unit, dry_run),
            Action::Status { json } => status(unit, daemon, json),
        }
    }
}

fn install(unit: &Unit, daemon: Option<&DaemonVersion>, named: Option<&Path>, dry_run: bool) -> Result<Exit, ApiError> {
    // Where there is nothing to run with, it would only fail at each login.
    config::must_exist(&config::find(named)?)?;
    let mut said = String::new();
    let mut changed = false;
    for file in &unit.files {
        let path = file.path.display();
        match file.state() {
            FileState::Current => _ = writeln!(said, "  {path} is as it should be"),
            FileState::Packaged => _ = writeln!(said, "  {path} is not needed: the package has the same"),
            state if dry_run => {
                let what = if state == FileState::Missing { "write" } else { "replace" };
                let _ = writeln!(said, "  {what} {path}:\n\n{}", indented(&file.content));
            }
            _ => {
                file.write().map_err(|error| unwritten("written", &file.path, &error))?;
                let _ = writeln!(said, "  wrote {path}");
                changed = true;
            }
        }
    }
    let by_hand = daemon.filter(|daemon| daemon.service.is_none());
    let calls = unit.install(by_hand.is_some());
    if dry_run {
        for call in &calls {
            let _ = writeln!(said, "  run {}", call.line());
        }
        output::print(&format!("`tunnels service install` would\n{said}"))?;
        return Ok(Exit::Done);
    }
    output::print(&format!("the service {}\n{said}", unit.name))?;
    for call in &calls {
        match run(call) {
            Ok(_) => output::print(&format!("  ran {}\n", call.line()))?,
            Err(error @ (CallError::NoManager { .. } | CallError::Absent { .. })) => {
                return Err(ApiError::new(
                    ErrorCode::Failed,
                    format!("the files are there, but the service does not run: {error}"),
                )
                .with_hint("run this again in a login session of yours (not over `su` or `sudo`)"));
            }
            Err(error) => {
                return Err(ApiError::new(ErrorCode::Failed, error.to_string()).with_hint(format!(
                    "see why: journalctl --user --unit {}; `tunnels service uninstall` removes everything again",
                    unit.name
                )));
            }
        }
    }
    if let Some(daemon) = daemon.filter(|_| changed)
        && services::reloaded(daemon)?
    {
        output::print("  reloaded it: a daemon as the files say now has taken over\n")?;
    }
    if let Some(daemon) = by_hand {
        output::say(&format!("it has taken over from the daemon that ran (pid {}); its ports stayed open", daemon.pid));
    }
    let look = unit.look();
    output::print("it runs, and starts when you log in; `tunnels service status` shows how it does\n")?;
    if look.lingers == Some(false) {
        output::say("to have it run before you log in and after you log out: loginctl enable-linger");
    }
    if let Some(note) = environment_note(unit.manager, aws_environment(std::env::vars_os()).keys()) {
        output::say(&note);
    }
    Ok(Exit::Done)
}

/// What the service will not have of this shell.
fn environment_note<'a>(manager: Manager, set: impl Iterator<Item = &'a String>) -> Option<String> {
    let set: Vec<&str> = set.map(String::as_str).collect();
    if set.is_empty() {
        return None;
    }
    let names = set.join(", ");
    Some(match manager {
        Manager::Systemd => format!(
            "note: the service does not have this shell's variables ({names}); what it needs of them belongs into\n  \
             ~/.config/tunnels/environment, one NAME=value a line; then: tunnels daemon --takeover"
        ),
        Manager::Launchd => format!(
            "note: the service does not have this shell's variables ({names}); what it needs of them belongs into\n  \
             the configuration (`profile`, `region`), or: launchctl setenv NAME value; then: tunnels service install"
        ),
    })
}

fn uninstall(unit: &Unit, dry_run: bool) -> Result<Exit, ApiError> {
    let there: Vec<&Path> =
        unit.files.iter().map(|file| &*file.path).filter(|path| path.symlink_metadata().is_ok()).collect();
    if !unit.is_installed() {
        output::print("there is no service to uninstall\n")?;
        return Ok(Exit::Done);
    }
    if dry_run {
        let mut said = String::from("`tunnels service uninstall` would\n");
        for call in unit.uninstall() {
            let _ = writeln!(said, "  run {}", call.line());
        }
        for path in there {
            let _ = writeln!(said, "  remove {}", path.display());
        }
        for call in unit.forget() {
            let _ = writeln!(said, "  run {}", call.line());
        }
        output::print(&said)?;
        return Ok(Exit::Done);
    }
    for call in unit.uninstall() {
        // Without a manager nothing of it runs.
        if let Err(error) = run(&call) {
            output::say(&format!("note: {error}"));
        }
    }
    for file in &unit.files {
        if file.remove().map_err(|error| unwritten("removed", &file.path, &error))? {
            output::print(&format!("removed {}\n", file.path.display()))?;
        }
    }
    unit.remove_links().map_err(|(path, error)| unwritten("removed", &path, &error))?;
    for call in unit.forget() {
        if let Err(error) = run(&call) {
            output::say(&format!("note: {error}"));
        }
    }
    output::print("the service is gone; configuration, state and log stay\n")?;
    Ok(Exit::Done)
}

fn status(unit: Unit, daemon: Option<DaemonVersion>, json: bool) -> Result<Exit, ApiError> {
    let status = Status {
        manager: unit.manager,
        installed: unit.is_installed(),
        files: unit.files.iter().map(|file| File { path: file.path.clone(), state: file.state() }).collect(),
        look: unit.look(),
        name: unit.name,
        daemon,
    };
    if json {
        output::print_json(&status)?;
    } else {
        output::print(&describe(&status))?;
    }
    Ok(Exit::Done)
}

fn describe(status: &Status) -> String {
    let Status { name, installed, files, look, daemon, .. } = status;
    let mut text = String::new();
    let running = daemon.as_ref().map(|daemon| match &daemon.service {
        Some(service) => format!("{} (pid {}), which is {service}", daemon.version, daemon.pid),
        None => format!("{} (pid {}), which was started by hand", daemon.version, daemon.pid),
    });
    let running = running.unwrap_or_else(|| "none answers".to_owned());
    if !installed {
        let _ = writeln!(text, "service  {name} is not installed: tunnels service install");
        let _ = writeln!(text, "daemon   {running}");
        return text;
    }
    let state = match (look.reachable, look.state.as_str()) {
        (false, _) => "your service manager cannot be asked",
        (true, "") => "not known to the manager",
        (true, state) => state,
    };
    let at_login = if look.enabled { "starts at login" } else { "does not start at login: tunnels service install" };
    let _ = writeln!(text, "service  {name}: {state}; {at_login}");
    if let Some(said) = &look.status {
        let _ = writeln!(text, "says     {said}");
    }
    let _ = writeln!(text, "daemon   {running}");
    for File { path, state } in files {
        let note = match state {
            FileState::Current => "",
            FileState::Packaged => "  (not there: the package's is used)",
            FileState::Missing => "  (missing: tunnels service install)",
            FileState::Differs => "  (differs from what this version writes: tunnels service install replaces it)",
        };
        let _ = writeln!(text, "file     {}{note}", path.display());
    }
    if let Some(lingers) = look.lingers {
        let text_of =
            if lingers { "goes on without a login" } else { "ends with your last login: loginctl enable-linger" };
        let _ = writeln!(text, "linger   {text_of}");
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}

fn unwritten(done: &str, path: &Path, error: &std::io::Error) -> ApiError {
    ApiError::new(ErrorCode::Failed, format!("{} cannot be {done}: {error}", path.display()))
        .with_hint("see that its folder is yours, or set XDG_CONFIG_HOME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_what_to_do_about_it() {
        let look = Look {
            reachable: true,
            enabled: true,
            active: true,
            state: "active (running)".into(),
            lingers: Some(false),
            ..Look::default()
        };
        let file = |state| File { path: "/u/tunnels.service".into(), state };
        let mut status = Status {
            manager: Manager::Systemd,
            name: "tunnels.service".into(),
            installed: true,
            files: vec![file(FileState::Differs)],
            look,
            daemon: serde_json::from_str(
                r#"{"version":"0.1.0","pid":7,"socket":"/d.sock","service":"tunnels.service"}"#,
            )
            .unwrap(),
        };
        let text = describe(&status);
        assert_eq!(
            text,
            "\
service  tunnels.service: active (running); starts at login
daemon   0.1.0 (pid 7), which is tunnels.service
file     /u/tunnels.service  (differs from what this version writes: tunnels service install replaces it)
linger   ends with your last login: loginctl enable-linger
"
        );
        status.installed = false;
        status.daemon = None;
        assert_eq!(
            describe(&status),
            "service  tunnels.service is not installed: tunnels service install\ndaemon   none answers\n"
        );
    }

    #[test]
    fn variables_that_the_service_would_miss_are_named_with_where_they_belong() {
        assert_eq!(environment_note(Manager::Systemd, [].iter()), None);
        let note = environment_note(Manager::Systemd, ["AWS_PROFILE".to_owned()].iter()).unwrap();
        assert!(note.contains("(AWS_PROFILE)") && note.contains("~/.config/tunnels/environment"), "{note}");
    }
}
