//! `tunnels` on a terminal: the real program, its keys and its screen.

use std::env;

use serde_json::json;
use tunnels_tests::{NODE, Terminal, TestDaemon, TestRemote, TestSim, hold_open};

/// A dashboard over a daemon with these tunnels to one remote, on a usual terminal.
#[track_caller]
fn open(user: &TestDaemon) -> Terminal {
    let terminal = Terminal::start(&user.command(&[]), 120, 40);
    terminal.wait_for("? help  q quit");
    terminal
}

/// The line that a tunnel has in the list.
fn row<'a>(screen: &'a str, name: &str) -> &'a str {
    screen.lines().find(|line| line.contains(&format!(" {name} "))).unwrap_or("")
}

#[track_caller]
fn wait_for_row(terminal: &Terminal, name: &str, says: &str) -> String {
    terminal.wait(format!("{name} with `{says}`"), |screen| row(screen, name).contains(says))
}

/// Programs of this test's own, found before those of the machine.
fn with_programs(user: TestDaemon) -> TestDaemon {
    let path = format!("{}/bin:{}", user.home().display(), env::var("PATH").unwrap_or_default());
    user.with_variable("PATH", path)
}

#[test]
fn starts_filters_takes_down_brings_up_looks_into_one_and_quits() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim)
        .tunnel_with("orders-db", &remote.address().to_string(), "groups = [\"db\"]")
        .tunnel("cache", remote.address())
        .tunnel_with("payroll", &remote.address().to_string(), "protected = true");
    // No daemon runs yet: it is started, and outlives the dashboard.
    let mut terminal = open(&user);
    wait_for_row(&terminal, "orders-db", "· down");
    assert!(terminal.is_taken());

    terminal.press("u");
    wait_for_row(&terminal, "orders-db", "● ready");
    terminal.press("/cach\r");
    let filtered = terminal.wait("only one tunnel", |screen| row(screen, "orders-db").is_empty());
    assert!(row(&filtered, "cache").contains("· down"), "{filtered}");
    terminal.press("u");
    wait_for_row(&terminal, "cache", "● ready");
    terminal.press("d");
    wait_for_row(&terminal, "cache", "· down");
    terminal.press("\x1b");
    wait_for_row(&terminal, "orders-db", "● ready");

    // All at once; the protected one is asked about.
    terminal.press("au");
    terminal.wait_for("payroll is protected: bring up all the same?");
    terminal.press("y");
    wait_for_row(&terminal, "payroll", "● ready");
    wait_for_row(&terminal, "cache", "● ready");
    terminal.press("\x1b");
    // What follows an escape at once would be taken for one key with it.
    terminal.wait("no marks", |screen| !screen.contains("marked"));

    // Into the first one, where somebody is connected.
    let _held = hold_open(("127.0.0.1", user.port("orders-db")), b"hello").expect("the tunnel carries");
    terminal.press("\x1b[H\r");
    let session = sim.sessions()[0]["id"].as_str().expect("an id").to_owned();
    terminal.wait_for(&session);
    terminal.wait_for("agent 3.");
    terminal.press("2");
    terminal.wait("the connection with its program", |screen| {
        // A request of 17 bytes to the remote, and five more.
        screen.lines().any(|line| line.contains(" open ") && line.contains("127.0.0.1:") && line.contains(" 22 B "))
    });
    terminal.press("3");
    terminal.wait_for("in, towards you");
    terminal.press("5");
    terminal.wait_for("brought up");
    terminal.press("6");
    terminal.wait_for("session open");
    terminal.press("7");
    terminal.wait_for("config.toml:");

    // The address is in the clipboard of whoever sits at the terminal.
    terminal.press("y");
    terminal.wait_for("copied 127.0.0.1:");
    assert!(terminal.has_written("\x1b]52;c;"), "by OSC 52");
    terminal.press("q");
    assert!(terminal.wait_end().success());
    terminal.wait_given_back();
    assert_eq!(user.status("orders-db")["state"], "ready", "tunnels go on");
}

#[test]
fn faults_appear_with_their_cause_and_clear_by_themselves() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let terminal = open(&user);
    wait_for_row(&terminal, "api", "● ready");
    sim.faults(&json!({ "resume_refusals": 1000, "start_refusals": 1000 }));
    sim.cut("client", "reset");
    wait_for_row(&terminal, "api", "↻ reconnecting");
    wait_for_row(&terminal, "api", "AWS error");
    sim.clear_faults();
    wait_for_row(&terminal, "api", "● ready");

    sim.faults(&json!({ "offline": [NODE] }));
    user.run(&["restart", "api"]);
    wait_for_row(&terminal, "api", "target offline");
    terminal.wait_for("is not connected");
    sim.clear_faults();
    wait_for_row(&terminal, "api", "● ready");

    sim.faults(&json!({ "expired_credentials": true }));
    sim.cut("client", "bye");
    wait_for_row(&terminal, "api", "! needs-login");
    sim.clear_faults();
    wait_for_row(&terminal, "api", "● ready");
}

#[test]
fn a_daemon_that_goes_away_is_missed_and_can_be_started_again() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let mut terminal = open(&user);
    wait_for_row(&terminal, "api", "● ready");
    user.run(&["stop"]).expect_success();
    let lost = terminal.wait_for("not connected for");
    assert!(row(&lost, "api").contains("127.0.0.1:"), "what it said last stays: {lost}");
    terminal.press("S");
    terminal.wait("the daemon's version", |screen| screen.starts_with("tunnels 0."));
    wait_for_row(&terminal, "api", "● ready");
    // A terminal that is closed, or a wish from outside, ends it in good order.
    terminal.signal("TERM");
    assert_eq!(terminal.wait_end().code(), Some(143));
    terminal.wait_given_back();
}

#[test]
fn programs_get_the_terminal_and_give_it_back() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("db", &remote.address().to_string(), "probe = \"none\"");
    let port = user.port("db").to_string();
    let user = with_programs(user)
        .with_home_file("bin/redis-cli", "#!/bin/sh\necho \"client with $*\"\nread answer\necho \"heard $answer\"\n")
        .with_home_file("bin/mend", "#!/bin/sh\nsed -i 's/probe = \"none\"/probe = \"redis\"/' \"$1\"\n")
        .with_home_file("bin/spoil", "#!/bin/sh\necho 'remot = 1' >> \"$1\"\n")
        .with_variable("EDITOR", "mend");
    user.run(&["up", "--wait"]).expect_success();
    let terminal = open(&user);
    wait_for_row(&terminal, "db", "● ready");
    terminal.press("c");
    terminal.wait_for("no client is known for db");
    // An edit is in force when the editor has ended.
    terminal.wait_for("e edit");
    terminal.press("e");
    terminal.wait_for("the configuration is in force: 1 changed");
    wait_for_row(&terminal, "db", "kv ");
    terminal.press("c");
    terminal.wait_for(&format!("client with -h 127.0.0.1 -p {port}"));
    assert!(!terminal.is_taken());
    terminal.press("q\r");
    wait_for_row(&terminal, "db", "127.0.0.1:");
    assert!(terminal.is_taken(), "the key was the client's");
    drop(terminal);

    let user = user.with_variable("EDITOR", "spoil");
    let mut terminal = open(&user);
    terminal.wait_for("e edit");
    terminal.press("e");
    let report = terminal.wait_for("The configuration has mistakes");
    assert!(report.contains("remot"), "{report}");
    terminal.press("q");
    terminal.wait("the report closed", |screen| !screen.contains("has mistakes"));
    terminal.press("q");
    assert!(terminal.wait_end().success());
}

#[test]
fn it_fits_the_terminal_that_it_is_given() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let terminal = open(&user);
    for (columns, lines) in [(40, 10), (80, 24), (200, 60), (300, 100)] {
        terminal.resize(columns, lines);
        terminal.wait(format!("all of it on {columns}×{lines}"), |screen| {
            let last = screen.lines().count() == usize::from(lines) && screen.trim_end().ends_with("q quit");
            last && row(screen, "api").contains("127.0.0.1:")
        });
    }
}
