//! What is lost, ended or silent is tried again: how soon, how often, and what a user sees of it.

use super::session::SESSION_STABLE;
use super::*;
use crate::tunnel::channel::CHANNEL_STABLE;

#[test]
fn a_lost_channel_is_resumed_at_once_and_ready_again_without_a_probe() {
    let start = Instant::now();
    let mut machine = ready(EAGER, start);
    let later = start + Duration::from_hours(1);
    machine.handle_event(Event::ChannelLost(network()), later);
    assert_eq!(machine.state(), TunnelState::Reconnecting);
    assert_eq!(actions(&mut machine), [Action::ResumeSession]);
    machine.handle_event(Event::Resumed, later);
    assert_eq!(machine.state(), TunnelState::Ready);
    assert_eq!(machine.cause(), None);
    assert_eq!(actions(&mut machine), []);
}

#[test]
fn resuming_is_tried_without_end_and_never_more_than_five_seconds_apart_while_nothing_answers() {
    let mut now = Instant::now();
    let mut machine = ready(EAGER, now);
    machine.handle_event(Event::Streams(1), now);
    machine.handle_event(Event::ChannelLost(network()), now);
    for _ in 0..1000 {
        assert_eq!(actions(&mut machine), [Action::ResumeSession]);
        machine.handle_event(Event::ResumeFailed(network()), now);
        assert_eq!(machine.state(), TunnelState::Reconnecting);
        let retry = machine.retry_at().expect("a next try");
        assert!(retry > now && retry <= now + Duration::from_secs(5));
        now = retry;
        machine.handle_timeout(now);
    }
}

#[test]
fn a_channel_that_breaks_right_after_each_resume_is_backed_off() {
    let mut now = Instant::now();
    let mut machine = ready(EAGER, now);
    now += Duration::from_mins(1);
    machine.handle_event(Event::ChannelLost(network()), now);
    machine.handle_event(Event::Resumed, now);
    assert_eq!(actions(&mut machine), [Action::ResumeSession]);
    machine.handle_event(Event::ChannelLost(network()), now);
    assert!(machine.retry_at().is_some_and(|at| at > now));
    assert_eq!(actions(&mut machine), []);
    // Once one has held, the next loss is a new incident.
    now = machine.retry_at().unwrap();
    machine.handle_timeout(now);
    machine.handle_event(Event::Resumed, now);
    actions(&mut machine);
    now += CHANNEL_STABLE;
    machine.handle_event(Event::ChannelLost(network()), now);
    assert_eq!(actions(&mut machine), [Action::ResumeSession]);
}

#[test]
fn a_session_that_ends_after_a_good_life_is_replaced_at_once() {
    let now = Instant::now();
    let mut machine = ready(EAGER, now);
    let ended = down(CauseKind::MaxDuration, Retry::Answered);
    machine.handle_event(Event::SessionEnded(ended), now + SESSION_STABLE);
    assert_eq!(machine.state(), TunnelState::Connecting);
    assert_eq!(machine.cause().map(|cause| cause.kind), Some(CauseKind::MaxDuration));
    assert_eq!(actions(&mut machine), [Action::EndSession, Action::StartSession]);
}

#[test]
fn sessions_that_die_at_once_cost_ever_fewer_new_ones() {
    let mut now = Instant::now();
    let mut machine = ready(EAGER, now);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        machine.handle_event(Event::SessionEnded(down(CauseKind::Other, Retry::Answered)), now);
        let retry = machine.retry_at().expect("a next try");
        pauses.push(retry - now);
        now = retry;
        machine.handle_timeout(now);
        machine.handle_event(Event::SessionUp, now);
    }
    assert!(pauses[11] > Duration::from_secs(10), "{pauses:?}");
}

#[test]
fn a_try_that_only_looks_again_is_no_news() {
    let now = Instant::now();
    for (phase, failed, state) in [
        (Phase::StartLogin, Event::StartFailed(down(CauseKind::Credentials, Retry::Login)), TunnelState::NeedsLogin),
        (Phase::ResumeLogin, Event::ResumeFailed(down(CauseKind::Credentials, Retry::Login)), TunnelState::NeedsLogin),
        (Phase::PortTaken, Event::BindFailed(Cause::new(CauseKind::PortTaken, "test")), TunnelState::Failed),
    ] {
        let mut machine = at(phase, EAGER, now);
        machine.handle_timeout(now);
        assert_eq!(actions(&mut machine).len(), 1, "{phase:?}: a try is made");
        assert_eq!(machine.state(), state, "{phase:?}, trying");
        machine.handle_event(failed, now);
        assert_eq!((machine.phase, machine.state()), (phase, state), "in vain");
    }
    // The user's own wish is news.
    let mut machine = at(Phase::StartLogin, EAGER, now);
    machine.handle_target(TargetState::Up);
    assert_eq!(machine.state(), TunnelState::Connecting);
}

#[test]
fn a_login_that_is_being_written_is_waited_for() {
    let now = Instant::now();
    for (kind, state) in
        [(CauseKind::NoProfile, TunnelState::NeedsLogin), (CauseKind::AccessDenied, TunnelState::Failed)]
    {
        let mut machine = at(Phase::StartLogin, EAGER, now);
        machine.handle_timeout(now);
        machine.handle_event(Event::StartFailed(down(kind, Retry::Never)), now);
        assert_eq!(machine.state(), state, "{kind:?}");
    }
}
