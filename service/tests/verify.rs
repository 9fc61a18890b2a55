//! What systemd itself says of the units.

use std::path::PathBuf;
use std::process::Command;
use tunnels_service::{Manager, Service, Setting};

#[test]
fn systemd_analyze_finds_nothing_wrong_with_the_units() {
    let known = Command::new("systemd-analyze").arg("--version").output();
    if !known.is_ok_and(|known| known.status.success()) {
        println!("skipped: needs systemd-analyze (Debian package systemd)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Whatever it is, it is there and can be run.
    let program = std::env::current_exe().unwrap();
    let plain = Setting {
        program,
        home: at("home"),
        config_home: at("plain"),
        config: None,
        runtime_dir: None,
        state_dir: None,
        path: None,
        uid: 1000,
    };
    let odd = Setting {
        config_home: at("odd"),
        config: Some(at("my 100% \"own\" $config.toml")),
        runtime_dir: Some(at("run%")),
        state_dir: Some(at("my state")),
        ..plain.clone()
    };
    std::fs::create_dir(at("manager")).unwrap();
    for setting in [plain, odd] {
        let service = Service::new(Manager::Systemd, &setting);
        for file in &service.files {
            file.write().unwrap();
        }
        let paths: Vec<&PathBuf> = service.files.iter().map(|file| &file.path).collect();
        let verdict = Command::new("systemd-analyze")
            .args(["--user", "--man=no", "verify"])
            .args(paths)
            .env("XDG_RUNTIME_DIR", at("manager"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verdict.stderr);
        // What it only warns of is not in the exit code.
        assert!(verdict.status.success() && said.trim().is_empty(), "{said}\n{}", service.files[0].content);
    }
}
