//! Each fault at least once, from where a client feels it.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use ssm_proto::{CloseReason, Config, PayloadTrial};
use ssm_sim::{DEFAULT_NODE, EndReason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{Client, DEADLINE, Remote, api, payload, request, resume, start, start_session, until};

/// An echo of `length` bytes on a new stream; how long it took.
async fn echo(client: &Client, length: usize) -> Duration {
    let start = Instant::now();
    let data = payload(length);
    let mut stream = client.session.open_stream().await.unwrap();
    let (mut from, mut to) = tokio::io::split(&mut stream);
    let mut back = vec![0; length + 1];
    let both = async {
        let write = async {
            to.write_all(b"e").await.unwrap();
            to.write_all(&data).await.unwrap();
        };
        tokio::join!(write, from.read_exact(&mut back)).1.unwrap();
    };
    timeout(DEADLINE, both).await.expect("an echo in time");
    assert!(back[1..] == data, "the echo differs");
    start.elapsed()
}

#[tokio::test]
async fn latency_is_one_way_and_jitter_adds() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"latency_ms": 100, "jitter_ms": 20})).unwrap();
    let slow = shortest_echo(&client).await;
    assert!(slow >= Duration::from_millis(200), "{slow:?}");
    assert!(slow < Duration::from_millis(400), "{slow:?}");
    // A bandwidth-delay product on the way, not one message at a time: that would take minutes.
    let bulk = echo(&client, 1 << 20).await;
    assert!(bulk < Duration::from_secs(15), "{bulk:?}");
    sim.clear_faults();
    // What was on its way keeps its delay, and what follows its place behind it.
    echo(&client, 1).await;
    let after = shortest_echo(&client).await;
    assert!(after < Duration::from_millis(200), "{after:?}");
}

/// Of several: a busy machine delays one or the other.
async fn shortest_echo(client: &Client) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        shortest = shortest.min(echo(client, 1).await);
    }
    shortest
}

#[tokio::test]
async fn a_rate_limits_each_direction() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"rate_bytes_per_s": 400_000})).unwrap();
    let mut all = Vec::new();
    for _ in 0..5 {
        let took = echo(&client, 1_000_000).await;
        assert!(took >= Duration::from_millis(2400), "{took:?}");
        all.push(took);
        // Both directions at once: twice that if they shared the rate. A busy machine delays one or the other.
        if took < Duration::from_millis(4800) {
            return;
        }
    }
    panic!("{all:?}");
}

#[tokio::test]
async fn lost_doubled_and_overtaken_messages_change_no_byte() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"drop_acks": 0.05, "duplicate": 0.05, "reorder": 0.05})).unwrap();
    echo(&client, 300_000).await;
    // Their acknowledgements were lost: they come again although they have arrived.
    until("retransmissions", || sim.sessions().sessions[0].counters.retransmissions > 0).await;
}

#[tokio::test]
async fn what_an_absent_client_misses_is_dropped_or_kept() {
    for away in ["drop", "buffer"] {
        let (sim, remote) = (start().await, Remote::start().await);
        sim.set_faults(&json!({"away": away})).unwrap();
        let client = Client::start(&sim, remote.address).await;
        let mut transfer = client.session.open_stream().await.unwrap();
        transfer.write_all(b"d").await.unwrap();
        transfer.write_u64(20_000_000).await.unwrap();
        transfer.read_u8().await.unwrap();
        sim.set_faults(&json!({"resume_refusals": 5})).unwrap();
        sim.cut(&ssm_sim::Cut { side: ssm_sim::Side::Client, how: ssm_sim::How::Reset, session: None, for_s: None });
        let mut data = vec![0; 20_000_000 - 1];
        timeout(DEADLINE, transfer.read_exact(&mut data)).await.unwrap().unwrap();
        assert!(data[..] == payload(20_000_000)[1..], "{away}");
        assert_eq!(sim.faults().resume_refusals, 0);
    }
}

#[tokio::test]
async fn the_websocket_is_recycled_every_few_moments() {
    let (sim, remote) = (start().await, Remote::start().await);
    sim.set_faults(&json!({"close_every_s": 0.2})).unwrap();
    let client = Client::start(&sim, remote.address).await;
    until("three resumes", || sim.sessions().sessions[0].counters.resumes >= 3).await;
    echo(&client, 100_000).await;
}

#[tokio::test]
async fn an_idle_session_ends_and_a_busy_one_does_not() {
    // On a machine that stands still for a second both were idle.
    for _ in 0..5 {
        if idle_ends().await {
            return;
        }
    }
    panic!("busy sessions end as well");
}

/// Whether the busy one of two lived.
async fn idle_ends() -> bool {
    let (sim, remote) = (start().await, Remote::start().await);
    let busy = Config { keep_alive: Some(Duration::from_millis(100)), ..Config::default() };
    let busy = Client::start_with(&sim, remote.address, busy).await;
    let idle = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"idle_timeout_s": 1.0})).unwrap();
    let CloseReason::ChannelClosed { output } = timeout(DEADLINE, idle.session.closed()).await.unwrap() else {
        panic!("no channel_closed")
    };
    assert!(output.contains("inactivity"), "{output}");
    let sessions = sim.sessions().sessions;
    assert_eq!((&sessions[0].id, sessions[1].end_reason), (&busy.id, Some(EndReason::Idle)));
    let gone = resume(&sim, &idle.id).await;
    assert_eq!(gone.error(), "DoesNotExistException");
    sessions[0].end_reason.is_none()
}

#[tokio::test]
async fn a_session_has_a_maximum_duration() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"max_duration_s": 0.3})).unwrap();
    let reason = timeout(DEADLINE, client.session.closed()).await.unwrap();
    assert!(reason.to_string().contains("maximum session duration"), "{reason}");
    assert_eq!(sim.sessions().sessions[0].end_reason, Some(EndReason::MaxDuration));
}

#[tokio::test]
async fn api_faults_count_down_or_stay() {
    let (sim, remote) = (start().await, Remote::start().await);
    let started = start_session(&sim, remote.address).await.json();
    let id = started["SessionId"].as_str().unwrap();
    sim.set_faults(&json!({"start_refusals": 1, "resume_refusals": 2})).unwrap();
    assert_eq!(start_session(&sim, remote.address).await.error(), "InternalServerError");
    assert!(start_session(&sim, remote.address).await.status.is_success());
    for _ in 0..2 {
        let refused = resume(&sim, id).await;
        assert_eq!((refused.error().as_str(), refused.status.as_u16()), ("InternalServerError", 500));
    }
    assert!(resume(&sim, id).await.status.is_success());

    sim.set_faults(&json!({"empty_token": 1})).unwrap();
    assert_eq!(resume(&sim, id).await.json()["TokenValue"], "");
    sim.set_faults(&json!({"throttle": true})).unwrap();
    for _ in 0..3 {
        assert_eq!(api(&sim, "DescribeSessions", json!({"State": "Active"})).await.error(), "ThrottlingException");
    }
    sim.set_faults(&json!({"throttle": false, "expired_credentials": true})).unwrap();
    assert_eq!(resume(&sim, id).await.error(), "ExpiredTokenException");
}

#[tokio::test]
async fn iam_refuses_named_nodes_in_its_own_words() {
    let (sim, remote) = (start().await, Remote::start().await);
    let started = start_session(&sim, remote.address).await.json();
    sim.set_faults(&json!({"access_denied": [DEFAULT_NODE]})).unwrap();
    let denied = start_session(&sim, remote.address).await;
    assert_eq!((denied.error().as_str(), denied.status.as_u16()), ("AccessDeniedException", 400));
    let resource = format!(":123456789012:instance/{DEFAULT_NODE} because");
    for part in
        ["User: arn:aws:iam::", "not authorized to perform: ssm:StartSession on resource: arn:aws:ec2:", &resource]
    {
        assert!(denied.text.contains(part), "{part} is missing in {}", denied.text);
    }
    let denied = resume(&sim, started["SessionId"].as_str().unwrap()).await;
    assert_eq!(denied.error(), "AccessDeniedException");
    assert!(denied.text.contains("ssm:ResumeSession on resource: arn:aws:ssm:"), "{}", denied.text);

    sim.set_faults(&json!({"access_denied": ["i-00000000000000000"]})).unwrap();
    assert!(start_session(&sim, remote.address).await.status.is_success(), "another node is not meant");
}

#[tokio::test]
async fn a_document_can_be_missing_for_a_while() {
    let (sim, remote) = (start().await, Remote::start().await);
    sim.set_faults(&json!({"missing_documents": ["AWS-StartPortForwardingSessionToRemoteHost"]})).unwrap();
    assert_eq!(start_session(&sim, remote.address).await.error(), "InvalidDocument");
    sim.clear_faults();
    assert!(start_session(&sim, remote.address).await.status.is_success());
}

#[tokio::test]
async fn keys_expire_one_by_one() {
    let sim = start().await;
    sim.set_faults(&json!({"expired_keys": ["AKIAOLD"]})).unwrap();
    let call = async |key: &str| {
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/ssm/aws4_request, SignedHeaders=host, Signature=00"
        );
        let headers = [("x-amz-target", "AmazonSSM.DescribeSessions"), ("authorization", signed.as_str())];
        request(&sim, Method::POST, "/", &headers, r#"{"State": "Active"}"#).await
    };
    assert_eq!(call("AKIAOLD").await.error(), "ExpiredTokenException");
    assert!(call("AKIANEW").await.status.is_success());
}

#[tokio::test]
async fn a_node_that_goes_offline_loses_its_agents_and_they_come_back() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"offline": [DEFAULT_NODE]})).unwrap();
    until("the agent to be gone", || !sim.sessions().sessions[0].agent_connected).await;
    assert_eq!(start_session(&sim, remote.address).await.error(), "TargetNotConnected");
    sim.clear_faults();
    echo(&client, 1000).await;
}

#[tokio::test]
async fn an_old_agent_says_so() {
    let (sim, remote) = (start().await, Remote::start().await);
    sim.set_faults(&json!({"agent_version": "3.0.196.0"})).unwrap();
    let grant = start_session(&sim, remote.address).await.json();
    let session = ssm_session::Session::client(Config::default());
    let (transport, token) = Client::dial(&grant).await.unwrap();
    session.attach(transport, token);
    let reason = timeout(DEADLINE, session.closed()).await.unwrap();
    assert!(matches!(reason, CloseReason::MultiplexingUnsupported { .. }), "{reason}");
}

#[tokio::test]
async fn a_message_that_is_too_large_vanishes_or_costs_its_websocket() {
    const LARGE: usize = 32 << 10;
    for (too_large, resumes) in [("drop", 0), ("close", 1)] {
        let (sim, remote) = (start().await, Remote::start().await);
        sim.set_faults(&json!({"max_message_bytes": 4096, "too_large": too_large, "agent_payload": 1024})).unwrap();
        let config = Config { larger_payload: Some(LARGE), ..Config::default() };
        let client = Client::start_with(&sim, remote.address, config).await;
        assert_eq!(client.session.stats().payload_trial, PayloadTrial::Refused, "{too_large}");
        echo(&client, 100_000).await;
        let counters = &sim.sessions().sessions[0].counters;
        assert_eq!(counters.resumes, resumes, "{too_large}");
        assert!(counters.up.bytes > LARGE as u64, "what is not relayed is counted: {too_large}");
    }
}
