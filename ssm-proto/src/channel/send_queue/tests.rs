#![expect(clippy::disallowed_methods, reason = "virtual time has to start somewhere")]

use super::*;

const MS: Duration = Duration::from_millis(1);

fn queue(config: &Config, messages: u8, now: Instant) -> SendQueue {
    let mut queue = SendQueue::new(config);
    for i in 0..messages {
        queue.push(Bytes::copy_from_slice(&[i]), now);
    }
    queue
}

fn drain(queue: &mut SendQueue, now: Instant) -> Vec<u8> {
    queue.handle_timeout(now);
    std::iter::from_fn(|| queue.poll_retransmit(now)).map(|frame| frame[0]).collect()
}

#[test]
fn acknowledgements_are_per_message_and_free_the_copies() {
    let t = Instant::now();
    let mut queue = queue(&Config::default(), 3, t);
    assert!(queue.acknowledge(1, t));
    assert!(!queue.acknowledge(1, t), "repeated");
    assert!(!queue.acknowledge(99, t) && !queue.acknowledge(-1, t) && !queue.acknowledge(i64::MIN, t), "unknown");
    assert_eq!((queue.messages_in_flight(), queue.bytes_in_flight(), queue.next_sequence()), (2, 2, 3));
    assert!(queue.is_acknowledged(1) && !queue.is_acknowledged(0) && !queue.is_acknowledged(3));
    assert!(queue.acknowledge(0, t) && queue.acknowledge(2, t));
    assert_eq!((queue.in_flight.len(), queue.poll_timeout()), (0, None));
}

/// The trap of head-only resends, `docs/protocol.md` §4.2: n lost messages would take n ticks.
#[test]
fn every_lost_message_is_sent_again_at_once() {
    let t = Instant::now();
    let config = Config::default();
    let mut ours = queue(&config, 5, t);
    let late = t + config.initial_rto;
    assert_eq!(drain(&mut ours, late), [0, 1, 2, 3, 4]);
    assert_eq!(drain(&mut ours, late), [0; 0], "once per timeout");
    let mut official = queue(&Config::official_agent(), 5, t);
    assert_eq!(drain(&mut official, t + 250 * MS), [0], "the agent's habit");
}

#[test]
fn an_overtaken_message_does_not_wait_for_the_timeout() {
    let t = Instant::now();
    let mut queue = SendQueue::new(&Config { rto_margin: Duration::from_secs(5), ..Config::default() });
    queue.push(Bytes::from_static(&[0]), t);
    queue.push(Bytes::from_static(&[1]), t + MS);
    queue.acknowledge(1, t + 21 * MS);
    let at = queue.poll_timeout().unwrap();
    assert!(at < t + 200 * MS, "{:?}", at - t);
    assert_eq!(drain(&mut queue, at), [0]);
}

/// Nothing overtakes the last messages; a timeout would be 200 ms and more.
#[test]
fn a_lost_tail_is_asked_for_soon_and_only_once() {
    let t = Instant::now();
    let mut queue = queue(&Config::default(), 1, t);
    queue.acknowledge(0, t + 2 * MS);
    let lost_at = t + 3 * MS;
    for message in 1..=40 {
        queue.push(Bytes::copy_from_slice(&[message]), lost_at);
    }
    let asked_at = queue.poll_timeout().unwrap();
    assert!(asked_at < lost_at + 40 * MS, "{:?}", asked_at - lost_at);
    assert_eq!(drain(&mut queue, asked_at), [40], "the newest");
    queue.push(Bytes::from_static(&[41]), asked_at + MS);
    let again = queue.poll_timeout().unwrap();
    assert!(again > lost_at + 200 * MS, "no second question before the timeout: {:?}", again - lost_at);
    queue.acknowledge(40, asked_at + 2 * MS);
    assert_eq!(drain(&mut queue, asked_at + 10 * MS), (1..40).collect::<Vec<_>>(), "the answer overtakes all others");
}

/// It would be answered by its replacement, and a trial end before it was one.
#[test]
fn what_can_be_replaced_is_not_asked_for_early() {
    let t = Instant::now();
    let mut queue = queue(&Config::default(), 1, t);
    queue.acknowledge(0, t + 2 * MS);
    queue.push_replaceable(Bytes::from_static(&[1]), Bytes::from_static(&[2]), t + 3 * MS);
    assert_eq!(drain(&mut queue, t + 100 * MS), [0; 0]);
    assert_eq!(drain(&mut queue, t + 300 * MS), [2]);
}

/// After a loss the second copies are alone on the path, and faster than anything measured on it before.
#[test]
fn a_quick_answer_to_a_second_copy_ends_no_repair() {
    let t = Instant::now();
    let mut queue = queue(&Config::default(), 1, t);
    queue.acknowledge(0, t + 50 * MS);
    for message in 1..=100 {
        queue.push(Bytes::copy_from_slice(&[message]), t + 50 * MS);
    }
    let asked_at = queue.poll_timeout().unwrap();
    assert_eq!(drain(&mut queue, asked_at), [100], "lost as well");
    let late = queue.poll_timeout().unwrap();
    let first = drain(&mut queue, late);
    assert_eq!(first.len(), BURST);
    let mut repaired = first.len();
    for message in first {
        queue.acknowledge(i64::from(message), late + 48 * MS);
        repaired += drain(&mut queue, late + 48 * MS).len();
    }
    assert_eq!(repaired, BURST + BURST * BURST_GROWTH, "each answer releases more");
}

/// New data that is acknowledged all the while must not put off for ever what is missing.
#[test]
fn a_message_that_is_lost_again_and_again_is_repeated_however_much_arrives_behind_it() {
    let t = Instant::now();
    let mut queue = queue(&Config::default(), 1, t);
    queue.handle_reconnect(t);
    assert_eq!(drain(&mut queue, t), [0]);
    let mut repeated = 0;
    for turn in 1..=200_u32 {
        let now = t + turn * 10 * MS;
        queue.push(Bytes::from_static(&[1]), now);
        if turn > 1 {
            queue.acknowledge(i64::from(turn) - 1, now);
        }
        repeated += usize::from(drain(&mut queue, now).contains(&0));
    }
    assert!((4..=10).contains(&repeated), "{repeated} in 2 s");
}

#[test]
fn a_reconnect_makes_all_due_in_order() {
    let t = Instant::now();
    let mut queue = queue(&Config::default(), 4, t);
    queue.acknowledge(2, t + MS);
    queue.handle_reconnect(t + 2 * MS);
    assert_eq!(drain(&mut queue, t + 2 * MS), [0, 1, 3]);
    assert_eq!(queue.retransmitted(), 3);
}

/// A path that stands still must not get the whole window again; acknowledgements that come release the rest.
#[test]
fn a_stall_costs_a_burst_and_life_releases_more() {
    let t = Instant::now();
    let config = Config::default();
    let mut queue = queue(&config, 100, t);
    let late = t + config.initial_rto;
    assert_eq!(drain(&mut queue, late).len(), BURST);
    for sequence in 0..4 {
        queue.acknowledge(sequence, late);
    }
    assert_eq!(drain(&mut queue, late).len(), 4 * BURST_GROWTH);
    queue.handle_reconnect(late);
    assert_eq!(drain(&mut queue, late).len(), 96, "a new path gets all of it");
}

#[test]
fn resends_repeat_with_growing_pauses() {
    let t = Instant::now();
    let mut queue = queue(&Config::default(), 1, t);
    let mut sent = Vec::new();
    let mut now = t;
    while sent.len() < 5 {
        now = queue.poll_timeout().unwrap();
        sent.extend(drain(&mut queue, now));
    }
    assert!(now - t > Duration::from_secs(15), "{:?}", now - t);
}
