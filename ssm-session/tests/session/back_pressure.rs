//! Slow readers and blocked transports: who waits, and how much is held meanwhile.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use ssm_proto::{Config, TokenValue};
use ssm_session::memory_pair;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Counted, Ends, Wire, detached, fast_client, receive, send, within};

/// Small, so that the bounds are reached soon.
const BUDGET: usize = 256 * 1024;

fn small_budget(config: Config) -> Config {
    Config { receive_budget: BUDGET, max_in_flight_bytes: BUDGET, stream_send_buffer: 64 * 1024, ..config }
}

#[tokio::test]
async fn a_slow_reader_stops_the_writer_and_not_memory() {
    const LEN: usize = 16 << 20;
    let (ends, _wire) = Ends::connected(small_budget(fast_client()), small_budget(Config::fast_agent())).await;
    let (mut here, there) = ends.stream().await;
    let writer = tokio::spawn(send(there, LEN, 1));

    // The budget fills up, and then nothing moves any more though everybody would like to.
    within(async {
        while ends.client.stats().unread_bytes < BUDGET {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        // One batch of frames may be past the check, and a frame past the batch.
        let held = ends.client.stats().unread_bytes;
        assert!(held <= BUDGET + 256 * 1024 + 32 * 1024, "{held} bytes are held");
    }
    assert!(!writer.is_finished());
    let in_flight = ends.agent.stats().bytes_in_flight;
    assert!(in_flight <= BUDGET + 64 * 1024, "{in_flight} bytes in flight");

    let received = within(receive(&mut here, LEN)).await;
    assert_eq!(received, within(writer).await.unwrap());
    assert_eq!(ends.client.stats().unread_bytes, 0);
}

#[tokio::test]
async fn writing_goes_on_while_reading_waits() {
    // Acknowledgements are not read either, so it is one window at most.
    const LEN: usize = 50_000;
    let (ends, _wire) = Ends::connected(small_budget(fast_client()), small_budget(Config::fast_agent())).await;
    let (_unread, there) = ends.stream().await;
    let flood = tokio::spawn(send(there, 4 << 20, 1));
    within(async {
        while ends.client.stats().unread_bytes < BUDGET {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The client takes no more input; what it writes still leaves.
    let (mut here, mut there) = ends.stream().await;
    let sent = within(send(&mut here, LEN, 2)).await;
    assert_eq!(sent, within(receive(&mut there, LEN)).await);
    assert!(!flood.is_finished());
    flood.abort();
}

#[tokio::test]
async fn reading_goes_on_while_writing_is_blocked() {
    let ends = Ends::new(fast_client(), Config::fast_agent());
    let (client, mut from_client) = memory_pair(4);
    let (agent, mut from_agent) = memory_pair(4);
    ends.client.attach(client, TokenValue::new("t"));
    ends.agent.attach(agent, TokenValue::new("t"));
    let relay = async {
        loop {
            tokio::select! {
                Some(Ok(frame)) = from_client.next() => from_agent.send(frame).await.unwrap(),
                Some(Ok(frame)) = from_agent.next() => from_client.send(frame).await.unwrap(),
            }
        }
    };
    let (here, mut there) = tokio::select! {
        streams = ends.stream() => streams,
        () = relay => unreachable!(),
    };
    // From now on nothing that the client sends is taken: its transport fills up and blocks.
    let (mut here_in, mut here_out) = tokio::io::split(here);
    let blocked = async {
        let chunk = vec![0; 64 * 1024];
        loop {
            here_out.write_all(&chunk).await.unwrap();
        }
    };
    let one_way = async {
        while let Some(Ok(frame)) = from_agent.next().await {
            from_client.send(frame).await.unwrap();
        }
    };
    let conversation = async {
        there.write_all(b"still here").await.unwrap();
        let mut heard = [0; 10];
        here_in.read_exact(&mut heard).await.unwrap();
        heard
    };
    let heard = within(async {
        tokio::select! {
            heard = conversation => heard,
            () = blocked => unreachable!(),
            () = one_way => unreachable!(),
        }
    })
    .await;
    assert_eq!(&heard, b"still here");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_transport_keeps_nobody_busy() {
    let ends = Ends::new(fast_client(), Config::fast_agent());
    let (client, client_side) = memory_pair(4);
    let (client, polls) = Counted::around(client);
    let (agent, agent_side) = memory_pair(4);
    ends.client.attach(client, TokenValue::new("t"));
    ends.agent.attach(agent, TokenValue::new("t"));
    let wire = Wire::between(client_side, agent_side);
    let (here, _there) = ends.stream().await;
    wire.freeze();
    let writer = tokio::spawn(send(here, 64 << 20, 1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ends.client.stats().bytes_in_flight > 0);
    let before = polls.load(Ordering::Relaxed);
    // What is in flight becomes overdue, and cannot be sent.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let turns = polls.load(Ordering::Relaxed) - before;
    assert!(turns < 1000, "{turns} turns in a minute of nothing");
    assert!(!writer.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_session_resumed_before_a_stalled_reader_waits_for_it() {
    const LEN: usize = 4 << 20;
    let patience = Duration::from_secs(10);
    let client = Config { patience, ..small_budget(fast_client()) };
    let (ends, wire) = Ends::connected(client, small_budget(Config::fast_agent())).await;
    let (mut here, there) = ends.stream().await;
    let writer = tokio::spawn(send(there, LEN, 1));
    within(async {
        while ends.client.stats().unread_bytes < BUDGET {
            tokio::task::yield_now().await;
        }
    })
    .await;
    wire.cut().await;
    detached(&ends.agent).await;
    let _wire = ends.wire();
    // Nothing is read from the new transport, so nothing can be heard on it. That is not the other side's fault.
    tokio::time::sleep(patience * 3).await;
    let received = receive(&mut here, LEN).await;
    assert_eq!(received, writer.await.unwrap());
}
