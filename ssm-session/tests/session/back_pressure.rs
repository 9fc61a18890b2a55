//! Slow readers and blocked transports: who waits, and how much is held meanwhile.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use ssm_proto::{Config, TokenValue, WsFrame};
use ssm_session::{Session, memory_pair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Ends, fast_client, receive, send, within};

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
    const LEN: usize = 100_000;
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
    // By hand: an agent whose side of the transport is driven frame by frame.
    let (client_side, mut gateway) = memory_pair(4);
    let (mut agent_gateway, agent_side) = memory_pair(4);
    let client = Session::client(fast_client());
    let agent = Session::agent(Config::fast_agent(), crate::harness::agent_properties());
    client.attach(client_side, TokenValue::new("t"));
    agent.attach(agent_side, TokenValue::new("t"));
    let relay = async {
        loop {
            tokio::select! {
                Some(Ok(frame)) = gateway.next() => agent_gateway.send(frame).await.unwrap(),
                Some(Ok(frame)) = agent_gateway.next() => gateway.send(frame).await.unwrap(),
            }
        }
    };
    let (mut here, mut there) = tokio::select! {
        ends = async {
            let here = client.open_stream().await.unwrap();
            (here, agent.accept_stream().await.unwrap())
        } => ends,
        () = relay => unreachable!(),
    };
    // From now on nothing that the client sends is taken: its transport fills up and blocks.
    let (mut here_in, mut here_out) = tokio::io::split(&mut here);
    let blocked = async {
        let chunk = vec![0; 64 * 1024];
        loop {
            here_out.write_all(&chunk).await.unwrap();
        }
    };
    let one_way = async {
        while let Some(Ok(frame)) = agent_gateway.next().await {
            gateway.send(frame).await.unwrap();
        }
    };
    let heard = async {
        there.write_all(b"still here").await.unwrap();
        let mut heard = [0; 10];
        here_in.read_exact(&mut heard).await.unwrap();
        heard
    };
    let heard = within(async {
        tokio::select! {
            heard = heard => heard,
            () = blocked => unreachable!(),
            () = one_way => unreachable!(),
        }
    })
    .await;
    assert_eq!(&heard, b"still here");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_transport_costs_no_cpu() {
    let (client_side, mut gateway) = memory_pair(1);
    let client = Session::client(Config { initial_rto: Duration::from_millis(10), ..Config::default() });
    client.attach(client_side, TokenValue::new("t"));
    let Some(Ok(WsFrame::Text(_))) = gateway.next().await else { panic!("no open message") };
    // Nothing more comes: the client waits for the handshake, and then ends for lack of it. With time paused a spinning
    // driver would never let it advance.
    let reason = within(client.closed()).await;
    assert!(reason.to_string().contains("handshake"), "{reason}");
}
