//! Paths that break: black holes, half-open connections, an API or a gateway out of reach, answers
//! that come late or never.

use std::pin::pin;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use ssm_session::SessionStatus;
use ssm_sim::{Cut, How, SessionState, Side, SimHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{Client, DEADLINE, Remote, api, resume, sim_call, start, start_session, until};

/// Long enough to show that something does not happen.
const A_WHILE: Duration = Duration::from_millis(300);

fn cut(sim: &SimHandle, side: Side, how: How, for_s: Option<f64>) {
    assert_eq!(sim.cut(&Cut { side, how, session: None, for_s }), 1, "one channel was there");
}

/// A stream on which each byte comes back.
async fn open_echo(client: &Client) -> ssm_session::MuxStream {
    let mut stream = client.session.open_stream().await.unwrap();
    echo(&mut stream).await;
    stream
}

async fn echo(stream: &mut ssm_session::MuxStream) {
    stream.write_all(b"e").await.unwrap();
    assert_eq!(timeout(DEADLINE, stream.read_u8()).await.expect("an echo in time").unwrap(), b'e');
}

#[tokio::test]
async fn what_waits_in_a_black_hole_arrives_when_it_is_over() {
    for side in [Side::Client, Side::Agent] {
        let (sim, remote) = (start().await, Remote::start().await);
        let client = Client::start(&sim, remote.address).await;
        let mut stream = open_echo(&client).await;
        let began = Instant::now();
        cut(&sim, side, How::Blackhole, Some(0.5));
        echo(&mut stream).await;
        assert!(began.elapsed() >= Duration::from_millis(500), "{side:?}: it passed all the same");
        let session = &sim.sessions().sessions[0];
        assert_eq!(session.counters.resumes, 0, "{side:?}: the sockets have stayed");
    }
}

#[tokio::test]
async fn nothing_but_a_new_socket_gets_out_of_a_black_hole_without_an_end() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let mut stream = open_echo(&client).await;
    cut(&sim, Side::Client, How::Blackhole, None);
    stream.write_all(b"e").await.unwrap();
    assert!(timeout(A_WHILE, stream.read_u8()).await.is_err(), "something came through");
    assert!(sim.sessions().sessions[0].client_connected, "the socket is still open");

    let (transport, token) = Client::dial(&resume(&sim, &client.id).await.json()).await.unwrap();
    client.session.attach(transport, token);
    assert_eq!(timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap(), b'e');
}

#[tokio::test]
async fn an_agent_gives_a_black_hole_up_and_comes_back_with_everything() {
    for how in [How::Blackhole, How::HalfOpen] {
        let (sim, remote) = (start().await, Remote::start().await);
        let client = Client::start(&sim, remote.address).await;
        let mut stream = open_echo(&client).await;
        sim.set_faults(&json!({"agent_patience_s": 0.4})).unwrap();
        let began = Instant::now();
        cut(&sim, Side::Agent, how, None);
        echo(&mut stream).await;
        assert!(began.elapsed() >= Duration::from_millis(400), "{how:?}: not by its patience");
    }
}

#[tokio::test]
async fn a_half_open_connection_is_gone_for_the_gateway_only() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let mut stream = open_echo(&client).await;
    let began = Instant::now();
    cut(&sim, Side::Client, How::HalfOpen, Some(0.5));
    until("the gateway to forget it", || sim.sessions().sessions[0].state == SessionState::Disconnected).await;
    let status = client.session.status().borrow().clone();
    let is_early = began.elapsed() < Duration::from_millis(500);
    assert!(!is_early || matches!(status, SessionStatus::Established), "nobody has told the client: {status:?}");
    stream.write_all(b"e").await.unwrap();
    // Then the reset comes: the client's own resume brings the byte.
    assert_eq!(timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap(), b'e');
    assert!(began.elapsed() >= Duration::from_millis(500), "something came through");
    assert_eq!(sim.sessions().sessions[0].counters.resumes, 1);
}

#[tokio::test]
async fn a_silent_gateway_holds_what_is_open_and_what_comes() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let mut stream = open_echo(&client).await;
    let grant = resume(&sim, &client.id).await.json();
    sim.set_faults(&json!({"gateway": "silent"})).unwrap();
    stream.write_all(b"e").await.unwrap();
    assert!(timeout(A_WHILE, stream.read_u8()).await.is_err(), "an open channel goes on");
    assert!(timeout(A_WHILE, Client::dial(&grant)).await.is_err(), "a new channel was opened");
    assert!(resume(&sim, &client.id).await.status.is_success(), "the API is not meant");
    sim.set_faults(&json!({"gateway": "up"})).unwrap();
    assert_eq!(timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap(), b'e');
    assert_eq!(sim.sessions().sessions[0].counters.resumes, 0, "the same socket goes on");
}

#[tokio::test]
async fn a_closed_gateway_cuts_what_is_open_and_lets_nobody_in() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let mut stream = open_echo(&client).await;
    sim.set_faults(&json!({"gateway": "closed"})).unwrap();
    until("the channel to be cut", || !sim.sessions().sessions[0].client_connected).await;
    let grant = resume(&sim, &client.id).await.json();
    assert!(Client::dial(&grant).await.is_err(), "a new channel was opened");
    assert!(sim.sessions().sessions[0].agent_connected, "the agent has another network");
    sim.clear_faults();
    echo(&mut stream).await;
}

/// One API call whose connection may end without an answer.
async fn api_or_nothing(sim: &SimHandle, operation: &str, body: &Value) -> Option<String> {
    let mut stream = TcpStream::connect(sim.address()).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: sim\r\nconnection: close\r\nx-amz-target: AmazonSSM.{operation}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A reset is no answer either.
    let _ = stream.read_to_string(&mut answer).await;
    (!answer.is_empty()).then_some(answer)
}

#[tokio::test]
async fn an_api_out_of_reach_is_silent_or_hangs_up_and_control_still_answers() {
    let (sim, remote) = (start().await, Remote::start().await);
    let describe = json!({"State": "Active"});
    sim_call(&sim, Method::PUT, "/_sim/faults", &json!({"api": "closed"})).await;
    assert_eq!(api_or_nothing(&sim, "DescribeSessions", &describe).await, None);
    sim_call(&sim, Method::PUT, "/_sim/faults", &json!({"api": "silent"})).await;
    let started = start_session(&sim, remote.address);
    let both = async {
        tokio::join!(started, async {
            sleep(A_WHILE).await;
            assert!(sim.sessions().sessions.is_empty(), "the call was let through");
            sim_call(&sim, Method::DELETE, "/_sim/faults", &Value::Null).await;
        })
        .0
    };
    let answer = timeout(DEADLINE, both).await.expect("the call goes on when the path is back");
    assert!(answer.status.is_success(), "{}", answer.text);
    assert_eq!(sim.sessions().sessions.len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_late_was_given_at_once() {
    let (sim, remote) = (start().await, Remote::start().await);
    sim.set_faults(&json!({"start_delay_ms": 400, "resume_delay_ms": 300})).unwrap();
    let began = Instant::now();
    let mut start = pin!(start_session(&sim, remote.address));
    tokio::select! {
        biased;
        () = until("the session", || sim.sessions().sessions.len() == 1) => {}
        _ = &mut start => panic!("only the answer is late"),
    }
    let answer = start.await;
    assert!(began.elapsed() >= Duration::from_millis(400));
    let (began, id) = (Instant::now(), answer.json()["SessionId"].as_str().unwrap().to_owned());
    let mut resumed = pin!(resume(&sim, &id));
    tokio::select! {
        biased;
        _ = api(&sim, "DescribeSessions", json!({"State": "Active"})) => {}
        _ = &mut resumed => panic!("another operation is not meant"),
    }
    assert!(resumed.await.status.is_success());
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_what_it_was_about() {
    let (sim, remote) = (start().await, Remote::start().await);
    sim.set_faults(&json!({"start_lost": 1, "resume_lost": 1})).unwrap();
    let request = json!({
        "Target": ssm_sim::DEFAULT_NODE, "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
        "Parameters": {"host": ["127.0.0.1"], "portNumber": [remote.address.port().to_string()]},
    });
    assert_eq!(api_or_nothing(&sim, "StartSession", &request).await, None);
    let id = sim.sessions().sessions[0].id.clone();
    assert_eq!(api_or_nothing(&sim, "ResumeSession", &json!({ "SessionId": id })).await, None);
    assert!(resume(&sim, &id).await.status.is_success(), "it was lost once");
    let calls = sim.sessions().calls;
    assert!(calls.iter().all(|call| call.result == "ok"), "{calls:?}");
}
