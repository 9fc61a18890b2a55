//! A daemon of another version than the command.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use serde_json::{Value, json};
use tunnels_tests::{TestDaemon, TestSim};

/// No process has it: the system numbers them lower.
const PID: u32 = 999_999_999;

/// Answers as a daemon would that has these routes and no others.
fn pretend(user: &TestDaemon, routes: &[(&'static str, Value)]) {
    let listener = UnixListener::bind(user.socket()).expect("nobody else listens there");
    let routes = routes.to_vec();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut request = String::new();
            let mut header = String::from("x");
            let _ = reader.read_line(&mut request);
            while header.trim() != "" {
                header.clear();
                let _ = reader.read_line(&mut header);
            }
            let path = request.split(' ').nth(1).unwrap_or_default();
            let found = routes.iter().find(|(route, _)| path.starts_with(route));
            let (status, body) = match found {
                Some((_, body)) => ("200 OK", body.clone()),
                None => ("404 Not Found", json!({"error": {"code": "not-found", "message": "there is no route"}})),
            };
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = reader.get_mut().write_all((head + &body).as_bytes());
        }
    });
}

/// What a daemon of another time says, with words that this version does not know.
fn tunnels() -> Value {
    json!({"tunnels": [{
        "name": "api", "state": "hovering", "wanted": "up", "cause": {"kind": "full-moon", "text": "the moon is full"},
        "local": "127.0.0.1:1", "remote": "db:5432", "altitude": 3, "groups": [], "sessions": 1, "streams": 0,
        "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0, "since": "2026-11-21T06:00:00Z",
    }]})
}

fn user() -> (TestSim, TestDaemon) {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("api", "127.0.0.1:9", "");
    let version = json!({"version": "99.1.0", "commit": "cafe", "pid": PID, "socket": user.socket()});
    pretend(&user, &[("/v1/version", version), ("/v1/tunnels", tunnels())]);
    (sim, user)
}

#[test]
fn it_is_said_once_on_standard_error_and_never_to_a_program() {
    let (_sim, user) = user();
    let finished = user.run(&["ls"]).expect_success();
    assert_eq!(finished.stderr.matches("the running daemon is 99.1.0 (cafe)").count(), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("tunnels daemon --takeover"), "{}", finished.stderr);
    let finished = user.run(&["ls", "--json"]).expect_success();
    assert_eq!(finished.stderr, "");
    let version = user.run(&["version"]).expect_success();
    assert!(version.stdout.contains("99.1.0 (cafe)") && version.stdout.contains("they differ"), "{}", version.stdout);
    assert_eq!(version.stderr, "");
    assert_eq!(user.run(&["version", "--json"]).expect_success().json()["daemon"]["commit"], "cafe");
}

#[test]
fn words_of_a_newer_daemon_are_shown_as_far_as_they_are_understood() {
    let (_sim, user) = user();
    let text = user.run(&["ls"]).expect_success().stdout;
    assert!(text.contains("api") && text.contains("unknown") && text.contains("the moon is full"), "{text}");
    assert_eq!(user.ls()["tunnels"][0]["name"], "api");
}

#[test]
fn a_route_that_an_older_daemon_lacks_is_told_as_that() {
    let (_sim, user) = user();
    let finished = user.run(&["logs"]).expect_code(1);
    assert!(finished.stderr.contains("older than this command"), "{}", finished.stderr);
    assert!(finished.stderr.contains("tunnels stop && tunnels up"), "{}", finished.stderr);
    assert!(!finished.stderr.contains("no route"), "{}", finished.stderr);
}
