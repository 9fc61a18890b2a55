//! `tunnels tray` in a desktop session without a screen: the icon, its menu, notifications, and what is missing at times.

use std::env;
use std::fs;
use std::time::Duration;

use serde_json::json;
use tunnels_tests::{NODE, Process, TestDaemon, TestDesktop, TestRemote, TestSim, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

/// The user's tray in that session.
#[track_caller]
fn start(user: &TestDaemon, desktop: &TestDesktop, arguments: &[&str]) -> Process {
    let mut command = user.command(&["tray"]);
    command.args(arguments).env("DBUS_SESSION_BUS_ADDRESS", desktop.address());
    Process::start("tunnels tray", &mut command)
}

#[track_caller]
fn says(tray: &Process, text: &str) {
    wait_until(format!("the tray to say `{text}`"), DEADLINE, || tray.output().contains(text).then_some(()));
}

/// The first line of a file that a program of this test writes.
#[track_caller]
fn written(user: &TestDaemon, file: &str) -> String {
    let path = user.home().join(file);
    wait_until(format!("{file} to be written"), DEADLINE, || {
        let text = fs::read_to_string(&path).ok()?;
        text.contains('\n').then(|| text.lines().next().unwrap_or_default().to_owned())
    })
}

#[test]
fn the_icon_follows_the_tunnels_and_the_menu_acts_on_them() {
    let (desktop, remote, sim) = (TestDesktop::start(), TestRemote::start(), TestSim::start());
    let address = remote.address().to_string();
    let user = TestDaemon::new(&sim)
        .tunnel_with("orders_db", &address, "groups = [\"db\"]")
        .tunnel_with("payroll", &address, "groups = [\"db\"]\nprotected = true")
        .tunnel_with("web", &address, "");
    let mut tray = start(&user, &desktop, &[]);
    desktop.wait_for_tooltip("no daemon is running");
    let none = desktop.icon();
    desktop.click(&["Start the daemon"]);
    desktop.wait_for_tooltip("3 down");
    let down = desktop.icon();
    assert_ne!(down, none);
    assert_eq!(desktop.status(), "Active");

    // One, then all, then the protected one, which is asked about.
    desktop.click(&["@db", "orders_db", "Bring up"]);
    desktop.wait_for_tooltip("1 ready, 2 down");
    let ready = desktop.icon();
    assert!(ready != down && ready != none);
    desktop.click(&["Bring all up but the protected one"]);
    desktop.wait_for_tooltip("2 ready, 1 down");
    assert_eq!(user.status("payroll")["wanted"], "down");
    desktop.click(&["@db", "payroll", "Bring up", "payroll is protected: bring it up all the same"]);
    desktop.wait_for_tooltip("3 ready");

    let sessions = sim.sessions().len();
    desktop.click(&["web", "Restart"]);
    wait_until("another session", DEADLINE, || (sim.sessions().len() > sessions).then_some(()));
    user.wait_for("web", "ready");
    desktop.click(&["@db", "Take @db down"]);
    desktop.wait_for_tooltip("1 ready, 2 down");
    assert!(desktop.find(&["web", "Bring up"]).is_none(), "it is up");

    // A trouble is a shape of its own, and goes as it came.
    sim.faults(&json!({ "offline": [NODE] }));
    user.run(&["restart", "web"]);
    desktop.wait_for_tooltip("1 connecting");
    wait_until("the icon of trouble", DEADLINE, || (desktop.status() == "NeedsAttention").then_some(()));
    assert!(![&none, &down, &ready].contains(&&desktop.icon()));
    assert!(desktop.tooltip().1.contains("web: connecting (target offline)"), "{:?}", desktop.tooltip());
    desktop.wait_for_entry(&["web", "is not connected"]);
    sim.clear_faults();
    desktop.wait_for_tooltip("1 ready, 2 down");
    assert_eq!(desktop.icon(), ready);

    // The daemon goes and comes.
    user.run(&["stop"]).expect_success();
    desktop.wait_for_tooltip("no daemon is running");
    assert_eq!(desktop.icon(), none);
    user.run(&["up", "web", "--wait"]).expect_success();
    desktop.wait_for_tooltip("1 ready, 2 down");
    desktop.click(&["Take all down"]);
    desktop.wait_for_tooltip("3 down");

    desktop.click(&["Quit the tray"]);
    assert!(tray.wait().success(), "{}", tray.output());
    assert_eq!(tray.output(), "", "nothing was wrong");
}

#[test]
fn notifications_say_what_needs_somebody_and_can_be_switched_off() {
    let (desktop, remote, sim) = (TestDesktop::start(), TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address()).tunnel("web", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let mut tray = start(&user, &desktop, &[]);
    desktop.wait_for_tooltip("2 ready");
    sim.faults(&json!({ "expired_credentials": true }));
    sim.cut("client", "bye");
    let told = desktop.notification("2 tunnels need a login");
    assert!(told.body.starts_with("api, web\n"), "{told:?}");
    assert_eq!(told.icon, "dialog-password");
    desktop.wait_for_tooltip("2 needs-login");
    sim.clear_faults();
    desktop.wait_for_tooltip("2 ready");

    sim.faults(&json!({ "access_denied": [NODE] }));
    user.run(&["restart", "web"]);
    let told = desktop.notification("web has failed");
    assert!(told.body.contains("StartSession"), "{told:?}");

    // Off, also for the next one.
    assert!(desktop.wait_for_entry(&["Notifications"]).is_on);
    desktop.click(&["Notifications"]);
    wait_until("the switch", DEADLINE, || (!desktop.find(&["Notifications"])?.is_on).then_some(()));
    desktop.click(&["Quit the tray"]);
    assert!(tray.wait().success());
    let _next = start(&user, &desktop, &[]);
    wait_until("the next tray", DEADLINE, || (desktop.items().len() == 2).then_some(()));
    assert!(!desktop.wait_for_entry(&["Notifications"]).is_on);
    // What a click comes to is told all the same: this session has no clipboard.
    desktop.click(&["web", "Copy 127.0.0.1"]);
    desktop.notification(&format!("127.0.0.1:{}", user.port("web")));
}

#[test]
fn logins_the_dashboard_and_addresses_go_to_programs_of_the_desktop() {
    let (desktop, remote, sim) = (TestDesktop::start(), TestRemote::start(), TestSim::start());
    // Named by the SHA-1 of `corp`.
    let token = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
    let login = format!(
        "#!/bin/sh\necho \"$*\" > \"$HOME/login\"\nmkdir -p \"$HOME/.aws/sso/cache\"\ncat > \"$HOME/{token}\" <<'END'\n\
         {{\"startUrl\": \"https://corp.invalid/start\", \"region\": \"us-east-1\", \"accessToken\": \"t0ken\", \
         \"expiresAt\": \"2099-01-01T00:00:00Z\"}}\nEND\n"
    );
    let user = TestDaemon::new(&sim)
        .with_keys("", "")
        .with_variable("AWS_ENDPOINT_URL_SSO", sim.url())
        .with_variable("AWS_ENDPOINT_URL_SSO_OIDC", sim.url())
        .with_variable("DISPLAY", ":77")
        .tunnel_with("files", &remote.address().to_string(), "profile = \"work\"")
        .with_home_file(
            ".aws/config",
            "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.invalid/start\n\
             sso_registration_scopes = sso:account:access\n[profile work]\nsso_session = corp\n\
             sso_account_id = 111122223333\nsso_role_name = dev\nregion = us-east-1\n",
        )
        .with_home_file("bin/aws", &login)
        .with_home_file("bin/my-terminal", "#!/bin/sh\necho \"$*\" > \"$HOME/terminal\"\nshift\nexec \"$@\"\n")
        .with_home_file("bin/xclip", "#!/bin/sh\n(cat; echo) > \"$HOME/clipboard\"\n")
        .with_variable("TERMINAL", "my-terminal");
    let path = format!("{}/bin:{}", user.home().display(), env::var("PATH").unwrap_or_default());
    let user = user.with_variable("PATH", path);
    user.run(&["up", "--wait"]).expect_code(6);
    let _tray = start(&user, &desktop, &[]);
    desktop.wait_for_tooltip("1 needs-login");
    assert_eq!(desktop.status(), "NeedsAttention");
    assert_eq!(
        desktop.notification("files needs a login").body.lines().last(),
        Some("run `aws sso login --profile work`")
    );

    desktop.click(&["files", "Copy 127.0.0.1"]);
    assert_eq!(written(&user, "clipboard"), format!("127.0.0.1:{}", user.port("files")));
    desktop.click(&["Log in for 1 tunnel: aws sso login --profile work"]);
    assert_eq!(written(&user, "login"), "sso login --profile work");
    desktop.wait_for_tooltip("1 ready");
    assert!(desktop.find(&["Log in"]).is_none());

    fs::remove_file(user.home().join("terminal")).expect("the login was in a terminal");
    desktop.click(&["Open the dashboard"]);
    let opened = written(&user, "terminal");
    let wanted = format!("/tunnels --config {}", user.config().display());
    assert!(opened.starts_with("-e /") && opened.ends_with(&wanted), "{opened}");

    // Where none takes it, the address is shown.
    fs::write(user.home().join("bin/xclip"), "#!/bin/sh\nexit 3\n").expect("our own file");
    let shown = format!("127.0.0.1:{}", user.port("files"));
    desktop.click(&["files", "Copy 127.0.0.1"]);
    desktop.notification(&shown);
}

#[test]
fn what_is_missing_is_said_and_waited_for() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    let nowhere = user.home().join("no-bus");
    let mut command = user.command(&["tray"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", nowhere.display()));
    let mut alone = Process::start("tunnels tray", &mut command);
    assert_eq!(alone.wait().code(), Some(1));
    says(&alone, "error: there is no session bus");
    says(&alone, "next: run it inside a desktop session");

    let mut desktop = TestDesktop::start_without_panel();
    let mut tray = start(&user, &desktop, &[]);
    says(&tray, "note: nothing shows tray icons here");
    desktop.start_panel();
    desktop.wait_for_tooltip("no daemon is running");
    says(&tray, "the icon is in the tray");

    // One is enough.
    let mut second = start(&user, &desktop, &[]);
    assert_eq!(second.wait().code(), Some(1));
    says(&second, "has a tray icon for the daemon at");

    // A panel that is restarted has it again.
    desktop.stop_panel();
    wait_until("the loss to be noticed", DEADLINE, || {
        (tray.output().matches("nothing shows tray icons here").count() == 2).then_some(())
    });
    desktop.start_panel();
    desktop.item();

    // The end of the session is the tray's.
    desktop.end();
    assert_eq!(tray.wait().code(), Some(1));
    says(&tray, "the desktop session's bus has ended");
}

#[test]
fn a_desktop_is_told_to_start_it_and_not_to() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim);
    let config = user.config();
    let arguments = ["--config", config.to_str().expect("UTF-8"), "tray", "--install", "--no-notifications"];
    let said = user.run(&arguments).expect_success().stdout;
    let file = user.home().join(".config/autostart/tunnels-tray.desktop");
    assert!(said.contains(file.to_str().expect("UTF-8")), "{said}");
    let entry = fs::read_to_string(&file).expect("it was written");
    let exec = entry.lines().find_map(|line| line.strip_prefix("Exec=")).expect("a program to start");
    let wanted = format!("/tunnels --config {} tray --no-notifications", config.display());
    assert!(exec.starts_with('/') && exec.ends_with(&wanted), "{exec}");
    user.run(&["tray", "--uninstall"]).expect_success();
    assert!(!file.exists());
    user.run(&["tray", "--uninstall"]).expect_success();
    user.run(&["tray", "--install", "--uninstall"]).expect_code(2);
}
