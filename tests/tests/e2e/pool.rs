//! Several sessions of one tunnel, opened while connections are busy and ended when nobody uses them.

use std::time::Duration;

use serde_json::{Value, json};
use tunnels_tests::{Direction, SimOptions, TestDaemon, TestRemote, TestSim, Transfer, echo_once, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);
const MOST: usize = 4;

/// How many connections each open session has.
fn seats(user: &TestDaemon) -> Vec<(String, u64)> {
    let answer = user.get("/v1/tunnels/files/sessions");
    let seat = |session: &Value| {
        (session["id"].as_str().expect("an id").to_owned(), session["connections"].as_u64().expect("a number"))
    };
    answer["sessions"].as_array().expect("a list").iter().map(seat).collect()
}

/// Downloads at the official agent's pace, each begun when there is a session for it.
fn downloads(user: &TestDaemon, count: usize, length: u64) -> Vec<Transfer> {
    let start = |place: usize| {
        wait_until("a session for the next connection", DEADLINE, || {
            (seats(user).len() >= MOST.min(place + 1)).then_some(())
        });
        let transfer = Transfer::start(Direction::Download, user.port("files"), length, place as u64);
        transfer.wait_past(1);
        transfer
    };
    (0..count).map(start).collect()
}

struct World {
    user: TestDaemon,
    sim: TestSim,
    remote: TestRemote,
}

fn world() -> World {
    let remote = TestRemote::start();
    let sim = TestSim::start_with(&SimOptions { real_pace: true, ..SimOptions::default() });
    let keys = format!("max_sessions = {MOST}");
    let user = TestDaemon::new(&sim).tunnel_with("files", &remote.address().to_string(), &keys);
    user.run(&["up", "--wait"]).expect_success();
    World { user, sim, remote }
}

#[test]
fn eight_downloads_use_four_sessions_which_end_when_they_are_not_used() {
    let World { user, sim, remote: _remote } = world();
    let transfers = downloads(&user, 8, 8 << 20);
    // Which of the busy ones is the least busy is a matter of the moment; that none is left out is not.
    let seats_now = seats(&user);
    assert!(seats_now.len() == MOST && seats_now.iter().all(|(_, connections)| *connections > 0), "{seats_now:?}");
    transfers.into_iter().for_each(Transfer::finish);
    assert_eq!(user.status("files")["sessions"], MOST);

    wait_until("one session", DEADLINE, || (user.status("files")["sessions"] == 1).then_some(()));
    wait_until("the others to be terminated", DEADLINE, || {
        (sim.session_states().iter().filter(|state| *state == "terminated").count() == MOST - 1).then_some(())
    });
    assert_eq!(sim.calls("StartSession"), MOST, "none was opened in vain");
    assert_eq!(user.status("files")["state"], "ready");
    echo_once(user.port("files"), 1000, 1).unwrap();
}

#[test]
fn what_happens_to_one_session_happens_to_its_connections_alone() {
    let World { user, sim, remote: _remote } = world();
    let transfers = downloads(&user, MOST, 12 << 20);
    let sessions = seats(&user);
    // One loses its websocket, another its agent's side; one is ended.
    for (place, side) in [(0, "client"), (1, "agent")] {
        let cut = json!({ "side": side, "how": "reset", "session": sessions[place].0 });
        assert_eq!(sim.control("POST", "/_sim/cut", Some(&cut))["cut"], 1);
    }
    let path = format!("/_sim/sessions/{}/close", sessions[2].0);
    sim.control("POST", &path, Some(&json!({ "output": "Session was terminated by an administrator" })));
    echo_once(user.port("files"), 1000, 1).expect("a new connection finds a session that carries");
    let outcomes: Vec<bool> = transfers.into_iter().map(|transfer| transfer.outcome().is_whole).collect();
    assert_eq!(outcomes, [true, true, false, true]);
    assert_eq!(user.status("files")["state"], "ready");
}
