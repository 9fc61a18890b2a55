//! The machine alone, by subject; here, how a test gets one into a phase.

use super::super::cause::Retry;
use super::*;

mod edits;
mod nudges;
mod parking;
mod replacing;
mod retries;
mod tables;

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
    if phase == Phase::Resuming {
        machine.channel.lost(false, Retry::Unreachable, now);
    }
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
