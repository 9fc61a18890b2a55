//! Messages that are late, spoilt or no messages at all, and sessions that end at odd moments.

use std::time::{Duration, Instant};

use serde_json::json;
use ssm_proto::{CloseReason, Config};
use ssm_session::{Connect, ConnectError, Network, Session, SigningCredentials, StreamUrl, connect};
use ssm_sim::{Cut, EndReason, How, Side, SimConfig, SimHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{
    Client, DEADLINE, Remote, api, fast, hash, payload, resume, start, start_session, start_with, until,
};

/// An upload and a download whose hashes are compared.
async fn transfers(client: &Client, length: usize) {
    let data = payload(length);
    let both = async {
        let mut upload = client.session.open_stream().await.unwrap();
        upload.write_all(b"u").await.unwrap();
        upload.write_u64(length as u64).await.unwrap();
        upload.write_all(&data).await.unwrap();
        let mut sum = [0; 32];
        upload.read_exact(&mut sum).await.unwrap();
        assert_eq!(sum, hash(&data), "the upload");
        let mut download = client.session.open_stream().await.unwrap();
        download.write_all(b"d").await.unwrap();
        download.write_u64(length as u64).await.unwrap();
        let mut got = vec![0; length];
        download.read_exact(&mut got).await.unwrap();
        assert!(got == data, "the download");
    };
    timeout(DEADLINE, both).await.expect("both transfers in time");
}

#[tokio::test]
async fn spoilt_messages_and_frames_that_are_none_change_no_byte() {
    let (sim, remote) = (start().await, Remote::start().await);
    // Hundreds of messages each way, of which some are hit.
    sim.set_faults(&json!({"agent_payload": 1024})).unwrap();
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"corrupt": 0.05, "garbage": 0.1})).unwrap();
    transfers(&client, 300_000).await;
    let stats = client.session.stats();
    assert!(stats.dropped > 0, "nothing that had to be dropped arrived: {stats:?}");
    until("retransmissions of both sides", || {
        let counters = &sim.sessions().sessions[0].counters;
        counters.up.retransmissions > 0 && counters.down.retransmissions > 0
    })
    .await;
    assert_eq!(sim.sessions().sessions[0].counters.resumes, 0, "no reason to leave the websocket");
}

#[tokio::test]
async fn delay_spikes_hold_messages_up_and_keep_their_order() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"spike": 1.0, "spike_ms": 200})).unwrap();
    let began = Instant::now();
    transfers(&client, 1000).await;
    assert!(began.elapsed() >= Duration::from_millis(800), "two round trips: {:?}", began.elapsed());
    sim.set_faults(&json!({"spike": 0.02, "spike_ms": 50})).unwrap();
    transfers(&client, 300_000).await;
}

#[tokio::test]
async fn slow_acknowledgements_are_overtaken_by_data() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"ack_delay_ms": 2000})).unwrap();
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        let mut stream = client.session.open_stream().await.unwrap();
        stream.write_all(b"e").await.unwrap();
        assert_eq!(timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap(), b'e');
        shortest = shortest.min(began.elapsed());
    }
    assert!(shortest < Duration::from_secs(2), "data waited as well: {shortest:?}");
    // Sent again, because their acknowledgements are not there yet; then those are.
    until("resends", || sim.sessions().sessions[0].counters.up.retransmissions > 0).await;
    until("acknowledgements", || client.session.stats().messages_in_flight == 0).await;
}

#[tokio::test]
async fn a_frame_that_is_too_large_costs_the_websocket_and_nothing_else() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    for side in [Side::Client, Side::Agent] {
        let cut = Cut { side, how: How::Oversized, session: None, for_s: None };
        assert_eq!(sim.cut(&cut), 1);
        transfers(&client, 10_000).await;
    }
    until("the client's resume", || sim.sessions().sessions[0].counters.resumes >= 1).await;
}

/// A session that the client has dialled and not yet opened.
async fn dialled(sim: &SimHandle, remote: &Remote, config: Config) -> Session {
    let grant = start_session(sim, remote.address).await.json();
    let session = Session::client(config);
    let (transport, token) = Client::dial(&grant).await.unwrap();
    session.attach(transport, token);
    session
}

#[tokio::test]
async fn a_session_can_end_before_its_handshake() {
    let (sim, remote) = (start().await, Remote::start().await);
    sim.set_faults(&json!({"close_at_open": 1, "close_output": "Not today."})).unwrap();
    let session = dialled(&sim, &remote, Config::default()).await;
    let CloseReason::ChannelClosed { output } = timeout(DEADLINE, session.closed()).await.unwrap() else {
        panic!("no channel_closed")
    };
    assert_eq!(output, "Not today.");
    assert_eq!(sim.sessions().sessions[0].end_reason, Some(EndReason::Closed));
    Client::start(&sim, remote.address).await;
}

#[tokio::test]
async fn an_agent_may_never_come() {
    let (sim, remote) = (start().await, Remote::start().await);
    sim.set_faults(&json!({"absent_agents": 1})).unwrap();
    let hasty = Config { handshake_timeout: Duration::from_millis(200), ..Config::default() };
    let session = dialled(&sim, &remote, hasty).await;
    let reason = timeout(DEADLINE, session.closed()).await.unwrap();
    assert!(matches!(reason, CloseReason::HandshakeTimeout(_)), "{reason}");
    Client::start(&sim, remote.address).await;
}

#[tokio::test]
async fn one_sessions_worker_dies_alone() {
    let (sim, remote) = (start().await, Remote::start().await);
    let (lost, kept) = (Client::start(&sim, remote.address).await, Client::start(&sim, remote.address).await);
    assert_eq!(sim.kill_worker(&lost.id), 1);
    until("its agent to be gone", || !sim.sessions().sessions[0].agent_connected).await;
    transfers(&kept, 10_000).await;
    assert_eq!(sim.sessions().sessions[0].ended, None, "nobody has told the service");
}

#[tokio::test]
async fn websocket_upgrades_are_refused_with_the_names_of_their_errors() {
    let (sim, remote) = (start().await, Remote::start().await);
    let grant = start_session(&sim, remote.address).await.json();
    sim.set_faults(&json!({"upgrade_refusals": 1})).unwrap();
    let Err(ConnectError::Http { status, .. }) = Client::dial(&grant).await else { panic!("it was let in") };
    assert_eq!(status, 503);
    assert!(Client::dial(&grant).await.is_ok(), "one was refused");

    sim.set_faults(&json!({"expired_credentials": true})).unwrap();
    let url = StreamUrl::parse(grant["StreamUrl"].as_str().unwrap()).unwrap();
    let keys = SigningCredentials::new("AKIDEXAMPLE0000000000", "secret", None::<String>);
    let signing = Some((keys, "us-east-1".to_owned()));
    let signed = Connect { url: &url, signing, network: Network::default(), timeout: DEADLINE };
    match connect(signed).await {
        Err(ConnectError::Http { status: 403, error_type: Some(name), .. }) => {
            assert_eq!(name, "ExpiredTokenException");
        }
        other => panic!("not refused: {:?}", other.map(|_| "let in")),
    }
}

#[tokio::test]
async fn resumes_and_acknowledgements_do_not_keep_a_session_from_being_idle() {
    let (sim, remote) = (start().await, Remote::start().await);
    let id = start_session(&sim, remote.address).await.json()["SessionId"].as_str().unwrap().to_owned();
    sim.set_faults(&json!({"idle_timeout_s": 0.5})).unwrap();
    let resumed = async {
        while resume(&sim, &id).await.status.is_success() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, resumed).await.expect("an end, whatever is resumed");
    assert_eq!(sim.sessions().sessions[0].end_reason, Some(EndReason::Idle));
}

#[tokio::test]
async fn a_known_maximum_duration_is_told_in_minutes() {
    let (sim, remote) = (start().await, Remote::start().await);
    start_session(&sim, remote.address).await;
    let described = async || api(&sim, "DescribeSessions", json!({"State": "Active"})).await.json();
    assert_eq!(described().await["Sessions"][0].get("MaxSessionDuration"), None);
    sim.set_faults(&json!({"max_duration_s": 3600})).unwrap();
    assert_eq!(described().await["Sessions"][0]["MaxSessionDuration"], "60");
}

/// What a run did to its messages; nothing if somebody grew impatient and sent one again, which is a matter of time.
async fn run_of(seed: u64) -> Option<(String, u64, u64)> {
    let sim = start_with(SimConfig { seed: Some(seed), ..fast() }).await;
    let remote = Remote::start().await;
    let client = Client::start(&sim, remote.address).await;
    sim.set_faults(&json!({"duplicate": 0.5})).unwrap();
    // One message after the other: timing has no part in it.
    let mut stream = client.session.open_stream().await.unwrap();
    for turn in 0..=20 {
        if turn == 20 {
            // The last answer comes after all copies, and has none.
            sim.set_faults(&json!({"duplicate": 0})).unwrap();
        }
        stream.write_all(b"e").await.unwrap();
        timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap();
        until("an acknowledgement", || client.session.stats().messages_in_flight == 0).await;
    }
    let in_time = sim.sessions().sessions[0].counters.retransmissions == 0;
    in_time.then(|| (client.id.clone(), client.session.stats().duplicates, sim.seed()))
}

async fn undisturbed_run_of(seed: u64) -> (String, u64, u64) {
    loop {
        if let Some(run) = run_of(seed).await {
            return run;
        }
    }
}

#[tokio::test]
async fn a_seed_repeats_a_run() {
    let first = undisturbed_run_of(77).await;
    assert!(first.1 > 0, "no message was doubled");
    assert_eq!(undisturbed_run_of(77).await, first);
    assert_ne!(undisturbed_run_of(78).await.0, first.0);
}
