//! Bulk through one connection, either way, byte for byte.

use tunnels_tests::{Direction, SimOptions, TestDaemon, TestRemote, TestSim, Transfer, echo_once, test_bytes};

const MIB: u64 = 1024 * 1024;

#[test]
fn a_large_download_and_its_upload_arrive_as_they_were_sent() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let port = user.port("files");

    Transfer::start(Direction::Download, port, test_bytes(), 11).finish();
    Transfer::start(Direction::Upload, port, test_bytes(), 12).finish();

    let status = user.status("files");
    assert!(status["bytes_in"].as_u64() >= Some(test_bytes()), "in is towards the user: {status}");
    assert!(status["bytes_out"].as_u64() >= Some(test_bytes()), "out is towards the remote: {status}");
}

#[test]
fn both_directions_at_once_on_several_connections() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let port = user.port("files");

    let transfers: Vec<_> = (0..4)
        .flat_map(|n| [(Direction::Download, n), (Direction::Upload, n + 100)])
        .map(|(direction, seed)| Transfer::start(direction, port, 4 * MIB, seed))
        .collect();
    transfers.into_iter().for_each(Transfer::finish);
    echo_once(port, MIB, 5).unwrap();
}

#[test]
fn the_official_agents_pace_is_kept_and_harmless() {
    let remote = TestRemote::start();
    let sim = TestSim::start_with(&SimOptions { real_pace: true, ..SimOptions::default() });
    let user = TestDaemon::new(&sim).tunnel("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let port = user.port("files");

    Transfer::start(Direction::Download, port, MIB, 21).finish();
    Transfer::start(Direction::Upload, port, 4 * MIB, 22).finish();
}

#[test]
fn an_application_that_does_not_read_costs_bounded_memory_and_stalls_nobody_for_good() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("files", remote.address());
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    let port = user.port("files");
    let before = user.process().resident_bytes();

    // More than every buffer on the way can hold; nobody reads it until the very end.
    let slow = tunnels_tests::request_download(port, 256 * MIB, 31).unwrap();
    let settled = user.wait_for_bytes_to_stop("files");
    let grown = user.process().resident_bytes().saturating_sub(before);
    assert!(settled < 128 * MIB, "{settled} bytes were taken in for a reader that does not read");
    assert!(grown < 128 * MIB, "resident memory grew by {grown} bytes");

    drop(slow);
    Transfer::start(Direction::Download, port, MIB, 32).finish();
}
