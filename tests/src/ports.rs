//! Local ports for programs that must be told one beforehand.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which Linux picks ports for outgoing connections (32768 upwards), so that
/// no connection of a parallel test takes a port between our look and its use.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// Tests run as parallel processes: each starts somewhere else and counts upwards.
const STEP_BETWEEN_PROCESSES: u32 = 97;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns a port that nothing listens on, on either loopback address.
pub fn free_port() -> u16 {
    let base = process::id().wrapping_mul(STEP_BETWEEN_PROCESSES) % u32::from(COUNT);
    for _ in 0..COUNT {
        let offset = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((base + offset) % u32::from(COUNT)).expect("below COUNT");
        let v4 = TcpListener::bind(("127.0.0.1", port));
        let v6_taken = matches!(TcpListener::bind(("::1", port)),
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse);
        if v4.is_ok() && !v6_taken {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
