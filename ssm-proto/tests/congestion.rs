//! The congestion window over paths that queue instead of losing (`docs/protocol.md` §4.7).

use std::time::Duration;

use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, Side, StreamId};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What one session is said to be allowed by the service, in bytes per second on the wire.
const CAP: u32 = 600_000;

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Agent,
        Side::Agent => Side::Client,
    }
}

/// What a bulk transfer looked like.
#[derive(Debug, Default)]
struct Seen {
    /// Of the rate of the link.
    utilisation: f64,
    /// Time that a frame waited for those before it.
    worst_queue: Duration,
    /// Messages sent again, of all.
    resent: f64,
}

/// Keeps one stream full for `duration`, reading at the other end.
fn bulk(pair: &mut Pair, from: Side, id: StreamId, rate: u32, duration: Duration) -> Seen {
    let to = other(from);
    let (start, before) = (pair.now, pair.side(from).stats());
    let sent = |pair: &mut Pair| pair.side(from).load().sent;
    let (sent_before, mut worst_queue) = (sent(pair), Duration::ZERO);
    let text = [7; 16 << 10];
    let mut rest = Vec::new();
    pair.run_until(duration, |pair| {
        let now = pair.now;
        while pair.side(from).write(id, &text, now).unwrap() > 0 {}
        rest.clear();
        pair.read_available(to, id, &mut rest);
        let link = if from == Side::Client { &pair.up } else { &pair.down };
        worst_queue = worst_queue.max(link.queueing(now));
        false
    });
    let after = pair.side(from).stats();
    let messages = after.messages_out - before.messages_out;
    // 120 bytes of header, 16 that make a client's message repeatable, 8 of the frame.
    let bytes = sent(pair) - sent_before + messages * if from == Side::Client { 144 } else { 128 };
    Seen {
        utilisation: bytes as f64 / (pair.now - start).as_secs_f64() / f64::from(rate),
        worst_queue,
        resent: (after.retransmitted - before.retransmitted) as f64 / messages as f64,
    }
}

/// An agent that is as well-behaved as the client, with payloads as small.
fn agent() -> Config {
    Config { max_payload: 1024, rto_margin: Config::default().rto_margin, ..Config::fast_agent() }
}

fn established(client: Config, link: LinkConfig) -> (Pair, StreamId) {
    let mut pair = Pair::new(client, agent(), link, 1);
    pair.establish();
    let id = pair.open();
    (pair, id)
}

fn capped(delay: Duration) -> LinkConfig {
    limited(CAP, delay)
}

fn limited(rate: u32, delay: Duration) -> LinkConfig {
    LinkConfig { rate: Some(rate), jitter: 2 * MS, ..LinkConfig::with_delay(delay) }
}

#[test]
fn a_capped_path_is_used_up_without_a_queue_to_speak_of() {
    for from in [Side::Client, Side::Agent] {
        for (one_way, worst) in [(0, 80), (5, 80), (25, 80), (100, 200)] {
            let (mut pair, id) = established(Config::default(), capped(one_way * MS));
            let start = bulk(&mut pair, from, id, CAP, 2 * SECOND);
            assert!(start.utilisation > 0.9 && start.worst_queue < 150 * MS, "{from:?}, {one_way} ms: {start:?}");
            let seen = bulk(&mut pair, from, id, CAP, 60 * SECOND);
            assert!(seen.utilisation > 0.98 && seen.worst_queue < worst * MS, "{from:?}, {one_way} ms: {seen:?}");
            assert!(start.resent + seen.resent < 0.001, "{from:?}, {one_way} ms: {start:?}, {seen:?}");
        }
    }
}

/// A single message of 32 KiB takes 55 ms here; two must be on their way.
#[test]
fn large_messages_queue_for_no_longer_than_a_few_of_them() {
    let (mut pair, id) = established(Config { max_payload: 32 << 10, ..Config::default() }, capped(25 * MS));
    let seen = bulk(&mut pair, Side::Client, id, CAP, 60 * SECOND);
    assert!(seen.utilisation > 0.98 && seen.worst_queue < 200 * MS && seen.resent < 0.001, "{seen:?}");
}

#[test]
fn a_path_without_a_cap_gets_the_whole_window_within_a_second() {
    let (mut pair, id) = established(Config::default(), LinkConfig::with_delay(25 * MS));
    bulk(&mut pair, Side::Client, id, CAP, SECOND);
    let in_flight = pair.client.load().in_flight;
    assert!(in_flight >= Config::default().max_in_flight_bytes, "{in_flight}");
}

/// The first window is already on its way and has to drain; nothing of it is sent again.
#[test]
fn a_rate_that_falls_costs_one_window_of_queue_and_no_resends() {
    let (mut pair, id) = established(Config::default(), capped(25 * MS));
    pair.up.configure(LinkConfig { rate: None, ..capped(25 * MS) });
    bulk(&mut pair, Side::Client, id, CAP, 5 * SECOND);
    pair.up.configure(capped(25 * MS));
    let draining = bulk(&mut pair, Side::Client, id, CAP, 6 * SECOND);
    let seen = bulk(&mut pair, Side::Client, id, CAP, 30 * SECOND);
    assert!(seen.utilisation > 0.98 && seen.worst_queue < 80 * MS, "{draining:?}, then {seen:?}");
    assert!(draining.resent + seen.resent < 0.001, "{draining:?}, then {seen:?}");
}

#[test]
fn a_rate_that_rises_is_used_within_seconds() {
    let (mut pair, id) = established(Config::default(), capped(25 * MS));
    bulk(&mut pair, Side::Client, id, CAP, 5 * SECOND);
    let faster = limited(10 * CAP, 25 * MS);
    pair.up.configure(faster);
    pair.down.configure(faster);
    bulk(&mut pair, Side::Client, id, 10 * CAP, SECOND);
    let seen = bulk(&mut pair, Side::Client, id, 10 * CAP, 10 * SECOND);
    assert!(seen.utilisation > 0.98 && seen.worst_queue < 80 * MS && seen.resent < 0.001, "{seen:?}");
}

/// To a window that goes by delay a longer path looks like a queue, until it notices that less does not help.
#[test]
fn a_path_that_has_become_longer_is_measured_anew() {
    let (mut pair, id) = established(Config::default(), capped(25 * MS));
    bulk(&mut pair, Side::Client, id, CAP, 5 * SECOND);
    pair.up.configure(capped(80 * MS));
    pair.down.configure(capped(80 * MS));
    bulk(&mut pair, Side::Client, id, CAP, 3 * SECOND);
    let seen = bulk(&mut pair, Side::Client, id, CAP, 30 * SECOND);
    assert!(seen.utilisation > 0.97 && seen.worst_queue < 200 * MS && seen.resent < 0.001, "{seen:?}");
}

/// A path that stands still for a while and then goes on has lost nothing: a few messages ask whether it lives.
#[test]
fn a_path_that_stands_still_gets_a_few_messages_twice() {
    let (mut pair, id) = established(Config::default(), capped(25 * MS));
    bulk(&mut pair, Side::Client, id, CAP, 5 * SECOND);
    let before = pair.client.stats().retransmitted;
    pair.up.configure(capped(3 * SECOND));
    pair.client.write(id, b"what is held up, and all behind it", pair.now).unwrap();
    pair.step();
    pair.up.configure(capped(25 * MS));
    let seen = bulk(&mut pair, Side::Client, id, CAP, 30 * SECOND);
    let resent = pair.client.stats().retransmitted - before;
    assert!((1..100).contains(&resent), "{resent} sent again: {seen:?}");
    let seen = bulk(&mut pair, Side::Client, id, CAP, 30 * SECOND);
    assert!(seen.utilisation > 0.98 && seen.resent < 0.001, "{seen:?}");
}

/// What waits in front of a query is one window, whoever fills it, and not what applications have written.
#[test]
fn a_query_beside_bulk_uploads_waits_for_one_window_only() {
    let (mut pair, query) = established(Config::default(), capped(25 * MS));
    let uploads: Vec<_> = (0..8).map(|_| pair.open()).collect();
    let (text, mut rest) = ([7; 16 << 10], Vec::new());
    let mut upload = |pair: &mut Pair| {
        for &id in &uploads {
            let now = pair.now;
            while pair.client.write(id, &text, now).unwrap() > 0 {}
            rest.clear();
            pair.read_available(Side::Agent, id, &mut rest);
        }
    };
    for round in 0..50 {
        pair.run_until(500 * MS, |pair| {
            upload(pair);
            false
        });
        pair.client.write(query, b"select 1", pair.now).unwrap();
        let (asked, mut arrived) = (pair.now, Vec::new());
        pair.run_until(SECOND, |pair| {
            upload(pair);
            pair.read_available(Side::Agent, query, &mut arrived);
            arrived.len() == 8
        });
        let took = pair.now - asked;
        assert!(round < 4 || took < (25 + 80) * MS, "query {round} was {took:?} on its way");
    }
}

/// Moves `length` bytes one way and says how long the last of them took to arrive.
fn move_bytes(pair: &mut Pair, from: Side, id: StreamId, length: usize) -> Duration {
    let to = other(from);
    let (start, text) = (pair.now, vec![7; length]);
    let (mut left, mut arrived) = (text.as_slice(), Vec::new());
    let all = pair.run_until(600 * SECOND, |pair| {
        let now = pair.now;
        while let Ok(count @ 1..) = pair.side(from).write(id, left, now) {
            left = &left[count..];
        }
        pair.read_available(to, id, &mut arrived);
        arrived.len() == length
    });
    assert!(all, "{} of {length} bytes", arrived.len());
    pair.now - start
}

/// Here the window falls to its least before the new path is believed. From there the wanted queue alone would let it grow by
/// a fifteenth in a round trip: 2 MiB took a minute.
#[test]
fn a_path_that_has_become_much_longer_is_filled_again() {
    const LENGTH: usize = 2 << 20;
    for from in [Side::Client, Side::Agent] {
        let (mut pair, id) = established(Config::default(), LinkConfig::with_delay(MS / 10));
        for _ in 0..2 {
            move_bytes(&mut pair, from, id, LENGTH);
        }
        let acknowledgements = if from == Side::Client { &mut pair.down } else { &mut pair.up };
        acknowledgements.configure(LinkConfig::with_delay(1500 * MS));
        for round in 0..4 {
            let took = move_bytes(&mut pair, from, id, LENGTH);
            assert!(took < 10 * SECOND, "{from:?}, round {round}: {took:?}");
        }
    }
}

/// An uplink of half a megabit, a mobile phone's: there the smallest window alone is a quarter of a second.
#[test]
fn a_slow_line_is_used_up_and_holds_little_more_than_the_smallest_window() {
    for from in [Side::Client, Side::Agent] {
        for (rate, worst) in [(64_000, 500), (128_000, 200), (256_000, 100)] {
            let (mut pair, id) = established(Config::default(), limited(rate, 15 * MS));
            bulk(&mut pair, from, id, rate, 5 * SECOND);
            let seen = bulk(&mut pair, from, id, rate, 20 * SECOND);
            assert!(seen.utilisation > 0.98 && seen.worst_queue < worst * MS, "{from:?}, {rate} B/s: {seen:?}");
            assert!(seen.resent < 0.001, "{from:?}, {rate} B/s: {seen:?}");
        }
    }
}

/// Small messages measure the line itself, and the next transfer what the smallest window queues on it: no longer path, which
/// would have to be filled.
#[test]
fn a_slow_line_that_is_used_now_and_then_holds_little_more_than_the_smallest_window() {
    for from in [Side::Client, Side::Agent] {
        for (rate, worst) in [(32_000, 1000), (64_000, 530), (128_000, 300)] {
            let (mut pair, id) = established(Config::default(), limited(rate, 15 * MS));
            bulk(&mut pair, from, id, rate, 10 * SECOND);
            for round in 0..10 {
                let mut rest = Vec::new();
                pair.run_until(30 * SECOND, |pair| {
                    pair.read_available(other(from), id, &mut rest);
                    false
                });
                for _ in 0..5 {
                    move_bytes(&mut pair, from, id, 10);
                }
                let seen = bulk(&mut pair, from, id, rate, 12 * SECOND);
                assert!(seen.worst_queue < worst * MS, "{from:?}, {rate} B/s, round {round}: {seen:?}");
            }
        }
    }
}
