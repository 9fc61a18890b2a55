#![expect(clippy::disallowed_methods, reason = "virtual time has to start somewhere")]

use super::*;

const MS: Duration = Duration::from_millis(1);

/// A window on a path of 50 ms, after one message alone on it.
fn window(now: Instant) -> CongestionWindow {
    let mut window = CongestionWindow::new(&Config::default());
    window.acknowledge(0, Some(Measurement { flight: 100, rtt: 50 * MS }), 1, now);
    window
}

#[test]
fn a_sender_with_little_to_say_learns_nothing_about_the_window() {
    let t = Instant::now();
    let mut window = window(t);
    for sequence in 1..100 {
        let rtt = (50 + u32::try_from(sequence).unwrap()) * MS;
        window.acknowledge(sequence, Some(Measurement { flight: 2000, rtt }), sequence + 1, t);
    }
    assert_eq!(window.bytes(), INITIAL);
}

#[test]
fn one_round_trip_finds_the_window_of_a_path_that_queues() {
    let t = Instant::now();
    let mut window = window(t);
    // 600 kB/s: all of the initial window takes 109 ms. Half of the base shall queue.
    window.acknowledge(9, Some(Measurement { flight: INITIAL, rtt: 109 * MS }), 10, t);
    assert!(window.bytes().abs_diff(600 * 75) < 500, "{}", window.bytes());
}

/// The wanted queue alone would let a long path's window grow by a few hundredths in a round trip.
#[test]
fn a_window_doubles_until_something_queues() {
    let t = Instant::now();
    let mut window = CongestionWindow::new(&Config::default());
    window.acknowledge(0, Some(Measurement { flight: 100, rtt: 1500 * MS }), 1, t);
    for round in 1..=3 {
        let (now, sequence) = (t + 1500 * MS * round, i64::from(round));
        window.acknowledge(sequence, Some(Measurement { flight: window.bytes(), rtt: 1510 * MS }), sequence + 1, now);
        assert_eq!(window.bytes(), INITIAL << round);
    }
    let flight = window.bytes();
    window.acknowledge(4, Some(Measurement { flight, rtt: 1800 * MS }), 5, t + 6000 * MS);
    assert!(window.bytes() < flight, "what takes longer has queued");
}

#[test]
fn an_old_base_is_measured_anew_with_little_on_its_way() {
    let t = Instant::now();
    let mut window = window(t);
    let late = t + BASE_LIFETIME;
    window.acknowledge(9, Some(Measurement { flight: INITIAL, rtt: 70 * MS }), 10, late);
    assert!(window.bytes() < INITIAL * 3 / 5, "{}", window.bytes());
    assert_eq!(window.base(), Some(50 * MS), "what queued behind a window is no base");
    window.acknowledge(10, Some(Measurement { flight: window.bytes(), rtt: 60 * MS }), 11, late);
    assert_eq!(window.base(), Some(60 * MS));
    assert!(window.bytes() > INITIAL * 3 / 5);
}

#[test]
fn another_websocket_begins_anew_and_an_official_agent_has_no_window() {
    let t = Instant::now();
    let mut window = window(t);
    window.acknowledge(9, Some(Measurement { flight: INITIAL, rtt: 1000 * MS }), 10, t);
    assert_eq!(window.bytes(), INITIAL / MAX_CUT);
    window.reset(10);
    assert_eq!((window.bytes(), window.base()), (INITIAL, None));
    let official = CongestionWindow::new(&Config::official_agent());
    assert_eq!(official.bytes(), Config::official_agent().max_in_flight_bytes);
}
