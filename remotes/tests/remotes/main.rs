//! The demo's remotes as their clients see them: over TCP, with a real driver and with raw bytes.

mod database;
mod raw;

use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Everything is on this machine: longer is a hang.
const DEADLINE: Duration = Duration::from_secs(30);

/// Sends bytes and reads until what came ends with `end`, or, if that is empty, until the connection ends.
async fn exchange(stream: &mut TcpStream, request: &[u8], end: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let exchanged = async {
        stream.write_all(request).await.expect("it is open");
        while end.is_empty() || !answer.ends_with(end) {
            match stream.read_buf(&mut answer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, exchanged).await.expect("an answer in time");
    answer
}
