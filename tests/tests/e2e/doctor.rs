//! `tunnels doctor` before set-ups that are broken in one way each: the true cause stands first, with what to do; and before
//! one that is not, where it leaves nothing behind.

mod setups;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use setups::{Broken, World};
use tunnels_tests::{NODE, Process, TestDaemon, TestRemote, TestSim, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);
/// Each starts a process or two.
const AT_ONCE: usize = 4;

/// What was found of one.
struct Examined {
    code: Option<i32>,
    findings: Vec<Value>,
    text: String,
}

fn examine(broken: &Broken, world: &World) -> Examined {
    let scene = (broken.make)(world);
    let json = scene.user.run(&["doctor", "--json"]);
    let findings = json.json()["findings"].as_array().expect("a list of findings").clone();
    // What it would say to a person, without another session.
    let text = findings.first().map(|first| said(first, &scene.user)).unwrap_or_default();
    Examined { code: json.code, findings, text }
}

/// The first finding as lines, without what differs from run to run.
fn said(finding: &Value, user: &TestDaemon) -> String {
    let mut text = String::new();
    for part in ["text", "evidence", "next"] {
        if let Some(line) = finding[part].as_str() {
            let _ = writeln!(text, "  {part}: {line}");
        }
    }
    if !finding["policy"].is_null() {
        let _ = writeln!(text, "  policy: {}", finding["policy"]);
    }
    let folder = user.home().parent().expect("a folder of the test").display().to_string();
    without_numbers(&text.replace(&folder, "/FOLDER"))
}

/// Ports, process ids, ages and session ids differ, and how a resolver words it that it knows no name.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(at);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (number, after) = digits.split_at(end);
        let is_port = before.ends_with(':') && number.len() == 5;
        let is_named = ["pid ", "kill ", "port ", "heard of "].iter().any(|word| before.ends_with(word));
        let _ = write!(out, "{before}{}", if is_port || is_named { "N" } else { number });
        rest = after;
    }
    out += rest;
    for (start, end) in [("lookup address information: ", ""), ("session/demo-", " "), ("held by `", "`")] {
        out = blanked(&out, start, end);
    }
    out
}

/// With `…` for what stands between `start` and one of the characters `end`, or the line's end.
fn blanked(text: &str, start: &str, end: &str) -> String {
    let mut parts = text.split(start);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let kept = part.find(|c| end.contains(c) || c == '\n').unwrap_or(part.len());
        let _ = write!(out, "{start}…{}", &part[kept..]);
    }
    out
}

#[test]
fn the_true_cause_stands_first_in_every_broken_set_up() {
    let (world, setups) = (World::new(), setups::all());
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(broken) = setups.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let examined = examine(broken, &world);
                    seen.lock().expect("no holder panics").push((broken, examined));
                }
            });
        }
    });
    let mut seen = seen.into_inner().expect("no holder panicked");
    seen.sort_by_key(|(broken, _)| setups.iter().position(|known| known.name == broken.name));
    assert!(setups.len() >= 30, "{} set-ups", setups.len());
    let names: BTreeSet<&str> = setups.iter().map(|broken| broken.name).collect();
    assert_eq!(names.len(), setups.len(), "each has a name of its own");

    let mut wrong = Vec::new();
    let mut texts = String::new();
    for (broken, examined) in &seen {
        let first = &examined.findings[0];
        let is_right = first["check"] == broken.check
            && first["verdict"] == broken.verdict
            && broken.says.iter().all(|words| examined.text.contains(words))
            && (broken.verdict == "ok" || first["next"].is_string())
            && examined.code == Some(broken.code)
            // What follows from it is no cause of its own.
            && examined.findings.iter().filter(|other| other["verdict"] == "fail").count() <= 1;
        let _ = writeln!(texts, "{}: {} {}\n{}", broken.name, first["verdict"], first["check"], examined.text);
        if !is_right {
            wrong.push(format!("{}: code {:?}, {:#?}", broken.name, examined.code, examined.findings));
        }
    }
    println!("{} of {} set-ups have their cause first", seen.len() - wrong.len(), seen.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!("texts", texts);
    let open: Vec<String> = world.sim.session_states().into_iter().filter(|state| state != "terminated").collect();
    assert_eq!(open, [""; 0], "no session is left behind");
}

#[test]
fn a_sound_set_up_is_found_sound_and_nothing_is_left_behind() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address()).tunnel_with(
        "prod",
        &remote.address().to_string(),
        "protected = true\nreason = \"change 4711\"",
    );
    let report = user.run(&["doctor", "--json"]).expect_success().json();
    let verdict = |check: &str, tunnel: &str| {
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == check && finding["tunnel"] == tunnel);
        found.map_or(Value::Null, |finding| finding["verdict"].clone())
    };
    assert_eq!((verdict("session", "api"), verdict("remote", "api")), ("ok".into(), "ok".into()), "{report:#}");
    assert_eq!(verdict("session", "prod"), "skipped", "nobody said that it may be");
    assert_eq!(sim.session_states(), ["terminated"]);

    user.run(&["doctor", "prod", "--yes"]).expect_success();
    assert_eq!(sim.sessions().last().unwrap()["reason"], "change 4711");
    assert_eq!(sim.session_states(), ["terminated", "terminated"]);
    user.run(&["doctor", "--no-session"]).expect_success();
    assert_eq!(sim.calls("StartSession"), 2);

    // What a running daemon knows need not be found out once more.
    user.run(&["up", "api", "--wait"]).expect_success();
    let text = user.run(&["doctor", "api"]).expect_success().stdout;
    assert_eq!(sim.calls("StartSession"), 3, "only the daemon's own");
    assert!(text.contains("is held by the running daemon"), "{text}");
    user.run(&["doctor", "nobody"]).expect_code(5);
}

#[test]
fn what_is_mended_but_given_up_by_the_daemon_is_told_with_its_cause() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    sim.faults(&json!({ "access_denied": [NODE] }));
    user.run(&["up", "--wait"]).expect_code(8);
    let denied = user.run(&["doctor", "--json"]).expect_code(1).json();
    assert_eq!(denied["findings"][0]["check"], "permission", "{denied:#}");
    sim.clear_faults();
    let mended = user.run(&["doctor", "--json"]).expect_success().json();
    let first = &mended["findings"][0];
    assert_eq!((&first["check"], &first["verdict"]), (&"tunnel".into(), &"warn".into()), "{mended:#}");
    assert!(first["evidence"].as_str().unwrap().contains("the daemon says: failed: AWS denies"), "{first:#}");
    assert_eq!(first["next"], "bring it up again: tunnels up api");
}

#[test]
fn a_session_is_ended_when_the_doctor_is_interrupted() {
    let sim = TestSim::start();
    // It takes the connection, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let user = TestDaemon::new(&sim).tunnel_with("db", &address, "probe = \"postgres\"");
    let mut doctor = Process::start("tunnels doctor", &mut user.command(&["doctor"]));
    wait_until("its session to be open", DEADLINE, || {
        sim.session_states().contains(&"connected".to_owned()).then_some(())
    });
    doctor.signal("INT");
    assert_eq!(doctor.wait().code(), Some(130), "{}", doctor.output());
    assert_eq!(sim.session_states(), ["terminated"]);
}
