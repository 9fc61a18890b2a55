//! Both ends of a websocket over an in-memory pipe, in paused time.

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

const KEEP_ALIVE: KeepAlive = KeepAlive { interval: Duration::from_secs(20), deadline: Duration::from_secs(10) };

async fn client(io: DuplexStream, keep_alive: Option<KeepAlive>) -> WebSocket<DuplexStream> {
    let inner = WebSocketStream::from_raw_socket(io, Role::Client, Some(websocket_config())).await;
    WebSocket::new(inner, keep_alive)
}

async fn pair(keep_alive: Option<KeepAlive>) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(64 * 1024);
    (client(a, keep_alive).await, WebSocket::accept_upgraded(b, None).await)
}

fn binary(bytes: &'static [u8]) -> WsFrame {
    WsFrame::Binary(Bytes::from_static(bytes))
}

#[tokio::test]
async fn frames_of_both_kinds_pass_both_ways() {
    let (mut client, mut server) = pair(None).await;
    client.send(WsFrame::Text("open".into())).await.unwrap();
    client.send(binary(b"up")).await.unwrap();
    server.send(binary(b"down")).await.unwrap();
    assert_eq!(server.next().await.unwrap().unwrap(), WsFrame::Text("open".into()));
    assert_eq!(server.next().await.unwrap().unwrap(), binary(b"up"));
    assert_eq!(client.next().await.unwrap().unwrap(), binary(b"down"));
}

#[tokio::test]
async fn code_and_reason_of_a_close_are_kept() {
    let (mut client, mut server) = pair(None).await;
    server.send(binary(b"last")).await.unwrap();
    server.set_close(1000, "Bye");
    server.close().await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), binary(b"last"));
    let Some(Err(TransportError::Closed { code, reason })) = client.next().await else { panic!("not a close") };
    assert_eq!((code, reason.as_str()), (1000, "Bye"));
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn a_bare_end_is_told_from_a_close() {
    let (mut client, server) = pair(None).await;
    drop(server);
    assert!(matches!(client.next().await, Some(Err(TransportError::Aborted | TransportError::Io(_)))));
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn an_oversized_message_is_refused_with_1009() {
    let (a, mut b) = duplex(64 * 1024);
    let mut client = client(a, None).await;
    let mut header = vec![0x82, 127];
    header.extend((MAX_MESSAGE_SIZE as u64 + 1).to_be_bytes());
    b.write_all(&header).await.unwrap();
    assert!(matches!(client.next().await, Some(Err(TransportError::TooLarge))));
    drop(client);
    let mut answer = Vec::new();
    b.read_to_end(&mut answer).await.unwrap();
    let (mask, payload) = answer[2..].split_at(4);
    assert_eq!(answer[0], 0x88, "not a close message");
    assert_eq!([payload[0] ^ mask[0], payload[1] ^ mask[1]], 1009u16.to_be_bytes());
}

#[tokio::test]
async fn broken_frames_are_errors() {
    for bytes in [&[0xff; 16][..], &[0x83, 0x00], &[0x81, 0x01, 0xff], &[0x00, 0x00], &[0x89, 0x7e, 0x01, 0x00]] {
        let (a, mut b) = duplex(1024);
        let mut client = client(a, None).await;
        b.write_all(bytes).await.unwrap();
        drop(b);
        assert!(matches!(client.next().await, Some(Err(_))), "{bytes:02x?}");
        assert!(client.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_stays_unanswered_ends_the_transport() {
    let (mut client, _silent_server) = pair(Some(KEEP_ALIVE)).await;
    let start = Instant::now();
    assert!(matches!(client.next().await, Some(Err(TransportError::PongTimeout(_)))));
    assert_eq!(start.elapsed().as_secs(), 30);
}

/// Between two pings the path dies. Without the check that would be noticed 30 s after the last ping.
#[tokio::test(start_paused = true)]
async fn a_check_finds_a_dead_path_at_once() {
    let (mut client, _silent_server) = pair(Some(KEEP_ALIVE)).await;
    assert!(client.next().now_or_never().is_none());
    tokio::time::advance(Duration::from_secs(5)).await;
    let start = Instant::now();
    Pin::new(&mut client).check(Duration::from_secs(3));
    let Some(Err(TransportError::PongTimeout(allowed))) = client.next().await else { panic!("not a timeout") };
    assert_eq!((start.elapsed().as_secs(), allowed.as_secs()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn checks_in_a_row_do_not_put_off_the_end_of_a_dead_path() {
    let (mut client, _silent_server) = pair(Some(KEEP_ALIVE)).await;
    let start = Instant::now();
    let ended = loop {
        Pin::new(&mut client).check(Duration::from_secs(3));
        if let Ok(ended) = tokio::time::timeout(Duration::from_secs(1), client.next()).await {
            break ended;
        }
    };
    assert!(matches!(ended, Some(Err(TransportError::PongTimeout(_)))), "{ended:?}");
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn checks_of_a_path_that_lives_change_nothing() {
    let (mut client, mut server) = pair(Some(KEEP_ALIVE)).await;
    let serve = tokio::spawn(async move { server.next().await });
    for _ in 0..100 {
        Pin::new(&mut client).check(Duration::from_secs(3));
        let idle = tokio::time::timeout(Duration::from_millis(1700), client.next()).await;
        assert!(idle.is_err(), "{idle:?}");
    }
    let idle = tokio::time::timeout(Duration::from_mins(2), client.next()).await;
    assert!(idle.is_err(), "{idle:?}");
    drop(client);
    assert!(matches!(serve.await.unwrap(), Some(Err(_))));
}

#[tokio::test(start_paused = true)]
async fn answered_pings_keep_the_transport() {
    let (mut client, mut server) = pair(Some(KEEP_ALIVE)).await;
    let serve = tokio::spawn(async move { server.next().await });
    let start = Instant::now();
    let idle = tokio::time::timeout(Duration::from_mins(10), client.next()).await;
    assert!(idle.is_err(), "{idle:?} after {:?}", start.elapsed());
    drop(client);
    assert!(matches!(serve.await.unwrap(), Some(Err(_))));
}

#[tokio::test(start_paused = true)]
async fn any_frame_counts_as_a_sign_of_life() {
    let (mut client, mut server) = pair(Some(KEEP_ALIVE)).await;
    // The server never reads, so it never answers a ping; but it talks.
    let talk = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(9)).await;
            server.send(binary(b"data")).await.unwrap();
        }
    };
    let listen = async {
        for _ in 0..20 {
            assert_eq!(client.next().await.unwrap().unwrap(), binary(b"data"));
        }
    };
    tokio::join!(talk, listen);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_is_not_read_does_not_time_out() {
    let (mut client, mut server) = pair(Some(KEEP_ALIVE)).await;
    assert!(client.next().now_or_never().is_none());
    tokio::time::advance(Duration::from_secs(25)).await;
    assert!(client.next().now_or_never().is_none(), "no ping was due");
    server.send(binary(b"late")).await.unwrap();
    // Back-pressure: nobody reads for longer than the deadline.
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(client.next().await.unwrap().unwrap(), binary(b"late"));
    assert!(client.next().now_or_never().is_none());
}
