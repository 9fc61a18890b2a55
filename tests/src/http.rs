//! Just enough HTTP/1.1 to talk to the simulator: one request a connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// The simulator answers from memory; longer than this is a hang.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// Status and body of an answer.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub body: String,
}

impl HttpAnswer {
    /// The body as JSON; panics with the body if it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|e| panic!("HTTP {} without JSON ({e}): {}", self.status, self.body))
    }
}

/// Sends one request and reads the whole answer.
pub(crate) fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> io::Result<HttpAnswer> {
    let stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    exchange(stream, &server.to_string(), method, path, headers, body)
}

/// The same over a Unix socket.
pub(crate) fn request_at(socket: &Path, method: &str, path: &str) -> io::Result<HttpAnswer> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    exchange(stream, "localhost", method, path, &[], None)
}

fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> io::Result<HttpAnswer> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut head = vec![
        format!("{method} {path} HTTP/1.1"),
        format!("host: {host}"),
        "connection: close".to_owned(),
        format!("content-length: {}", body.len()),
    ];
    head.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    stream.write_all(format!("{}\r\n\r\n{body}", head.join("\r\n")).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))
}

fn parse(answer: &str) -> Option<HttpAnswer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(HttpAnswer { status, body: body.to_owned() })
}
