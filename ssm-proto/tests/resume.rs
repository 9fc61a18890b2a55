//! A lost websocket: what survives, how fast, and how the end is known (`docs/protocol.md` §7).

use std::time::Duration;

use bytes::Bytes;
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType};
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{CloseReason, Config, Event, Read, SessionState, Side, StreamError, TokenValue, WsFrame};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const DELAY: LinkConfig = LinkConfig::with_delay(Duration::from_millis(10));

fn pair(agent: Config, seed: u64) -> Pair {
    let mut pair = Pair::new(Config::default(), agent, DELAY, seed);
    pair.establish();
    pair
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
}

/// Cuts of either side, in the middle of a transfer in either direction, with either agent: every byte arrives, once.
#[test]
fn transfers_live_through_cuts_of_either_side() {
    for agent in [Config::official_agent(), Config::fast_agent()] {
        for cut in [Side::Client, Side::Agent] {
            for (from, to) in [(Side::Client, Side::Agent), (Side::Agent, Side::Client)] {
                let mut pair = pair(agent.clone(), 1);
                let id = pair.open();
                let data = bytes(300_000);
                let (mut written, mut received) = (0, Vec::new());
                let mut cuts = 0;
                let complete = pair.run_until(3600 * SECOND, |pair| {
                    let now = pair.now;
                    written += pair.side(from).write(id, &data[written..], now).unwrap();
                    pair.read_available(to, id, &mut received);
                    if received.len() > data.len() * (cuts + 1) / 4 && cuts < 3 {
                        cuts += 1;
                        pair.cut(cut);
                        pair.run_for(300 * MS);
                        pair.reconnect(cut);
                    }
                    received.len() >= data.len()
                });
                assert!(complete && cuts >= 2, "{cut:?} {from:?}: {} bytes, {cuts} cuts", received.len());
                assert!(received == data, "{cut:?} {from:?}: bytes differ");
            }
        }
    }
}

/// Slow recovery by head-only resends, §7.5: our side sends everything unacknowledged at once, so an upload goes on within
/// a round trip and not after n ticks.
#[test]
fn an_upload_continues_within_a_round_trip() {
    let mut pair = pair(Config::official_agent(), 2);
    let id = pair.open();
    pair.run_for(SECOND);
    for outage in [50 * MS, SECOND, 60 * SECOND] {
        let before = pair.client.stats().retransmitted;
        pair.write_all(Side::Client, id, &bytes(50_000));
        pair.cut(Side::Client);
        pair.run_for(outage);
        pair.reconnect(Side::Client);
        let start = pair.now;
        assert_eq!(pair.read_exact(Side::Agent, id, 50_000), bytes(50_000));
        assert!(pair.now - start <= 15 * MS, "{:?} after {outage:?}", pair.now - start);
        assert!(pair.client.stats().retransmitted - before >= 45);
        pair.run_for(SECOND);
    }
}

/// §7.5: acknowledgements that died with the websocket are repeated first, which frees the agent's head at once.
#[test]
fn the_recent_past_is_acknowledged_again() {
    let mut pair = pair(Config::official_agent(), 3);
    let id = pair.open();
    pair.up.configure(LinkConfig { loss: 1.0, ..DELAY });
    pair.write_all(Side::Agent, id, &bytes(20_000));
    pair.read_exact(Side::Client, id, 20_000);
    pair.cut(Side::Client);
    pair.up.configure(DELAY);
    let waiting = pair.agent.stats().messages_in_flight;
    assert!(waiting >= 20, "{waiting}");
    pair.reconnect(Side::Client);
    pair.run_for(20 * MS);
    assert_eq!(pair.agent.stats().messages_in_flight, 0, "without waiting for {waiting} ticks");
}

/// §7.5: a cut on the agent's side is not told to us. Its first resend of what we have is, and frees the rest of it.
#[test]
fn a_duplicate_frees_all_whose_acknowledgements_were_lost() {
    let mut pair = pair(Config::official_agent(), 5);
    let id = pair.open();
    pair.up.configure(LinkConfig { loss: 1.0, ..DELAY });
    pair.write_all(Side::Agent, id, &bytes(50_000));
    pair.read_exact(Side::Client, id, 50_000);
    pair.cut(Side::Agent);
    pair.up.configure(DELAY);
    let waiting = pair.agent.stats().messages_in_flight;
    assert!(waiting >= 40, "{waiting}");
    pair.reconnect(Side::Agent);
    pair.run_for(300 * MS);
    assert_eq!(pair.agent.stats().messages_in_flight, 0, "without waiting for {waiting} ticks");
}

#[test]
fn streams_freeze_and_writes_wait_while_the_websocket_is_away() {
    let mut pair = pair(Config::fast_agent(), 4);
    let id = pair.open();
    pair.cut(Side::Client);
    assert_eq!(pair.client.state(), SessionState::Detached);
    let taken = pair.client.write(id, &bytes(1 << 20), pair.now).unwrap();
    assert_eq!(taken, Config::default().stream_send_buffer);
    let new = pair.client.open_stream(pair.now).unwrap();
    assert_eq!(pair.client.read(id, &mut Vec::new(), pair.now), Ok(Read::Pending));
    pair.run_for(600 * SECOND);
    pair.client_events.clear();
    pair.reconnect(Side::Client);
    assert_eq!(pair.read_exact(Side::Agent, id, taken).len(), taken);
    pair.run_for(SECOND);
    assert_eq!(pair.client_events.iter().filter(|event| **event == Event::Resumed).count(), 1);
    assert_eq!(pair.agent.accept_stream(), Some(new));
}

/// §7.6: a dead session opens and stays silent, even one that has nothing of its own to resend.
#[test]
fn an_idle_session_that_never_answers_again_is_given_up() {
    let mut pair = pair(Config::fast_agent(), 5);
    let id = pair.open();
    pair.run_for(SECOND);
    pair.cut(Side::Client);
    pair.cut(Side::Agent); // the agent's worker is gone for good
    pair.reconnect(Side::Client);
    pair.run_for(119 * SECOND);
    assert_eq!(pair.client.state(), SessionState::Established);
    pair.run_for(2 * SECOND);
    assert_eq!(pair.client_events.back(), Some(&Event::Closed(CloseReason::Unresponsive(120))));
    assert_eq!(
        pair.client.read(id, &mut Vec::new(), pair.now),
        Err(StreamError::SessionClosed(CloseReason::Unresponsive(120)))
    );
}

/// A reader that stands still makes a resumed session deaf; that is not the agent's silence.
#[test]
fn a_session_resumed_before_a_stalled_reader_is_not_given_up() {
    let mut pair = pair(Config::fast_agent(), 8);
    let id = pair.open();
    let data = bytes(8 << 20);
    let mut written = 0;
    while pair.client.wants_input() {
        written += pair.agent.write(id, &data[written..], pair.now).unwrap();
        pair.step();
    }
    pair.cut(Side::Client);
    pair.reconnect(Side::Client);
    pair.run_for(1000 * SECOND);
    assert_eq!(pair.client.state(), SessionState::Established);
    let mut received = Vec::new();
    assert!(pair.run_until(100 * SECOND, |pair| {
        written += pair.agent.write(id, &data[written..], pair.now).unwrap();
        pair.read_available(Side::Client, id, &mut received);
        received.len() == data.len()
    }));
    assert!(received == data);
}

#[test]
fn an_idle_session_shows_life_after_a_resume() {
    let mut pair = pair(Config::official_agent(), 6);
    pair.run_for(SECOND);
    pair.cut(Side::Client);
    pair.client_events.clear();
    pair.reconnect(Side::Client);
    pair.run_for(SECOND);
    assert_eq!(pair.client_events, [Event::Resumed]);
}

/// `channel_closed` ends the session with the service's text; what had arrived can still be read.
#[test]
fn channel_closed_ends_the_session_with_its_text() {
    for (payload, output) in [
        (r#"{"Output":"Your session timed out due to inactivity"}"#, "Your session timed out due to inactivity"),
        ("not json", ""),
    ] {
        let mut pair = pair(Config::fast_agent(), 7);
        let id = pair.open();
        pair.write_all(Side::Agent, id, b"last words");
        pair.run_for(SECOND);
        let closed = ClientMessage::unsequenced(
            MessageType::ChannelClosed,
            Flags::NONE,
            MessageId::from_random_bytes([2; 16]),
            1,
            Bytes::copy_from_slice(payload.as_bytes()),
        );
        pair.client.handle_frame(WsFrame::Binary(closed.encode()), pair.now);
        let reason = CloseReason::ChannelClosed { output: output.into() };
        let mut data = Vec::new();
        let end = pair.read_available(Side::Client, id, &mut data);
        assert_eq!((data.as_slice(), end), (&b"last words"[..], Some(Err(StreamError::SessionClosed(reason.clone())))));
        assert_eq!(pair.client.write(id, b"x", pair.now), Err(StreamError::SessionClosed(reason.clone())));
        pair.run_for(SECOND);
        assert_eq!(pair.client_events.back(), Some(&Event::Closed(reason)));
        assert_eq!(pair.client.poll_timeout(), None);
    }
}

/// Everything that either side has to say at this moment.
fn exchange(pair: &mut Pair) {
    loop {
        let to_agent: Vec<_> = std::iter::from_fn(|| pair.client.poll_transmit(pair.now)).collect();
        for frame in &to_agent {
            pair.agent.handle_frame(frame.clone(), pair.now);
        }
        let to_client: Vec<_> = std::iter::from_fn(|| pair.agent.poll_transmit(pair.now)).collect();
        for frame in &to_client {
            pair.client.handle_frame(frame.clone(), pair.now);
        }
        if to_agent.is_empty() && to_client.is_empty() {
            return;
        }
    }
}

/// docs/protocol.md §7.4: the agent's websocket dies between a message and its acknowledgement, again and again.
fn uploaded(repeatable: bool) -> Vec<u8> {
    let client = Config { repeatable, ..Config::default() };
    let mut pair = Pair::new(client, Config::fast_agent(), DELAY, 11);
    pair.establish();
    let id = pair.open();
    pair.run_for(SECOND);
    let mut got = Vec::new();
    for (round, chunk) in bytes(100_000).chunks(2500).enumerate() {
        assert_eq!(pair.client.write(id, chunk, pair.now), Ok(chunk.len()));
        for _ in 0..=round % 3 {
            let frame = pair.client.poll_transmit(pair.now).expect("three messages of data");
            pair.agent.handle_frame(frame, pair.now);
        }
        pair.agent.handle_disconnect(pair.now);
        pair.agent.handle_connect(TokenValue::new("again".to_owned()), pair.now);
        exchange(&mut pair);
        // The client's resend timeout: now it comes a second time.
        pair.now += 20 * SECOND;
        pair.client.handle_timeout(pair.now);
        pair.agent.handle_timeout(pair.now);
        exchange(&mut pair);
        while let Ok(Read::Data(_)) = pair.agent.read(id, &mut got, pair.now) {}
    }
    got
}

#[test]
fn an_upload_stays_whole_when_the_agent_takes_messages_in_twice() {
    assert!(uploaded(true) == bytes(100_000));
    assert!(uploaded(false) != bytes(100_000), "the agent took nothing in twice: this shows nothing");
}
