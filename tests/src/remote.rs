//! The far end of a tunnel: one TCP server whose behaviour each connection asks for.
//!
//! A connection starts with a [`Request`] of 17 bytes: what to do, how many bytes, which seed. Every
//! connection's end is recorded with its time, so that tests can tell who closed and when.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::gap::GapMeter;
use crate::seeded::{Hasher, SeededBytes};

pub(crate) const REQUEST_LENGTH: usize = 17;
const BUFFER: usize = 64 * 1024;

/// How long the server thinks about an [`Service::Answer`]: long enough for the client's FIN, were it
/// passed on at once, to arrive before the answer is written.
const THINKING_TIME: Duration = Duration::from_millis(50);

/// What a connection wants from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// The server sends the seeded bytes and closes.
    Download,
    /// The client sends so many bytes; the server answers with their SHA-256 and closes.
    Upload,
    /// The server sends back what it gets.
    Echo,
    /// As a download, but after a time to think: a query and its result.
    Answer,
    /// The server reads and says nothing, until the connection ends.
    Silent,
}

const SERVICES: [(u8, Service); 5] = [
    (b'D', Service::Download),
    (b'U', Service::Upload),
    (b'E', Service::Echo),
    (b'A', Service::Answer),
    (b'S', Service::Silent),
];

/// The first bytes of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) service: Service,
    pub(crate) length: u64,
    pub(crate) seed: u64,
}

impl Request {
    pub(crate) fn encode(self) -> [u8; REQUEST_LENGTH] {
        let mut bytes = [0; REQUEST_LENGTH];
        let code = SERVICES.iter().find(|(_, service)| *service == self.service);
        bytes[0] = code.expect("every service has a code").0;
        bytes[1..9].copy_from_slice(&self.length.to_be_bytes());
        bytes[9..].copy_from_slice(&self.seed.to_be_bytes());
        bytes
    }

    fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = [0; REQUEST_LENGTH];
        stream.read_exact(&mut bytes)?;
        let service = SERVICES.iter().find(|(code, _)| *code == bytes[0]);
        let number = |part: &[u8]| u64::from_be_bytes(part.try_into().expect("eight bytes"));
        Ok(Self {
            service: service.ok_or(io::ErrorKind::InvalidData)?.1,
            length: number(&bytes[1..9]),
            seed: number(&bytes[9..]),
        })
    }
}

/// How and when a connection at the server ended.
#[derive(Debug, Clone)]
pub struct ConnectionEnd {
    pub at: Instant,
    /// Bytes received after the request.
    pub received: u64,
    /// An upload: how long its next byte was waited for at the most.
    pub worst_gap: Duration,
    /// The error, if it did not end in good order.
    pub error: Option<String>,
}

/// The server. Dropping it stops accepting; its connections end with their peers.
#[derive(Debug)]
pub struct TestRemote {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    open: Mutex<usize>,
    received: Mutex<u64>,
    ends: Mutex<Vec<ConnectionEnd>>,
}

impl TestRemote {
    /// Starts a server on a free port of 127.0.0.1.
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// Starts a server on this port of 127.0.0.1.
    #[track_caller]
    pub fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let inner = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if inner.stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let inner = Arc::clone(&inner);
                thread::spawn(move || serve_and_record(stream, &inner));
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections open right now.
    pub fn open_connections(&self) -> usize {
        *self.shared.open.lock().expect("no holder panics")
    }

    /// Bytes received by [`Service::Silent`] connections so far.
    pub fn received(&self) -> u64 {
        *self.shared.received.lock().expect("no holder panics")
    }

    /// The connections that made a request and have ended, in order of their end.
    pub fn ends(&self) -> Vec<ConnectionEnd> {
        self.shared.ends.lock().expect("no holder panics").clone()
    }
}

impl Drop for TestRemote {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread so that it sees the flag.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve_and_record(mut stream: TcpStream, shared: &Shared) {
    *shared.open.lock().expect("no holder panics") += 1;
    let (mut received, mut gaps) = (0, GapMeter::default());
    // Without a request it was somebody's probe, and no test asks for those.
    let end = Request::read(&mut stream).ok().map(|request| {
        let result = serve(&mut stream, request, (&mut received, &mut gaps), shared);
        ConnectionEnd {
            at: Instant::now(),
            received,
            worst_gap: gaps.worst(),
            error: result.err().map(|e| e.to_string()),
        }
    });
    *shared.open.lock().expect("no holder panics") -= 1;
    shared.ends.lock().expect("no holder panics").extend(end);
}

fn serve(
    stream: &mut TcpStream,
    request: Request,
    (received, gaps): (&mut u64, &mut GapMeter),
    shared: &Shared,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER];
    match request.service {
        Service::Download => send(stream, request)?,
        Service::Answer => {
            thread::sleep(THINKING_TIME);
            send(stream, request)?;
        }
        Service::Upload => {
            let mut hasher = Hasher::new();
            while *received < request.length {
                match stream.read(&mut buffer)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => hasher.update(&buffer[..count]),
                }
                *received = hasher.bytes();
                gaps.mark();
            }
            stream.write_all(&hasher.finish())?;
        }
        Service::Echo => loop {
            match stream.read(&mut buffer)? {
                0 => break,
                count => {
                    *received += count as u64;
                    stream.write_all(&buffer[..count])?;
                }
            }
        },
        Service::Silent => loop {
            match stream.read(&mut buffer)? {
                0 => break,
                count => {
                    *received += count as u64;
                    *shared.received.lock().expect("no holder panics") += count as u64;
                }
            }
        },
    }
    Ok(())
}

fn send(stream: &mut TcpStream, request: Request) -> io::Result<()> {
    let mut bytes = SeededBytes::new(request.seed, request.length);
    io::copy(&mut bytes, stream)?;
    stream.shutdown(Shutdown::Write)
}
