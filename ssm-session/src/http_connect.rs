//! HTTP CONNECT: asks a proxy for a tunnel and reads its answer, not a byte more.
//!
//! Knows nothing of variables or of what goes through the tunnel. Only Basic authentication is offered, and sent at once:
//! what the proxy's URL holds.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{
    error::ProxyError,
    proxy::{Proxy, authority},
};

/// Longest answer read; proxies add a handful of headers.
const ANSWER_LIMIT: usize = 16 * 1024;
/// So much of a status line or of an authentication scheme is repeated in messages.
const SHOWN: usize = 60;
/// What an answer of HTTP/1 starts with.
const START: &[u8] = b"HTTP/1.";

/// What a proxy answered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    status: u16,
    reason: String,
    /// The schemes of `Proxy-Authenticate`.
    schemes: Vec<String>,
}

/// Asks for a tunnel to `host:port`; afterwards the stream is that tunnel.
///
/// Dropped half-way, the stream is of no use any more.
pub(crate) async fn open_tunnel<S>(stream: &mut S, proxy: &Proxy, host: &str, port: u16) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let target = authority(host, port);
    let lost = |source| ProxyError::Lost { proxy: proxy.name.clone(), source };
    stream.write_all(&request(&target, proxy)).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let mut budget = ANSWER_LIMIT;
    loop {
        let answer = match read_answer(stream, &mut budget).await {
            Ok(answer) => answer,
            Err(ReadError::Io(source)) => return Err(lost(source)),
            Err(ReadError::NotHttp(what)) => return Err(ProxyError::NotHttp { proxy: proxy.name.clone(), what }),
        };
        match answer.status {
            // Interim: the answer proper is still to come.
            100..=199 => {}
            200..=299 => return Ok(()),
            status => {
                return Err(ProxyError::Refused {
                    proxy: proxy.name.clone(),
                    target,
                    status,
                    reason: answer.reason,
                    schemes: answer.schemes,
                    with_password: proxy.authorization.is_some(),
                });
            }
        }
    }
}

fn request(target: &str, proxy: &Proxy) -> Vec<u8> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

enum ReadError {
    Io(io::Error),
    NotHttp(&'static str),
}

/// Reads up to the empty line, byte by byte: what follows belongs to the tunnel, and a read of a few hundred bytes happens
/// once for each connection.
async fn read_answer<S>(stream: &mut S, budget: &mut usize) -> Result<Answer, ReadError>
where
    S: AsyncRead + Unpin,
{
    let mut answer: Option<Answer> = None;
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).await.map_err(ReadError::Io)? == 0 {
            return Err(ReadError::NotHttp("it closed the connection without an answer"));
        }
        *budget = budget.checked_sub(1).ok_or(ReadError::NotHttp("its answer does not end"))?;
        if byte != *b"\n" {
            line.push(byte[0]);
            // A proxy that speaks TLS, or no proxy at all, need not ever send the end of a line.
            if answer.is_none() && !START.starts_with(&line[..line.len().min(START.len())]) {
                return Err(ReadError::NotHttp("its answer is not HTTP"));
            }
            continue;
        }
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
        line.clear();
        match &mut answer {
            None => answer = Some(status_line(&text).ok_or(ReadError::NotHttp("its answer is not HTTP"))?),
            Some(_) if text.is_empty() => return Ok(answer.unwrap_or_default()),
            Some(answer) => {
                if let Some((name, value)) = text.split_once(':')
                    && name.eq_ignore_ascii_case("proxy-authenticate")
                    && let Some(scheme) = value.split_whitespace().next()
                {
                    answer.schemes.push(printable(scheme.trim_end_matches(',')));
                }
            }
        }
    }
}

/// `HTTP/1.1 407 Proxy Authentication Required`; the reason may be missing.
fn status_line(line: &str) -> Option<Answer> {
    let (version, rest) = line.split_once(' ')?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let status = Some(status).filter(|status| status.len() == 3)?.parse().ok()?;
    version.starts_with("HTTP/1.").then(|| Answer { status, reason: printable(reason), schemes: Vec::new() })
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(bytes: &[u8]) -> (Result<Answer, String>, Vec<u8>) {
        let mut rest = bytes;
        let mut budget = ANSWER_LIMIT;
        let answer = read_answer(&mut rest, &mut budget).await.map_err(|error| match error {
            ReadError::Io(error) => error.to_string(),
            ReadError::NotHttp(what) => what.to_owned(),
        });
        (answer, rest.to_vec())
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end_and_not_further() {
        for head in ["HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n", "HTTP/1.0 200\n\n"] {
            let (answer, rest) = answered(format!("{head}tunnel").as_bytes()).await;
            assert_eq!(answer.unwrap().status, 200);
            assert_eq!(rest, b"tunnel");
        }
    }

    #[tokio::test]
    async fn a_refusal_keeps_its_reason_and_the_ways_to_log_in() {
        let head = "HTTP/1.1 407 Proxy \x1b[31mAuth\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Basic realm=\"a b\"\r\n\r\n";
        let answer = answered(head.as_bytes()).await.0.unwrap();
        assert_eq!((answer.status, answer.reason.as_str()), (407, "Proxy [31mAuth"));
        assert_eq!(answer.schemes, ["NTLM", "Basic"]);
    }

    #[tokio::test]
    async fn what_is_not_http_is_found_out_at_once() {
        // TLS's alert, a mail server, HTTP/2, and lines that only begin well; none of them closes the connection.
        for garbage in ["\x15\x03\x01", "220 mail.example ESMTP", "HTTP/2", "HTTP/1.1\n", "HTTP/1.1 2000 x\n", "\n"] {
            assert_eq!(answered(garbage.as_bytes()).await.0, Err("its answer is not HTTP".to_owned()), "{garbage:?}");
        }
        let closed = Err("it closed the connection without an answer".to_owned());
        assert_eq!(answered(b"").await.0, closed);
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\nVia: x\r\n").await.0, closed);
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_cut_off() {
        let mut endless = b"HTTP/1.1 200 OK\r\n".to_vec();
        endless.extend(std::iter::repeat_n(b'x', 2 * ANSWER_LIMIT));
        let (answer, rest) = answered(&endless).await;
        assert_eq!(answer, Err("its answer does not end".to_owned()));
        assert_eq!(endless.len() - rest.len(), ANSWER_LIMIT + 1);
    }
}
