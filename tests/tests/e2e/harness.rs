//! The harness itself, without the program under test: what fails here is no finding about `tunnels`.

use std::time::{Duration, Instant};

use tunnels_tests::{
    Direction, Postgres, TestRemote, Transfer, answer_after_half_close, echo_once, hold_open, wait_until,
};

const MIB: u64 = 1024 * 1024;

#[test]
fn postgres_starts_and_answers() {
    let postgres = Postgres::start();
    let answer = postgres.psql(postgres.port(), "select 6 * 7").expect_success();
    assert_eq!(answer.stdout.trim(), "42");
}

#[test]
fn transfers_without_a_tunnel_keep_their_sums() {
    let remote = TestRemote::start();
    let port = remote.address().port();
    for direction in [Direction::Download, Direction::Upload] {
        Transfer::start(direction, port, 3 * MIB + 5, 1).finish();
    }
    echo_once(port, MIB, 2).unwrap();
    assert_eq!(answer_after_half_close(port, 50_000, 3).unwrap(), (50_000, true));
}

#[test]
fn a_close_is_seen_by_the_remote() {
    let remote = TestRemote::start();
    let connection = hold_open(remote.address(), b"hello").unwrap();
    wait_until("the bytes to arrive", Duration::from_secs(10), || (remote.received() == 5).then_some(()));
    let closed = Instant::now();
    drop(connection);
    let end = wait_until("the end", Duration::from_secs(10), || remote.ends().pop());
    assert!(end.at >= closed);
    assert_eq!(end.received, 5);
}
