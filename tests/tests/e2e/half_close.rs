//! Ends of connections: a half-close loses nothing, a close is passed on at once.

use std::time::{Duration, Instant};

use tunnels_tests::{TestDaemon, TestRemote, TestSim, answer_after_half_close, hold_open, wait_until};

const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn a_request_followed_by_a_half_close_gets_its_whole_answer_twenty_times_of_twenty() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let port = user.port("api");

    for seed in 0..20 {
        let answer = answer_after_half_close(port, 50_000, seed).unwrap();
        assert_eq!(answer, (50_000, true), "answer {seed} of 20");
    }
    wait_until("the remote's connections to end", DEADLINE, || (remote.open_connections() == 0).then_some(()));
}

#[test]
fn a_plain_close_reaches_the_remote_within_a_second() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();

    let mut took = Vec::new();
    for round in 1..=5 {
        let connection = hold_open(("127.0.0.1", user.port("api")), b"hello").unwrap();
        wait_until("the bytes to arrive", DEADLINE, || (remote.received() == 5 * round).then_some(()));
        let ends = remote.ends().len();
        let closed = Instant::now();
        drop(connection);
        let end = wait_until("the remote to see the close", DEADLINE, || remote.ends().get(ends).cloned());
        took.push(end.at - closed);
    }
    // One round may wait for a busy machine; a tunnel that cannot tell a close from a half-close waits 10 s in each.
    assert!(took.iter().min() < Some(&Duration::from_secs(1)), "the closes took {took:?}");
    assert!(took.iter().max() < Some(&Duration::from_secs(8)), "the closes took {took:?}");
}

#[test]
fn what_was_written_before_a_close_arrives() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();

    let bytes = vec![7; 300_000];
    drop(hold_open(("127.0.0.1", user.port("api")), &bytes).unwrap());
    let end = wait_until("the remote to see the close", DEADLINE, || remote.ends().last().cloned());
    assert_eq!(end.received, bytes.len() as u64);
}
