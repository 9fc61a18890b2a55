//! What a change of the configuration does to a tunnel, in each phase.

use super::*;

/// What a change of the configuration does in each phase.
#[test]
fn the_table_of_edits() {
    use Action::{Bind, EndSession, ForgetStart, RetireListener, RetireSession, StartSession};
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
        (&[Starting], EAGER, rebind, Some(Binding), &[ForgetStart, RetireListener, Bind]),
        (
            &[Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin],
            EAGER,
            rebind,
            Some(Binding),
            &[RetireSession, RetireListener, Bind],
        ),
        // Only the session is another.
        (&[Binding, PortTaken, Listening], EAGER, reconnect, None, &[]),
        (&[Starting], EAGER, reconnect, Some(Starting), &[ForgetStart, StartSession]),
        (
            &[Probing, Ready, Degraded, Resuming, ResumeWait, ResumeLogin],
            EAGER,
            reconnect,
            Some(Starting),
            &[RetireSession, StartSession],
        ),
        (&[StartWait, StartLogin, Failed], EAGER, reconnect, Some(Starting), &[StartSession]),
        // On demand it waits for the next connection, unless one is waiting.
        (&[Probing, Ready, Degraded], ON_DEMAND, reconnect, Some(Listening), &[RetireSession]),
        (&[Failed], ON_DEMAND, reconnect, Some(Listening), &[]),
        (&[Starting], ON_DEMAND, reconnect, Some(Starting), &[ForgetStart, StartSession]),
        (&[Resuming, ResumeWait], ON_DEMAND, reconnect, Some(Starting), &[RetireSession, StartSession]),
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
