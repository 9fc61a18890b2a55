use super::*;
use crate::fixture::{mixed, now, offline, soon, status};
use tunnels_api::{Cause, CauseKind};

fn wide(width: u16) -> Look {
    Look { color: false, width: Some(width) }
}

#[test]
fn a_line_says_what_each_tunnel_does() {
    let mut tunnels = mixed();
    tunnels.push(TunnelStatus { sessions: 0, ..status("opening", TunnelState::Connecting) });
    tunnels.push(status("probing", TunnelState::Connecting));
    let shown: Vec<&TunnelStatus> = tunnels.iter().collect();
    let expected = "\
✔ orders-db   ready              127.0.0.1:15432
✔ billing-db  ready · protected  127.0.0.1:15433
✔ web         ready              0.0.0.0:18080
· later       down
⠋ cache       connecting         target offline, retry in 4s
✘ search      needs-login        run `aws sso login --profile dev`
✘ api         failed             port taken, retry in 5s
⠋ opening     connecting         opening a session on i-0123456789abcdef0
⠋ probing     connecting         asking whether orders.cluster-abc.eu-west-1.rd…";
    assert_eq!(frame(&shown, now(), wide(80), 16, 0).join("\n"), expected);
}

#[test]
fn of_many_those_that_are_waited_for_are_shown_and_all_are_counted() {
    let mut tunnels: Vec<TunnelStatus> = (0..98).map(|n| status(&format!("t{n}"), TunnelState::Ready)).collect();
    tunnels.extend([offline("late-1"), offline("late-2")]);
    let shown: Vec<&TunnelStatus> = tunnels.iter().collect();
    let lines = frame(&shown, now(), wide(80), 4, 3);
    let expected = "\
100 tunnels: 98 ready, 2 connecting
⠸ late-1  connecting  target offline, retry in 4s
⠸ late-2  connecting  target offline, retry in 4s
✔ t0      ready       127.0.0.1:15432";
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let tunnels = mixed();
    let shown: Vec<&TunnelStatus> = tunnels.iter().collect();
    for width in 40..120 {
        for line in frame(&shown, now(), wide(width), 16, 0) {
            assert!(text::width(&line) <= usize::from(width), "{width}: {line}");
        }
    }
}

#[test]
fn a_pipe_gets_a_line_for_each_change_and_a_reminder_with_doubling_pauses() {
    let tunnel = offline("cache");
    let mut out = Vec::new();
    let mut progress = Progress::lines(&mut out);
    progress.changed(&Change {
        name: "cache".into(),
        from: None,
        to: Some(TunnelState::Connecting),
        cause: Some(Cause::new(CauseKind::TargetOffline, "i-0 is\nnot connected")),
    });
    for seconds in 0..=25_i32 {
        progress.tick(&[&tunnel], Duration::from_secs(seconds.unsigned_abs().into()), soon(-i64::from(seconds % 3)));
    }
    drop(progress);
    let expected = "\
cache: connecting (i-0 is not connected)
cache: still connecting: target offline, retry in 6s
cache: still connecting: target offline, retry in 5s
cache: still connecting: target offline, retry in 6s
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn what_is_done_is_not_reminded_of() {
    let tunnel = status("a", TunnelState::Ready);
    let mut out = Vec::new();
    let mut progress = Progress::lines(&mut out);
    progress.tick(&[&tunnel], Duration::from_mins(1), now());
    drop(progress);
    assert_eq!(out, b"");
}
