//! Local ports for programs that must be told one beforehand.
//!
//! Tests run as parallel processes, and a port that one has chosen stays free until its program binds it. So each process
//! has blocks of ports to itself: it listens on a block's first port for as long as it runs, and who finds that port taken
//! goes on to another block.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::process;
use std::sync::{Mutex, PoisonError};

/// Below the range from which Linux picks ports for outgoing connections (32768 upwards), so that
/// no connection of a parallel test takes a port between our look and its use.
const FIRST: u16 = 12_000;
const BLOCKS: u16 = 400;
/// Ports of a block, its guard included; most tests need only a few.
const BLOCK: u16 = 50;

static OURS: Mutex<Option<Block>> = Mutex::new(None);

/// Ports that no other test takes.
struct Block {
    guards: Vec<TcpListener>,
    next: u16,
    end: u16,
}

impl Block {
    /// Takes one that nobody has; the first look differs between processes, so that few looks are needed.
    fn claim(mut guards: Vec<TcpListener>) -> Self {
        let start = process::id() % u32::from(BLOCKS);
        for offset in 0..BLOCKS {
            let number = (u16::try_from(start).expect("below BLOCKS") + offset) % BLOCKS;
            let first = FIRST + number * BLOCK;
            if let Ok(guard) = TcpListener::bind(("127.0.0.1", first)) {
                guards.push(guard);
                return Self { guards, next: first + 1, end: first + BLOCK };
            }
        }
        panic!("no block of free ports between {FIRST} and {}", FIRST + BLOCKS * BLOCK);
    }
}

/// Returns a port that nothing listens on, on either loopback address, and that no other test is given.
pub fn free_port() -> u16 {
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let mut block = match ours.take() {
            Some(block) if block.next < block.end => block,
            Some(used_up) => Block::claim(used_up.guards),
            None => Block::claim(Vec::new()),
        };
        let port = block.next;
        block.next += 1;
        *ours = Some(block);
        let v4 = TcpListener::bind(("127.0.0.1", port));
        let v6_taken = matches!(TcpListener::bind(("::1", port)), Err(e) if e.kind() == ErrorKind::AddrInUse);
        if v4.is_ok() && !v6_taken {
            return port;
        }
    }
}

#[test]
fn no_port_is_given_out_twice() {
    let mut ports: Vec<u16> = (0..3 * BLOCK).map(|_| free_port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), usize::from(3 * BLOCK));
}
