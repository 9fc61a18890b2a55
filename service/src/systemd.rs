//! The systemd user unit and its socket.

use crate::manager::{Call, Look, run};
use crate::{ServiceFile, Setting};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The daemon's unit.
pub const SERVICE: &str = "tunnels.service";
/// The unit of the API's socket.
pub const SOCKET: &str = "tunnels.socket";

const SERVICE_UNIT: &str = include_str!("../units/tunnels.service");
const SOCKET_UNIT: &str = include_str!("../units/tunnels.socket");
/// The program as the units name it, which is where a package has it.
const PACKAGED: &str = "/usr/bin/tunnels";
/// Where a package has the units.
const PACKAGED_UNITS: &str = "/usr/lib/systemd/user";

pub(crate) fn files(setting: &Setting) -> Vec<ServiceFile> {
    let Setting { program, config, runtime_dir, state_dir, .. } = setting;
    let mut command = quoted(program);
    if let Some(config) = config {
        command.push_str(" --config ");
        command.push_str(&quoted(config));
    }
    let mut service = SERVICE_UNIT.replace(PACKAGED, &command);
    let mut socket = SOCKET_UNIT.to_owned();
    let folders = [("TUNNELS_RUNTIME_DIR", runtime_dir), ("TUNNELS_STATE_DIR", state_dir)];
    for (name, folder) in folders {
        if let Some(folder) = folder {
            let known = format!("Environment={}={SERVICE}\n", crate::SERVICE_VARIABLE);
            let folder = format!("Environment={}\n", quoted_text(&format!("{name}={}", folder.display())));
            service = service.replace(&known, &(known.clone() + &folder));
        }
    }
    if let Some(folder) = runtime_dir {
        socket = socket.replace("%t/tunnels/", &format!("{}/", folder.display().to_string().replace('%', "%%")));
    }
    let folder = setting.config_home.join("systemd/user");
    [(SERVICE, service, SERVICE_UNIT), (SOCKET, socket, SOCKET_UNIT)]
        .map(|(name, content, packaged)| {
            let there = || std::fs::read_to_string(Path::new(PACKAGED_UNITS).join(name));
            let packaged = content == packaged && there().is_ok_and(|there| there == content);
            ServiceFile { path: folder.join(name), content, packaged }
        })
        .to_vec()
}

/// What `systemctl enable` makes.
pub(crate) fn links(setting: &Setting) -> Vec<PathBuf> {
    let link = |target: &str, unit: &str| setting.config_home.join("systemd/user").join(target).join(unit);
    vec![link("default.target.wants", SERVICE), link("sockets.target.wants", SOCKET)]
}

/// Whether the socket unit that systemd has listens there. `%t` is the runtime folder of the user, in which the socket is by default.
pub(crate) fn listens_at(files: &[ServiceFile], socket: &Path) -> bool {
    let Some(unit) = files.iter().find(|file| file.path.ends_with(SOCKET)) else { return false };
    let packaged = Path::new(PACKAGED_UNITS).join(SOCKET);
    let Ok(text) = std::fs::read_to_string(&unit.path).or_else(|_| std::fs::read_to_string(packaged)) else {
        return false;
    };
    let runtime = std::env::var("XDG_RUNTIME_DIR").unwrap_or_default();
    let listens = text.lines().filter_map(|line| line.strip_prefix("ListenStream="));
    listens.map(|path| path.replace("%t", &runtime).replace("%%", "%")).any(|path| Path::new(&path) == socket)
}

/// A path as a word of a unit's command line (systemd.syntax(7)).
fn quoted(path: &Path) -> String {
    // Of the command's own name no variable is expanded, of others `$` would be.
    quoted_text(&path.display().to_string().replace('$', "$$"))
}

fn quoted_text(text: &str) -> String {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+=:@,".contains(&byte));
    if plain {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

fn systemctl(words: &[&str]) -> Vec<String> {
    ["systemctl", "--user"].iter().chain(words).map(|word| (*word).to_owned()).collect()
}

fn call(words: &[&str]) -> Call {
    Call { words: systemctl(words), may_fail: false }
}

fn call_that_may_fail(words: &[&str]) -> Call {
    Call { words: systemctl(words), may_fail: true }
}

pub(crate) fn install(beside_another: bool) -> Vec<Call> {
    let mut calls = vec![call(&["daemon-reload"]), call(&["enable", SERVICE, SOCKET])];
    if !beside_another {
        // The socket would take the path away from a daemon that listens there; and it is refused where the service
        // runs already.
        calls.push(call_that_may_fail(&["start", SOCKET]));
    }
    calls.push(call(&["start", SERVICE]));
    calls
}

pub(crate) fn uninstall() -> Vec<Call> {
    // In this order: a connection would start the service again.
    vec![
        call_that_may_fail(&["stop", SOCKET]),
        call_that_may_fail(&["stop", SERVICE]),
        call_that_may_fail(&["disable", SERVICE, SOCKET]),
    ]
}

pub(crate) fn forget() -> Vec<Call> {
    vec![call(&["daemon-reload"]), call_that_may_fail(&["reset-failed", SERVICE, SOCKET])]
}

pub(crate) fn start() -> Vec<Call> {
    vec![call_that_may_fail(&["start", SOCKET]), call(&["start", SERVICE])]
}

pub(crate) fn look() -> Look {
    let properties = "ActiveState,SubState,MainPID,StatusText,UnitFileState";
    let Ok(shown) = run(&call(&["show", SERVICE, "--property", properties])) else { return Look::default() };
    let socket = run(&call(&["show", SOCKET, "--property", "ActiveState"])).unwrap_or_default();
    let user = std::env::var("USER").unwrap_or_default();
    let lingers = run(&Call::new(&["loginctl", "show-user", &user, "--property", "Linger"])).ok();
    understand(&shown, &socket, lingers.as_deref())
}

fn understand(service: &str, socket: &str, user: Option<&str>) -> Look {
    let properties = |text: &str| -> BTreeMap<String, String> {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let (service, socket) = (properties(service), properties(socket));
    let of = |name: &str| service.get(name).map(String::as_str).unwrap_or_default();
    let active = of("ActiveState") == "active" || of("ActiveState") == "reloading";
    let state = match (of("ActiveState"), of("SubState")) {
        ("", _) => String::new(),
        (active, sub) if active == sub || sub.is_empty() => active.to_owned(),
        (active, sub) => format!("{active} ({sub})"),
    };
    Look {
        reachable: true,
        enabled: of("UnitFileState") == "enabled",
        active,
        state,
        pid: of("MainPID").parse().ok().filter(|pid| *pid != 0),
        status: Some(of("StatusText").to_owned()).filter(|text| !text.is_empty()),
        socket_active: socket.get("ActiveState").is_some_and(|state| state == "active"),
        lingers: user.and_then(|user| properties(user).get("Linger").map(|value| value == "yes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(program: &str) -> Setting {
        Setting {
            program: program.into(),
            home: "/home/ada".into(),
            config_home: "/home/ada/.config".into(),
            config: None,
            runtime_dir: None,
            state_dir: None,
            path: None,
            uid: 1000,
        }
    }

    fn lines(unit: &str, with: &str) -> Vec<String> {
        unit.lines().filter(|line| line.starts_with(with)).map(str::to_owned).collect()
    }

    #[test]
    fn a_package_s_program_has_the_units_as_they_are() {
        let files = files(&setting(PACKAGED));
        assert_eq!(files[0].path, Path::new("/home/ada/.config/systemd/user/tunnels.service"));
        assert_eq!([&*files[0].content, &*files[1].content], [SERVICE_UNIT, SOCKET_UNIT]);
    }

    #[test]
    fn paths_are_quoted_as_systemd_reads_them() {
        let odd = Setting {
            config: Some("/home/ada/100% \"mine\"/$x.toml".into()),
            runtime_dir: Some("/run/a%b".into()),
            state_dir: Some("/home/ada/my state".into()),
            ..setting("/home/ada/.cargo/bin/tunnels")
        };
        let files = files(&odd);
        let config = r#"--config "/home/ada/100%% \"mine\"/$$x.toml""#;
        assert_eq!(
            lines(&files[0].content, "Exec"),
            [
                format!("ExecStart=/home/ada/.cargo/bin/tunnels {config} daemon --foreground --takeover"),
                format!("ExecReload=/home/ada/.cargo/bin/tunnels {config} daemon --takeover")
            ]
        );
        assert_eq!(
            lines(&files[0].content, "Environment="),
            [
                "Environment=TUNNELS_SERVICE=tunnels.service",
                "Environment=\"TUNNELS_STATE_DIR=/home/ada/my state\"",
                "Environment=\"TUNNELS_RUNTIME_DIR=/run/a%%b\""
            ]
        );
        assert_eq!(lines(&files[1].content, "ListenStream"), ["ListenStream=/run/a%%b/daemon.sock"]);
    }

    #[test]
    fn what_systemctl_shows_is_understood() {
        let service = "MainPID=4711\nStatusText=3 of 4 tunnels up, 3 ready\nActiveState=active\nSubState=running\nUnitFileState=enabled";
        let look = understand(service, "ActiveState=active", Some("Linger=no"));
        let expected = Look {
            reachable: true,
            enabled: true,
            active: true,
            state: "active (running)".into(),
            pid: Some(4711),
            status: Some("3 of 4 tunnels up, 3 ready".into()),
            socket_active: true,
            lingers: Some(false),
        };
        assert_eq!(look, expected);
        let service = "MainPID=0\nStatusText=\nActiveState=failed\nSubState=failed\nUnitFileState=";
        let expected = Look { reachable: true, state: "failed".into(), ..Look::default() };
        assert_eq!(understand(service, "ActiveState=inactive", None), expected);
    }

    #[test]
    fn beside_a_daemon_that_was_started_by_hand_its_socket_is_left_alone() {
        let lines = |calls: Vec<Call>| calls.iter().map(Call::line).collect::<Vec<_>>();
        assert!(lines(install(false)).contains(&"systemctl --user start tunnels.socket".to_owned()));
        assert!(!lines(install(true)).contains(&"systemctl --user start tunnels.socket".to_owned()));
    }
}
