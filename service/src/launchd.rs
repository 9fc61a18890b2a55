//! The launchd agent (launchd.plist(5)).
//!
//! launchd knows neither readiness nor another process in the place of the one that it has started: a daemon that takes over is
//! launchd's own again from the next login on.

use crate::manager::{Call, Look, run};
use crate::{ServiceFile, Setting};
use std::path::Path;

/// The agent's label.
pub const LABEL: &str = "tunnels.daemon";

const PLIST: &str = include_str!("../units/tunnels.plist");

pub(crate) fn files(setting: &Setting) -> Vec<ServiceFile> {
    let Setting { program, home, config, runtime_dir, state_dir, path, .. } = setting;
    let text = |path: &Path| path.display().to_string();
    let mut arguments = vec![text(program)];
    if let Some(config) = config {
        arguments.extend(["--config".to_owned(), text(config)]);
    }
    arguments.extend(["daemon", "--foreground", "--takeover"].map(str::to_owned));
    let arguments: Vec<String> =
        arguments.iter().map(|word| format!("\t\t<string>{}</string>", escaped(word))).collect();
    let variables = [
        (crate::SERVICE_VARIABLE, Some(LABEL.to_owned())),
        ("PATH", path.clone()),
        ("TUNNELS_RUNTIME_DIR", runtime_dir.as_deref().map(text)),
        ("TUNNELS_STATE_DIR", state_dir.as_deref().map(text)),
    ];
    let variable = |(name, value): (&str, Option<String>)| {
        Some(format!("\t\t<key>{name}</key>\n\t\t<string>{}</string>", escaped(&value?)))
    };
    let variables: Vec<String> = variables.into_iter().filter_map(variable).collect();
    let content = PLIST
        .replace("@LABEL@", LABEL)
        .replace("@ARGUMENTS@", &arguments.join("\n"))
        .replace("@VARIABLES@", &variables.join("\n"));
    let path = home.join("Library/LaunchAgents").join(format!("{LABEL}.plist"));
    vec![ServiceFile { path, content, packaged: false }]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(crate) fn install(uid: u32, plist: &Path) -> Vec<Call> {
    let (domain, target) = (format!("gui/{uid}"), target(uid));
    vec![
        // Known already: it is read again.
        Call::that_may_fail(&["launchctl", "bootout", &target]),
        Call::new(&["launchctl", "bootstrap", &domain, &plist.display().to_string()]),
        Call::new(&["launchctl", "enable", &target]),
    ]
}

pub(crate) fn uninstall(uid: u32) -> Vec<Call> {
    vec![Call::that_may_fail(&["launchctl", "bootout", &target(uid)])]
}

pub(crate) fn start(uid: u32) -> Vec<Call> {
    vec![Call::new(&["launchctl", "kickstart", &target(uid)])]
}

fn target(uid: u32) -> String {
    format!("gui/{uid}/{LABEL}")
}

pub(crate) fn look(uid: u32) -> Look {
    match run(&Call::new(&["launchctl", "print", &target(uid)])) {
        Ok(printed) => understand(&printed),
        Err(_) => Look::default(),
    }
}

fn understand(printed: &str) -> Look {
    let of = |name: &str| {
        let value = |line: &str| line.trim().strip_prefix(name)?.strip_prefix(" = ").map(str::to_owned);
        printed.lines().find_map(value).unwrap_or_default()
    };
    let state = of("state");
    Look {
        reachable: true,
        enabled: true,
        active: state == "running",
        state,
        pid: of("pid").parse().ok(),
        status: None,
        socket_active: false,
        lingers: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent() {
        let setting = Setting {
            program: "/usr/local/bin/tunnels".into(),
            home: "/Users/ada".into(),
            config_home: "/Users/ada/.config".into(),
            config: Some("/Users/ada/R&D/tunnels.toml".into()),
            runtime_dir: None,
            state_dir: None,
            path: Some("/opt/homebrew/bin:/usr/bin:/bin".into()),
            uid: 501,
        };
        let files = files(&setting);
        assert_eq!(files[0].path, Path::new("/Users/ada/Library/LaunchAgents/tunnels.daemon.plist"));
        insta::assert_snapshot!(files[0].content);
        let lines: Vec<String> = install(501, &files[0].path).iter().map(Call::line).collect();
        assert_eq!(lines[0], "launchctl bootout gui/501/tunnels.daemon");
        assert_eq!(lines[1], format!("launchctl bootstrap gui/501 {}", files[0].path.display()));
    }

    #[test]
    fn what_launchctl_prints_is_understood() {
        let look = understand("gui/501/tunnels.daemon = {\n\tactive count = 1\n\tstate = running\n\n\tpid = 4711\n}");
        assert_eq!((look.active, look.pid, look.state.as_str()), (true, Some(4711), "running"));
        let look = understand("{\n\tstate = not running\n}");
        assert_eq!((look.active, look.pid), (false, None));
    }
}
