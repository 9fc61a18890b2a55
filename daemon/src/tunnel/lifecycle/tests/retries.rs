//! What is lost, ended or silent is tried again: how soon, how often, and what a user sees of it.

use super::*;

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
fn a_remote_that_stops_answering_costs_open_connections_nothing() {
    let now = Instant::now();
    let mut machine = ready(EAGER, now);
    machine.handle_event(Event::Streams(2), now);
    machine.handle_event(Event::RemoteRefused, now);
    machine.handle_event(Event::RemoteRefused, now);
    assert_eq!(actions(&mut machine), [Action::Probe], "one probe at a time");
    machine.handle_event(Event::ProbeFailed(network()), now);
    assert_eq!(machine.state(), TunnelState::Degraded);
    assert_eq!(actions(&mut machine), []);
    machine.handle_event(Event::RemoteAnswered, now);
    assert_eq!(machine.state(), TunnelState::Ready);
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn a_remote_that_stays_dead_costs_one_new_session_then_probes() {
    let mut now = Instant::now();
    let mut machine = ready(EAGER, now);
    machine.handle_event(Event::RemoteRefused, now);
    machine.handle_event(Event::ProbeFailed(network()), now);
    machine.handle_event(Event::SessionUp, now);
    actions(&mut machine);
    for _ in 0..20 {
        machine.handle_event(Event::ProbeFailed(network()), now);
        assert_eq!(machine.state(), TunnelState::Degraded);
        now = machine.retry_at().expect("a next probe");
        machine.handle_timeout(now);
        assert_eq!(actions(&mut machine), [Action::Probe]);
    }
}

/// A degraded machine that has just asked for a session beside the one it has.
fn replacing(mut now: Instant) -> (Lifecycle, Instant) {
    let mut machine = Lifecycle::new(Policy { by_name: true, ..EAGER }, 1, now);
    machine.handle_target(TargetState::Up);
    machine.handle_event(Event::Bound, now);
    machine.handle_event(Event::SessionUp, now);
    loop {
        machine.handle_event(Event::ProbeFailed(network()), now);
        actions(&mut machine);
        now = machine.retry_at().expect("a next look");
        machine.handle_timeout(now);
        if machine.replacing {
            assert_eq!(actions(&mut machine), [Action::StartSession]);
            return (machine, now);
        }
    }
}

#[test]
fn the_session_there_is_stays_until_there_is_another() {
    // The remote is back before the other session is: that one is not needed any more.
    let (mut machine, now) = replacing(Instant::now());
    machine.handle_event(Event::RemoteAnswered, now);
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Ready, vec![Action::ForgetStart]));
    machine.handle_event(Event::SessionUp, now);
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Ready, vec![]));

    // A connection is worth more; the probe goes on beside it.
    let (mut machine, now) = replacing(Instant::now());
    machine.handle_event(Event::Streams(1), now);
    assert_eq!(actions(&mut machine), [Action::ForgetStart, Action::Probe]);

    // No other session is to be had, whatever the reason: it stays as it was, and is tried again.
    for retry in [Retry::Login, Retry::Never, Retry::Unreachable] {
        let (mut machine, now) = replacing(Instant::now());
        let cause = machine.cause().cloned();
        machine.handle_event(Event::StartFailed(down(CauseKind::Credentials, retry)), now);
        assert_eq!((machine.state(), machine.cause().cloned()), (TunnelState::Degraded, cause));
        assert_eq!(actions(&mut machine), []);
        assert!(machine.retry_at().is_some_and(|at| at > now));
        machine.handle_event(Event::RemoteAnswered, now);
        assert_eq!(machine.state(), TunnelState::Ready);
    }

    // Its end ends the wish for another as well.
    let (mut machine, now) = replacing(Instant::now());
    machine.handle_target(TargetState::Down);
    assert_eq!(actions(&mut machine), [Action::EndSession, Action::Unbind]);
    machine.handle_event(Event::SessionUp, now);
    assert_eq!(machine.state(), TunnelState::Down);
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

#[test]
fn a_remote_that_may_have_moved_is_looked_up_by_ever_fewer_new_sessions_until_the_tunnel_parks() {
    let began = Instant::now();
    let mut now = began;
    let park_after = Duration::from_hours(1);
    let policy = Policy { by_name: true, park_after: Some(park_after), ..EAGER };
    let mut machine = Lifecycle::new(policy, 1, now);
    machine.handle_target(TargetState::Up);
    machine.handle_event(Event::Bound, now);
    machine.handle_event(Event::SessionUp, now);
    machine.handle_event(Event::ProbeFailed(network()), now);
    actions(&mut machine);
    let mut sessions = vec![began];
    while machine.state() != TunnelState::Listening {
        now = machine.poll_timeout().expect("something to wait for");
        machine.handle_timeout(now);
        let todo = actions(&mut machine);
        if todo.contains(&Action::StartSession) {
            assert_eq!(todo, [Action::StartSession], "beside the one there is");
            sessions.push(now);
            assert_eq!(machine.state(), TunnelState::Degraded, "that is no news");
            machine.handle_event(Event::SessionUp, now);
            assert_eq!((machine.state(), machine.cause().is_some()), (TunnelState::Degraded, true), "nor is that");
            actions(&mut machine);
        }
        machine.handle_event(Event::ProbeFailed(network()), now);
    }
    assert_eq!(now, began + park_after, "sessions of our own are no use of the tunnel");
    let pauses: Vec<Duration> = sessions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses[0] >= Duration::from_secs(30) && pauses[0] <= Duration::from_mins(1), "{pauses:?}");
    assert!(pauses.len() <= 12 && pauses[5..].iter().all(|pause| *pause >= Duration::from_mins(8)), "{pauses:?}");

    // A connection that is open is worth more than that.
    machine.handle_event(Event::Connection, now);
    machine.handle_event(Event::SessionUp, now);
    machine.handle_event(Event::Streams(1), now);
    machine.handle_event(Event::ProbeFailed(network()), now);
    actions(&mut machine);
    for _ in 0..50 {
        now = machine.retry_at().expect("a next probe");
        machine.handle_timeout(now);
        assert_eq!(actions(&mut machine), [Action::Probe]);
        machine.handle_event(Event::ProbeFailed(network()), now);
    }
}
