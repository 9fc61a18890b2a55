//! Another session beside the one there is: when it is opened, and what becomes of both.

use super::replacement::{RESOLVED_JUST_NOW, SECOND_THOUGHTS, THIRD_THOUGHTS};
use super::*;

const BY_NAME: Policy = Policy { by_name: true, ..EAGER };

fn refused() -> DownCause {
    down(CauseKind::RemoteRefused, Retry::Answered)
}

/// Up to degraded: the remote never answered.
fn degraded(policy: Policy, now: Instant) -> Lifecycle {
    let mut machine = Lifecycle::new(policy, 1, now);
    machine.handle_target(TargetState::Up);
    machine.handle_event(Event::Bound, now);
    machine.handle_event(Event::SessionUp, now);
    machine.handle_event(Event::ProbeFailed(refused()), now);
    assert_eq!(machine.state(), TunnelState::Degraded);
    actions(&mut machine);
    machine
}

#[test]
fn a_remote_that_moved_is_found_through_another_session_before_users_hear_of_it() {
    let start = Instant::now();
    let mut machine = ready(BY_NAME, start);
    machine.handle_event(Event::Streams(2), start);
    let now = start + RESOLVED_JUST_NOW;
    machine.handle_event(Event::RemoteRefused, now);
    machine.handle_event(Event::RemoteRefused, now);
    assert_eq!(actions(&mut machine), [Action::Probe], "one probe at a time");
    machine.handle_event(Event::ProbeFailed(refused()), now);
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Ready, vec![Action::StartSession]));
    machine.handle_event(Event::SessionUp, now);
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Ready, vec![Action::Probe]));
    machine.handle_event(Event::ProbePassed, now);
    assert_eq!((machine.state(), machine.cause()), (TunnelState::Ready, None));
}

#[test]
fn a_remote_that_is_dead_is_degraded_once_another_session_did_not_help() {
    let start = Instant::now();
    let now = start + RESOLVED_JUST_NOW;
    let moved = |policy| {
        let mut machine = ready(policy, start);
        machine.handle_event(Event::ProbeFailed(refused()), now);
        machine
    };
    let is_degraded = |machine: &Lifecycle| {
        assert_eq!(machine.state(), TunnelState::Degraded);
        assert_eq!(machine.cause().map(|cause| cause.kind), Some(CauseKind::RemoteRefused));
    };
    let mut machine = moved(BY_NAME);
    machine.handle_event(Event::SessionUp, now);
    machine.handle_event(Event::ProbeFailed(refused()), now);
    is_degraded(&machine);
    // There is no other session to be had.
    let mut machine = moved(BY_NAME);
    machine.handle_event(Event::StartFailed(down(CauseKind::Credentials, Retry::Login)), now);
    is_degraded(&machine);
    // An address is found where it was.
    is_degraded(&moved(EAGER));
    // It was looked up just now.
    let mut machine = ready(BY_NAME, now);
    machine.handle_event(Event::ProbeFailed(refused()), now);
    is_degraded(&machine);
}

#[test]
fn a_remote_that_stays_dead_costs_no_stream_of_sessions() {
    let mut now = Instant::now();
    let mut machine = degraded(EAGER, now);
    for _ in 0..20 {
        now = machine.retry_at().expect("a next probe");
        machine.handle_timeout(now);
        assert_eq!(actions(&mut machine), [Action::Probe]);
        machine.handle_event(Event::ProbeFailed(refused()), now);
        assert_eq!(machine.state(), TunnelState::Degraded);
    }
}

/// A degraded machine that has just asked for a session beside the one it has.
fn looking_again(mut now: Instant) -> (Lifecycle, Instant) {
    let mut machine = degraded(BY_NAME, now);
    loop {
        now = machine.retry_at().expect("a next look");
        machine.handle_timeout(now);
        if machine.replacing.is_some() {
            assert_eq!(actions(&mut machine), [Action::StartSession]);
            return (machine, now);
        }
        machine.handle_event(Event::ProbeFailed(refused()), now);
        actions(&mut machine);
    }
}

#[test]
fn the_session_there_is_stays_until_there_is_another() {
    // The remote is back before the other session is: that one is not needed any more.
    let (mut machine, now) = looking_again(Instant::now());
    machine.handle_event(Event::RemoteAnswered, now);
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Ready, vec![Action::ForgetStart]));
    machine.handle_event(Event::SessionUp, now);
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Ready, vec![]));

    // No other session is to be had, whatever the reason: it stays as it was, and is tried again.
    for retry in [Retry::Login, Retry::Never, Retry::Unreachable] {
        let (mut machine, now) = looking_again(Instant::now());
        let cause = machine.cause().cloned();
        machine.handle_event(Event::StartFailed(down(CauseKind::Credentials, retry)), now);
        assert_eq!((machine.state(), machine.cause().cloned()), (TunnelState::Degraded, cause));
        assert_eq!(actions(&mut machine), []);
        assert!(machine.retry_at().is_some_and(|at| at > now));
        machine.handle_event(Event::RemoteAnswered, now);
        assert_eq!(machine.state(), TunnelState::Ready);
    }

    // Its end ends the wish for another as well.
    let (mut machine, now) = looking_again(Instant::now());
    machine.handle_target(TargetState::Down);
    assert_eq!(actions(&mut machine), [Action::ForgetStart, Action::EndSession, Action::Unbind]);
    machine.handle_event(Event::SessionUp, now);
    assert_eq!(machine.state(), TunnelState::Down);
}

#[test]
fn a_remote_that_may_have_moved_is_looked_up_by_ever_fewer_new_sessions_until_the_tunnel_parks() {
    let began = Instant::now();
    let mut now = began;
    let park_after = Duration::from_hours(1);
    let mut machine = degraded(Policy { park_after: Some(park_after), ..BY_NAME }, now);
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
        machine.handle_event(Event::ProbeFailed(refused()), now);
    }
    assert_eq!(now, began + park_after, "sessions of our own are no use of the tunnel");
    let pauses: Vec<Duration> = sessions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses[0] >= Duration::from_secs(30) && pauses[0] <= Duration::from_mins(1), "{pauses:?}");
    assert!(pauses.len() <= 12 && pauses[5..].iter().all(|pause| *pause >= Duration::from_mins(8)), "{pauses:?}");
}

fn silent() -> Event {
    Event::Silent(down(CauseKind::Unresponsive, Retry::Answered))
}

#[test]
fn a_suspect_session_is_resumed_once_and_then_another_is_opened_beside_it() {
    let start = Instant::now();
    let mut machine = ready(EAGER, start);
    machine.handle_event(silent(), start);
    assert_eq!((machine.state(), machine.admission()), (TunnelState::Reconnecting, Admission::Hold));
    assert_eq!(actions(&mut machine), [Action::ResumeSession]);
    assert_eq!(machine.poll_timeout(), Some(start + THIRD_THOUGHTS), "calls that hang are the network's");
    machine.handle_event(Event::Attached, start);
    let now = machine.poll_timeout().expect("a second thought");
    assert_eq!(now, start + SECOND_THOUGHTS);
    machine.handle_timeout(now);
    assert_eq!(actions(&mut machine), [Action::StartSession]);
    machine.handle_event(Event::SessionUp, now);
    assert_eq!((machine.admission(), actions(&mut machine)), (Admission::Pass, vec![Action::Probe]));
    machine.handle_event(Event::ProbePassed, now);
    assert_eq!((machine.state(), machine.cause()), (TunnelState::Ready, None));
}

#[test]
fn a_suspect_session_that_is_heard_in_time_needs_no_other() {
    let start = Instant::now();
    // Before another is opened, and while it is.
    for (later, expected) in [(Duration::ZERO, vec![]), (SECOND_THOUGHTS, vec![Action::ForgetStart])] {
        let mut machine = ready(EAGER, start);
        machine.handle_event(silent(), start);
        machine.handle_event(Event::Attached, start);
        machine.handle_timeout(start + later);
        actions(&mut machine);
        machine.handle_event(Event::Resumed, start + later);
        assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Ready, expected));
        machine.handle_timeout(start + Duration::from_mins(1));
        assert_eq!(actions(&mut machine), []);
    }
}

#[test]
fn another_session_for_a_suspect_one_is_tried_until_there_is_one() {
    let mut now = Instant::now();
    let mut machine = ready(EAGER, now);
    machine.handle_event(silent(), now);
    machine.handle_event(Event::ResumeFailed(down(CauseKind::ServiceError, Retry::Answered)), now);
    let (mut starts, mut resumes) = (0, 0);
    for _ in 0..40 {
        now = machine.poll_timeout().expect("a next try");
        machine.handle_timeout(now);
        for action in actions(&mut machine) {
            match action {
                Action::StartSession => {
                    starts += 1;
                    machine.handle_event(Event::StartFailed(down(CauseKind::Throttled, Retry::Answered)), now);
                }
                Action::ResumeSession => {
                    resumes += 1;
                    machine.handle_event(Event::ResumeFailed(down(CauseKind::ServiceError, Retry::Answered)), now);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(machine.state(), TunnelState::Reconnecting);
    }
    assert!(starts > 3 && resumes > 10, "{starts} {resumes}");
}

#[test]
fn a_network_that_is_gone_explains_the_silence() {
    let mut now = Instant::now();
    let mut machine = ready(EAGER, now);
    machine.handle_event(silent(), now);
    actions(&mut machine);
    for _ in 0..20 {
        machine.handle_event(Event::ResumeFailed(network()), now);
        now = machine.poll_timeout().expect("a next try");
        machine.handle_timeout(now);
        assert_eq!(actions(&mut machine), [Action::ResumeSession], "and no session that could not be opened either");
    }
    machine.handle_event(Event::Resumed, now);
    assert_eq!(machine.state(), TunnelState::Ready);
    // Only now is it silent for another reason.
    machine.handle_event(silent(), now);
    machine.handle_event(Event::Attached, now);
    machine.handle_timeout(now + SECOND_THOUGHTS);
    assert_eq!(actions(&mut machine), [Action::ResumeSession, Action::StartSession]);
}

#[test]
fn a_suspect_session_whose_patience_is_over_while_another_is_opened_waits_for_that_one() {
    let now = Instant::now();
    let mut machine = ready(EAGER, now);
    machine.handle_event(silent(), now);
    machine.handle_timeout(now + THIRD_THOUGHTS);
    actions(&mut machine);
    machine.handle_event(Event::SessionEnded(down(CauseKind::Unresponsive, Retry::Answered)), now);
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Connecting, vec![Action::EndSession]));
    machine.handle_event(Event::SessionUp, now);
    assert_eq!(actions(&mut machine), [Action::Probe]);
}

#[test]
fn a_session_is_replaced_before_its_longest_life_is_over() {
    let start = Instant::now();
    let longest = Duration::from_hours(1);
    let mut machine = ready(Policy { park_after: None, ..EAGER }, start);
    assert_eq!(machine.poll_timeout(), None);
    machine.handle_event(Event::Longest(longest), start);
    let due = machine.poll_timeout().expect("a time to rotate");
    assert_eq!(due, start + Duration::from_mins(55));
    machine.handle_timeout(due);
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Ready, vec![Action::StartSession]));
    assert_eq!(machine.poll_timeout(), None, "one at a time");
    // It is tried again if there is none to be had.
    machine.handle_event(Event::StartFailed(network()), due);
    let again = machine.poll_timeout().expect("a next try");
    assert!(again > due && again < due + Duration::from_secs(1));
    machine.handle_timeout(again);
    assert_eq!(actions(&mut machine), [Action::StartSession]);
    machine.handle_event(Event::SessionUp, again);
    machine.handle_event(Event::ProbePassed, again);
    assert_eq!((machine.state(), machine.cause()), (TunnelState::Ready, None));
    assert_eq!(machine.poll_timeout(), Some(again + Duration::from_mins(55)), "and so on");
}

#[test]
fn how_long_sessions_may_live_is_learnt_from_the_first_that_ends() {
    let start = Instant::now();
    let mut machine = ready(Policy { park_after: None, ..EAGER }, start);
    let ended = || Event::SessionEnded(down(CauseKind::MaxDuration, Retry::Answered));
    machine.handle_event(ended(), start + Duration::from_secs(30));
    machine.handle_event(Event::SessionUp, start);
    machine.handle_event(Event::ProbePassed, start);
    assert_eq!(machine.poll_timeout(), None, "no account's limit is that short");
    let lived = Duration::from_mins(20);
    machine.handle_event(ended(), start + lived);
    machine.handle_event(Event::SessionUp, start + lived);
    machine.handle_event(Event::ProbePassed, start + lived);
    assert_eq!(machine.poll_timeout(), Some(start + lived + Duration::from_mins(18)), "a tenth before");
}

#[test]
fn an_on_demand_session_that_nobody_uses_is_not_replaced() {
    let start = Instant::now();
    let mut machine = ready(ON_DEMAND, start);
    machine.handle_event(Event::Longest(Duration::from_mins(10)), start);
    machine.handle_timeout(machine.poll_timeout().expect("a time to rotate"));
    assert_eq!((machine.state(), actions(&mut machine)), (TunnelState::Listening, vec![Action::EndSession]));
}

#[test]
fn another_network_has_the_channel_checked_at_once() {
    let now = Instant::now();
    for nudge in [Nudge::Network, Nudge::Woke] {
        let mut machine = ready(EAGER, now);
        machine.handle_nudge(&nudge, now);
        let at = machine.poll_timeout().expect("a check");
        assert!(at <= now + CHECK_SPREAD);
        machine.handle_timeout(at);
        assert_eq!(actions(&mut machine), [Action::Check]);
    }
    let mut machine = ready(EAGER, now);
    machine.handle_nudge(&Nudge::Login, now);
    machine.handle_timeout(now + CHECK_SPREAD);
    assert_eq!(actions(&mut machine), [], "a login says nothing about channels");
}
