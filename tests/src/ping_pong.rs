//! One byte there and back, again and again: how long a connection stands still when something breaks.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::transfer::open_echo;
use crate::wait::wait_until;

/// More round trips than may have been under way when something broke.
const SURELY_LATER: u64 = 3;

/// A connection through a tunnel to a [`crate::TestRemote`], with a byte always on its way.
#[derive(Debug)]
pub struct PingPong {
    connection: TcpStream,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    round_trips: AtomicU64,
    worst: Mutex<Duration>,
    error: Mutex<Option<String>>,
}

impl PingPong {
    /// Connects to a local port.
    #[track_caller]
    pub fn start(port: u16) -> Self {
        let connection = open_echo(port).expect("the tunnel accepts");
        let shared = Arc::new(Shared::default());
        let (stream, watched) = (connection.try_clone().expect("a second handle"), Arc::clone(&shared));
        let thread = thread::spawn(move || {
            let error = play(stream, &watched).unwrap_err();
            *watched.error.lock().expect("no holder panics") = Some(error.to_string());
        });
        Self { connection, thread: Some(thread), shared }
    }

    /// The longest time without a byte while and after `what` happens, until bytes flow again.
    #[track_caller]
    pub fn gap_of(&self, deadline: Duration, what: impl FnOnce()) -> Duration {
        let trips = || self.shared.round_trips.load(Ordering::Relaxed);
        *self.shared.worst.lock().expect("no holder panics") = Duration::ZERO;
        what();
        let before = trips();
        wait_until("bytes to flow again", deadline, || {
            let error = self.shared.error.lock().expect("no holder panics").clone();
            assert_eq!(error, None, "the connection broke");
            (trips() >= before + SURELY_LATER).then_some(())
        });
        *self.shared.worst.lock().expect("no holder panics")
    }
}

impl Drop for PingPong {
    fn drop(&mut self) {
        let _ = self.connection.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn play(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut byte = [1];
    loop {
        let sent = Instant::now();
        stream.write_all(&byte)?;
        stream.read_exact(&mut byte)?;
        let mut worst = shared.worst.lock().expect("no holder panics");
        *worst = worst.max(sent.elapsed());
        drop(worst);
        shared.round_trips.fetch_add(1, Ordering::Relaxed);
    }
}
