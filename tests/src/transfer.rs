//! The near end of a tunnel: what an application does with its local port.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::gap::GapMeter;
use crate::remote::{REQUEST_LENGTH, Request, Service};
use crate::seeded::{Hasher, SeededBytes, Sha256, seeded_sha256};
use crate::wait::wait_until;

/// A connection that moves nothing for so long is counted as hung.
const SILENCE_DEADLINE: Duration = Duration::from_mins(1);
const BUFFER: usize = 64 * 1024;

/// Which way the bulk of a transfer goes, as the user sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Download,
    Upload,
}

/// What a transfer's thread brings home: the sum, and the longest wait for a byte in between.
type Received = (Sha256, Duration);

/// How a transfer ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Why the connection broke, if it did.
    pub error: Option<String>,
    /// Whether every byte arrived as it was sent.
    pub is_whole: bool,
    /// A download: how long its receiver waited for a byte at the most. An upload's receiver is the remote.
    pub worst_gap: Duration,
}

/// A large transfer through one TCP connection, on a thread of its own.
#[derive(Debug)]
pub struct Transfer {
    thread: JoinHandle<io::Result<Received>>,
    moved: Arc<AtomicU64>,
    length: u64,
    seed: u64,
}

impl Transfer {
    /// Connects to a local port that leads to a [`crate::TestRemote`] and starts to move `length` bytes.
    pub fn start(direction: Direction, port: u16, length: u64, seed: u64) -> Self {
        let moved = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&moved);
        let thread = thread::spawn(move || match direction {
            Direction::Download => download(port, length, seed, &counter),
            Direction::Upload => upload(port, length, seed, &counter),
        });
        Self { thread, moved, length, seed }
    }

    /// Bytes that this end has read or written so far.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Waits until so many bytes have moved; panics if the transfer is over by then.
    #[track_caller]
    pub fn wait_past(&self, bytes: u64) {
        wait_until(format!("{bytes} bytes to be moved"), SILENCE_DEADLINE, || {
            (self.moved() >= bytes || self.thread.is_finished()).then_some(())
        });
        // What a test does next is meant for the middle of a transfer; after its end it would show nothing.
        assert!(
            !self.thread.is_finished(),
            "the transfer was over after {} bytes: too early for this test",
            self.moved()
        );
    }

    /// Whether it goes on, or could.
    pub fn is_open(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Waits for the end, whatever it is.
    pub fn outcome(self) -> Outcome {
        match self.thread.join().expect("the transfer's thread does not panic") {
            Ok((sum, worst_gap)) => {
                Outcome { error: None, is_whole: sum == seeded_sha256(self.seed, self.length), worst_gap }
            }
            Err(error) => Outcome { error: Some(error.to_string()), is_whole: false, worst_gap: Duration::ZERO },
        }
    }

    /// Waits for the end; panics unless every byte arrived as it was sent.
    #[track_caller]
    pub fn finish(self) {
        let sum = self.thread.join().expect("the transfer's thread does not panic");
        let moved = self.moved.load(Ordering::Relaxed);
        let (sum, _) = sum.unwrap_or_else(|e| panic!("the connection broke after {moved} bytes or more: {e}"));
        assert_eq!(sum, seeded_sha256(self.seed, self.length), "SHA-256 of {} bytes", self.length);
    }
}

fn connect(port: u16, request: Request) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_DEADLINE))?;
    stream.set_write_timeout(Some(SILENCE_DEADLINE))?;
    (&stream).write_all(&request.encode())?;
    Ok(stream)
}

fn download(port: u16, length: u64, seed: u64, moved: &AtomicU64) -> io::Result<Received> {
    let stream = connect(port, Request { service: Service::Download, length, seed })?;
    sum_to_end(stream, moved)
}

fn sum_to_end(mut stream: TcpStream, moved: &AtomicU64) -> io::Result<Received> {
    let (mut hasher, mut gaps) = (Hasher::new(), GapMeter::default());
    let mut buffer = vec![0; BUFFER];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok((hasher.finish(), gaps.worst())),
            count => hasher.update(&buffer[..count]),
        }
        gaps.mark();
        moved.store(hasher.bytes(), Ordering::Relaxed);
    }
}

fn upload(port: u16, length: u64, seed: u64, moved: &AtomicU64) -> io::Result<Received> {
    let mut stream = connect(port, Request { service: Service::Upload, length, seed })?;
    let mut bytes = SeededBytes::new(seed, length);
    let mut buffer = vec![0; BUFFER];
    loop {
        match bytes.read(&mut buffer)? {
            0 => break,
            count => stream.write_all(&buffer[..count])?,
        }
        moved.fetch_add(BUFFER as u64, Ordering::Relaxed);
    }
    let mut sum = [0; 32];
    stream.read_exact(&mut sum)?;
    Ok((sum, Duration::ZERO))
}

/// Moves `length` bytes through one connection and checks every one; what arrives otherwise than it was sent is
/// `InvalidData`, and every other error that of the connection.
pub fn transfer_once(direction: Direction, port: u16, length: u64, seed: u64) -> io::Result<()> {
    let moved = AtomicU64::new(0);
    let (sum, _) = match direction {
        Direction::Download => download(port, length, seed, &moved),
        Direction::Upload => upload(port, length, seed, &moved),
    }?;
    if sum == seeded_sha256(seed, length) {
        return Ok(());
    }
    let text = format!("{} of {length} bytes, and not those that were sent", moved.into_inner());
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// Opens a connection, has `length` seeded bytes echoed and closes it.
pub fn echo_once(port: u16, length: u64, seed: u64) -> io::Result<()> {
    let mut stream = connect(port, Request { service: Service::Echo, length, seed })?;
    let mut sent = Vec::new();
    SeededBytes::new(seed, length).read_to_end(&mut sent)?;
    let mut writer = stream.try_clone()?;
    let copy = sent.clone();
    // Writes beside the reading: a large echo fills every buffer on the way.
    let writing = thread::spawn(move || writer.write_all(&copy));
    let mut echoed = vec![0; sent.len()];
    stream.read_exact(&mut echoed)?;
    writing.join().expect("the writing thread does not panic")?;
    if sent == echoed { Ok(()) } else { Err(io::Error::other("the echo differs from what was sent")) }
}

/// Sends a request, shuts its own side down at once and reads the answer to its end.
///
/// Returns how many bytes of the answer came, and whether they are the right ones.
pub fn answer_after_half_close(port: u16, length: u64, seed: u64) -> io::Result<(u64, bool)> {
    let stream = connect(port, Request { service: Service::Answer, length, seed })?;
    stream.shutdown(Shutdown::Write)?;
    let moved = AtomicU64::new(0);
    let (sum, _) = sum_to_end(stream, &moved)?;
    Ok((moved.load(Ordering::Relaxed), sum == seeded_sha256(seed, length)))
}

/// Asks for a download that the caller may read, or not.
pub fn request_download(port: u16, length: u64, seed: u64) -> io::Result<TcpStream> {
    connect(port, Request { service: Service::Download, length, seed })
}

/// Opens a connection on which the remote sends back what it gets.
pub fn open_echo(port: u16) -> io::Result<TcpStream> {
    connect(port, Request { service: Service::Echo, length: 0, seed: 0 })
}

/// The first bytes of a connection whose remote sends back what follows.
pub fn echo_request() -> [u8; REQUEST_LENGTH] {
    Request { service: Service::Echo, length: 0, seed: 0 }.encode()
}

/// The first bytes of a connection whose remote reads and says nothing.
pub fn silent_request() -> [u8; REQUEST_LENGTH] {
    Request { service: Service::Silent, length: 0, seed: 0 }.encode()
}

/// Opens a connection on which the remote says nothing, and sends `bytes`.
pub fn hold_open(address: impl ToSocketAddrs, bytes: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE_DEADLINE))?;
    stream.write_all(&silent_request())?;
    stream.write_all(bytes)?;
    Ok(stream)
}
