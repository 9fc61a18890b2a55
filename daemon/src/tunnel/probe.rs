//! Does the remote answer? One stream, the shortest thing its protocol answers to, and any answer counts.
//!
//! Says nothing about states: that a probe failed is an event for the lifecycle.

use super::cause::{About, DownCause};
use crate::config::{Probe, Remote};
use ssm_session::Session;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// A remote that takes longer than this for its first byte is as good as silent.
const ANSWER: Duration = Duration::from_secs(5);
/// The wire has no sign of success (docs/protocol.md §6.5): no refusal for so long counts as one.
const NO_REFUSAL: Duration = Duration::from_millis(300);

/// Length and code of a PostgreSQL `SSLRequest`; answered with `S`, `N` or an error, without a login.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Probes the remote through a session.
pub(super) async fn probe(kind: Probe, about: &About, session: &Session) -> Result<(), DownCause> {
    if kind == Probe::None {
        return Ok(());
    }
    let opened = session.open_stream().await;
    let stream = opened.map_err(|error| about.probe_failed(&format!("could not be asked: {error}")))?;
    ask(kind, about, stream).await
}

async fn ask(kind: Probe, about: &About, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), DownCause> {
    let patience = if kind == Probe::Tcp { NO_REFUSAL } else { ANSWER };
    let mut first = [0];
    let asked = timeout(patience, async {
        stream.write_all(&question(kind, about.remote())).await?;
        stream.read(&mut first).await
    })
    .await;
    match asked {
        Ok(Ok(1..)) => Ok(()),
        Err(_) if kind == Probe::Tcp => Ok(()),
        // It took the connection. A Redis that expects TLS ends like this as well.
        Ok(Ok(0)) if matches!(kind, Probe::Tcp | Probe::Redis) => Ok(()),
        Ok(Ok(_)) => Err(about.probe_failed("closed the connection without an answer")),
        Err(_) => Err(about.probe_failed(&format!("does not answer within {} s", ANSWER.as_secs()))),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(about.remote_refused()),
        Ok(Err(error)) => Err(about.probe_failed(&format!("could not be asked: {error}"))),
    }
}

fn question(kind: Probe, remote: &Remote) -> Vec<u8> {
    let host = remote.host.as_deref().unwrap_or("localhost");
    match kind {
        Probe::Postgres => SSL_REQUEST.to_vec(),
        Probe::Redis => b"PING\r\n".to_vec(),
        Probe::Http => format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
        Probe::Tls => client_hello(host),
        // MySQL speaks first.
        Probe::Mysql | Probe::Tcp | Probe::None => Vec::new(),
    }
}

/// A TLS 1.2/1.3 `ClientHello` that any server answers, be it with an alert.
fn client_hello(host: &str) -> Vec<u8> {
    /// Prefixes with a two-byte length; what is sent here is far below 64 KiB.
    fn sized(body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
        [length.to_be_bytes().as_slice(), body].concat()
    }
    let extension = |number: u16, body: &[u8]| [number.to_be_bytes().as_slice(), &sized(body)].concat();
    let is_name = host.parse::<std::net::IpAddr>().is_err();
    let server_name = [&[0], sized(host.as_bytes()).as_slice()].concat();
    let extensions = [
        if is_name { extension(0, &sized(&server_name)) } else { Vec::new() },
        // Groups: x25519, secp256r1. Signatures: ECDSA and RSA with SHA-256. Versions: 1.3, 1.2.
        extension(10, &sized(&[0x00, 0x1d, 0x00, 0x17])),
        extension(13, &sized(&[0x04, 0x03, 0x08, 0x04, 0x04, 0x01])),
        extension(43, &[4, 0x03, 0x04, 0x03, 0x03]),
    ]
    .concat();
    let hello = [
        [0x03, 0x03].as_slice(),
        // The random is never used for a key: nothing follows this message.
        &[0x5a; 32],
        &[0],
        &sized(&[0x13, 0x01, 0xc0, 0x2b, 0xc0, 0x2f, 0x00, 0x9c]),
        &[1, 0],
        &sized(&extensions),
    ]
    .concat();
    let handshake = [&[0x01, 0x00], sized(&hello).as_slice()].concat();
    [&[0x16, 0x03, 0x01], sized(&handshake).as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::CauseKind;

    fn about() -> About {
        let text = "[tunnels.a]\nremote = \"db.example:5432\"\nlocal = 1\ntarget = \"i-01234567\"\n";
        About::tunnel(&crate::config::parse(std::path::Path::new("c"), text).unwrap().tunnels[0])
    }

    /// Probes a remote that reads what it is asked, answers with `answer` and closes.
    async fn against(kind: Probe, answer: &'static [u8]) -> Result<(), CauseKind> {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let serve = async {
            let asked = question(kind, about().remote());
            let mut got = vec![0; asked.len()];
            theirs.read_exact(&mut got).await.unwrap();
            assert_eq!(got, asked);
            theirs.write_all(answer).await.unwrap();
            drop(theirs);
        };
        let about = about();
        let (result, ()) = tokio::join!(ask(kind, &about, ours), serve);
        result.map_err(|down| down.cause.kind)
    }

    #[tokio::test]
    async fn any_answer_counts() {
        for (kind, answer) in [
            (Probe::Postgres, b"N".as_slice()),
            (Probe::Mysql, b"\x4a\0\0\0\x0a8.0"),
            (Probe::Redis, b"-NOAUTH Authentication required.\r\n"),
            (Probe::Tls, b"\x15\x03\x01\x00\x02\x02\x28"),
            (Probe::Http, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            (Probe::Tcp, b""),
        ] {
            assert_eq!(against(kind, answer).await, Ok(()), "{kind:?}");
        }
        assert_eq!(against(Probe::Postgres, b"").await, Err(CauseKind::ProbeFailed));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_answer_for_tcp_only() {
        let (ours, _theirs) = tokio::io::duplex(4096);
        assert!(ask(Probe::Tcp, &about(), ours).await.is_ok());
        let (ours, _theirs) = tokio::io::duplex(4096);
        let silent = ask(Probe::Http, &about(), ours).await.unwrap_err();
        assert!(silent.cause.text.contains("does not answer"), "{silent:?}");
    }

    #[test]
    fn the_client_hello_s_lengths_add_up() {
        let hello = client_hello("db.example");
        let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        assert_eq!(record, hello.len() - 5);
        let handshake = usize::from(u16::from_be_bytes([hello[7], hello[8]]));
        assert_eq!(handshake, hello.len() - 9);
    }
}
