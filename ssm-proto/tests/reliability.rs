//! Order, duplicates, acknowledgements and resends over a bad path (`docs/protocol.md` §4).

use std::time::Duration;

use bytes::Bytes;
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType, PayloadType};
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, Side, StreamId, WsFrame};

const SECOND: Duration = Duration::from_secs(1);
const DELAY: LinkConfig = LinkConfig::with_delay(Duration::from_millis(10));

fn pair(agent: Config, seed: u64) -> Pair {
    let mut pair = Pair::new(Config::default(), agent, DELAY, seed);
    pair.establish();
    pair
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
}

fn transfer(pair: &mut Pair, from: Side, to: Side, id: StreamId, data: &[u8]) {
    let (mut written, mut received) = (0, Vec::new());
    let complete = pair.run_until(3600 * SECOND, |pair| {
        let now = pair.now;
        written += pair.side(from).write(id, &data[written..], now).unwrap();
        pair.read_available(to, id, &mut received);
        received.len() >= data.len()
    });
    assert!(complete, "{from:?}: {} of {} bytes after {:?}", received.len(), data.len(), pair.elapsed());
    assert!(received == data, "{from:?}: bytes differ");
}

#[test]
fn bad_paths_deliver_every_byte_in_order() {
    for (loss, duplicate, reorder) in [(0.1, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.3), (0.1, 0.1, 0.1)] {
        for agent in [Config::official_agent(), Config::fast_agent()] {
            for seed in 0..3 {
                let mut pair = pair(agent.clone(), seed);
                let link = LinkConfig { loss, duplicate, reorder, jitter: Duration::from_millis(5), ..DELAY };
                pair.up.configure(link);
                pair.down.configure(link);
                let id = pair.open();
                transfer(&mut pair, Side::Client, Side::Agent, id, &bytes(100_000));
                transfer(&mut pair, Side::Agent, Side::Client, id, &bytes(50_000));
            }
        }
    }
}

/// The duplicate trap, §4.4: acknowledgements of the client are lost, the agent repeats its head. A client that stays silent
/// on duplicates, as the official one does, hangs here for ever.
#[test]
fn lost_acknowledgements_of_duplicates_are_repeated() {
    let mut pair = pair(Config::official_agent(), 1);
    let id = pair.open();
    pair.up.configure(LinkConfig { loss: 1.0, ..DELAY });
    pair.write_all(Side::Agent, id, &bytes(5000));
    assert_eq!(pair.read_exact(Side::Client, id, 5000), bytes(5000));
    assert_eq!(pair.agent.stats().messages_in_flight, 5, "no acknowledgement has arrived");
    pair.up.configure(DELAY);
    assert!(pair.run_until(5 * SECOND, |pair| pair.agent.stats().messages_in_flight == 0));
    // The first duplicate frees the other four as well (§7.5).
    assert_eq!(pair.client.stats().duplicates, 1, "{:?}", pair.client.stats());
}

/// Slow recovery by head-only resends, §4.2: the agent repairs one message a tick and sends new ones meanwhile. What comes
/// behind the gap must be kept and acknowledged, or it would have to be repaired as well.
#[test]
fn what_arrives_behind_a_gap_is_kept_while_the_agent_repairs_it() {
    let mut pair = pair(Config::official_agent(), 2);
    let id = pair.open();
    let data = bytes(2_000_000);
    pair.down.configure(LinkConfig { loss: 1.0, ..DELAY });
    let first = pair.agent.write(id, &data, pair.now).unwrap();
    pair.run_for(Duration::from_millis(50));
    pair.down.configure(DELAY);
    let mut written = first;
    let mut received = Vec::new();
    let start = pair.now;
    let mut widest = 0;
    assert!(pair.run_until(600 * SECOND, |pair| {
        written += pair.agent.write(id, &data[written..], pair.now).unwrap();
        pair.read_available(Side::Client, id, &mut received);
        widest = widest.max(pair.client.stats().reorder_bytes);
        received.len() == data.len()
    }));
    assert!(received == data);
    let lost = pair.down.lost();
    assert!(widest > 500_000 && pair.client.stats().refused == 0, "kept {widest} bytes behind the gap");
    let bound = Duration::from_millis(100) * u32::try_from(lost + 5).unwrap();
    assert!(pair.now - start < bound.max(4 * SECOND), "{lost} lost, {:?}", pair.now - start);
}

/// Our own resends: everything that was lost, within about one timeout, not one message a tick.
#[test]
fn our_losses_are_repaired_together() {
    let mut pair = pair(Config::official_agent(), 3);
    let id = pair.open();
    pair.write_all(Side::Client, id, &bytes(1000));
    pair.run_for(SECOND);
    pair.up.configure(LinkConfig { loss: 1.0, ..DELAY });
    pair.write_all(Side::Client, id, &bytes(200_000));
    pair.run_for(Duration::from_millis(20));
    pair.up.configure(DELAY);
    let start = pair.now;
    pair.read_exact(Side::Agent, id, 201_000);
    assert!(pair.now - start < Duration::from_millis(700), "{:?}", pair.now - start);
}

/// The same for messages sent one after the other, with nothing behind them whose acknowledgement would tell of the loss:
/// waiting for each one's own timeout would take a doubled timeout for every message.
#[test]
fn a_lost_tail_is_repaired_in_a_few_round_trips() {
    let mut pair = pair(Config::fast_agent(), 9);
    let id = pair.open();
    pair.write_all(Side::Client, id, &bytes(1000));
    pair.read_exact(Side::Agent, id, 1000);
    pair.run_for(SECOND);
    pair.up.configure(LinkConfig { loss: 1.0, ..DELAY });
    for _ in 0..300 {
        pair.write_all(Side::Client, id, &bytes(1000));
        pair.run_for(Duration::from_millis(1));
    }
    pair.up.configure(DELAY);
    let start = pair.now;
    pair.read_exact(Side::Agent, id, 300_000);
    assert!(pair.now - start < SECOND, "{:?}", pair.now - start);
}

/// A window that fills a slow path must not look like loss (§4.7): no resends while acknowledgements are merely late.
#[test]
fn a_slow_path_causes_no_resends() {
    let mut pair = pair(Config::fast_agent(), 4);
    let id = pair.open();
    for delay in (10..800).step_by(10) {
        pair.up.configure(LinkConfig { delay: Duration::from_millis(delay), ..DELAY });
        pair.write_all(Side::Client, id, &bytes(20_000));
        pair.read_exact(Side::Agent, id, 20_000);
    }
    assert_eq!(pair.client.stats().retransmitted, 0);
}

#[test]
fn in_flight_data_is_bounded() {
    let mut pair = pair(Config::fast_agent(), 5);
    let id = pair.open();
    pair.up.configure(LinkConfig { loss: 1.0, ..DELAY });
    for _ in 0..10_000 {
        let _ = pair.client.write(id, &[0; 4096], pair.now).unwrap();
        while let Some(frame) = pair.client.poll_transmit(pair.now) {
            pair.up.send(frame, pair.now);
        }
    }
    let stats = pair.client.stats();
    assert!(stats.bytes_in_flight < Config::default().max_in_flight_bytes + 4096, "{stats:?}");
}

fn publication(message_type: MessageType) -> WsFrame {
    let id = MessageId::from_random_bytes([9; 16]);
    WsFrame::Binary(ClientMessage::unsequenced(message_type, Flags::NONE, id, 1, Bytes::from_static(b" ")).encode())
}

/// §4.6: a pause holds stream data and resends, never acknowledgements; start, stream data, an acknowledgement or time end it.
#[test]
fn a_pause_holds_data_and_ends() {
    for end in 0..4 {
        let mut pair = pair(Config::fast_agent(), 6);
        let id = pair.open();
        pair.run_for(SECOND);
        pair.client.handle_frame(publication(MessageType::PausePublication), pair.now);
        pair.write_all(Side::Client, id, b"held");
        pair.run_for(SECOND);
        assert!(pair.read_available(Side::Agent, id, &mut Vec::new()).is_none());
        let mut held = Vec::new();
        match end {
            0 => pair.client.handle_frame(publication(MessageType::StartPublication), pair.now),
            1 => {
                pair.write_all(Side::Agent, id, b"data");
                assert_eq!(pair.read_exact(Side::Client, id, 4), b"data");
            }
            2 => pair.client.handle_disconnect(pair.now),
            _ => pair.run_for(Config::default().pause_limit),
        }
        if end == 2 {
            pair.reconnect(Side::Client);
        }
        pair.run_for(SECOND / 2);
        pair.read_available(Side::Agent, id, &mut held);
        assert_eq!(held, b"held", "end {end}");
    }
}

/// §11: what is no message is dropped without an acknowledgement, and a later correct copy works.
#[test]
fn garbage_is_dropped_and_counted() {
    let mut pair = pair(Config::fast_agent(), 7);
    let id = pair.open();
    let mut rng = fastrand::Rng::with_seed(7);
    for len in (0..200).chain([1024, 65_536]) {
        let garbage: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
        for side in [Side::Client, Side::Agent] {
            let now = pair.now;
            pair.side(side).handle_frame(WsFrame::Binary(garbage.clone().into()), now);
            pair.side(side).handle_frame(WsFrame::Text(String::from_utf8_lossy(&garbage).into()), now);
        }
    }
    assert_eq!(pair.client.stats().dropped, 404);
    transfer(&mut pair, Side::Client, Side::Agent, id, &bytes(5000));
    transfer(&mut pair, Side::Agent, Side::Client, id, &bytes(5000));
}

/// §11: bad numbers, types and acknowledgements are acknowledged or ignored, and never an end.
#[test]
fn odd_messages_have_no_effect() {
    let mut pair = pair(Config::fast_agent(), 8);
    let id = pair.open();
    pair.run_for(SECOND);
    let base = ClientMessage::unsequenced(
        MessageType::OutputStreamData,
        Flags::NONE,
        MessageId::from_random_bytes([1; 16]),
        1,
        Bytes::from_static(b"odd"),
    );
    let next = pair.client.stats().expected_sequence;
    let acks = pair.client.stats().acks_out;
    let message = |sequence, kind| ClientMessage { sequence, payload_type: PayloadType(kind), ..base.clone() };
    for odd in [
        message(next + 1_000_000_000, 1),
        message(i64::MAX, 1),
        ClientMessage { message_type: MessageType::Other("new_thing".into()), ..base.clone() },
        ClientMessage { message_type: MessageType::InputStreamData, ..base.clone() },
        ClientMessage { message_type: MessageType::Acknowledge, ..base.clone() },
        ClientMessage {
            message_type: MessageType::Acknowledge,
            payload: Bytes::from_static(
                br#"{"AcknowledgedMessageType":"input_stream_data","AcknowledgedMessageId":"x","AcknowledgedMessageSequenceNumber":-9223372036854775808,"IsSequentialMessage":true}"#,
            ),
            ..base.clone()
        },
    ] {
        pair.client.handle_frame(WsFrame::Binary(odd.encode()), pair.now);
    }
    pair.run_for(SECOND);
    assert_eq!(pair.client.stats().acks_out, acks, "none of these is acknowledged");
    for odd in [message(-1, 1), message(i64::MIN, 1), message(0, 1)] {
        pair.client.handle_frame(WsFrame::Binary(odd.encode()), pair.now);
    }
    pair.run_for(SECOND);
    let newer = u64::try_from(next).unwrap();
    assert_eq!(pair.client.stats().acks_out, acks + 3 + newer, "old numbers again, and once all that is newer");
    transfer(&mut pair, Side::Client, Side::Agent, id, &bytes(5000));
}
