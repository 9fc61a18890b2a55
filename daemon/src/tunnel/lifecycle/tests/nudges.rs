//! News that concern many tunnels: who tries at once, and who is left alone.

use super::super::session::WOKE_JUST_NOW;
use super::*;

const SOON: Duration = Duration::from_millis(500);
const AFTER_AN_OUTAGE: Duration = Duration::from_secs(2);

fn waiting(phase: Phase, now: Instant) -> Lifecycle {
    let mut machine = at(phase, EAGER, now);
    machine.retry_at = Some(now + Duration::from_secs(30));
    machine
}

#[test]
fn who_waits_tries_within_its_own_moment() {
    use Phase::{Failed, ResumeLogin, ResumeWait, StartLogin, StartWait};
    let now = Instant::now();
    let reached = Nudge::Reached(super::super::super::nudge::Endpoint::of(&crate::aws::AwsScope::default()));
    let cases: [(&Nudge, &[Phase], Duration); 4] = [
        (&Nudge::Login, &[StartLogin, ResumeLogin, Failed], SOON),
        (&reached, &[StartWait, ResumeWait], AFTER_AN_OUTAGE),
        (&Nudge::Network, &[StartWait, ResumeWait, StartLogin, ResumeLogin], SOON),
        (&Nudge::Woke, &[StartWait, ResumeWait, StartLogin, ResumeLogin], SOON),
    ];
    for (nudge, helped, spread) in cases {
        for phase in ALL {
            let mut machine = waiting(phase, now);
            machine.handle_nudge(nudge, now);
            let at = machine.retry_at.unwrap();
            assert_eq!(at <= now + spread, helped.contains(&phase), "{nudge:?} {phase:?}");
        }
    }
}

#[test]
fn a_try_that_is_due_sooner_is_not_put_off() {
    let now = Instant::now();
    let mut machine = waiting(Phase::StartWait, now);
    machine.retry_at = Some(now);
    machine.handle_nudge(&Nudge::Woke, now);
    assert_eq!(machine.retry_at, Some(now));
}

#[test]
fn a_failed_tunnel_is_tried_when_the_files_of_credentials_change_and_only_then() {
    let now = Instant::now();
    for nudge in [Nudge::Network, Nudge::Woke, Nudge::Login] {
        let mut machine = at(Phase::Failed, EAGER, now);
        machine.handle_nudge(&nudge, now);
        machine.handle_timeout(now + SOON);
        let tried = nudge == Nudge::Login;
        assert_eq!(actions(&mut machine), if tried { vec![Action::StartSession] } else { vec![] }, "{nudge:?}");
        assert_eq!(machine.state(), TunnelState::Failed, "a look is no news");
    }
}

#[test]
fn a_channel_that_died_in_a_sleep_says_so_whichever_is_noticed_first() {
    let now = Instant::now();
    let seen = |machine: &Lifecycle| machine.cause().map(|cause| (cause.kind, cause.text.clone())).unwrap();
    let expected = (CauseKind::Sleep, "this machine was asleep: test".to_owned());
    let mut machine = ready(EAGER, now);
    machine.handle_nudge(&Nudge::Woke, now);
    machine.handle_event(Event::ChannelLost(network()), now + Duration::from_secs(12));
    assert_eq!(seen(&machine), expected);

    let mut machine = ready(EAGER, now);
    machine.handle_event(Event::ChannelLost(network()), now);
    machine.handle_nudge(&Nudge::Woke, now + Duration::from_millis(700));
    machine.handle_nudge(&Nudge::Woke, now + Duration::from_millis(800));
    assert_eq!(seen(&machine), expected);

    // Known long before, or the next try has found out more.
    let mut machine = ready(EAGER, now);
    machine.handle_event(Event::ChannelLost(network()), now);
    machine.handle_nudge(&Nudge::Woke, now + Duration::from_mins(1));
    assert_eq!(seen(&machine).0, CauseKind::Network);
    let mut machine = ready(EAGER, now);
    machine.handle_event(Event::ChannelLost(network()), now);
    machine.handle_event(Event::ResumeFailed(network()), now);
    machine.handle_nudge(&Nudge::Woke, now);
    assert_eq!(seen(&machine).0, CauseKind::Network);

    // Long after it, and what has nothing to do with it.
    let mut machine = ready(EAGER, now);
    machine.handle_nudge(&Nudge::Woke, now);
    machine.handle_event(Event::ChannelLost(network()), now + WOKE_JUST_NOW);
    assert_eq!(seen(&machine).0, CauseKind::Network);
    let mut machine = ready(EAGER, now);
    machine.handle_nudge(&Nudge::Woke, now);
    machine.handle_event(Event::ChannelLost(down(CauseKind::Other, Retry::Unreachable)), now);
    assert_eq!(seen(&machine).0, CauseKind::Other);
}
