//! Larger payloads, and the way back when they do not get through (`docs/protocol.md` §10.2).

use std::time::Duration;

use ssm_proto::message::PayloadType;
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, PayloadTrial, SessionState, Side};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const LARGE: usize = 32 << 10;

fn pair(seed: u64) -> Pair {
    let client = Config { larger_payload: Some(LARGE), ..Config::default() };
    let mut pair = Pair::new(client, Config::official_agent(), LinkConfig::with_delay(25 * MS), seed);
    pair.trace = Some(Vec::new());
    pair
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
}

/// Payload sizes of the client's stream data so far.
fn sizes(pair: &Pair) -> Vec<usize> {
    let trace = pair.trace.iter().flatten();
    let ours = trace.filter(|(_, side, message)| *side == Side::Client && message.payload_type == PayloadType::OUTPUT);
    ours.map(|(.., message)| message.payload.len()).collect()
}

fn upload(pair: &mut Pair) {
    let id = pair.open();
    pair.client.write(id, &bytes(200_000), pair.now).unwrap();
    assert_eq!(pair.read_exact(Side::Agent, id, 200_000), bytes(200_000));
}

#[test]
fn a_large_payload_that_gets_through_is_used_from_the_first_byte() {
    let mut pair = pair(1);
    pair.establish();
    assert_eq!(pair.client.stats().payload_trial, PayloadTrial::Accepted);
    assert_eq!(sizes(&pair), [8, LARGE], "a no-op, and many of them");
    upload(&mut pair);
    assert!(sizes(&pair)[2..].iter().filter(|size| **size > LARGE - 100).count() >= 5, "{:?}", sizes(&pair));
    assert_eq!(pair.client.stats().retransmitted, 0);
}

/// The relay drops what is large and says nothing.
#[test]
fn a_large_payload_that_vanishes_is_replaced_under_its_number() {
    let mut pair = pair(2);
    pair.up.drop_above(Some(4096));
    pair.establish();
    assert!(pair.elapsed() < SECOND, "{:?}", pair.elapsed());
    assert_eq!(pair.client.stats().payload_trial, PayloadTrial::Refused);
    assert_eq!(sizes(&pair), [8, LARGE, 8]);
    upload(&mut pair);
    assert!(sizes(&pair)[3..].iter().all(|size| *size <= 1024));
}

/// The relay closes the websocket over it.
#[test]
fn a_large_payload_that_costs_the_websocket_is_replaced_on_the_next() {
    let mut pair = pair(3);
    pair.reconnect(Side::Client);
    pair.reconnect(Side::Agent);
    assert!(pair.run_until(SECOND, |pair| sizes(pair).contains(&LARGE)));
    pair.cut(Side::Client);
    pair.run_for(SECOND);
    pair.reconnect(Side::Client);
    assert!(pair.run_until(SECOND, |pair| pair.client.state() == SessionState::Established));
    assert_eq!(pair.client.stats().payload_trial, PayloadTrial::Refused);
    upload(&mut pair);
    assert_eq!(sizes(&pair).iter().filter(|size| **size > 1024).count(), 1);
}

/// Its acknowledgement alone is lost: the agent has it, and takes the replacement for a copy.
#[test]
fn a_large_payload_whose_acknowledgement_is_lost_does_no_harm() {
    let mut pair = pair(4);
    pair.reconnect(Side::Client);
    pair.reconnect(Side::Agent);
    assert!(pair.run_until(SECOND, |pair| sizes(pair).contains(&LARGE)));
    pair.down.configure(LinkConfig { loss: 1.0, ..LinkConfig::with_delay(25 * MS) });
    pair.run_for(40 * MS);
    pair.down.configure(LinkConfig::with_delay(25 * MS));
    assert!(pair.run_until(5 * SECOND, |pair| pair.client.state() == SessionState::Established));
    assert_eq!(pair.client.stats().payload_trial, PayloadTrial::Refused);
    upload(&mut pair);
}
