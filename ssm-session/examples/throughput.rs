//! Measures a session against itself: both ends in this process, over memory or a websocket on loopback.
//!
//! ```text
//! cargo run --release -p ssm-session --example throughput -- [memory|websocket] [up|down|echo] [PAYLOAD] [MIB] [STREAMS]
//! ```
//! Client and agent share the CPU: run it under `time` to see the seconds of both. 1 024 is the official programs' payload.
//! `echo` sends single bytes there and back instead, and prints how long that takes.

use std::{env, time::Instant};

use futures_util::future::join_all;
use serde_json::json;
use ssm_proto::{AgentProperties, Config, TokenValue};
use ssm_session::{KeepAlive, MuxStream, Session, Transport, WebSocket, memory_pair, websocket_config};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

/// What an application writes at a time.
const CHUNK: usize = 64 * 1024;

const ROUND_TRIPS: usize = 20_000;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let arg = |at: usize, default: &str| args.get(at).cloned().unwrap_or_else(|| default.to_owned());
    let number = |at: usize, default: &str| arg(at, default).parse::<usize>().expect("a number");
    let (kind, direction) = (arg(0, "websocket"), arg(1, "down"));
    let (payload, mib, streams) = (number(2, "32768"), number(3, "1024"), number(4, "1"));

    let client = Session::client(Config { max_payload: payload, ..Config::default() });
    let agent = Session::agent(Config { max_payload: payload, ..Config::fast_agent() }, properties());
    let (near, far) = if kind == "memory" { memory_pair(64) } else { websocket_pair().await };
    client.attach(near, TokenValue::new("token"));
    agent.attach(far, TokenValue::new("token"));
    client.established().await.expect("established");

    if direction == "echo" {
        return echo(&client, &agent).await;
    }
    let each = (mib << 20) / streams;
    let mut transfers = Vec::new();
    for _ in 0..streams {
        let here = client.open_stream().await.expect("a stream");
        let there = agent.accept_stream().await.expect("a stream");
        let (from, to) = if direction == "up" { (here, there) } else { (there, here) };
        transfers.push(async move {
            let send = tokio::spawn(send(from, each));
            receive(to, each).await;
            send.await.expect("the sender");
        });
    }
    let start = Instant::now();
    join_all(transfers).await;
    let took = start.elapsed().as_secs_f64();
    let megabytes = (each * streams) as f64 / 1e6;
    println!("{kind} {direction}, payload {payload}, {streams} streams: {:.0} MB/s", megabytes / took);
    println!("client {:?}", client.stats());
}

async fn echo(client: &Session, agent: &Session) {
    let mut here = client.open_stream().await.expect("a stream");
    let mut there = agent.accept_stream().await.expect("a stream");
    tokio::spawn(async move {
        while let Ok(byte) = there.read_u8().await {
            there.write_u8(byte).await.expect("write");
        }
    });
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        here.write_u8(0).await.expect("write");
        here.read_u8().await.expect("read");
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!("1 byte and back: p50 {:?}, p99 {:?}", times[ROUND_TRIPS / 2], times[ROUND_TRIPS * 99 / 100]);
}

async fn send(mut stream: MuxStream, mut left: usize) -> MuxStream {
    let chunk = vec![7; CHUNK];
    while left > 0 {
        let n = left.min(CHUNK);
        stream.write_all(&chunk[..n]).await.expect("write");
        left -= n;
    }
    stream
}

async fn receive(mut stream: MuxStream, mut left: usize) {
    let mut buffer = vec![0; CHUNK];
    while left > 0 {
        let n = stream.read(&mut buffer).await.expect("read");
        assert!(n > 0, "ended early");
        left -= n;
    }
}

async fn websocket_pair() -> (Transport, Transport) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let near = TcpStream::connect(address).await.expect("a connection");
    let (far, _) = listener.accept().await.expect("a connection");
    near.set_nodelay(true).expect("an option");
    far.set_nodelay(true).expect("an option");
    let near = WebSocketStream::from_raw_socket(near, Role::Client, Some(websocket_config())).await;
    let far = WebSocket::accept_upgraded(far, None).await;
    (Box::pin(WebSocket::new(near, Some(KeepAlive::default()))), Box::pin(far))
}

fn properties() -> AgentProperties {
    AgentProperties {
        agent_version: "3.3.987.0".to_owned(),
        instance_id: "i-0123456789abcdef0".to_owned(),
        session_id: "throughput".to_owned(),
        session_type: "Port".to_owned(),
        properties: json!({ "type": "LocalPortForwarding", "portNumber": "1" }),
    }
}
