//! Websockets through an HTTP proxy: what it is asked, what may go wrong, and what never reaches it.

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use ssm_session::{Connect, ConnectError, ConnectPhase, Network, Proxies, ProxyError, StreamUrl, Transport, connect};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    gateway::{TARGET, accept, header, read_head},
    harness::within,
    tls::{Certified, certified, trusting},
};

/// No resolver knows it: only the proxy can.
const GATEWAY: &str = "gateway.invalid";
const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

fn url() -> StreamUrl {
    StreamUrl::parse(&format!("wss://{GATEWAY}{TARGET}")).unwrap()
}

fn proxies(variables: &[(&str, String)]) -> Proxies {
    Proxies::from_variables(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    })
}

fn https_proxy(url: String) -> Proxies {
    proxies(&[("HTTPS_PROXY", url)])
}

async fn open(url: &StreamUrl, network: Network, timeout: Duration) -> Result<Transport, ConnectError> {
    within(Box::pin(connect(Connect { url, signing: None, network, timeout }))).await
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Speaks the proxy's side of one CONNECT with this answer, then the gateway's through the tunnel. Returns both requests.
async fn proxy_and_gateway<S>(mut stream: S, answer: &str, gateway: &Certified) -> (String, String)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let asked = read_head(&mut stream).await.unwrap();
    stream.write_all(answer.as_bytes()).await.unwrap();
    let upgrade = accept(gateway.acceptor.accept(stream).await.unwrap()).await.1;
    (asked, upgrade)
}

#[tokio::test]
async fn a_websocket_goes_through_the_proxy_and_only_its_name_is_told() {
    let gateway = certified(GATEWAY);
    let (listener, address) = listener().await;
    for (answer, user, authorization) in [
        (ESTABLISHED, "", None),
        ("HTTP/1.0 200\r\nVia: 1.0 squid\r\n\r\n", "", None),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n", "me:p%40ss@", Some("Basic bWU6cEBzcw==")),
    ] {
        let network = Network { proxies: https_proxy(format!("http://{user}{address}")), ..trusting(&[&gateway]) };
        let url = url();
        let serve = async {
            let (socket, _) = listener.accept().await.unwrap();
            proxy_and_gateway(socket, answer, &gateway).await
        };
        let opening = open(&url, network, Duration::from_secs(30));
        let (opened, (asked, upgrade)) = within(Box::pin(async { tokio::join!(opening, serve) })).await;
        opened.unwrap();
        assert!(asked.starts_with(&format!("CONNECT {GATEWAY}:443 HTTP/1.1\r\nHost: {GATEWAY}:443\r\n")), "{asked}");
        assert_eq!(header(&asked, "proxy-authorization"), authorization);
        assert!(!asked.contains("data-channel"), "{asked}");
        assert!(upgrade.starts_with(&format!("GET {TARGET} HTTP/1.1\r\n")), "{upgrade}");
        assert_eq!(header(&upgrade, "host"), Some(GATEWAY));
        assert_eq!(header(&upgrade, "proxy-authorization"), None);
    }
}

#[tokio::test]
async fn the_proxy_itself_may_be_spoken_to_over_tls() {
    let (gateway, proxy) = (certified(GATEWAY), certified("localhost"));
    let (listener, address) = listener().await;
    let proxies = https_proxy(format!("https://localhost:{}", address.port()));
    let network = Network { proxies: proxies.clone(), ..trusting(&[&gateway, &proxy]) };
    let url = url();
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        let stream = proxy.acceptor.accept(socket).await.unwrap();
        Box::pin(proxy_and_gateway(stream, ESTABLISHED, &gateway)).await
    };
    let opening = open(&url, network, Duration::from_secs(30));
    let (opened, (asked, _)) = within(Box::pin(async { tokio::join!(opening, serve) })).await;
    opened.unwrap();
    assert!(asked.starts_with("CONNECT "), "{asked}");

    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        let _ = proxy.acceptor.accept(socket).await;
    };
    let opening = open(&url, Network { proxies, ..trusting(&[&gateway]) }, Duration::from_secs(30));
    let (refused, ()) = within(Box::pin(async { tokio::join!(opening, serve) })).await;
    let error = refused.map(drop).unwrap_err();
    assert!(matches!(&error, ConnectError::Proxy(ProxyError::Unreachable { .. })), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("the certificate of localhost"), "{source}");
}

#[tokio::test]
async fn exceptions_and_loopback_never_reach_the_proxy() {
    let gateway = certified("localhost");
    let (listener, address) = listener().await;
    let (proxy, proxy_address) = self::listener().await;
    let network = Network { proxies: https_proxy(format!("http://{proxy_address}")), ..trusting(&[&gateway]) };
    let local = StreamUrl::parse(&format!("wss://localhost:{}{TARGET}", address.port())).unwrap();
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        accept(gateway.acceptor.accept(socket).await.unwrap()).await.1
    };
    let opening = open(&local, network, Duration::from_secs(30));
    let (opened, _) = within(Box::pin(async { tokio::join!(opening, serve) })).await;
    opened.unwrap();

    let excepted = [("HTTPS_PROXY", format!("http://{proxy_address}")), ("NO_PROXY", ".invalid".to_owned())];
    let network = Network { proxies: proxies(&excepted), ..trusting(&[&gateway]) };
    let error = open(&url(), network, Duration::from_secs(30)).await.map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Dns { .. }), "{error:?}");
    let untouched = futures_util::future::poll_immediate(Box::pin(proxy.accept())).await;
    assert!(untouched.is_none(), "the proxy was asked");
}

/// What a proxy that answers so leads to; it closes the connection when `closes`.
async fn failure(user: &str, answer: &str, closes: bool) -> ConnectError {
    let (listener, address) = listener().await;
    let network = Network { proxies: https_proxy(format!("http://{user}{address}")), ..trusting(&[]) };
    let url = url();
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_head(&mut socket).await.unwrap();
        // The client may hang up before it has read all.
        let _ = socket.write_all(answer.as_bytes()).await;
        (!closes).then_some(socket)
    };
    let opening = open(&url, network, Duration::from_secs(30));
    let (refused, _socket) = within(Box::pin(async { tokio::join!(opening, serve) })).await;
    refused.map(drop).unwrap_err()
}

#[tokio::test]
async fn a_refusal_says_who_what_and_what_to_do() {
    for (user, answer, says, advises) in [
        (
            "",
            "HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
            "HTTP 407 Login",
            "http://user:password@",
        ),
        ("me:s3cret@", "HTTP/1.1 407\r\n\r\n", "HTTP 407", "check the user and password in HTTPS_PROXY"),
        (
            "",
            "HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n",
            "407",
            "NTLM, Negotiate",
        ),
        ("", "HTTP/1.1 403 Forbidden\r\n\r\n<html>", "HTTP 403 Forbidden", "allow this host"),
        ("", "HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP 502 Bad Gateway", "cannot reach or resolve"),
        ("", "HTTP/1.1 418 Teapot\r\n\r\n", "HTTP 418 Teapot", "NO_PROXY"),
    ] {
        let error = failure(user, answer, false).await;
        let text = error.to_string();
        assert!(matches!(error, ConnectError::Proxy(ProxyError::Refused { .. })), "{error:?}");
        assert!(text.contains("(HTTPS_PROXY) refused a connection to gateway.invalid:443: "), "{text}");
        assert!(text.contains(says), "{text}");
        let advice = error.advice().unwrap();
        assert!(advice.contains(advises), "{advice}");
        assert!(!format!("{error:?} {text} {advice}").contains("s3cret"));
        assert!(!error.is_lasting());
    }
}

#[tokio::test]
async fn what_does_not_answer_as_a_proxy_is_said_to_be_none() {
    let huge = format!("HTTP/1.1 200 OK\r\nX-Filler: {}\r\n\r\n", "x".repeat(1 << 20));
    for (answer, closes, what) in [
        ("SSH-2.0-OpenSSH_9.2", false, "its answer is not HTTP"),
        (huge.as_str(), false, "its answer does not end"),
        ("", true, "it closed the connection without an answer"),
    ] {
        let error = failure("", answer, closes).await;
        let text = error.to_string();
        assert!(text.ends_with(&format!("does not answer as an HTTP proxy: {what}")), "{text}");
        assert!(error.advice().unwrap().contains("check HTTPS_PROXY"));
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_or_named_is_an_error() {
    let closed = listener().await.1;
    let network = Network { proxies: https_proxy(format!("http://{closed}")), ..trusting(&[]) };
    let error = open(&url(), network, Duration::from_secs(30)).await.map(drop).unwrap_err();
    assert_eq!(error.to_string(), format!("the proxy http://{closed} (HTTPS_PROXY) cannot be reached"));
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.source().unwrap().downcast_ref::<io::Error>().is_some(), "{error:?}");

    let network = Network { proxies: https_proxy("socks5://proxy:1080".to_owned()), ..trusting(&[]) };
    let error = open(&url(), network, Duration::from_secs(30)).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("socks5 proxy"), "{error}");
    assert!(error.is_lasting());
}

/// A proxy that takes the request and then says nothing for ever.
async fn silent(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().await.unwrap();
    read_head(&mut socket).await.unwrap();
    socket
}

#[tokio::test]
async fn a_silent_proxy_runs_into_the_one_deadline() {
    let (listener, address) = listener().await;
    let network = Network { proxies: https_proxy(format!("http://{address}")), ..trusting(&[]) };
    let url = url();
    let limit = Duration::from_millis(100);
    let started = Instant::now();
    let (silent, _socket) =
        within(Box::pin(async { tokio::join!(open(&url, network, limit), silent(&listener)) })).await;
    let error = silent.map(drop).unwrap_err();
    assert!(started.elapsed() >= limit);
    assert!(matches!(error, ConnectError::Timeout { phase: ConnectPhase::Proxy, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("the tunnel through the proxy http://{address} (HTTPS_PROXY) did not finish within 100ms")
    );
}

#[tokio::test]
async fn a_cancelled_attempt_hangs_up_on_the_proxy() {
    let (listener, address) = listener().await;
    let network = Network { proxies: https_proxy(format!("http://{address}")), ..trusting(&[]) };
    let url = url();
    let mut socket = {
        let opening = open(&url, network, Duration::from_secs(30));
        tokio::pin!(opening);
        within(Box::pin(async {
            tokio::select! {
                _ = &mut opening => panic!("nothing was answered"),
                socket = silent(&listener) => socket,
            }
        }))
        .await
    };
    let mut rest = Vec::new();
    within(socket.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
}
