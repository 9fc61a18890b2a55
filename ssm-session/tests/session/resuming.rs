//! Transports lost and replaced: nothing is lost, nothing comes twice.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType};
use ssm_proto::{Config, TokenValue, WsFrame};
use ssm_session::{KeepAlive, SessionStatus, TransportError, WebSocket, memory_pair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Ends, Wire, detached, fast_client, receive, send, status, within};

#[tokio::test]
async fn a_transfer_survives_cuts_in_the_middle_byte_for_byte() {
    const LEN: usize = 12 << 20;
    let (ends, mut wire) = Ends::connected(Config::default(), Config::fast_agent()).await;
    let (here, there) = ends.stream().await;
    let ((here_in, here_out), (there_in, there_out)) = (tokio::io::split(here), tokio::io::split(there));
    let transfers = tokio::spawn(async move {
        tokio::join!(send(here_out, LEN, 1), receive(there_in, LEN), send(there_out, LEN, 2), receive(here_in, LEN))
    });
    for cut in 1..=5 {
        // Wherever the transfer happens to be by now.
        let at = ends.client.stats().messages_in + 40;
        within(async {
            while ends.client.stats().messages_in < at {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(!transfers.is_finished(), "over before cut {cut}");
        wire.cut().await;
        detached(&ends.client).await;
        detached(&ends.agent).await;
        wire = ends.wire();
    }
    let (sent_up, got_up, sent_down, got_down) = within(transfers).await.unwrap();
    assert_eq!(sent_up, got_up);
    assert_eq!(sent_down, got_down);
    assert_eq!(ends.client.stats().resumes, 5);
}

#[tokio::test]
async fn a_transport_can_be_replaced_while_it_lives() {
    const LEN: usize = 8 << 20;
    let (ends, first) = Ends::fast().await;
    let (here, there) = ends.stream().await;
    let upload = tokio::spawn(send(here, LEN, 1));
    let mut there = there;
    let head = within(receive(&mut there, 100_000)).await;
    let _second = ends.wire();
    let tail = within(receive(&mut there, LEN - 100_000)).await;
    assert!(!head.is_empty() && !tail.is_empty());
    let whole = within(upload).await.unwrap();
    let expected = within(async {
        let (mut out, mut back) = tokio::io::duplex(LEN);
        let sent = send(&mut out, LEN, 1).await;
        assert_eq!(receive(&mut back, 100_000).await, head);
        assert_eq!(receive(&mut back, LEN - 100_000).await, tail);
        sent
    })
    .await;
    assert_eq!(whole, expected);
    drop(first);
}

#[tokio::test]
async fn the_status_tells_the_story() {
    let ends = Ends::new(fast_client(), Config::fast_agent());
    let mut watch = ends.client.status();
    assert!(matches!(*watch.borrow_and_update(), SessionStatus::Opening));
    let wire = ends.wire();
    status(&ends.client, |status| matches!(status, SessionStatus::Established)).await;
    wire.cut().await;
    let lost = status(&ends.client, |status| matches!(status, SessionStatus::Detached { .. })).await;
    let SessionStatus::Detached { reason } = lost else { unreachable!() };
    assert!(matches!(*reason, TransportError::Aborted));
    // Nobody at the other end: attached, but nothing heard.
    let (transport, gateway) = memory_pair(8);
    ends.client.attach(transport, TokenValue::new("t"));
    assert!(matches!(*ends.client.status().borrow(), SessionStatus::Resuming));
    let (agent, agent_side) = memory_pair(8);
    ends.agent.attach(agent, TokenValue::new("t"));
    let _wire = Wire::between(gateway, agent_side);
    status(&ends.client, |status| matches!(status, SessionStatus::Established)).await;
}

#[tokio::test]
async fn a_websocket_close_is_told_with_code_and_reason() {
    let ends = Ends::new(fast_client(), Config::fast_agent());
    let (near, far) = tokio::io::duplex(64 * 1024);
    let mut gateway = WebSocket::accept_upgraded(far, None).await;
    ends.client.attach(Box::pin(client_websocket(near, None).await), TokenValue::new("t"));
    let Some(Ok(_open)) = within(gateway.next()).await else { panic!("no open message") };
    gateway.set_close(1000, "Bye");
    gateway.close().await.unwrap();
    let lost = status(&ends.client, |status| matches!(status, SessionStatus::Detached { .. })).await;
    let SessionStatus::Detached { reason } = lost else { unreachable!() };
    assert!(matches!(&*reason, TransportError::Closed { code: 1000, reason } if reason == "Bye"), "{reason:?}");
}

#[tokio::test]
async fn streams_opened_and_written_while_detached_go_through_later() {
    let (ends, wire) = Ends::fast().await;
    let (mut old_here, mut old_there) = ends.stream().await;
    wire.cut().await;
    detached(&ends.client).await;
    let mut new_here = within(ends.client.open_stream()).await.unwrap();
    new_here.write_all(b"new").await.unwrap();
    old_here.write_all(b"old").await.unwrap();
    let _wire = ends.wire();
    let mut new_there = within(ends.agent.accept_stream()).await.unwrap();
    let mut word = [0; 3];
    within(new_there.read_exact(&mut word)).await.unwrap();
    assert_eq!(&word, b"new");
    within(old_there.read_exact(&mut word)).await.unwrap();
    assert_eq!(&word, b"old");
}

#[tokio::test]
async fn a_handshake_cut_in_the_middle_is_completed_later() {
    let ends = Ends::new(fast_client(), Config::fast_agent());
    for _ in 0..3 {
        let wire = ends.wire();
        within(async {
            while ends.client.stats().messages_in == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        wire.cut().await;
        detached(&ends.client).await;
        detached(&ends.agent).await;
    }
    let _wire = ends.wire();
    within(ends.client.established()).await.unwrap();
    let (mut here, mut there) = ends.stream().await;
    here.write_all(b"x").await.unwrap();
    assert_eq!(within(there.read_u8()).await.unwrap(), b'x');
}

async fn client_websocket(
    io: tokio::io::DuplexStream,
    keep_alive: Option<KeepAlive>,
) -> WebSocket<tokio::io::DuplexStream> {
    use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
    let config = Some(ssm_session::websocket_config());
    WebSocket::new(WebSocketStream::from_raw_socket(io, Role::Client, config).await, keep_alive)
}

/// The first sign of life and the loss of the transport arrive together: what is told last must be the loss, or nobody
/// would ever resume the session.
#[tokio::test]
async fn a_loss_right_behind_the_first_sign_of_life_is_a_loss() {
    let (ends, _wire) = Ends::fast().await;
    let (ours, mut theirs) = memory_pair(16);
    let id = MessageId::from_random_bytes([1; 16]);
    let acknowledge = ClientMessage::unsequenced(MessageType::Acknowledge, Flags::SYN_FIN, id, 1, "{}".into());
    theirs.send(WsFrame::Binary(acknowledge.encode())).await.unwrap();
    drop(theirs);
    ends.client.attach(ours, TokenValue::new("token"));
    detached(&ends.client).await;
    // Whatever the driver still had to say is said.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let last = ends.client.status().borrow().clone();
    assert!(matches!(last, SessionStatus::Detached { .. }), "{last:?}");
}

/// The transport stays open and takes all, but nobody answers: suspect after the time configured, and no longer once another
/// transport has brought an answer.
#[tokio::test(start_paused = true)]
async fn silence_is_suspect_until_another_transport_is_heard() {
    let (ends, wire) = Ends::fast().await;
    let (mut here, mut there) = ends.stream().await;
    wire.freeze();
    let sent_at = tokio::time::Instant::now();
    here.write_all(b"anybody?").await.unwrap();
    status(&ends.client, |status| matches!(status, SessionStatus::Suspect)).await;
    let waited = sent_at.elapsed();
    assert!(waited.abs_diff(fast_client().suspect_after) < Duration::from_millis(100), "{waited:?}");
    let _wire = ends.wire();
    status(&ends.client, |status| matches!(status, SessionStatus::Established)).await;
    let mut question = [0; 8];
    within(there.read_exact(&mut question)).await.unwrap();
    assert_eq!(&question, b"anybody?");
}

/// After a wake-up nobody waits for the next ping. A session that has no transport, or one that lives, does not mind.
#[tokio::test(start_paused = true)]
async fn a_check_finds_a_path_that_died_unnoticed() {
    let (ends, _wire) = Ends::fast().await;
    let (near, _nobody_answers) = tokio::io::duplex(64 * 1024);
    let transport = client_websocket(near, Some(KeepAlive::default())).await;
    ends.client.attach(Box::pin(transport), TokenValue::new("t"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let start = tokio::time::Instant::now();
    ends.client.check();
    let lost = status(&ends.client, |status| matches!(status, SessionStatus::Detached { .. })).await;
    let SessionStatus::Detached { reason } = lost else { unreachable!() };
    assert!(matches!(*reason, TransportError::PongTimeout(_)), "{reason:?}");
    assert_eq!(start.elapsed().as_secs(), 3);
    ends.client.check();
    let _wire = ends.wire();
    status(&ends.client, |status| matches!(status, SessionStatus::Established)).await;
    ends.client.check();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(matches!(*ends.client.status().borrow(), SessionStatus::Established));
}
