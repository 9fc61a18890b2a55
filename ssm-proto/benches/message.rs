//! What one message costs by itself: its digest, writing it and reading it. `cargo bench -p ssm-proto`.

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use ring::digest::{SHA256, digest};
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType, PayloadType, SCHEMA_VERSION};

/// The official programs' payload, and the largest that we send.
const PAYLOADS: [usize; 2] = [1024, 32 << 10];

fn main() {
    divan::main();
}

fn message(payload: usize) -> ClientMessage {
    ClientMessage {
        message_type: MessageType::InputStreamData,
        schema_version: SCHEMA_VERSION,
        created_ms: 1_700_000_000_000,
        sequence: 7,
        flags: Flags::NONE,
        id: MessageId::from_random_bytes([7; 16]),
        payload_type: PayloadType::OUTPUT,
        payload: Bytes::from(vec![7; payload]),
    }
}

/// SHA-256 of the payload, part of both of the others.
#[divan::bench(args = PAYLOADS)]
fn digest_of(bencher: Bencher<'_, '_>, payload: usize) {
    let bytes = vec![7; payload];
    bencher.counter(BytesCount::new(payload)).bench_local(|| digest(&SHA256, black_box(&bytes)));
}

#[divan::bench(args = PAYLOADS)]
fn encode(bencher: Bencher<'_, '_>, payload: usize) {
    let message = message(payload);
    bencher.counter(BytesCount::new(payload)).bench_local(|| black_box(&message).encode());
}

#[divan::bench(args = PAYLOADS)]
fn decode(bencher: Bencher<'_, '_>, payload: usize) {
    let frame = message(payload).encode();
    bencher.counter(BytesCount::new(payload)).bench_local(|| ClientMessage::decode(black_box(&frame)));
}
