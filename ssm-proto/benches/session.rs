//! What a payload costs both sides together, without sockets: written, cut into frames, numbered, encoded, decoded, put in
//! order, acknowledged and read. `cargo bench -p ssm-proto --features testing`.

use std::time::Duration;

use bytes::BytesMut;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, StreamId};

const PAYLOADS: [usize; 2] = [1024, 32 << 10];
/// Streams that take turns.
const STREAMS: [usize; 2] = [1, 64];
/// Room for the headers of stream frames and what makes a message repeatable: no payload is cut in two.
const HEADERS: usize = 24;
/// Between payloads: a session that is far from any limit.
const STEP: Duration = Duration::from_millis(1);

fn main() {
    divan::main();
}

fn pair(payload: usize, streams: usize) -> (Pair, Vec<StreamId>) {
    let config = Config { max_payload: payload, ..Config::default() };
    let mut pair = Pair::new(config, Config::fast_agent(), LinkConfig::default(), 1);
    pair.establish();
    let streams = (0..streams).map(|_| pair.open()).collect();
    (pair, streams)
}

/// Carries `data` from the client to the agent, and the acknowledgements back.
fn carry(pair: &mut Pair, stream: StreamId, data: &[u8], into: &mut BytesMut) {
    pair.now += STEP;
    let now = pair.now;
    let written = pair.client.write(stream, data, now).expect("the stream is open");
    assert_eq!(written, data.len(), "the last payload is gone by now");
    while let Some(frame) = pair.client.poll_transmit(now) {
        pair.agent.handle_frame(frame, now);
    }
    while let Some(frame) = pair.agent.poll_transmit(now) {
        pair.client.handle_frame(frame, now);
    }
    into.clear();
    let _ = black_box(pair.agent.read(stream, into, now));
    while pair.client.poll_event().is_some() || pair.agent.poll_event().is_some() {}
    assert_eq!(into.len(), data.len(), "all of it arrives at once");
}

#[divan::bench(args = PAYLOADS)]
fn upload(bencher: Bencher<'_, '_>, payload: usize) {
    let (mut pair, streams) = pair(payload, 1);
    let data = vec![7; payload - HEADERS];
    let mut into = BytesMut::with_capacity(payload);
    bencher.counter(BytesCount::new(data.len())).bench_local(|| carry(&mut pair, streams[0], &data, &mut into));
}

/// The table of streams: short writes on many streams in turns.
#[divan::bench(args = STREAMS)]
fn queries(bencher: Bencher<'_, '_>, count: usize) {
    let (mut pair, streams) = pair(1024, count);
    let data = [7; 100];
    let mut into = BytesMut::with_capacity(1024);
    let mut turn = 0;
    bencher.counter(BytesCount::new(data.len())).bench_local(|| {
        turn = (turn + 1) % streams.len();
        carry(&mut pair, streams[turn], &data, &mut into);
    });
}
