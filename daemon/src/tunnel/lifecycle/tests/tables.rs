//! The transition table as a table: every phase with every input; what each phase shows and admits.

use super::*;

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
    use Action::{Bind, EndSession, ForgetStart, Probe, ResumeSession, StartSession, Unbind};
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
                (&[Starting], Down, &[ForgetStart, Unbind]),
                (&[Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin], Down, &[EndSession, Unbind]),
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
            In::Event(Event::Silent(down(CauseKind::Unresponsive, Retry::Answered))),
            vec![(&[Probing, Ready, Degraded], Resuming, &[ResumeSession])],
        ),
        (
            In::Event(Event::Resumed),
            // A tunnel that had not answered before is not ready only because its channel is back.
            vec![(&[Resuming, ResumeWait, ResumeLogin], Probing, &[Probe])],
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
        (In::Event(Event::ProbeFailed(network())), vec![(&[Probing, Ready, Degraded], Degraded, &[])]),
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
        (State::Connecting, Hold),
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
