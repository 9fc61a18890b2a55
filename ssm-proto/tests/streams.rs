//! Streams: closing, refusing, fairness, back-pressure (`docs/protocol.md` §6).

use std::time::Duration;

use ssm_proto::message::PayloadType;
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, Event, OpenError, Read, Side, StreamError, StreamId, WsFrame};

const SECOND: Duration = Duration::from_secs(1);

fn pair(agent: Config) -> Pair {
    let link = LinkConfig { delay: Duration::from_millis(5), ..LinkConfig::default() };
    let mut pair = Pair::new(Config::default(), agent, link, 1);
    pair.establish();
    pair
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
}

#[test]
fn bytes_cross_both_ways_on_many_streams() {
    for agent in [Config::official_agent(), Config::fast_agent()] {
        let mut pair = pair(agent);
        let streams: Vec<_> = (0..40).map(|_| pair.open()).collect();
        assert_eq!(streams[..3], [StreamId(3), StreamId(5), StreamId(7)], "odd ids from 3");
        for (i, &id) in streams.iter().enumerate() {
            pair.write_all(Side::Client, id, &bytes(1000 + i));
            pair.write_all(Side::Agent, id, &bytes(2000 + i));
        }
        for (i, &id) in streams.iter().enumerate() {
            assert_eq!(pair.read_exact(Side::Agent, id, 1000 + i), bytes(1000 + i));
            assert_eq!(pair.read_exact(Side::Client, id, 2000 + i), bytes(2000 + i));
        }
    }
}

/// Half-close, §6.6: a FIN makes the agent close the target connection and lose the answer, so ours waits for the remote's.
#[test]
fn a_half_close_does_not_lose_the_answer() {
    let mut pair = pair(Config::official_agent());
    let id = pair.open();
    pair.write_all(Side::Client, id, b"request");
    pair.client.shutdown_stream(id, pair.now);
    assert_eq!(pair.client.write(id, b"more", pair.now), Err(StreamError::Closed));
    assert_eq!(pair.read_exact(Side::Agent, id, 7), b"request");
    pair.run_for(5 * SECOND);
    let now = pair.now;
    assert_eq!(pair.agent.read(id, &mut Vec::new(), now), Ok(Read::Pending), "no FIN has reached the agent");

    pair.write_all(Side::Agent, id, &bytes(50_000));
    pair.agent.close_stream(id, pair.now);
    assert_eq!(pair.read_exact(Side::Client, id, 50_000), bytes(50_000));
    let mut rest = Vec::new();
    let mut end = None;
    pair.run_until(SECOND, |pair| {
        end = pair.read_available(Side::Client, id, &mut rest);
        end.is_some()
    });
    assert_eq!((end, rest.len()), (Some(Ok(Read::Eof)), 0));
    pair.client.close_stream(id, pair.now);
    pair.run_for(SECOND);
    assert_eq!((pair.client.stats().streams, pair.agent.stats().streams), (0, 0));
}

#[test]
fn a_full_close_reaches_the_remote_at_once_behind_the_data() {
    let mut pair = pair(Config::official_agent());
    let id = pair.open();
    pair.write_all(Side::Client, id, &bytes(10_000));
    pair.client.close_stream(id, pair.now);
    let start = pair.now;
    let mut data = Vec::new();
    let mut end = None;
    pair.run_until(SECOND, |pair| {
        end = pair.read_available(Side::Agent, id, &mut data);
        end.is_some()
    });
    assert_eq!((end, data), (Some(Ok(Read::Eof)), bytes(10_000)));
    assert!(pair.now - start < Duration::from_millis(50));
    // What the remote still says has no reader: discarded, without trouble for the session.
    assert_eq!(pair.agent.write(id, b"late", pair.now), Err(StreamError::Closed));
    let other = pair.open();
    pair.write_all(Side::Agent, other, b"fine");
    assert_eq!(pair.read_exact(Side::Client, other, 4), b"fine");
}

/// §6.5: the flag names no stream. Dials run in SYN order, so it belongs to the next FIN on a stream without data.
#[test]
fn a_refusal_finds_its_stream_among_others() {
    let mut pair = pair(Config::official_agent());
    let (talks, refused, silent) = (pair.open(), pair.open(), pair.open());
    pair.write_all(Side::Agent, talks, b"hi");
    pair.agent.close_stream(talks, pair.now);
    pair.agent.refuse_stream(refused, pair.now);
    pair.run_for(SECOND);
    let mut data = Vec::new();
    assert_eq!(pair.read_available(Side::Client, talks, &mut data), Some(Ok(Read::Eof)));
    assert_eq!(data, b"hi");
    assert_eq!(pair.read_available(Side::Client, refused, &mut Vec::new()), Some(Err(StreamError::Refused)));
    assert_eq!(pair.client.write(refused, b"x", pair.now), Err(StreamError::Refused));
    assert_eq!(pair.read_available(Side::Client, silent, &mut Vec::new()), None, "untouched");
    // A close without a flag is an ordinary end.
    pair.agent.close_stream(silent, pair.now);
    pair.run_for(SECOND);
    assert_eq!(pair.read_available(Side::Client, silent, &mut Vec::new()), Some(Ok(Read::Eof)));
}

/// The application may have let go of a stream before its refusal comes: the flag must not hit another stream.
#[test]
fn a_refusal_of_an_abandoned_stream_hits_no_other() {
    let mut pair = pair(Config::official_agent());
    let (gone, stays) = (pair.open(), pair.open());
    pair.client.close_stream(gone, pair.now);
    pair.agent.refuse_stream(gone, pair.now);
    pair.run_for(SECOND);
    pair.agent.close_stream(stays, pair.now);
    pair.run_for(SECOND);
    assert_eq!(pair.read_available(Side::Client, stays, &mut Vec::new()), Some(Ok(Read::Eof)));
}

#[test]
fn a_busy_stream_does_not_hold_up_a_small_one() {
    let mut pair = pair(Config::official_agent());
    let (bulk, small) = (pair.open(), pair.open());
    pair.trace = Some(Vec::new());
    let room = Config::default().stream_send_buffer;
    assert_eq!(pair.client.write(bulk, &vec![1; room], pair.now), Ok(room));
    assert_eq!(pair.client.write(small, b"ping", pair.now), Ok(4));
    pair.read_exact(Side::Agent, small, 4);
    let trace = pair.trace.take().unwrap();
    let sent: Vec<_> = trace
        .iter()
        .filter(|(_, side, message)| *side == Side::Client && message.payload_type == PayloadType::OUTPUT)
        .collect();
    let small_header = [1, 2, 4, 0, 5, 0, 0, 0];
    let turn =
        sent.iter().position(|(.., message)| message.payload.windows(8).any(|window| window == small_header)).unwrap();
    assert!(turn <= 2, "the small stream's turn came with message {turn} of {}", sent.len());
}

/// §6.2: version 1 has one budget for all streams. A reader that does not read stops input instead of growing memory.
#[test]
fn a_slow_reader_bounds_memory_and_loses_nothing() {
    let mut pair = pair(Config { max_payload: 32 << 10, ..Config::fast_agent() });
    let id = pair.open();
    let total = 20 << 20;
    let data = bytes(total);
    let mut written = 0;
    let mut highest = 0;
    while pair.client.wants_input() {
        written += pair.agent.write(id, &data[written..], pair.now).unwrap();
        pair.step();
    }
    for _ in 0..100 {
        written += pair.agent.write(id, &data[written..], pair.now).unwrap();
        pair.step();
        highest = highest.max(pair.client.stats().unread_bytes);
    }
    let budget = Config::default().receive_budget;
    assert!(!pair.client.wants_input());
    assert!(highest >= budget && highest < budget + (1 << 20), "{highest}");
    let mut received = Vec::new();
    pair.run_until(60 * SECOND, |pair| {
        written += pair.agent.write(id, &data[written..], pair.now).unwrap();
        pair.read_available(Side::Client, id, &mut received);
        received.len() == total
    });
    assert_eq!(received.len(), total);
    assert!(received == data);
}

#[test]
fn a_full_stream_takes_no_more_and_says_when_it_does() {
    let mut pair = pair(Config::official_agent());
    let id = pair.open();
    pair.client_events.clear();
    let limit = Config::default().stream_send_buffer;
    assert_eq!(pair.client.write(id, &vec![0; limit + 1], pair.now), Ok(limit));
    assert_eq!(pair.client.write(id, &[0], pair.now), Ok(0));
    assert!(pair.run_until(SECOND, |pair| pair.client_events.contains(&Event::StreamWritable(id))));
}

#[test]
fn streams_are_bounded_on_both_sides() {
    let mut pair = pair(Config { max_streams: 8, ..Config::official_agent() });
    let streams: Vec<_> = (0..9).map(|_| pair.client.open_stream(pair.now).unwrap()).collect();
    pair.run_for(SECOND);
    assert_eq!(pair.agent.stats().streams, 8);
    // The one too many is answered with FIN.
    assert_eq!(pair.read_available(Side::Client, streams[8], &mut Vec::new()), Some(Ok(Read::Eof)));

    let mut pair = self::pair(Config::official_agent());
    for _ in 0..Config::default().max_streams {
        pair.client.open_stream(pair.now).unwrap();
    }
    assert_eq!(pair.client.open_stream(pair.now), Err(OpenError::TooManyStreams(1000)));
}

#[test]
fn opening_and_closing_leaves_nothing_behind() {
    let mut pair = pair(Config::official_agent());
    for round in 0..3000 {
        let id = pair.client.open_stream(pair.now).unwrap();
        if round % 2 == 0 {
            pair.write_all(Side::Client, id, b"x");
        }
        pair.client.close_stream(id, pair.now);
        pair.step();
        while let Some(id) = pair.agent.accept_stream() {
            pair.agent.close_stream(id, pair.now);
        }
    }
    pair.run_for(10 * SECOND);
    while let Some(id) = pair.agent.accept_stream() {
        pair.agent.close_stream(id, pair.now);
    }
    pair.run_for(10 * SECOND);
    for side in [Side::Client, Side::Agent] {
        let stats = pair.side(side).stats();
        assert_eq!((stats.streams, stats.unread_bytes, stats.messages_in_flight), (0, 0, 0), "{side:?}");
    }
}

#[test]
fn terminate_is_acknowledged_and_ends_every_stream() {
    let mut pair = pair(Config::official_agent());
    let id = pair.open();
    pair.client.terminate(pair.now);
    pair.run_for(SECOND);
    assert!(pair.agent_events.contains(&Event::TerminateRequested));
    assert!(pair.client_events.contains(&Event::TerminateAcked));
    assert!(matches!(pair.client_events.back(), Some(Event::Closed(_))));
    assert!(matches!(pair.client.read(id, &mut Vec::new(), pair.now), Err(StreamError::SessionClosed(_))));
    assert!(matches!(pair.client.open_stream(pair.now), Err(OpenError::SessionClosed(_))));
}

#[test]
fn the_load_tells_what_waits_where_and_who_holds_all_up() {
    let budget = 64 << 10;
    let link = LinkConfig { delay: Duration::from_millis(5), ..LinkConfig::default() };
    let client = Config { receive_budget: budget, ..Config::default() };
    let mut pair = Pair::new(client, Config::fast_agent(), link, 1);
    pair.establish();
    let id = pair.open();
    pair.client.write(id, &bytes(3000), pair.now).unwrap();
    let load = pair.client.load();
    assert_eq!((load.streams, load.queued, load.sent), (1, 3000, 0));
    pair.run_for(Duration::ZERO);
    let load = pair.client.load();
    assert_eq!((load.queued, load.sent), (0, 3000));
    assert!(load.in_flight > 3000);
    assert_eq!(load.base_rtt, Some(Duration::from_millis(10)));
    pair.run_for(SECOND);
    assert_eq!(pair.client.load().in_flight, 0);

    pair.agent.write(id, &bytes(budget / 2), pair.now).unwrap();
    pair.run_for(SECOND);
    let load = pair.client.load();
    assert_eq!((load.unread, load.received, load.stalled), (budget / 2, budget as u64 / 2, true));
    assert_eq!(pair.read_exact(Side::Client, id, budget / 2), bytes(budget / 2));
    assert!(!pair.client.load().stalled);

    // Neither what is thrown away by a reset nor what the other side's end makes void goes on to be counted.
    let other = pair.open();
    for id in [id, other] {
        pair.client.write(id, &bytes(1000), pair.now).unwrap();
    }
    pair.client.reset_stream(id, pair.now);
    pair.agent.close_stream(other, pair.now);
    pair.run_for(SECOND);
    assert_eq!(pair.client.load().queued, 0);
}

/// §6.3: the agent's pause holds on average, however late its clock wakes it, and is not saved up.
#[test]
fn an_agent_that_is_woken_late_keeps_its_pace_and_one_that_was_idle_sends_one_message() {
    let mut pair = pair(Config { pace: Some(Duration::from_millis(1)), ..Config::fast_agent() });
    let id = pair.open();
    pair.write_all(Side::Client, id, b"begin");
    pair.read_exact(Side::Agent, id, 5);
    let start = pair.now;
    let mut messages_at = |now| {
        let (agent, client) = (&mut pair.agent, &mut pair.client);
        if agent.poll_timeout().is_some_and(|at| at <= now) {
            agent.handle_timeout(now);
        }
        while agent.write(id, &[7; 8 * 1024], now).is_ok_and(|taken| taken > 0) {}
        let sent: Vec<WsFrame> = std::iter::from_fn(|| agent.poll_transmit(now)).collect();
        let count = sent.iter().filter(|frame| frame.len() > 1000).count();
        for frame in sent {
            client.handle_frame(frame, now);
        }
        while client.read(id, &mut Vec::new(), now).is_ok_and(|read| matches!(read, Read::Data(_))) {}
        std::iter::from_fn(|| client.poll_transmit(now)).for_each(|frame| agent.handle_frame(frame, now));
        count
    };
    assert_eq!(messages_at(start), 1);
    let late = Duration::from_micros(1600);
    let sent: usize = (1..=125).map(|wake| messages_at(start + late * wake)).sum();
    assert!((190..=200).contains(&sent), "{sent} messages in 200 ms");
}
