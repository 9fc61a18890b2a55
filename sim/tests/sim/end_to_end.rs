//! Bytes through client, gateway and built-in agent to real TCP, and what survives.

use std::io::ErrorKind;

use serde_json::json;
use ssm_proto::CloseReason;
use ssm_session::{MuxStream, SessionStatus};
use ssm_sim::{AgentKind, AgentPace, Cut, EndReason, How, SessionState, Side, SimConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::support::{Client, DEADLINE, Remote, api, fast, hash, payload, start, start_with, until};

const MIB: usize = 1 << 20;

async fn echo(stream: &mut MuxStream, data: &[u8]) {
    let mut back = vec![0; data.len()];
    let echoing = async {
        stream.write_all(data).await.unwrap();
        stream.read_exact(&mut back).await.unwrap();
    };
    timeout(DEADLINE, echoing).await.expect("an echo in time");
    assert_eq!(back, data);
}

async fn download(client: &Client, length: usize, midway: impl AsyncFnOnce()) {
    let mut stream = client.session.open_stream().await.unwrap();
    stream.write_all(b"d").await.unwrap();
    stream.write_u64(length as u64).await.unwrap();
    let mut data = vec![0; length];
    let (first, rest) = data.split_at_mut(length / 3);
    stream.read_exact(first).await.unwrap();
    midway().await;
    stream.read_exact(rest).await.unwrap();
    assert_eq!(hash(&data), hash(&payload(length)));
}

async fn upload(client: &Client, length: usize, midway: impl AsyncFnOnce()) {
    let mut stream = client.session.open_stream().await.unwrap();
    let data = payload(length);
    stream.write_all(b"u").await.unwrap();
    stream.write_u64(length as u64).await.unwrap();
    stream.write_all(&data[..length / 3]).await.unwrap();
    midway().await;
    stream.write_all(&data[length / 3..]).await.unwrap();
    let mut answer = [0; 32];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, hash(&data));
}

#[tokio::test]
async fn an_echo_goes_through_at_either_pace() {
    for pace in [AgentPace::Fast, AgentPace::Real] {
        let sim = start_with(SimConfig { agent: AgentKind::BuiltIn(pace), ..fast() }).await;
        let remote = Remote::start().await;
        let client = Client::start(&sim, remote.address).await;
        let mut stream = client.session.open_stream().await.unwrap();
        echo(&mut stream, b"e and more").await;
        echo(&mut stream, &payload(50_000)).await;
    }
}

#[tokio::test]
async fn a_node_itself_is_reached_without_a_host() {
    let (sim, remote) = (start().await, Remote::start().await);
    let request = json!({"Target": ssm_sim::DEFAULT_NODE, "DocumentName": "AWS-StartPortForwardingSession",
                         "Parameters": {"portNumber": [remote.address.port().to_string()]}});
    let grant = api(&sim, "StartSession", request).await.json();
    let session = ssm_session::Session::client(ssm_proto::Config::default());
    let (transport, token) = Client::dial(&grant).await.unwrap();
    session.attach(transport, token);
    let mut stream = session.open_stream().await.unwrap();
    echo(&mut stream, b"echo").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_survives_a_cut_of_either_side_in_either_way() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    for (side, how) in
        [(Side::Client, How::Bye), (Side::Client, How::Reset), (Side::Agent, How::Bye), (Side::Agent, How::Reset)]
    {
        let cut = async || {
            let hit = sim.cut(&Cut { side, how, session: Some(client.id.clone()), for_s: None });
            assert_eq!(hit, 1, "{side:?} {how:?}");
        };
        timeout(DEADLINE, download(&client, 12 * MIB, cut))
            .await
            .unwrap_or_else(|_| panic!("download {side:?} {how:?}"));
        timeout(DEADLINE, upload(&client, 12 * MIB, cut)).await.unwrap_or_else(|_| panic!("upload {side:?} {how:?}"));
    }
    assert_eq!(sim.sessions().sessions[0].counters.resumes, 8);
}

#[tokio::test]
async fn the_client_hears_the_code_of_a_bye() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let mut status = client.session.status();
    sim.cut(&Cut { side: Side::Client, how: How::Bye, session: None, for_s: None });
    let lost = timeout(DEADLINE, status.wait_for(|status| matches!(status, SessionStatus::Detached { .. })));
    let SessionStatus::Detached { reason } = lost.await.unwrap().unwrap().clone() else { unreachable!() };
    assert!(reason.to_string().contains("1000") && reason.to_string().contains("Bye"), "{reason}");
}

#[tokio::test]
async fn a_black_hole_passes_nothing_until_it_is_over() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let mut stream = client.session.open_stream().await.unwrap();
    echo(&mut stream, b"echo").await;
    let start = std::time::Instant::now();
    sim.cut(&Cut { side: Side::Client, how: How::Blackhole, session: None, for_s: Some(0.5) });
    timeout(DEADLINE, echo(&mut stream, b"through the hole")).await.unwrap();
    assert!(start.elapsed().as_millis() >= 400, "it passed after {:?}", start.elapsed());
    assert_eq!(sim.sessions().sessions[0].counters.resumes, 0, "the connection stays");
}

#[tokio::test]
async fn a_refused_dial_is_told_and_the_session_lives() {
    let sim = start().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let client = Client::start(&sim, address).await;
    let mut stream = client.session.open_stream().await.unwrap();
    let refused = timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let listener = TcpListener::bind(address).await.unwrap();
    let _second = client.session.open_stream().await.unwrap();
    timeout(DEADLINE, listener.accept()).await.expect("the next dial works").unwrap();
}

#[tokio::test]
async fn an_unknown_host_ends_the_session_with_the_reason() {
    let sim = start().await;
    let request = json!({"Target": ssm_sim::DEFAULT_NODE, "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
                         "Parameters": {"portNumber": ["80"], "host": ["169.254.169.254"]}});
    let grant = api(&sim, "StartSession", request).await.json();
    let session = ssm_session::Session::client(ssm_proto::Config::default());
    let (transport, token) = Client::dial(&grant).await.unwrap();
    session.attach(transport, token);
    match timeout(DEADLINE, session.closed()).await.unwrap() {
        CloseReason::ChannelClosed { output } => {
            assert_eq!(output, "Forwarding to IP address 169.254.169.254 is forbidden.");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn terminating_in_the_session_ends_it_everywhere() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    client.session.terminate().await;
    until("the session to end", || sim.sessions().sessions[0].state == SessionState::Terminated).await;
    assert_eq!(sim.sessions().sessions[0].end_reason, Some(EndReason::AgentCompleted));
}

#[tokio::test]
async fn terminate_session_closes_the_channel_and_the_target_connection() {
    let sim = start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::start(&sim, listener.local_addr().unwrap()).await;
    let mut stream = client.session.open_stream().await.unwrap();
    let (mut target, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    api(&sim, "TerminateSession", json!({"SessionId": client.id})).await;
    assert!(matches!(client.session.closed().await, CloseReason::ChannelClosed { .. }));
    let reset = timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    // EOF or reset: closed it is.
    assert!(!matches!(timeout(DEADLINE, target.read(&mut [0; 1])).await.unwrap(), Ok(1..)));
}

#[tokio::test]
async fn a_closed_stream_closes_the_target_connection_completely() {
    let sim = start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::start(&sim, listener.local_addr().unwrap()).await;
    let mut stream = client.session.open_stream().await.unwrap();
    stream.write_all(b"last words").await.unwrap();
    let (mut target, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    stream.close();
    let mut said = Vec::new();
    timeout(DEADLINE, target.read_to_end(&mut said)).await.unwrap().unwrap();
    assert_eq!(said, b"last words");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_share_a_session() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let mut echoes = tokio::task::JoinSet::new();
    for number in 0..50 {
        let session = client.session.clone();
        echoes.spawn(async move {
            let mut stream = session.open_stream().await.unwrap();
            echo(&mut stream, b"e").await;
            echo(&mut stream, &payload(20_000 + number)).await;
        });
    }
    timeout(DEADLINE, echoes.join_all()).await.expect("all echoes in time");
}
