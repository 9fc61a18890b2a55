use super::*;
use crate::fixture;
use TunnelState::{Connecting, Down, Listening, NeedsLogin, Ready, Reconnecting};
use jiff::tz::TimeZone;
use tunnels_api::{Cause, CauseKind};

fn change(at: &str, (from, to): (TunnelState, TunnelState), text: &str, lasted: Option<u64>) -> StateChange {
    StateChange {
        at: at.parse().unwrap(),
        from,
        to,
        cause: Cause::new(CauseKind::Other, text),
        lasted_ms: lasted,
        connections: Toll::default(),
    }
}

/// A night and a morning: a recycled websocket, a login that had expired, a session that was ended.
fn morning() -> History {
    let toll = |lived, lost, turned_away| Toll { lived, lost, turned_away };
    let mut recycled = change(
        "2026-11-20T23:58:01Z",
        (Ready, Reconnecting),
        "the service closed the websocket, as it does about every hour: 1000 Bye",
        Some(41),
    );
    recycled.connections = toll(12, 0, 0);
    let mut login = change(
        "2026-11-21T05:30:00Z",
        (Ready, NeedsLogin),
        "the SSO login of the profile `dev` has expired",
        Some(1_861_000),
    );
    login.connections = toll(12, 0, 3);
    login.cause.next = Some("run `aws sso login --profile dev`".into());
    let mut ended = change("2026-11-21T06:02:00Z", (Ready, Connecting), "the agent has restarted", None);
    ended.connections = toll(0, 12, 0);
    ended.cause.next = Some("look at the agent's log".into());
    let changes = vec![
        change("2026-11-20T23:00:00Z", (Down, Connecting), "brought up", Some(420)),
        change("2026-11-20T23:00:00.42Z", (Connecting, Ready), "the remote answers", Some(3_480_580)),
        recycled,
        change("2026-11-20T23:58:01.041Z", (Reconnecting, Ready), "a session carries again", Some(19_918_959)),
        login,
        change("2026-11-21T06:01:01Z", (NeedsLogin, Ready), "there are credentials again", Some(59_000)),
        ended,
    ];
    History { tunnel: "orders-db".into(), forgotten: 3, changes }
}

fn shown(history: &History, width: Option<u16>) -> String {
    render(history, &fixture::now().to_zoned(TimeZone::UTC), Look { color: false, width })
}

#[test]
fn a_night_and_a_morning_on_a_usual_terminal() {
    let expected = "\
orders-db is connecting for 1m 5s

(3 earlier changes are not kept)
Fri 20 Nov 2026
23:00:00  connecting      420ms  brought up
23:00:00  ready             58m  the remote answers
23:58:01  reconnecting     41ms  the service closed the websocket, as it does
                                 about every hour: 1000 Bye
                                 12 connections lived
23:58:01  ready          5h 31m  a session carries again
Sat 21 Nov 2026
05:30:00  needs-login    31m 1s  the SSO login of the profile `dev` has expired
                                 12 connections lived, 3 turned away
06:01:01  ready             59s  there are credentials again
06:02:00  connecting        now  the agent has restarted
                                 next: look at the agent's log
                                 12 connections lost

disturbed 3 times, 32m 6s in all; 12 connections lost, 3 turned away
";
    assert_eq!(shown(&morning(), Some(80)), expected);
}

#[test]
fn a_narrow_terminal_has_the_reasons_below() {
    let mut history = morning();
    history.changes.drain(..2);
    history.changes.truncate(1);
    let expected = "\
orders-db is reconnecting for 6h 5m

(3 earlier changes are not kept)
Fri 20 Nov 2026
23:58:01  reconnecting     41ms
          the service closed the
          websocket, as it does about
          every hour: 1000 Bye
          12 connections lived

disturbed once, for 41ms; no connection
lost
";
    assert_eq!(shown(&history, Some(40)), expected);
}

#[test]
fn a_pipe_gets_one_line_each() {
    let text = shown(&morning(), None);
    let line = "05:30:00  needs-login    31m 1s  the SSO login of the profile `dev` has expired · 12 connections lived, 3 turned away\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn the_first_opening_is_no_disturbance_and_nothing_at_all_is_said_plainly() {
    let history = |changes| History { tunnel: "a".into(), forgotten: 0, changes };
    let up = change("2026-11-21T06:00:00Z", (Down, Connecting), "brought up", None);
    assert_eq!(shown(&history(vec![up]), Some(80)).lines().count(), 3);
    let woken = change("2026-11-21T06:00:00Z", (Listening, Connecting), "a connection needs a session", None);
    assert_eq!(shown(&history(vec![woken]), Some(80)).lines().count(), 3);
    assert_eq!(shown(&history(vec![]), Some(80)), "a has not been up since the daemon started\n");
}

#[test]
fn nothing_that_comes_from_elsewhere_moves_the_cursor() {
    let mut history = morning();
    history.changes[0].cause.text = "a\u{1b}[2Jb\nc".into();
    assert!(shown(&history, Some(80)).contains("a [2Jb c\n"));
}

#[test]
fn tolls_read_as_a_sentence() {
    let toll = |lived, lost, turned_away| toll(Toll { lived, lost, turned_away });
    assert_eq!(toll(0, 0, 0), None);
    assert_eq!(toll(1, 0, 0).unwrap(), "1 connection lived");
    assert_eq!(toll(0, 2, 1).unwrap(), "2 connections lost, 1 turned away");
}
