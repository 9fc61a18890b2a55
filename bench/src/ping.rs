//! One byte there and back: how long a user waits for a key, a row, an answer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tunnels_tests::{echo_request, open_echo};

use crate::stats::percentile;

/// A byte that is not back by then never will be.
const DEADLINE: Duration = Duration::from_mins(1);
/// The first ones dial the remote and fill caches.
const WARM_UP: usize = 20;

/// A connection to a [`tunnels_tests::TestRemote`] that echoes.
#[derive(Debug)]
pub(crate) struct Ping(TcpStream);

impl Ping {
    /// Opens one through a local port and warms it up.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        let mut ping = Self(open_echo(port)?);
        for _ in 0..WARM_UP {
            ping.round_trip()?;
        }
        Ok(ping)
    }

    pub(crate) fn round_trip(&mut self) -> io::Result<Duration> {
        let mut byte = [1];
        let sent = Instant::now();
        self.0.write_all(&byte)?;
        self.0.read_exact(&mut byte)?;
        Ok(sent.elapsed())
    }

    /// Round trips one after the other, at most so many and not for longer than this.
    pub(crate) fn series(&mut self, most: usize, time: Duration) -> io::Result<Series> {
        let started = Instant::now();
        let mut times = Vec::new();
        while times.len() < most && (times.is_empty() || started.elapsed() < time) {
            times.push(self.round_trip()?);
        }
        Ok(Series(times))
    }
}

/// Round trips of one run.
#[derive(Debug)]
pub(crate) struct Series(pub(crate) Vec<Duration>);

impl Series {
    pub(crate) fn p50(&mut self) -> Duration {
        percentile(&mut self.0, 50)
    }

    pub(crate) fn p99(&mut self) -> Duration {
        percentile(&mut self.0, 99)
    }
}

/// From the connect to a local port to the first byte of the remote's answer.
pub(crate) fn first_byte(port: u16) -> io::Result<Duration> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    // In one write, as a client sends its first packet.
    let mut bytes = echo_request().to_vec();
    bytes.push(1);
    stream.write_all(&bytes)?;
    stream.read_exact(&mut [0])?;
    Ok(started.elapsed())
}
