//! The transition table as a table, then what a table cannot say: timers, backoff, parking.

use super::*;

const ALL: [Phase; 14] = [
    Phase::Down,
    Phase::Binding,
    Phase::PortTaken,
    Phase::Listening,
    Phase::Starting,
    Phase::StartWait,
    Phase::StartLogin,
    Phase::Probing,
    Phase::Ready,
    Phase::Degraded,
    Phase::Resuming,
    Phase::ResumeWait,
    Phase::ResumeLogin,
    Phase::Failed,
];

const EAGER: Policy = Policy { on_demand: false, park_after: Some(Duration::from_mins(15)), by_name: false };
const ON_DEMAND: Policy = Policy { on_demand: true, park_after: None, by_name: false };

fn down(kind: CauseKind, retry: Retry) -> DownCause {
    DownCause::new(kind, retry, "test")
}

fn network() -> DownCause {
    down(CauseKind::Network, Retry::Unreachable)
}

/// A machine in `phase`, reached by events where that is short and set where it is not.
fn at(phase: Phase, policy: Policy, now: Instant) -> Lifecycle {
    let mut machine = Lifecycle::new(policy, 1, now);
    machine.phase = phase;
    machine.answered = phase == Phase::Ready;
    machine.flaps = u32::from(phase == Phase::Resuming);
    if matches!(
        phase,
        Phase::PortTaken
            | Phase::StartWait
            | Phase::StartLogin
            | Phase::Degraded
            | Phase::ResumeWait
            | Phase::ResumeLogin
    ) {
        machine.retry_at = Some(now);
    }
    machine
}

fn actions(machine: &mut Lifecycle) -> Vec<Action> {
    std::iter::from_fn(|| machine.poll_action()).collect()
}

/// An input of the table.
#[derive(Debug, Clone)]
enum In {
    Target(TargetState),
    Event(Event),
    Timeout,
}

impl Lifecycle {
    fn take(&mut self, input: &In, now: Instant) {
        match input {
            In::Target(target) => self.handle_target(*target),
            In::Event(event) => self.handle_event(event.clone(), now),
            In::Timeout => self.handle_timeout(now),
        }
    }
}

#[test]
fn the_transition_table() {
    use Action::{Bind, EndSession, Probe, ResumeSession, StartSession, Unbind};
    use Phase::*;

    /// One line: from these phases, with this input, into that phase with those actions.
    type Line<'a> = (&'a [Phase], Phase, &'a [Action]);
    let cause = || Cause::new(CauseKind::PortTaken, "test");
    let start_failed = |retry| In::Event(Event::StartFailed(down(CauseKind::Other, retry)));
    let resume_failed = |retry| In::Event(Event::ResumeFailed(down(CauseKind::Other, retry)));

    // Whatever a phase has no line for must change nothing and do nothing.
    let table: Vec<(In, Vec<Line<'_>>)> = vec![
        (
            In::Target(TargetState::Up),
            vec![
                (&[Down, PortTaken], Binding, &[Bind]),
                (&[Listening, StartWait, StartLogin, Failed], Starting, &[StartSession]),
                (&[ResumeWait, ResumeLogin], Resuming, &[ResumeSession]),
            ],
        ),
        (
            In::Target(TargetState::Down),
            vec![
                (&[Binding, PortTaken, Listening, StartWait, StartLogin, Failed], Down, &[Unbind]),
                (&[Starting, Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin], Down, &[EndSession, Unbind]),
            ],
        ),
        (In::Event(Event::Bound), vec![(&[Binding], Starting, &[StartSession])]),
        (In::Event(Event::BindFailed(cause())), vec![(&[Binding], PortTaken, &[])]),
        (In::Event(Event::Connection), vec![(&[Listening], Starting, &[StartSession])]),
        (In::Event(Event::SessionUp), vec![(&[Starting], Probing, &[Probe])]),
        (start_failed(Retry::Unreachable), vec![(&[Starting], StartWait, &[])]),
        (start_failed(Retry::Answered), vec![(&[Starting], StartWait, &[])]),
        (start_failed(Retry::Login), vec![(&[Starting], StartLogin, &[])]),
        (start_failed(Retry::Never), vec![(&[Starting], Failed, &[])]),
        (
            In::Event(Event::ChannelLost(network())),
            vec![
                (&[Probing, Ready, Degraded], Resuming, &[ResumeSession]),
                // The websocket of the resume was lost in its turn.
                (&[Resuming], ResumeWait, &[]),
            ],
        ),
        (
            In::Event(Event::Resumed),
            // A tunnel that had not answered before is not ready only because its channel is back.
            vec![(&[Resuming], Probing, &[Probe])],
        ),
        (resume_failed(Retry::Unreachable), vec![(&[Resuming], ResumeWait, &[])]),
        (resume_failed(Retry::Answered), vec![(&[Resuming], ResumeWait, &[])]),
        (resume_failed(Retry::Login), vec![(&[Resuming], ResumeLogin, &[])]),
        (resume_failed(Retry::Never), vec![(&[Resuming], StartWait, &[EndSession])]),
        (
            In::Event(Event::SessionEnded(down(CauseKind::Other, Retry::Answered))),
            vec![(&[Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin], StartWait, &[EndSession])],
        ),
        (
            In::Event(Event::SessionEnded(down(CauseKind::AgentTooOld, Retry::Never))),
            vec![(&[Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin], Failed, &[EndSession])],
        ),
        (
            In::Event(Event::SessionEnded(down(CauseKind::IdlePolicy, Retry::Answered))),
            vec![(&[Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin], Listening, &[EndSession])],
        ),
        (In::Event(Event::ProbePassed), vec![(&[Probing, Ready, Degraded], Ready, &[])]),
        (In::Event(Event::RemoteAnswered), vec![(&[Probing, Ready, Degraded], Ready, &[])]),
        (
            In::Event(Event::ProbeFailed(network())),
            vec![
                (&[Probing, Degraded], Degraded, &[]),
                // It did answer through this session: the host may have moved.
                (&[Ready], Starting, &[EndSession, StartSession]),
            ],
        ),
        (In::Event(Event::RemoteRefused), vec![(&[Ready], Ready, &[Probe])]),
        (In::Event(Event::Streams(1)), vec![]),
        (
            In::Timeout,
            vec![
                (&[PortTaken], Binding, &[Bind]),
                (&[StartWait, StartLogin], Starting, &[StartSession]),
                (&[ResumeWait, ResumeLogin], Resuming, &[ResumeSession]),
                (&[Degraded], Degraded, &[Probe]),
            ],
        ),
    ];

    let now = Instant::now();
    for (input, lines) in &table {
        for phase in ALL {
            let (to, expected) = lines
                .iter()
                .find(|(from, ..)| from.contains(&phase))
                .map_or((phase, [].as_slice()), |(_, to, actions)| (*to, *actions));
            let mut machine = at(phase, EAGER, now);
            machine.take(input, now);
            assert_eq!(machine.phase, to, "{phase:?} on {input:?}");
            assert_eq!(actions(&mut machine), expected, "{phase:?} on {input:?}");
        }
    }
}

#[test]
fn every_phase_shows_one_state_and_admits_as_documented() {
    use Admission::{Hold, Pass, Refuse, Wake};
    use TunnelState as State;
    let expected = [
        (State::Down, Refuse),
        (State::Connecting, Refuse),
        (State::Failed, Refuse),
        (State::Listening, Wake),
        (State::Connecting, Hold),
        (State::Connecting, Hold),
        (State::NeedsLogin, Hold),
        (State::Connecting, Pass),
        (State::Ready, Pass),
        (State::Degraded, Pass),
        (State::Reconnecting, Hold),
        (State::Reconnecting, Hold),
        (State::NeedsLogin, Hold),
        (State::Failed, Refuse),
    ];
    for (phase, (state, admission)) in ALL.into_iter().zip(expected) {
        let machine = at(phase, EAGER, Instant::now());
        assert_eq!((machine.state(), machine.admission()), (state, admission), "{phase:?}");
    }
}

/// Up to `ready` as it usually goes.
fn ready(policy: Policy, now: Instant) -> Lifecycle {
    let mut machine = Lifecycle::new(policy, 1, now);
    machine.handle_target(TargetState::Up);
    machine.handle_event(Event::Bound, now);
    machine.handle_event(Event::Connection, now);
    machine.handle_event(Event::SessionUp, now);
    machine.handle_event(Event::ProbePassed, now);
    assert_eq!(machine.state(), TunnelState::Ready);
    actions(&mut machine);
    machine
}

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

/// What a change of the configuration does in each phase.
#[test]
fn the_table_of_edits() {
    use Action::{Bind, EndSession, RetireListener, RetireSession, StartSession};
    use Phase::*;
    let rebind = Impact { rebind: true, reconnect: false };
    let reconnect = Impact { rebind: false, reconnect: true };
    type Row<'a> = (&'a [Phase], Policy, Impact, Option<Phase>, &'a [Action]);
    let table: &[Row<'_>] = &[
        (&[Down], EAGER, rebind, None, &[]),
        (&[Down], EAGER, reconnect, None, &[]),
        // The port moves: whatever there was goes with it, and its connections have some time.
        (&[Binding, PortTaken, Listening], EAGER, rebind, Some(Binding), &[RetireListener, Bind]),
        (&[StartWait, StartLogin, Failed], EAGER, rebind, Some(Binding), &[RetireListener, Bind]),
        (
            &[Starting, Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin],
            EAGER,
            rebind,
            Some(Binding),
            &[RetireSession, RetireListener, Bind],
        ),
        // Only the session is another.
        (&[Binding, PortTaken, Listening], EAGER, reconnect, None, &[]),
        (
            &[Starting, Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin],
            EAGER,
            reconnect,
            Some(Starting),
            &[RetireSession, StartSession],
        ),
        (&[StartWait, StartLogin, Failed], EAGER, reconnect, Some(Starting), &[StartSession]),
        // On demand it waits for the next connection, unless one is waiting.
        (&[Probing, Ready, Degraded], ON_DEMAND, reconnect, Some(Listening), &[RetireSession]),
        (&[Failed], ON_DEMAND, reconnect, Some(Listening), &[]),
        (&[Starting, Resuming, ResumeWait], ON_DEMAND, reconnect, Some(Starting), &[RetireSession, StartSession]),
        // Nothing that matters.
        (&ALL, ON_DEMAND, Impact::default(), None, &[]),
    ];
    assert!(table.iter().all(|row| !row.4.contains(&EndSession)), "connections have some time in all of them");
    let now = Instant::now();
    for (phases, policy, impact, next, expected) in table {
        for phase in *phases {
            let mut machine = at(*phase, *policy, now);
            machine.handle_config(*policy, *impact, now);
            assert_eq!(machine.phase, next.unwrap_or(*phase), "{phase:?} {impact:?}");
            assert_eq!(actions(&mut machine), *expected, "{phase:?} {impact:?}");
        }
    }
}

#[test]
fn a_tunnel_that_becomes_eager_opens_its_session() {
    let now = Instant::now();
    for impact in [Impact::default(), Impact { rebind: false, reconnect: true }] {
        let mut machine = at(Phase::Listening, ON_DEMAND, now);
        machine.handle_config(EAGER, impact, now);
        assert_eq!(actions(&mut machine), [Action::StartSession]);
        // One that was parked stays parked: nobody needs it.
        let mut machine = at(Phase::Listening, EAGER, now);
        machine.handle_config(EAGER, impact, now);
        assert_eq!(actions(&mut machine), []);
    }
}

#[test]
fn another_time_to_park_counts_from_the_edit() {
    let now = Instant::now();
    let mut machine = ready(EAGER, now);
    machine.handle_config(Policy { park_after: Some(Duration::from_mins(1)), ..EAGER }, Impact::default(), now);
    assert_eq!(machine.poll_timeout(), Some(now + Duration::from_mins(1)));
    machine.handle_config(Policy { park_after: None, ..EAGER }, Impact::default(), now);
    assert_eq!(machine.poll_timeout(), None);
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

#[test]
fn nothing_is_left_to_do_after_down() {
    for phase in ALL {
        let now = Instant::now();
        let mut machine = at(phase, EAGER, now);
        machine.handle_target(TargetState::Down);
        assert_eq!(machine.state(), TunnelState::Down);
        assert_eq!(machine.poll_timeout(), None, "{phase:?}");
        assert_eq!(machine.cause(), None);
    }
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
            assert_eq!(todo, [Action::EndSession, Action::StartSession]);
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
