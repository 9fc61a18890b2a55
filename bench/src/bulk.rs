//! Bulk transfers as fast as they go, measured where the bytes arrive.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tunnels_tests::{Direction, TestRemote, hold_open, request_download};

const BUFFER: usize = 64 * 1024;
/// Longer than any run.
const ENDLESS: u64 = 1 << 50;
/// How long the far end may take to see that a transfer was given up, before the next one starts beside it.
const SETTLE: Duration = Duration::from_secs(10);

/// Transfers that go on until this is dropped.
#[derive(Debug)]
pub(crate) struct Bulk<'a> {
    direction: Direction,
    remote: &'a TestRemote,
    /// Connections at the remote before these.
    others: usize,
    connections: Vec<(TcpStream, JoinHandle<()>)>,
    downloaded: Arc<AtomicU64>,
}

impl<'a> Bulk<'a> {
    /// Starts so many transfers through a local port that leads to `remote`.
    pub(crate) fn start(direction: Direction, port: u16, connections: usize, remote: &'a TestRemote) -> Self {
        let others = remote.open_connections();
        let downloaded = Arc::new(AtomicU64::new(0));
        let open = |seed: usize| {
            let stream = match direction {
                Direction::Download => request_download(port, ENDLESS, seed as u64),
                Direction::Upload => hold_open(("127.0.0.1", port), &[]),
            };
            let stream = stream.unwrap_or_else(|e| panic!("connection {seed} to port {port} failed: {e}"));
            // What is under way when this is given up is worth nothing: no waiting for it at the end.
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("an option of every socket");
            let (mut own, counter) = (stream.try_clone().expect("a second handle"), Arc::clone(&downloaded));
            let thread = thread::spawn(move || {
                let mut buffer = vec![7; BUFFER];
                match direction {
                    Direction::Download => {
                        while let Ok(count @ 1..) = own.read(&mut buffer) {
                            counter.fetch_add(count as u64, Ordering::Relaxed);
                        }
                    }
                    Direction::Upload => while own.write_all(&buffer).is_ok() {},
                }
            });
            (stream, thread)
        };
        let connections = (0..connections).map(open).collect();
        Self { direction, remote, others, connections, downloaded }
    }

    /// Bytes that have arrived so far.
    pub(crate) fn arrived(&self) -> u64 {
        match self.direction {
            Direction::Download => self.downloaded.load(Ordering::Relaxed),
            Direction::Upload => self.remote.received(),
        }
    }

    /// Bytes per second that arrive from now on for so long.
    pub(crate) fn rate(&self, time: Duration) -> f64 {
        let (before, started) = (self.arrived(), Instant::now());
        sleep(time);
        (self.arrived() - before) as f64 / started.elapsed().as_secs_f64()
    }
}

impl Drop for Bulk<'_> {
    /// Gives the transfers up and waits until the remote knows.
    fn drop(&mut self) {
        for (stream, _) in &self.connections {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for (stream, thread) in self.connections.drain(..) {
            let _ = thread.join();
            drop(stream);
        }
        let started = Instant::now();
        while self.remote.open_connections() > self.others && started.elapsed() < SETTLE {
            sleep(Duration::from_millis(10));
        }
    }
}
