//! The gateway's side of an upgrade, byte by byte.

use std::io;

use ssm_session::{WebSocket, derive_accept_key};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Every character that a normalising URL library would touch.
pub(crate) const TARGET: &str = "/v1/data-channel/jane-0123?role=publish_subscribe&cell-number=AAE+b/c9d==&x=%2f%2B~*'";

/// Reads a request's head, byte by byte so as to take no more.
pub(crate) async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// Answers an upgrade the way a gateway does.
pub(crate) async fn accept<S>(mut io: S) -> (WebSocket<S>, String)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let head = read_head(&mut io).await.unwrap();
    let key = header(&head, "sec-websocket-key").unwrap();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    io.write_all(answer.as_bytes()).await.unwrap();
    (WebSocket::accept_upgraded(io, None).await, head)
}

pub(crate) fn headers(head: &str) -> Vec<(&str, &str)> {
    head.lines().skip(1).filter_map(|line| line.split_once(": ")).collect()
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    headers(head).into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
