//! Streams that carry bytes, and how they end.

use std::io::ErrorKind;

use ssm_proto::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Ends, receive, send, within};

// In virtual time, since a machine that stands still for a moment is asked once more.
#[tokio::test(start_paused = true)]
async fn bytes_pass_both_ways_at_once() {
    const LEN: usize = 8 << 20;
    let (ends, _wire) = Ends::fast().await;
    let (here, there) = ends.stream().await;
    let ((here_in, here_out), (there_in, there_out)) = (tokio::io::split(here), tokio::io::split(there));
    let (sent_up, got_up, sent_down, got_down) = within(async {
        tokio::join!(send(here_out, LEN, 1), receive(there_in, LEN), send(there_out, LEN, 2), receive(here_in, LEN))
    })
    .await;
    assert_eq!(sent_up, got_up);
    assert_eq!(sent_down, got_down);
    assert_eq!(ends.client.stats().retransmitted, 0, "nothing was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_run_in_parallel() {
    const LEN: usize = 200_000;
    // The small payloads of the official programs.
    let (ends, _wire) = Ends::connected(Config::default(), Config { max_payload: 1024, ..Config::fast_agent() }).await;
    ends.echo();
    let mut tasks = Vec::new();
    for seed in 0..100 {
        let stream = ends.client.open_stream().await.unwrap();
        tasks.push(tokio::spawn(async move {
            let (read, write) = tokio::io::split(stream);
            let (sent, received) = tokio::join!(send(write, LEN, seed), receive(read, LEN));
            assert_eq!(sent, received, "stream {seed}");
        }));
    }
    for task in tasks {
        within(task).await.unwrap();
    }
    // All closed by their drop, on both sides.
    within(async {
        while ends.agent.stats().streams > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(ends.client.stats().streams, 0);
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_before_anything_is_written() {
    let (ends, _wire) = Ends::fast().await;
    let (mut here, mut there) = ends.stream().await;
    there.write_all(b"220 ready").await.unwrap();
    let mut greeting = [0; 9];
    within(here.read_exact(&mut greeting)).await.unwrap();
    assert_eq!(&greeting, b"220 ready");
}

#[tokio::test]
async fn the_answer_to_a_half_closed_request_arrives_whole() {
    const ANSWER: usize = 3 << 20;
    let (ends, _wire) = Ends::fast().await;
    let (mut here, mut there) = ends.stream().await;
    here.write_all(b"request").await.unwrap();
    here.shutdown().await.unwrap();
    assert_eq!(here.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    let answer = async {
        let mut request = [0; 7];
        there.read_exact(&mut request).await.unwrap();
        // As the agent does: whole close after the answer.
        let sent = send(&mut there, ANSWER, 3).await;
        drop(there);
        sent
    };
    let (sent, received) = within(async { tokio::join!(answer, receive(&mut here, ANSWER)) }).await;
    assert_eq!(sent, received);
    assert_eq!(within(here.read(&mut [0])).await.unwrap(), 0, "no end");
}

#[tokio::test]
async fn a_drop_closes_at_once_behind_what_was_written() {
    let (ends, _wire) = Ends::fast().await;
    let (mut here, mut there) = ends.stream().await;
    here.write_all(b"last words").await.unwrap();
    here.close();
    let mut heard = Vec::new();
    within(there.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, b"last words");
    assert_eq!(there.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_refused_stream_reads_as_a_refused_connection() {
    let (ends, _wire) = Ends::fast().await;
    let (mut here, there) = ends.stream().await;
    let (mut neighbour, mut neighbour_there) = ends.stream().await;
    there.refuse();
    let error = within(here.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(here.write(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // The session and its other streams live.
    neighbour_there.write_all(b"x").await.unwrap();
    assert_eq!(within(neighbour.read_u8()).await.unwrap(), b'x');
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_here() {
    let (ends, _wire) = Ends::connected(Config { max_streams: 2, ..Config::default() }, Config::fast_agent()).await;
    let _first = ends.client.open_stream().await.unwrap();
    let second = ends.client.open_stream().await.unwrap();
    assert!(matches!(ends.client.open_stream().await, Err(ssm_session::SessionError::TooManyStreams(_))));
    drop(second);
    assert!(ends.client.open_stream().await.is_ok());
}

#[tokio::test]
async fn a_cancelled_read_loses_nothing() {
    let (ends, _wire) = Ends::fast().await;
    let (mut here, mut there) = ends.stream().await;
    let mut byte = [0];
    tokio::select! {
        biased;
        _ = here.read(&mut byte) => panic!("nothing was sent yet"),
        () = std::future::ready(()) => {}
    }
    there.write_all(b"ab").await.unwrap();
    assert_eq!(within(here.read_u8()).await.unwrap(), b'a');
    assert_eq!(within(here.read_u8()).await.unwrap(), b'b');
}
