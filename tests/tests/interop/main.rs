//! With the official programs: what decides whether we are right, not only consistent with ourselves.
//!
//! Each test needs a program that is not part of this repository and says so when it is skipped.

mod agent;
mod cuts;
mod plugin;
mod worker;

use std::thread;

use tunnels_tests::echo_once;

/// The official programs move less than 1 MiB a second one way or the other, by their own choice.
const TRANSFER: u64 = 64 * 1024 * 1024;

/// Twenty connections at once, each with an echo of its own.
#[track_caller]
fn twenty_connections_work(port: u16) {
    let threads: Vec<_> = (0..20).map(|seed| thread::spawn(move || echo_once(port, 50_000, seed))).collect();
    for thread in threads {
        thread.join().expect("no thread panics").expect("every connection works");
    }
}
