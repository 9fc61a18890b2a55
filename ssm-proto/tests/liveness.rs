//! Silence: when a session is suspected, when it is given up, what excuses it, and the one question that is asked
//! (`docs/protocol.md` §7.6, §10.3).

use std::time::Duration;

use ssm_proto::message::{MessageType, PayloadType};
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{CloseReason, Config, Event, SessionState, Side, StreamId};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const DELAY: LinkConfig = LinkConfig::with_delay(Duration::from_millis(10));
const DEAD: LinkConfig = LinkConfig { loss: 1.0, ..DELAY };
/// A smux NOP, alone in its message.
const NOP: [u8; 8] = [1, 3, 0, 0, 0, 0, 0, 0];

/// An established session with one open stream, on which nothing has happened for a minute.
fn quiet_pair(agent: Config, seed: u64) -> (Pair, StreamId) {
    let mut pair = Pair::new(Config::default(), agent, DELAY, seed);
    pair.establish();
    let id = pair.open();
    pair.run_for(60 * SECOND);
    pair.client_events.clear();
    (pair, id)
}

/// How long it takes until `event` comes, up to an hour.
fn time_to(pair: &mut Pair, event: &Event) -> Option<Duration> {
    let start = pair.now;
    pair.run_until(3600 * SECOND, |pair| pair.client_events.contains(event)).then(|| pair.now - start)
}

fn closed() -> Event {
    Event::Closed(CloseReason::Unresponsive(120))
}

fn nops(pair: &mut Pair) -> usize {
    let sent = pair.trace.replace(Vec::new()).unwrap_or_default();
    let is_nop = |side: Side, kind: PayloadType, payload: &[u8]| {
        side == Side::Client && kind == PayloadType::OUTPUT && payload == NOP
    };
    sent.iter().filter(|(_, side, message)| is_nop(*side, message.payload_type, &message.payload)).count()
}

/// Uploads until the agent takes no more, since nobody there reads; all that there is to upload, and how much of it is written.
fn stall(pair: &mut Pair, id: StreamId) -> (Vec<u8>, usize) {
    let data: Vec<u8> = (0..6 << 20).map(|i: u32| u8::try_from(i % 251).unwrap()).collect();
    let mut written = 0;
    let stalled = |pair: &mut Pair| {
        written += pair.client.write(id, &data[written..], pair.now).unwrap();
        !pair.agent.wants_input()
    };
    assert!(pair.run_until(60 * SECOND, stalled));
    (data, written)
}

/// The agent's worker dies behind a gateway that lives: what is sent next is never acknowledged.
#[test]
fn a_dead_agent_is_suspected_after_five_seconds_and_given_up_after_the_patience() {
    let (mut pair, id) = quiet_pair(Config::official_agent(), 1);
    pair.cut(Side::Agent);
    pair.write_all(Side::Client, id, b"select 1");
    assert_eq!(time_to(&mut pair, &Event::Suspect), Some(5 * SECOND));
    assert_eq!(pair.client.state(), SessionState::Established);
    assert_eq!(time_to(&mut pair, &closed()), Some(115 * SECOND));
    assert_eq!(pair.client_events.iter().filter(|event| **event == Event::Suspect).count(), 1);
}

/// A download sends nothing that could stay unacknowledged: the one question finds out.
#[test]
fn a_download_that_falls_silent_is_asked_about_once() {
    let (mut pair, id) = quiet_pair(Config::official_agent(), 2);
    pair.write_all(Side::Agent, id, &[7; 10_000]);
    pair.read_exact(Side::Client, id, 10_000);
    pair.run_for(100 * MS);
    nops(&mut pair);
    pair.run_for(3600 * SECOND);
    assert_eq!(nops(&mut pair), 1, "an hour's silence");
    assert!(!pair.client_events.contains(&Event::Suspect));

    pair.write_all(Side::Agent, id, &[7; 10_000]);
    pair.read_exact(Side::Client, id, 10_000);
    pair.cut(Side::Agent);
    let suspected = time_to(&mut pair, &Event::Suspect).expect("the worker is dead");
    assert!(suspected < 10 * SECOND, "{suspected:?} after the last byte received");
}

#[test]
fn a_session_without_streams_is_asked_nothing() {
    let (mut pair, id) = quiet_pair(Config::official_agent(), 3);
    nops(&mut pair);
    pair.write_all(Side::Agent, id, b"bye");
    pair.read_exact(Side::Client, id, 3);
    pair.client.close_stream(id, pair.now);
    pair.agent.close_stream(id, pair.now);
    pair.run_for(3600 * SECOND);
    assert_eq!(nops(&mut pair), 0);
}

/// Patience is time in which something could have been heard: not the time without a websocket, but that on all of them.
#[test]
fn patience_adds_up_over_websockets() {
    let (mut pair, _) = quiet_pair(Config::official_agent(), 4);
    pair.cut(Side::Agent);
    for _ in 0..3 {
        pair.cut(Side::Client);
        pair.run_for(600 * SECOND);
        pair.reconnect(Side::Client);
        pair.client_events.clear();
        assert_eq!(time_to(&mut pair, &Event::Suspect), Some(5 * SECOND), "each websocket is suspected anew");
        pair.run_for(25 * SECOND);
        assert_eq!(pair.client.state(), SessionState::Established);
    }
    assert_eq!(time_to(&mut pair, &closed()), Some(30 * SECOND));
}

#[test]
fn a_sign_of_life_takes_everything_back() {
    let (mut pair, id) = quiet_pair(Config::official_agent(), 5);
    for _ in 0..3 {
        pair.up.configure(DEAD);
        pair.client_events.clear();
        pair.write_all(Side::Client, id, b"anybody?");
        pair.run_for(100 * SECOND);
        assert_eq!(pair.client_events, [Event::Suspect]);
        pair.up.configure(DELAY);
        assert_eq!(pair.read_exact(Side::Agent, id, 8), b"anybody?");
        pair.run_for(SECOND);
        assert_eq!(pair.client_events, [Event::Suspect, Event::Resumed]);
    }
}

/// Our acknowledgements do not arrive, so the agent repeats its oldest message for ever: that it can talk does not mean that it
/// listens.
#[test]
fn copies_of_what_we_have_are_no_sign_of_life() {
    let (mut pair, id) = quiet_pair(Config::official_agent(), 6);
    pair.up.configure(DEAD);
    pair.write_all(Side::Agent, id, &[1; 5000]);
    pair.read_exact(Side::Client, id, 5000);
    pair.write_all(Side::Client, id, b"x");
    let before = pair.client.stats().duplicates;
    let suspected = time_to(&mut pair, &Event::Suspect).expect("nothing is acknowledged");
    assert!(suspected <= 6 * SECOND, "{suspected:?}");
    assert!(pair.client.stats().duplicates > before);
}

/// §10.3: an agent whose target does not read reads nothing either. It is suspect – others need not wait for it – but not dead.
#[test]
fn a_stalled_target_is_waited_for_without_end() {
    let (mut pair, id) = quiet_pair(Config::fast_agent(), 7);
    let (data, mut written) = stall(&mut pair, id);
    pair.run_for(4 * 3600 * SECOND);
    assert_eq!(pair.client.state(), SessionState::Established);
    assert!(pair.client_events.contains(&Event::Suspect));
    let mut received = Vec::new();
    assert!(pair.run_until(600 * SECOND, |pair| {
        written += pair.client.write(id, &data[written..], pair.now).unwrap();
        pair.read_available(Side::Agent, id, &mut received);
        received.len() == data.len()
    }));
    assert!(received == data);
}

/// That a silence has an excuse and patience begins anew is no reason to suspect it later.
#[test]
fn an_excused_silence_is_suspected_all_the_same() {
    let (mut pair, id) = quiet_pair(Config::fast_agent(), 12);
    stall(&mut pair, id);
    pair.run_for(118 * SECOND);
    pair.cut(Side::Client);
    pair.client_events.clear();
    pair.reconnect(Side::Client);
    assert_eq!(time_to(&mut pair, &Event::Suspect), Some(5 * SECOND));
}

/// A day of questions and answers adds up to more than an agent can hold, but all of it was read.
#[test]
fn what_was_answered_excuses_nothing() {
    let (mut pair, id) = quiet_pair(Config::fast_agent(), 8);
    let question = vec![1; 100_000];
    for _ in 0..100 {
        pair.write_all(Side::Client, id, &question);
        pair.read_exact(Side::Agent, id, 100_000);
        pair.run_for(SECOND);
        pair.write_all(Side::Agent, id, b"done");
        pair.read_exact(Side::Client, id, 4);
    }
    pair.cut(Side::Agent);
    pair.write_all(Side::Client, id, b"next");
    assert_eq!(time_to(&mut pair, &closed()), Some(120 * SECOND));
}

/// While our own application does not read, we do not listen: that silence is ours, however long.
#[test]
fn our_own_stalled_reader_is_not_the_agent_s_silence() {
    let (mut pair, id) = quiet_pair(Config::fast_agent(), 9);
    let data = vec![1; 8 << 20];
    let mut written = 0;
    while pair.client.wants_input() {
        written += pair.agent.write(id, &data[written..], pair.now).unwrap();
        pair.step();
    }
    pair.client_events.clear();
    pair.write_all(Side::Client, id, b"unacknowledged, since nobody looks");
    pair.run_for(3600 * SECOND);
    assert_eq!(pair.client_events, []);
    assert_eq!(pair.client.state(), SessionState::Established);
}

/// A queue of seconds in front of a slow link delays each acknowledgement, but they keep coming.
#[test]
fn a_slow_path_is_not_suspect() {
    let slow = LinkConfig { delay: 4 * SECOND, ..DELAY };
    let (mut pair, id) = quiet_pair(Config::fast_agent(), 10);
    pair.down.configure(slow);
    for _ in 0..60 {
        pair.write_all(Side::Client, id, &[1; 2000]);
        pair.run_for(SECOND);
    }
    assert!(!pair.client_events.contains(&Event::Suspect));
}

/// What is acknowledged is no stream data: it must not bring another question about.
#[test]
fn acknowledgements_are_not_asked_about() {
    let (mut pair, _) = quiet_pair(Config::official_agent(), 11);
    nops(&mut pair);
    pair.client.set_keep_alive(Some(60 * SECOND), pair.now);
    pair.run_for(601 * SECOND);
    let sent = pair.trace.as_ref().expect("traced");
    assert!(sent.iter().any(|(_, side, m)| *side == Side::Agent && m.message_type == MessageType::Acknowledge));
    assert_eq!(nops(&mut pair), 10, "the keep-alives and nothing else");
}
