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
