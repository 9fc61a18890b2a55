use super::*;
use crate::fixture::{needs_login, now, offline, port_taken, status};
use tunnels_api::CauseKind;

fn wide(width: u16) -> Look {
    Look { color: false, width: Some(width) }
}

fn told(tunnels: &[TunnelStatus], retry: Retry) -> String {
    of(tunnels, None, now(), wide(80), retry).iter().map(|note| note.join("\n")).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn one_login_is_asked_for_once() {
    let tunnels: Vec<TunnelStatus> = ["a", "b", "c", "d", "e"].map(needs_login).into();
    let expected = "\
5 tunnels (a, b, c, d and 1 more): the SSO login of `dev` has expired
  next: run `aws sso login --profile dev`";
    assert_eq!(told(&tunnels, Retry::SaidElsewhere), expected);
}

#[test]
fn different_causes_with_one_way_out_share_it() {
    let tunnels: Vec<TunnelStatus> = (1..=5).map(|n| port_taken(&format!("t{n}"), n)).collect();
    let expected = "\
t1: 127.0.0.1:1 is taken by python3 (pid 1)
t2: 127.0.0.1:2 is taken by python3 (pid 2)
t3: 127.0.0.1:3 is taken by python3 (pid 3)
… and 2 more of this kind
  next: stop that program, or choose another `local`";
    assert_eq!(told(&tunnels, Retry::SaidElsewhere), expected);
}

#[test]
fn what_has_nothing_in_common_stays_apart() {
    let odd = |name: &str, text: &str| TunnelStatus {
        cause: Some(Cause::new(CauseKind::Other, text)),
        ..status(name, TunnelState::Connecting)
    };
    assert_eq!(told(&[odd("a", "this"), odd("b", "that")], Retry::SaidElsewhere), "a: this\n\nb: that");
}

#[test]
fn the_next_try_is_said_where_the_list_does_not() {
    let tunnels = [offline("cache")];
    let expected = "\
cache: i-0123456789abcdef0 is not connected to Systems Manager (retry in 4s)
  next: check that the instance runs, and the profile and region";
    assert_eq!(told(&tunnels, Retry::Said), expected);
    assert!(!told(&tunnels, Retry::SaidElsewhere).contains("retry"));
}

#[test]
fn what_is_as_wanted_has_no_note_even_with_a_cause() {
    let cause = Some(Cause::new(CauseKind::Parked, "no connection for a while"));
    for state in [TunnelState::Ready, TunnelState::Listening, TunnelState::Down] {
        assert_eq!(told(&[TunnelStatus { cause: cause.clone(), ..status("a", state) }], Retry::Said), "");
    }
}

#[test]
fn a_port_that_others_can_reach_is_warned_of_while_it_is_open() {
    let open = |name: &str, state| TunnelStatus { exposed: true, local: "0.0.0.0:1".into(), ..status(name, state) };
    let tunnels = [open("a", TunnelState::Ready), open("b", TunnelState::Listening), open("c", TunnelState::Down)];
    assert_eq!(told(&tunnels, Retry::Said), "warning: other machines can reach a (0.0.0.0:1), b (0.0.0.0:1)");
    assert_eq!(told(&tunnels[2..], Retry::Said), "");
}

#[test]
fn a_rejected_edit_is_told_in_a_line_for_each_mistake() {
    let report = "\
\u{1b}[1;31merror\u{1b}[0m: unknown key `probee`
 --> /home/ada/config.toml:4:1
  |
4 | probee = \"tcp\"
  | ^^^^^^ did you mean `probe`?

error: `local` must not be 0
 --> /home/ada/config.toml:3:9
  |
 ::: /home/ada/other.toml:7:1

the configuration has 2 mistakes; nothing was changed";
    let note = of(&[], Some(report), now(), wide(90), Retry::Said).remove(0);
    let expected = "\
warning: the configuration was edited and is not valid; the one before it stays in force
  · unknown key `probee` (/home/ada/config.toml:4:1)
  · `local` must not be 0 (/home/ada/config.toml:3:9)
  next: `tunnels config check` shows the whole report";
    assert_eq!(note.join("\n"), expected);
    let odd = of(&[], Some("\nsomething else\nmore"), now(), wide(90), Retry::Said).remove(0);
    assert_eq!(odd[1], "  · something else");
}

#[test]
fn long_texts_are_wrapped_and_set_in() {
    let mut tunnel = needs_login("orders-db");
    tunnel.cause = Some(
        Cause::new(CauseKind::Credentials, "no usable credentials: the token has expired and refreshing it failed")
            .with_next("run `aws sso login --profile dev` in a shell with a browser"),
    );
    let lines = of(&[tunnel], None, now(), wide(40), Retry::SaidElsewhere).remove(0);
    let expected = "\
orders-db: no usable credentials: the
  token has expired and refreshing it
  failed
  next: run `aws sso login --profile
    dev` in a shell with a browser";
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn only_the_heading_has_a_style() {
    let note = of(&[needs_login("a")], None, now(), Look { color: true, width: Some(80) }, Retry::SaidElsewhere);
    let expected = [
        "\u{1b}[1ma:\u{1b}[0m the SSO login of `dev` has expired",
        "  \u{1b}[1mnext:\u{1b}[0m run `aws sso login --profile dev`",
    ];
    assert_eq!(note, [expected]);
}

#[test]
fn credentials_that_run_out_soon_are_said_once_for_each_login() {
    let expiring = |name: &str, profile: Option<&str>, seconds: i64| TunnelStatus {
        profile: profile.map(str::to_owned),
        credentials_expire: Some(now() + jiff::SignedDuration::from_secs(seconds)),
        credentials_renew: profile.map(|profile| format!("aws sso login --profile {profile}")),
        ..status(name, TunnelState::Ready)
    };
    let waiting = TunnelStatus { state: TunnelState::NeedsLogin, cause: None, ..expiring("waits", Some("over"), -5) };
    let tunnels = [
        expiring("a", Some("dev"), 750),
        expiring("b", Some("dev"), 750),
        expiring("c", Some("prod"), -5),
        expiring("d", None, 60),
        expiring("later", Some("far"), 7200),
        waiting,
    ];
    let expected = "\
warning: the credentials of profile `dev` run out in 12m 30s
  next: run `aws sso login --profile dev`

warning: the credentials of profile `prod` have run out; what is open goes on
  next: run `aws sso login --profile prod`

warning: the AWS credentials run out in 1m";
    assert_eq!(told(&tunnels, Retry::Said), expected);
}
