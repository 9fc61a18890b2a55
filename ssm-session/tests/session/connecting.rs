//! `connect` against real sockets on loopback: what is sent, and how each step fails.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use ssm_proto::{Config, TokenValue};
use ssm_session::{
    Connect, ConnectError, ConnectPhase, Network, Session, SigningCredentials, StreamUrl, connect, sigv4,
};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::{
    gateway::{TARGET, accept, header, headers, read_head},
    harness::{agent_properties, fast_client, receive, send, within},
    tls::trusting,
};

fn url(address: SocketAddr) -> StreamUrl {
    StreamUrl::parse(&format!("ws://{address}{TARGET}")).unwrap()
}

fn request(url: &StreamUrl) -> Connect<'_> {
    Connect { url, signing: None, network: Network::default(), timeout: Duration::from_secs(30) }
}

fn credentials() -> SigningCredentials {
    SigningCredentials::new("AKIDEXAMPLE", "secret", Some("token"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_over_a_real_websocket_carries_bytes_both_ways() {
    const LEN: usize = 16 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url(listener.local_addr().unwrap());
    let agent = Session::agent(Config::fast_agent(), agent_properties());
    let client = Session::client(fast_client());
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        agent.attach(Box::pin(accept(socket).await.0), TokenValue::new("t"));
    };
    let (transport, ()) = within(async { tokio::join!(connect(request(&url)), serve) }).await;
    client.attach(transport.unwrap(), TokenValue::new("t"));
    let here = within(client.open_stream()).await.unwrap();
    let there = within(agent.accept_stream()).await.unwrap();
    let ((here_in, here_out), (there_in, there_out)) = (tokio::io::split(here), tokio::io::split(there));
    let (up, down) = (tokio::spawn(send(here_out, LEN, 1)), tokio::spawn(send(there_out, LEN, 2)));
    let (got_up, got_down) = (tokio::spawn(receive(there_in, LEN)), tokio::spawn(receive(here_in, LEN)));
    assert_eq!(within(up).await.unwrap(), within(got_up).await.unwrap());
    assert_eq!(within(down).await.unwrap(), within(got_down).await.unwrap());
    // A thread that stands still for a moment is asked once more for its newest message.
    let stats = client.stats();
    assert!(stats.retransmitted * 100 <= stats.messages_out, "{stats:?}");
}

#[tokio::test]
async fn the_upgrade_is_signed_and_its_url_untouched() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = url(address);
    let request = Connect { signing: Some((credentials(), "eu-west-1".to_owned())), ..request(&url) };
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        accept(socket).await.1
    };
    let (transport, head) = within(async { tokio::join!(connect(request), serve) }).await;
    transport.unwrap();
    let target = head.strip_prefix("GET ").and_then(|rest| rest.split_once(" HTTP/1.1\r\n")).unwrap().0;
    assert_eq!(target, TARGET);
    assert_eq!(header(&head, "host"), Some(address.to_string().as_str()));
    assert_eq!(header(&head, "sec-websocket-extensions"), None);
    assert_eq!(header(&head, "sec-websocket-protocol"), None);
    let empty = sigv4::sha256_hex(b"");
    let received = sigv4::Request { method: "GET", target, headers: &headers(&head), body_sha256: &empty };
    assert_eq!(sigv4::verify(&received, &credentials(), ssm_session::SERVICE), Ok(()));
    let signed = sigv4::Authorization::parse(header(&head, "authorization").unwrap()).unwrap();
    assert_eq!((signed.region, signed.service), ("eu-west-1", "ssmmessages"));
    assert_eq!(signed.signed_headers, "host;x-amz-date;x-amz-security-token");
}

#[tokio::test]
async fn a_refused_upgrade_tells_status_and_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url(listener.local_addr().unwrap());
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_head(&mut socket).await.unwrap();
        let answer = "HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: AccessDeniedException\r\ncontent-length: 2\r\n\r\nno";
        socket.write_all(answer.as_bytes()).await.unwrap();
    };
    let (refused, ()) = within(async { tokio::join!(connect(request(&url)), serve) }).await;
    let Err(ConnectError::Http { status, error_type, body }) = refused.map(drop) else { panic!("not refused") };
    assert_eq!((status, error_type.as_deref(), body.as_str()), (403, Some("AccessDeniedException"), "no"));
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url(listener.local_addr().unwrap());
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_head(&mut socket).await.unwrap();
        socket.write_all(b"220 mail.example ESMTP\r\n\r\n").await.unwrap();
    };
    let (refused, ()) = within(async { tokio::join!(connect(request(&url)), serve) }).await;
    assert!(matches!(refused.map(drop), Err(ConnectError::Upgrade(_))));
}

#[tokio::test]
async fn a_closed_port_is_a_tcp_error() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = within(connect(request(&url(address)))).await.map(drop);
    let Err(ConnectError::Tcp { port, source, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!((port, source.kind()), (address.port(), io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn silence_is_a_timeout_that_names_the_step() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limit = Duration::from_millis(50);
    let plain = url(address);
    let silent = within(connect(Connect { timeout: limit, ..request(&plain) })).await.map(drop);
    assert!(matches!(silent, Err(ConnectError::Timeout { phase: ConnectPhase::Upgrade, .. })), "{silent:?}");
    let secure = StreamUrl::parse(&format!("wss://{address}/x")).unwrap();
    let network = trusting(&[]);
    let silent = within(connect(Connect { timeout: limit, network, ..request(&secure) })).await.map(drop);
    assert!(matches!(silent, Err(ConnectError::Timeout { phase: ConnectPhase::Tls, .. })), "{silent:?}");
}

#[test]
fn nothing_secret_shows_in_debug() {
    let url = StreamUrl::parse(&format!("ws://127.0.0.1:1{TARGET}")).unwrap();
    let signing = Some((SigningCredentials::new("AKID", "s3cret", Some("t0ken")), "eu-west-1".to_owned()));
    let shown = format!("{:?}", Connect { signing, ..request(&url) });
    for secret in ["s3cret", "t0ken", "cell-number"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let credentials = SigningCredentials::new("AKID", "s3cret", Some("t0ken"));
    let headers = ssm_session::sign_upgrade(&url, &credentials, "eu-west-1", SystemTime::now()).unwrap();
    assert!(!format!("{headers:?}").contains("t0ken"));
}
