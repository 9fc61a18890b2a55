//! How connections end, against a remote made of a pipe and real local sockets.

use super::*;
use crate::meter::Meter;
use crate::status::Gauges;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst};
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

const CLOSED: u8 = 1;
const RESET: u8 = 2;

/// A stream whose `shutdown` sends nothing, as a `MuxStream`'s.
struct Remote {
    pipe: DuplexStream,
    fails: Option<io::ErrorKind>,
    shut: Arc<AtomicBool>,
    ended: Arc<AtomicU8>,
}

impl AsyncRead for Remote {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.fails {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Pin::new(&mut this.pipe).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Remote {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().pipe).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut.store(true, SeqCst);
        Poll::Ready(Ok(()))
    }
}

impl RemoteStream for Remote {
    fn close(self) {
        self.ended.store(CLOSED, SeqCst);
    }

    fn reset(self) {
        self.ended.store(RESET, SeqCst);
    }
}

/// A relay under way: the application's socket, the remote's end of the pipe, and what is seen of it.
struct Running<A> {
    app: A,
    remote: DuplexStream,
    shut: Arc<AtomicBool>,
    ended: Arc<AtomicU8>,
    gauges: Arc<Gauges>,
    relay: JoinHandle<Ended>,
}

fn run<A>(app: A, local: LocalStream, fails: Option<io::ErrorKind>) -> Running<A> {
    let (ours, remote) = tokio::io::duplex(4096);
    let (shut, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU8::new(0)));
    let gauges = Arc::new(Gauges::default());
    let stream = Remote { pipe: ours, fails, shut: Arc::clone(&shut), ended: Arc::clone(&ended) };
    let counted = Arc::clone(&gauges);
    let relay = tokio::spawn(async move {
        let counts = Counts { meters: [counted.meter(), &Meter::default()], flow: &Flow::default() };
        relay(local, stream, counts, || ()).await
    });
    Running { app, remote, shut, ended, gauges, relay }
}

async fn tcp(fails: Option<io::ErrorKind>) -> Running<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let local = LocalStream::tcp(listener.accept().await.unwrap().0);
    run(app, local, fails)
}

async fn until_shut<A>(running: &Running<A>) {
    while !running.shut.load(SeqCst) {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn bytes_cross_both_ways_and_are_counted() {
    let Running { mut app, mut remote, gauges, relay, ended, .. } = tcp(None).await;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let (mut app_in, mut app_out) = app.split();
    let (mut remote_in, mut remote_out) = tokio::io::split(&mut remote);
    let (mut there, mut back) = (vec![0; sent.len()], vec![0; sent.len()]);
    let all = tokio::join!(
        app_out.write_all(&sent),
        remote_out.write_all(&sent),
        remote_in.read_exact(&mut there),
        app_in.read_exact(&mut back),
    );
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok() && all.3.is_ok());
    assert!(there == sent && back == sent);
    drop(remote);
    assert_eq!(app.read(&mut [0]).await.unwrap(), 0);
    drop(app);
    assert_eq!(relay.await.unwrap(), Ended::ByRemote);
    assert_eq!(ended.load(SeqCst), CLOSED);
    let figures = format!("{gauges:?}");
    assert_eq!(figures.matches("3000000").count(), 2, "{figures}");
}

/// The answer to a request that ends with a half-close arrives whole, however late it begins.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_half_close_waits_for_the_answer() {
    let mut running = tcp(None).await;
    running.app.write_all(b"question").await.unwrap();
    running.app.shutdown().await.unwrap();
    until_shut(&running).await;
    let mut question = [0; 8];
    running.remote.read_exact(&mut question).await.unwrap();
    assert_eq!(running.ended.load(SeqCst), 0, "the stream is still open");
    let answer = vec![7; 100_000];
    let mut got = Vec::new();
    let (wrote, read) = tokio::join!(
        async {
            running.remote.write_all(&answer).await?;
            running.remote.shutdown().await
        },
        running.app.read_to_end(&mut got)
    );
    wrote.unwrap();
    read.unwrap();
    assert_eq!(got, answer);
    assert_eq!(running.relay.await.unwrap(), Ended::ByRemote);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_plain_close_is_passed_on_at_once() {
    let mut running = tcp(None).await;
    running.app.write_all(b"bye").await.unwrap();
    let started = std::time::Instant::now();
    drop(running.app);
    assert_eq!(running.relay.await.unwrap(), Ended::ByLocal);
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(running.ended.load(SeqCst), CLOSED);
    let mut left = Vec::new();
    running.remote.read_to_end(&mut left).await.unwrap();
    assert_eq!(left, b"bye");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_close_after_a_half_close_is_noticed() {
    let mut running = tcp(None).await;
    running.app.shutdown().await.unwrap();
    until_shut(&running).await;
    drop(running.app);
    assert_eq!(running.relay.await.unwrap(), Ended::ByLocal);
}

/// A socket closed with unread bytes is reset and gone from the kernel's table at once.
#[tokio::test]
async fn a_reset_after_a_half_close_is_noticed() {
    let mut running = tcp(None).await;
    running.app.shutdown().await.unwrap();
    until_shut(&running).await;
    running.remote.write_all(b"unread").await.unwrap();
    running.app.readable().await.unwrap();
    drop(running.app);
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), running.relay).await.unwrap().unwrap(), Ended::ByLocal);
}

#[tokio::test]
async fn a_unix_socket_tells_half_close_and_close_apart() {
    let (mut app, local) = UnixStream::pair().unwrap();
    app.shutdown().await.unwrap();
    let mut running = run(app, LocalStream::unix(local), None);
    until_shut(&running).await;
    running.remote.write_all(b"late").await.unwrap();
    let mut got = [0; 4];
    running.app.read_exact(&mut got).await.unwrap();
    assert_eq!(running.ended.load(SeqCst), 0);
    drop(running.app);
    assert_eq!(running.relay.await.unwrap(), Ended::ByLocal);
}

#[tokio::test]
async fn a_reset_of_the_application_resets_the_stream() {
    let running = tcp(None).await;
    socket2::SockRef::from(&running.app).set_linger(Some(Duration::ZERO)).unwrap();
    drop(running.app);
    assert_eq!(running.relay.await.unwrap(), Ended::ByLocal);
    assert_eq!(running.ended.load(SeqCst), RESET);
}

#[tokio::test]
async fn a_refusal_and_the_end_of_the_session_reset_the_application() {
    for (kind, expected) in
        [(io::ErrorKind::ConnectionRefused, Ended::Refused), (io::ErrorKind::ConnectionReset, Ended::SessionLost)]
    {
        let mut running = tcp(Some(kind)).await;
        assert_eq!(running.relay.await.unwrap(), expected);
        let error = running.app.read(&mut [0]).await.expect_err("a reset, not an end of file");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
