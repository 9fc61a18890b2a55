//! The daemon is killed, with no chance to say goodbye, at whatever moment: the next start leaves no session that nobody
//! uses, and brings up what was wanted.

use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tunnels_tests::{Process, SimOptions, TestDaemon, TestRemote, TestSim, hold_open, runs_or, wait_until};

const DEADLINE: Duration = Duration::from_mins(2);
const TUNNELS: [&str; 5] = ["one", "two", "three", "four", "five"];
/// By then a start, or a restart of all tunnels, is over.
const LONGEST: u64 = 400;

fn user(sim: &TestSim, remote: &TestRemote) -> TestDaemon {
    TUNNELS.into_iter().fold(TestDaemon::new(sim), |user, name| user.tunnel(name, remote.address()))
}

fn kill(daemon: &mut Process) {
    daemon.signal("KILL");
    daemon.wait();
}

fn alive(sim: &TestSim) -> Vec<Value> {
    sim.sessions().into_iter().filter(|session| session["state"] != "terminated").collect()
}

/// These tunnels are ready, and there is no session but theirs.
#[track_caller]
fn nothing_is_left_over(sim: &TestSim, user: &TestDaemon, wanted: &[&str]) {
    UnixStream::connect(user.socket()).expect("the socket is the new daemon's");
    wait_until(format!("{wanted:?} to be ready, with a session each and none besides"), DEADLINE, || {
        let list = user.ls();
        let tunnels = list["tunnels"].as_array()?;
        let is_right = |tunnel: &Value| {
            let name = tunnel["name"].as_str().unwrap_or_default();
            tunnel["state"] == if wanted.contains(&name) { "ready" } else { "down" }
        };
        let sessions = alive(sim);
        let connected = sessions.iter().filter(|session| session["state"] == "connected").count();
        let all_right = tunnels.iter().all(is_right) && sessions.len() == wanted.len() && connected == wanted.len();
        all_right.then_some(())
    });
}

#[test]
fn whenever_the_daemon_is_killed_the_next_start_leaves_nothing_over() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    // Long enough for many kills to come between a call and its answer.
    sim.faults(&json!({ "start_delay_ms": 100 }));
    let mut user = user(&sim, &remote);
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    let (random, kills) = (RandomState::new(), runs_or(6));
    for round in 0..kills {
        // Not to let things settle: this is the moment.
        let moment = Duration::from_millis(random.hash_one(round) % LONGEST);
        println!("kill {round}: after {moment:?}");
        let mut wanted = TUNNELS.to_vec();
        match round % 3 {
            0 => {
                user.run(&["restart", "*"]).expect_success();
                thread::sleep(moment);
                kill(user.process());
            }
            1 => {
                kill(user.process());
                let mut starting = Process::start("tunnels daemon", &mut user.command(&["daemon", "--foreground"]));
                thread::sleep(moment);
                kill(&mut starting);
            }
            _ => {
                // What a command has said is remembered, however soon the end comes.
                user.run(&["down", "two"]).expect_success();
                kill(user.process());
                wanted.retain(|name| *name != "two");
            }
        }
        user.start();
        nothing_is_left_over(&sim, &user, &wanted);
        if wanted.len() < TUNNELS.len() {
            user.run(&["up", "two", "--wait"]).expect_success();
        }
    }
    let sessions = sim.sessions().len();
    println!("{kills} kills, {sessions} sessions, {} DescribeSessions", sim.calls("DescribeSessions"));
    user.run(&["stop"]).expect_success();
    // The agent gives up a session to which no client comes, too, but later.
    let is_given_up = |session: &Value| session["acks"] == 0 && session["end_reason"] != "terminated";
    let given_up: Vec<Value> = sim.sessions().into_iter().filter(is_given_up).collect();
    assert_eq!(given_up, [] as [Value; 0], "not ended by a daemon");
    assert!(!user.socket().exists());
}

/// Half an answer must not look like a whole one.
#[test]
fn a_connection_through_a_killed_daemon_is_reset() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("one", remote.address());
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    let mut connection = hold_open(("127.0.0.1", user.port("one")), b"hello").unwrap();
    kill(user.process());
    let error = connection.read(&mut [0; 1]).expect_err("an end without an error");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

#[test]
fn a_session_whose_answer_was_lost_is_found_and_ended_but_no_other() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("one", remote.address());
    // Another's: the same node, the same remote, and nearly the same reason.
    let address = remote.address();
    let start = json!({
        "Target": tunnels_tests::NODE,
        "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
        "Parameters": { "host": [address.ip().to_string()], "portNumber": [address.port().to_string()] },
        "Reason": "tunnels one by hand",
    });
    let foreign = sim.api("StartSession", &start).json()["SessionId"].clone();
    sim.faults(&json!({ "start_lost": 1 }));
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    let lost = sim.sessions()[1].clone();
    assert!(lost["reason"].as_str().unwrap_or_default().starts_with("tunnels one "), "{lost}");
    let session =
        |id: &Value| sim.sessions().into_iter().find(|session| session["id"] == *id).expect("it is remembered");
    let ended = wait_until("the lost session to be ended", DEADLINE, || {
        Some(session(&lost["id"])).filter(|session| session["state"] == "terminated")
    });
    assert_eq!(ended["end_reason"], "terminated", "by us");
    // Its agent may have given it up by now, as nobody came.
    assert_ne!(session(&foreign)["end_reason"], "terminated");
    assert_eq!(user.status("one")["state"], "ready");
}

#[test]
fn a_killed_start_is_found_by_the_next_daemon() {
    let remote = TestRemote::start();
    let sim = TestSim::start_with(&SimOptions::default());
    let mut user = TestDaemon::new(&sim).tunnel("one", remote.address());
    user.start();
    // The answer stays away for as long as this test takes.
    sim.faults(&json!({ "start_delay_ms": 600_000 }));
    user.run(&["up", "--wait=0s"]).expect_code(7);
    let orphan = wait_until("the session of the call", DEADLINE, || sim.sessions().first().cloned());
    kill(user.process());
    sim.clear_faults();
    user.start();
    nothing_is_left_over(&sim, &user, &["one"]);
    let ended = sim.sessions().into_iter().find(|session| session["id"] == orphan["id"]).expect("it is remembered");
    assert_eq!(ended["end_reason"], "terminated");
}
