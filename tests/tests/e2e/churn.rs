//! Many short connections beside a long transfer, and what is left of them.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tunnels_tests::{
    Direction, TestDaemon, TestRemote, TestSim, Transfer, answer_after_half_close, echo_once, hold_open, test_bytes,
    test_duration, wait_until,
};

const CONNECTIONS: u64 = 50;
const DEADLINE: Duration = Duration::from_secs(30);

/// Opens and closes connections of one of several habits until the time is up.
fn open_and_close(port: u16, seed: u64, until: Instant) -> io::Result<u64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut opened = 0;
    while Instant::now() < until {
        match random.u8(0..4) {
            0 | 1 => echo_once(port, random.u64(1..20_000), seed)?,
            2 => {
                let length = random.u64(1..20_000);
                if answer_after_half_close(port, length, seed)? != (length, true) {
                    return Err(io::Error::other("an answer is not whole"));
                }
            }
            _ => drop(hold_open(("127.0.0.1", port), &vec![1; random.usize(0..2_000)])?),
        }
        opened += 1;
        // Part of the load: users pause, too.
        thread::sleep(Duration::from_millis(random.u64(0..40)));
    }
    Ok(opened)
}

#[test]
fn fifty_connections_come_and_go_beside_a_transfer_and_nothing_is_left_of_them() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("files", remote.address());
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    let port = user.port("files");
    // The first connection makes whatever stays for good.
    echo_once(port, 1000, 1).unwrap();
    wait_until("the first stream to end", DEADLINE, || (user.status("files")["streams"] == 0).then_some(()));
    let (daemon_files, sim_files) = (user.process().open_files(), sim.process().open_files());

    let until = Instant::now() + test_duration(Duration::from_secs(5));
    let threads: Vec<_> =
        (0..CONNECTIONS).map(|seed| thread::spawn(move || open_and_close(port, seed, until))).collect();
    while Instant::now() < until {
        Transfer::start(Direction::Download, port, test_bytes(), 51).finish();
    }
    let mut opened = 0;
    for thread in threads {
        opened += thread.join().expect("no thread panics").expect("no connection fails");
    }
    println!("{opened} connections were opened and closed");

    wait_until("all streams to end", DEADLINE, || (user.status("files")["streams"] == 0).then_some(()));
    wait_until("the remote's connections to end", DEADLINE, || (remote.open_connections() == 0).then_some(()));
    // The pool ends what it does not need after half a minute.
    wait_until("the pool to shrink", 2 * DEADLINE, || (user.status("files")["sessions"] == 1).then_some(()));
    wait_until("the daemon to close what it opened", DEADLINE, || {
        (user.process().open_files() <= daemon_files + 1).then_some(())
    });
    wait_until("the simulator to close what it opened", DEADLINE, || {
        (sim.process().open_files() <= sim_files + 2).then_some(())
    });
    assert_eq!(user.status("files")["state"], "ready");
}
