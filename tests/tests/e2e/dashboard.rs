//! `tunnels` on a terminal: the real program, its keys and its screen.

use std::env;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tunnels_tests::{NODE, Terminal, TestDaemon, TestRemote, TestSim, hold_open, wait_until};

use super::logins::{self, FAR_AWAY, LONG_AGO, TOKEN_FILE};

/// No test waits longer for what is not on the screen.
const DEADLINE: Duration = Duration::from_secs(30);

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

/// Something that goes wrong while the dashboard is open.
struct Fault {
    name: &'static str,
    switches: Value,
    strike: fn(&TestSim),
    /// The row's state and its cause in short, and the cause below the list.
    says: [&'static str; 3],
}

/// Ends the session that is open, as the service does when its instance is stopped.
fn end_session(sim: &TestSim) {
    let session = sim.sessions().into_iter().find(|session| session["state"] == "connected").expect("one is open");
    let path = format!("/_sim/sessions/{}/close", session["id"].as_str().expect("an id"));
    sim.control("POST", &path, Some(&json!({ "output": "the instance was stopped" })));
}

#[test]
fn faults_appear_with_their_cause_and_clear_by_themselves() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let terminal = open(&user);
    wait_for_row(&terminal, "api", "● ready");
    // Here it says since when.
    terminal.resize(200, 60);
    let faults = [
        Fault {
            name: "a cut",
            switches: json!({ "resume_refusals": 1000, "start_refusals": 1000 }),
            strike: |sim| sim.cut("client", "reset"),
            says: ["↻ reconnecting", "AWS error", "AWS failed"],
        },
        Fault {
            name: "an expired login",
            switches: json!({ "expired_credentials": true }),
            strike: |sim| sim.cut("client", "bye"),
            says: ["! needs-login", "credentials expired", "the AWS credentials have expired"],
        },
        Fault {
            name: "a target that goes offline",
            switches: json!({ "offline": [NODE] }),
            strike: end_session,
            says: ["◌ connecting", "target offline", "is not connected to Systems Manager"],
        },
    ];
    for Fault { name, switches, strike, says } in faults {
        // One that has just recovered is given a moment before it is tried again.
        terminal.wait("ready for a while", |screen| {
            let seconds = |word: &str| word.strip_suffix('s')?.parse::<u32>().ok();
            row(screen, "api").split_whitespace().any(|word| seconds(word) >= Some(2))
        });
        sim.faults(&switches);
        let since = Instant::now();
        strike(&sim);
        let [state, cause, text] = says;
        terminal.wait(format!("{name} with its cause"), |screen| {
            let row = row(screen, "api");
            row.contains(state) && row.contains(cause) && screen.contains(text)
        });
        let shown = since.elapsed();
        sim.clear_faults();
        let since = Instant::now();
        wait_for_row(&terminal, "api", "● ready");
        terminal.wait("no cause any more", |screen| !screen.contains(text));
        println!("{name}: on the screen after {shown:?}, gone {:?} after its end", since.elapsed());
    }
}

#[test]
fn a_login_that_runs_out_is_seen_and_renewed_from_there() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = logins::user(&sim, &["work"])
        .tunnel_with("api", &remote.address().to_string(), &logins::profile("work"))
        .with_home_file("token.json", &logins::token(FAR_AWAY, ""))
        .with_home_file(
            "bin/aws",
            &format!("#!/bin/sh\necho \"this is aws $*\"\nread answer\nmv ~/token.json ~/{TOKEN_FILE}\n"),
        );
    let user = with_programs(user);
    logins::replace(&user, TOKEN_FILE, &logins::token(LONG_AGO, ""));
    user.run(&["up", "--wait"]).expect_code(6);
    let terminal = open(&user);
    wait_for_row(&terminal, "api", "! needs-login");
    terminal.wait_for("next: run `aws sso login --profile work`");
    terminal.wait_for("work needs login (L)");
    terminal.press("L");
    terminal.wait_for("this is aws sso login --profile work");
    assert!(!terminal.is_taken());
    terminal.press("\r");
    terminal.wait_for("logged in; tunnels that waited for it go on by themselves");
    wait_for_row(&terminal, "api", "● ready");
    terminal.wait("no login that is needed", |screen| !screen.contains("needs login"));

    let in_seconds = |seconds| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        logins::rfc3339(now.as_secs() + seconds)
    };
    logins::replace(&user, TOKEN_FILE, &logins::token(&in_seconds(600), ""));
    wait_for_row(&terminal, "api", "login ends in");
    // Nothing happens when a login runs out but that its time is over.
    let end = SystemTime::now() + Duration::from_secs(4);
    let seconds = end.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    logins::replace(&user, TOKEN_FILE, &logins::token(&logins::rfc3339(seconds), ""));
    wait_for_row(&terminal, "api", "login has run out");
    println!("a login that has run out: on the screen {:?} after its end", end.elapsed().unwrap_or_default());
    logins::replace(&user, TOKEN_FILE, &logins::token(FAR_AWAY, ""));
    terminal.wait("no login that has run out", |screen| !screen.contains("has run out"));
}

#[test]
fn the_mouse_selects_opens_turns_tabs_and_scrolls() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("first", remote.address()).tunnel("second", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let terminal = open(&user);
    let below = |name: &str| format!("{name}  127.0.0.1:{} → ", user.port(name));
    wait_for_row(&terminal, "second", "● ready");
    terminal.wait_for(&below("first"));
    terminal.click("second");
    terminal.wait_for(&below("second"));
    terminal.turn_wheel(false);
    terminal.wait_for(&below("first"));
    terminal.turn_wheel(true);
    terminal.wait_for(&below("second"));
    // A second click on the same row.
    terminal.click("second");
    terminal.wait_for("round trip");
    terminal.click("5 Why");
    terminal.wait_for("brought up");
    terminal.resize(80, 20);
    terminal.press("?");
    terminal.wait_for("Moving about");
    terminal.turn_wheel(true);
    terminal.turn_wheel(true);
    terminal.wait("the help further down", |screen| !screen.contains("Moving about"));
    terminal.click("more lines");
    terminal.wait_for("brought up");
}

#[test]
fn marked_tunnels_are_restarted_and_what_is_copied_reaches_tmux() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let keys = "probe = \"none\"";
    let user = TestDaemon::new(&sim)
        .tunnel_with("a", &remote.address().to_string(), keys)
        .tunnel_with("b", &remote.address().to_string(), keys)
        .tunnel_with("cache", &remote.address().to_string(), keys);
    // By default tmux ignores the terminal's code for the clipboard when a program in it writes that.
    let user = with_programs(user)
        .with_home_file("bin/tmux", "#!/bin/sh\necho \"$*\" > ~/tmux-arguments\ncat > ~/tmux-buffer\n")
        .with_variable("TMUX", "/tmp/tmux-0/default,1,0");
    user.run(&["up", "--wait"]).expect_success();
    let terminal = open(&user);
    wait_for_row(&terminal, "cache", "● ready");
    assert_eq!(sim.calls("StartSession"), 3);
    terminal.press(" ");
    terminal.wait_for("1 marked");
    terminal.press(" ");
    terminal.wait_for("2 marked");
    terminal.press("r");
    terminal.wait_for("restart: a, b (2 tunnels)");
    wait_until("two new sessions", DEADLINE, || (sim.calls("StartSession") == 5).then_some(()));
    terminal.press("y");
    terminal.wait_for("copied 2 lines");
    let lines = format!("127.0.0.1:{}\n127.0.0.1:{}", user.port("a"), user.port("b"));
    let read = |file: &str| std::fs::read_to_string(user.home().join(file)).unwrap_or_default();
    wait_until("tmux to have both", DEADLINE, || (read("tmux-buffer") == lines).then_some(()));
    assert_eq!(read("tmux-arguments").trim(), "load-buffer -w -");
    assert!(terminal.has_written("\x1b]52;c;"), "a terminal around tmux may be asked, too");
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
    terminal.wait_for("the configuration is in force");
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
