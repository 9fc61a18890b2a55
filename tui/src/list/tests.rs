use super::*;
use crate::fixture::{mixed, needs_login, now, status};

fn wide(width: u16) -> Look {
    Look { color: false, width: Some(width) }
}

#[test]
fn trouble_is_told_below_in_the_order_of_its_urgency() {
    let expected = "\
NAME        STATE                                LOCAL            REMOTE            STREAMS      RTT
orders-db   ready                                127.0.0.1:15432  orders.clu…:5432       12   1.2 ms
billing-db  ready · protected · 1 of 4 resuming  127.0.0.1:15433  orders.clu…:5432        -   1.2 ms
web         ready                                0.0.0.0:18080    :8080                   -   1.2 ms
later       down                                 127.0.0.1:15434  orders.clu…:5432        -        -
cache       connecting · target offline          127.0.0.1:16379  sessions.a…:6379        -        -
search      needs-login                          127.0.0.1:19200  orders.clu…:5432        -        -
api         failed · port taken                  127.0.0.1:18081  orders.clu…:5432        -        -

search: the SSO login of `dev` has expired
  next: run `aws sso login --profile dev`

api: 127.0.0.1:18081 is taken by python3 (pid 18081) (retry in 5s)
  next: stop that program, or choose another `local`

cache: i-0123456789abcdef0 is not connected to Systems Manager (retry in 4s)
  next: check that the instance runs, and the profile and region

warning: other machines can reach web (0.0.0.0:18080)";
    assert_eq!(render(&mixed(), None, now(), wide(100)), format!("{expected}\n"));
}

#[test]
fn none_is_said() {
    assert_eq!(render(&[], None, now(), Look::default()).lines().last(), Some("(no tunnels)"));
}

#[test]
fn a_frame_is_never_higher_than_the_terminal() {
    for height in 1..60 {
        let lines = frame(&mixed(), Some("error: unknown key"), now(), wide(80), height);
        assert!(lines.len() <= height, "{height}: {lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\n')));
    }
}

#[test]
fn of_many_tunnels_those_in_trouble_stay_and_the_rest_is_counted() {
    let mut tunnels: Vec<TunnelStatus> = (0..100).map(|n| status(&format!("tunnel-{n}"), TunnelState::Ready)).collect();
    tunnels[90] = needs_login("tunnel-90");
    let lines = frame(&tunnels, None, now(), wide(80), 12);
    let expected = "\
NAME       STATE        LOCAL            REMOTE                 STREAMS      RTT
tunnel-0   ready        127.0.0.1:15432  orders.cluster-…:5432        -   1.2 ms
tunnel-1   ready        127.0.0.1:15432  orders.cluster-…:5432        -   1.2 ms
tunnel-2   ready        127.0.0.1:15432  orders.cluster-…:5432        -   1.2 ms
tunnel-3   ready        127.0.0.1:15432  orders.cluster-…:5432        -   1.2 ms
tunnel-4   ready        127.0.0.1:15432  orders.cluster-…:5432        -   1.2 ms
tunnel-5   ready        127.0.0.1:15432  orders.cluster-…:5432        -   1.2 ms
tunnel-90  needs-login  127.0.0.1:15432  orders.cluster-…:5432        -        -
… and 93 more: 93 ready

tunnel-90: the SSO login of `dev` has expired
  next: run `aws sso login --profile dev`";
    assert_eq!(lines.join("\n"), expected);
}
