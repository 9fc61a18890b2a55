//! On demand: a session from the first connection on, until the last one is long closed.

use super::*;

#[test]
fn on_demand_waits_for_the_first_connection() {
    let now = Instant::now();
    let mut machine = Lifecycle::new(ON_DEMAND, 1, now);
    machine.handle_target(TargetState::Up);
    machine.handle_event(Event::Bound, now);
    assert_eq!(machine.state(), TunnelState::Listening);
    assert_eq!(actions(&mut machine), [Action::Bind]);
    machine.handle_event(Event::Connection, now);
    assert_eq!(actions(&mut machine), [Action::StartSession]);
}

#[test]
fn parked_after_the_last_connection_and_woken_by_the_next() {
    let now = Instant::now();
    let mut machine = ready(EAGER, now);
    machine.handle_event(Event::Streams(1), now);
    assert_eq!(machine.poll_timeout(), None);
    let closed = now + Duration::from_secs(5000);
    machine.handle_event(Event::Streams(0), closed);
    let park = machine.poll_timeout().expect("a time to park");
    assert_eq!(park, closed + Duration::from_mins(15));
    machine.handle_timeout(park);
    assert_eq!(machine.state(), TunnelState::Listening);
    assert_eq!(actions(&mut machine), [Action::EndSession]);
    assert_eq!(machine.poll_timeout(), None);
    machine.handle_event(Event::Connection, park);
    assert_eq!(actions(&mut machine), [Action::StartSession]);
}

#[test]
fn only_a_session_that_nobody_uses_is_parked() {
    let far = Duration::from_hours(100);
    let now = Instant::now();
    for phase in ALL {
        let mut machine = at(phase, EAGER, now);
        machine.retry_at = None;
        machine.handle_timeout(now + far);
        let parks = phase.has_session();
        assert_eq!(machine.phase, if parks { Phase::Listening } else { phase }, "{phase:?}");
        assert_eq!(actions(&mut machine).contains(&Action::EndSession), parks, "{phase:?}");

        // Not while somebody does, however the session came to be.
        let mut machine = at(phase, EAGER, now);
        machine.retry_at = None;
        machine.handle_event(Event::Streams(1), now);
        machine.handle_event(Event::SessionUp, now);
        let phase = machine.phase;
        machine.handle_timeout(now + far);
        assert_eq!(machine.phase, phase);
    }
}
