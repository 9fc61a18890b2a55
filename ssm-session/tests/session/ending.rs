//! How sessions end, and what everybody who waits is told.

use std::{io::ErrorKind, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use ssm_proto::{CloseReason, Config, TokenValue};
use ssm_session::{Session, SessionError, SessionStatus, memory_pair};
use tokio::{io::AsyncReadExt as _, time::Instant};

use crate::harness::{Ends, agent_properties, detached, fast_client, status, within};

#[tokio::test]
async fn terminate_asks_the_agent_and_ends_everything_here() {
    let (ends, _wire) = Ends::fast().await;
    let (mut here, _there) = ends.stream().await;
    let reader = tokio::spawn(async move { here.read(&mut [0]).await });
    let terminated = async {
        ends.client.terminate().await;
        assert!(matches!(*ends.client.status().borrow(), SessionStatus::Closed(CloseReason::Terminated)));
    };
    within(async { tokio::join!(terminated, ends.agent.terminate_requested()) }).await;
    let error = within(reader).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<CloseReason>());
    assert_eq!(reason, Some(&CloseReason::Terminated));
    assert!(matches!(ends.client.open_stream().await, Err(SessionError::Closed(CloseReason::Terminated))));
    assert!(ends.client.accept_stream().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn terminate_waits_no_longer_than_a_second() {
    let (ends, wire) = Ends::fast().await;
    wire.freeze();
    let start = Instant::now();
    ends.client.terminate().await;
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn terminate_without_a_transport_ends_at_once() {
    let (ends, wire) = Ends::fast().await;
    wire.cut().await;
    detached(&ends.client).await;
    let start = Instant::now();
    ends.client.terminate().await;
    assert!(start.elapsed() < Duration::from_millis(5));
    assert_eq!(ends.client.closed().await, CloseReason::Terminated);
}

#[tokio::test]
async fn every_waiter_hears_of_the_end() {
    let (ends, _wire) = Ends::fast().await;
    let (mut here, there) = ends.stream().await;
    let full = tokio::spawn(async move {
        let error = tokio::io::copy(&mut tokio::io::repeat(1), &mut tokio::io::split(there).1).await.unwrap_err();
        error.kind()
    });
    let accepting = tokio::spawn({
        let agent = ends.agent.clone();
        async move { agent.accept_stream().await.is_none() }
    });
    within(async {
        while ends.client.stats().unread_bytes == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    ends.agent.close();
    assert_eq!(within(full).await.unwrap(), ErrorKind::ConnectionReset);
    assert!(within(accepting).await.unwrap());
    // What had arrived at the other end can still be read after its own end.
    ends.client.close();
    assert!(within(here.read(&mut [0; 16])).await.unwrap() > 0);
}

#[tokio::test]
async fn a_session_that_closes_in_the_handshake_is_not_opened() {
    let client = Session::client(Config::default());
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.open_stream().await.map(drop) }
    });
    client.close();
    assert!(matches!(within(opening).await.unwrap(), Err(SessionError::Closed(_))));
    assert!(matches!(client.established().await, Err(SessionError::Closed(_))));
    // Too late, and harmless.
    let (transport, mut gateway) = memory_pair(4);
    client.attach(transport, TokenValue::new("t"));
    assert!(within(gateway.next()).await.is_none());
}

#[tokio::test]
async fn the_driver_ends_with_the_last_handle() {
    let (transport, mut gateway) = memory_pair(64);
    let client = Session::client(Config::default());
    let clone = client.clone();
    let mut watch = client.status();
    client.attach(transport, TokenValue::new("t"));
    let Some(Ok(_open)) = within(gateway.next()).await else { panic!("no open message") };
    drop(client);
    assert!(watch.changed().await.is_ok(), "the clone still holds it");
    drop(clone);
    // The transport is closed and the last sender of the status is gone: no task is left behind.
    assert!(within(gateway.next()).await.is_none());
    within(async { while watch.changed().await.is_ok() {} }).await;
}

#[tokio::test]
async fn a_stream_holds_its_session() {
    let (ends, _wire) = Ends::fast().await;
    let (mut here, there) = ends.stream().await;
    let Ends { client, agent } = ends;
    drop(client);
    drop(there);
    assert_eq!(within(here.read(&mut [0])).await.unwrap(), 0);
    drop(here);
    // The client's driver said goodbye.
    detached(&agent).await;
}

#[tokio::test]
async fn what_is_queued_leaves_before_the_end() {
    let (transport, gateway) = memory_pair(1);
    let client = Session::client(fast_client());
    client.attach(transport, TokenValue::new("t"));
    drop(client);
    // Whoever reads late still gets it, then the end.
    let frames: Vec<_> = within(gateway.collect()).await;
    assert_eq!(frames.len(), 1);
}

#[tokio::test]
async fn an_agent_without_multiplexing_is_named() {
    let client = Session::client(Config::default());
    let mut properties = agent_properties();
    properties.agent_version = "2.3.1.0".to_owned();
    let agent = Session::agent(Config::fast_agent(), properties);
    let (a, b) = memory_pair(16);
    client.attach(a, TokenValue::new("t"));
    agent.attach(b, TokenValue::new("t"));
    let closed = status(&client, |status| matches!(status, SessionStatus::Closed(_))).await;
    let SessionStatus::Closed(CloseReason::MultiplexingUnsupported { agent_version }) = closed else {
        panic!("{closed:?}")
    };
    assert_eq!(agent_version, "2.3.1.0");
}

#[tokio::test]
async fn garbage_from_the_network_is_survived() {
    let client = Session::client(Config::default());
    let (transport, mut gateway) = memory_pair(64);
    client.attach(transport, TokenValue::new("secret token"));
    for len in [0, 1, 36, 116, 117, 119, 120, 4096] {
        gateway.send(ssm_proto::WsFrame::Binary(vec![0xff; len].into())).await.unwrap();
        gateway.send(ssm_proto::WsFrame::Text("x".repeat(len))).await.unwrap();
    }
    within(async {
        while client.stats().dropped < 16 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(matches!(*client.status().borrow(), SessionStatus::Opening));
    assert!(!format!("{client:?}").contains("secret token"));
}
