//! An HTTP proxy with AWS behind it: the only way to names that no resolver knows.
//!
//! It answers CONNECT, and what goes through its tunnels ends at a TLS server with a certificate for those
//! names, which hands it on to the simulator. So the program goes the whole way that it goes in a company's
//! network: proxy, an authority of its own, TLS, signed calls, signed websocket.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use crate::sim::TestSim;

/// No resolver knows this domain; the proxy does.
const DOMAIN: &str = "aws.invalid";
/// A request for a tunnel is a few lines.
const REQUEST_LIMIT: usize = 8 * 1024;

/// What the proxy says to those who want a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyAnswer {
    /// Opens it.
    Open,
    /// Opens it for whoever sends this `Proxy-Authorization`, else 407.
    OpenFor(&'static str),
    /// Answers with this status line and headers.
    Refuse(&'static str),
}

/// A running proxy; it ends with its owner.
#[derive(Debug)]
pub struct TestProxy {
    address: SocketAddr,
    folder: TempDir,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Debug)]
struct Shared {
    answer: Mutex<ProxyAnswer>,
    asked: Mutex<Vec<String>>,
}

impl TestProxy {
    /// A proxy in front of this simulator.
    #[track_caller]
    pub fn start(sim: &TestSim, answer: ProxyAnswer) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let names = ["ssm", "ssmmessages"].map(|service| format!("{service}.{DOMAIN}"));
        let certified = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let folder = TempDir::with_prefix("tunnels-proxy-").expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), certified.cert.pem()).expect("our own folder");
        let key = certified.signing_key.serialize_der().try_into().expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("a certificate with its key");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared { answer: Mutex::new(answer), asked: Mutex::default() });
        let front = Front { tls: TlsAcceptor::from(Arc::new(config)), sim: sim.address() };
        runtime.spawn(serve(listener, front, Arc::clone(&shared)));
        Self { address, folder, shared, _runtime: runtime }
    }

    /// For `HTTPS_PROXY`; `user` is nothing, or `name:password@`.
    pub fn url(&self, user: &str) -> String {
        format!("http://{user}{}", self.address)
    }

    /// The authority to trust.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The endpoints behind the proxy, as a key of a tunnel.
    pub fn endpoints(&self) -> String {
        format!("endpoints = {{ ssm = \"https://ssm.{DOMAIN}\", ssmmessages = \"https://ssmmessages.{DOMAIN}\" }}")
    }

    /// Answers differently from now on.
    pub fn answer(&self, answer: ProxyAnswer) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// The heads of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the proxy's tunnels lead to.
#[derive(Clone)]
struct Front {
    tls: TlsAcceptor,
    sim: SocketAddr,
}

async fn serve(listener: TcpListener, front: Front, shared: Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (front, shared) = (front.clone(), Arc::clone(&shared));
        // A client that hangs up is no news.
        tokio::spawn(async move { tunnel(socket, front, &shared).await });
    }
}

async fn tunnel(mut socket: TcpStream, front: Front, shared: &Shared) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < REQUEST_LIMIT {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    let answer = shared.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let refusal = match answer {
        _ if !head.contains(&format!(".{DOMAIN}:443 HTTP/1.1\r\n")) => Some("502 Bad Gateway"),
        ProxyAnswer::Open => None,
        ProxyAnswer::OpenFor(user) if head.contains(&format!("Proxy-Authorization: {user}\r\n")) => None,
        ProxyAnswer::OpenFor(_) => Some("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\""),
        ProxyAnswer::Refuse(status) => Some(status),
    };
    if let Some(refusal) = refusal {
        return socket.write_all(format!("HTTP/1.1 {refusal}\r\n\r\n").as_bytes()).await;
    }
    socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let mut secured = front.tls.accept(socket).await?;
    let mut sim = TcpStream::connect(front.sim).await?;
    copy_bidirectional(&mut secured, &mut sim).await.map(drop)
}
