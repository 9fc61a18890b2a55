//! The start of a session, both sides in virtual time (`docs/protocol.md` §5, §4.8).

use std::time::Duration;

use ssm_proto::message::{ClientMessage, MessageType, PayloadType};
use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{CloseReason, Config, Event, OpenError, SessionState, Side, TokenValue, WsFrame};

const MS: Duration = Duration::from_millis(1);

fn delay(delay: Duration) -> LinkConfig {
    LinkConfig { delay, ..LinkConfig::default() }
}

#[test]
fn both_sides_establish_and_know_each_other() {
    for agent in [Config::official_agent(), Config::fast_agent()] {
        let mut pair = Pair::new(Config::default(), agent, delay(25 * MS), 1);
        assert_eq!(pair.client.open_stream(pair.now), Err(OpenError::NotEstablished));
        pair.establish();
        assert!(
            matches!(&pair.client_events[0], Event::AgentIdentified { agent_version, .. } if agent_version == "3.3.987.0")
        );
        assert_eq!(pair.client_events[1], Event::Established);
        assert_eq!(pair.agent_events[0], Event::Established);
        assert_eq!(pair.client.stats().agent_version.as_deref(), Some("3.3.987.0"));
        assert!(pair.elapsed() < 250 * MS, "{:?}: request, response, complete, settle, probe", pair.elapsed());
    }
}

/// The trap of §4.8, data before the agent is ready: it acknowledges and discards everything but the response. So nothing
/// else may leave before completion, and after it first a message that is harmless to lose.
#[test]
fn nothing_but_the_response_leaves_before_completion_and_then_a_lone_nop() {
    let mut pair = Pair::new(Config::default(), Config::official_agent(), LinkConfig::default(), 2);
    pair.trace = Some(Vec::new());
    pair.establish();
    let trace = pair.trace.take().unwrap();
    let sent: Vec<_> = trace
        .iter()
        .filter(|(_, side, message)| *side == Side::Client && message.message_type == MessageType::InputStreamData)
        .collect();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].2.payload_type, PayloadType::HANDSHAKE_RESPONSE);
    assert_eq!((sent[1].2.payload_type, &sent[1].2.payload[..]), (PayloadType::OUTPUT, &b"\x01\x03\0\0\0\0\0\0"[..]));
    let complete = trace.iter().find(|(.., message)| message.payload_type == PayloadType::HANDSHAKE_COMPLETE).unwrap();
    assert!(sent[1].0 - complete.0 >= 10 * MS);
}

/// The same trap seen from the application: an agent that discards for 5 ms after completion loses none of its bytes.
#[test]
fn data_written_as_soon_as_possible_is_not_lost() {
    for seed in 0..50 {
        let deaf = Config { completion_lag: 5 * MS, ..Config::official_agent() };
        let mut pair = Pair::new(Config::default(), deaf, LinkConfig::default(), seed);
        pair.establish();
        let id = pair.open();
        pair.write_all(Side::Client, id, b"first");
        assert_eq!(pair.read_exact(Side::Agent, id, 5), b"first");
    }
}

/// §5.5: the acknowledgement of the response leaves before HandshakeComplete, then the agent is silent: a real plugin's
/// reader dies of anything that comes while it sets its pipe up.
#[test]
fn the_agent_acknowledges_before_it_completes_and_then_is_silent() {
    let mut pair = Pair::new(Config::default(), Config::official_agent(), LinkConfig::default(), 3);
    pair.trace = Some(Vec::new());
    pair.establish();
    pair.run_for(Duration::from_secs(5));
    let trace = pair.trace.take().unwrap();
    let sent: Vec<_> = trace.iter().filter(|(_, side, _)| *side == Side::Agent).collect();
    let kinds: Vec<_> = sent.iter().map(|(.., message)| message.payload_type).collect();
    let complete = kinds.iter().position(|kind| *kind == PayloadType::HANDSHAKE_COMPLETE).unwrap();
    assert_eq!(sent[complete - 1].2.message_type, MessageType::Acknowledge);
    // What follows answers the client's probe and nothing else.
    let probe =
        trace.iter().find(|(_, side, message)| *side == Side::Client && message.payload_type == PayloadType::OUTPUT);
    assert_eq!(sent.len(), complete + 2);
    assert!(sent[complete + 1].0 >= probe.unwrap().0);
}

#[test]
fn an_agent_without_multiplexing_gets_a_clear_error() {
    let mut pair =
        Pair::with_agent_version(Config::default(), Config::official_agent(), LinkConfig::default(), 4, "3.0.196.0");
    pair.reconnect(Side::Client);
    pair.reconnect(Side::Agent);
    pair.run_until(Duration::from_secs(5), |pair| pair.client.state() == SessionState::Closed);
    let Some(Event::Closed(reason)) = pair.client_events.back() else { panic!("{:?}", pair.client_events) };
    assert_eq!(*reason, CloseReason::MultiplexingUnsupported { agent_version: "3.0.196.0".into() });
    assert!(reason.to_string().contains("3.1.1374.0"), "says what to do: {reason}");
}

/// Agents up to 3.1.1511.0 end a session in which their smux hears nothing (§5.4).
#[test]
fn old_agents_get_keep_alives_and_new_ones_none() {
    for (version, expected) in [("3.1.1511.0", 6..=7), ("3.1.1512.0", 0..=0)] {
        let mut pair =
            Pair::with_agent_version(Config::default(), Config::official_agent(), LinkConfig::default(), 5, version);
        pair.establish();
        let before = pair.client.stats().messages_out;
        pair.run_for(Duration::from_secs(65));
        let sent = pair.client.stats().messages_out - before;
        assert!(expected.contains(&sent), "{version}: {sent}");
    }
}

/// The same agents end the session when the application's own policy switches keep-alives off.
#[test]
fn a_policy_cannot_switch_off_the_keep_alives_that_an_old_agent_needs() {
    for policy in [None, Some(Duration::from_mins(5))] {
        let mut pair = Pair::with_agent_version(
            Config::default(),
            Config::official_agent(),
            LinkConfig::default(),
            5,
            "3.1.1511.0",
        );
        pair.establish();
        pair.client.set_keep_alive(policy, pair.now);
        let before = pair.client.stats().messages_out;
        pair.run_for(Duration::from_secs(65));
        assert_eq!(pair.client.stats().messages_out - before, 6, "{policy:?}");
    }
}

#[test]
fn silence_ends_the_handshake_on_both_sides() {
    let mut pair = Pair::new(Config::default(), Config::official_agent(), LinkConfig::default(), 6);
    pair.reconnect(Side::Client);
    pair.run_for(Duration::from_secs(31));
    assert_eq!(pair.client_events, [Event::Closed(CloseReason::HandshakeTimeout(30))]);

    let mut pair = Pair::new(Config::default(), Config::official_agent(), LinkConfig::default(), 7);
    pair.reconnect(Side::Agent);
    pair.run_for(Duration::from_secs(16));
    assert_eq!(pair.agent_events, [Event::Closed(CloseReason::HandshakeTimeout(15))]);
}

#[test]
fn a_handshake_survives_a_lost_websocket() {
    for cut_after in 0..12 {
        let mut pair = Pair::new(Config::default(), Config::official_agent(), delay(10 * MS), 8);
        pair.reconnect(Side::Client);
        pair.reconnect(Side::Agent);
        for _ in 0..cut_after {
            pair.step();
        }
        pair.cut(Side::Client);
        pair.run_for(Duration::from_millis(700));
        println!("cut after {cut_after} steps");
        pair.establish();
        let id = pair.open();
        pair.write_all(Side::Client, id, b"x");
        assert_eq!(pair.read_exact(Side::Agent, id, 1), b"x", "cut after {cut_after} steps");
    }
}

#[test]
fn a_shell_session_is_refused_by_name() {
    let mut pair = Pair::new(Config::default(), Config::official_agent(), LinkConfig::default(), 9);
    pair.client.handle_connect(TokenValue::new("t"), pair.now);
    let output = ClientMessage {
        message_type: MessageType::OutputStreamData,
        payload_type: PayloadType::OUTPUT,
        ..ClientMessage::unsequenced(
            MessageType::OutputStreamData,
            ssm_proto::message::Flags::SYN,
            ssm_proto::message::MessageId::from_random_bytes([7; 16]),
            1,
            bytes::Bytes::from_static(b"$ "),
        )
    };
    pair.client.handle_frame(WsFrame::Binary(output.encode()), pair.now);
    assert_eq!(
        pair.client.poll_event(),
        Some(Event::Closed(CloseReason::UnsupportedSession { session_type: "shell".into() }))
    );
}
