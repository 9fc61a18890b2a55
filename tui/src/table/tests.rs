use super::*;
use crate::fixture::{mixed, now, status};
use tunnels_api::TunnelState;

const PIPE: Look = Look { color: false, width: None };

fn wide(width: u16) -> Look {
    Look { color: false, width: Some(width) }
}

fn drawn(tunnels: &[TunnelStatus], look: Look) -> String {
    let drawn = rows(tunnels, now(), look);
    let heading = Some(drawn.heading).filter(|heading| !heading.is_empty());
    heading.into_iter().chain(drawn.rows).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_pipe_gets_plain_whole_lines() {
    let expected = "\
NAME        STATE                                      LOCAL            REMOTE                                               TARGET               SESSIONS  STREAMS        IN       OUT     RTT  SINCE
orders-db   ready                                      127.0.0.1:15432  orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432  i-0123456789abcdef0         1       12  730 kB/s  1.2 kB/s  1.2 ms  3m 5s
billing-db  ready · protected · 1 of 4 resuming        127.0.0.1:15433  orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432  i-0123456789abcdef0         4        -         -         -  1.2 ms  3m 5s
web         ready                                      0.0.0.0:18080    :8080                                                i-0123456789abcdef0         1        -         -         -  1.2 ms  3m 5s
later       down                                       127.0.0.1:15434  orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432  -                           -        -         -         -       -  3m 5s
cache       connecting · target offline · retry in 4s  127.0.0.1:16379  sessions.abc.euw1.cache.amazonaws.com:6379           i-0123456789abcdef0         -        -         -         -       -  3m 5s
search      needs-login                                127.0.0.1:19200  orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432  i-0123456789abcdef0         -        -         -         -       -  3m 5s
api         failed · port taken · retry in 5s          127.0.0.1:18081  orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432  i-0123456789abcdef0         -        -         -         -       -  3m 5s";
    assert_eq!(drawn(&mixed(), PIPE), expected);
}

#[test]
fn a_wide_terminal_shows_everything() {
    let expected = "\
NAME        STATE                                       LOCAL            REMOTE                                   TARGET               SESSIONS  STREAMS        IN       OUT      RTT    SINCE
orders-db   ready                                       127.0.0.1:15432  orders.cluster-abc.eu-west-1.rds.…:5432  i-0123456789abcdef0         1       12  730 kB/s  1.2 kB/s   1.2 ms    3m 5s
billing-db  ready · protected · 1 of 4 resuming         127.0.0.1:15433  orders.cluster-abc.eu-west-1.rds.…:5432  i-0123456789abcdef0         4        -         -         -   1.2 ms    3m 5s
web         ready                                       0.0.0.0:18080    :8080                                    i-0123456789abcdef0         1        -         -         -   1.2 ms    3m 5s
later       down                                        127.0.0.1:15434  orders.cluster-abc.eu-west-1.rds.…:5432  -                           -        -         -         -        -    3m 5s
cache       connecting · target offline · retry in 4s   127.0.0.1:16379  sessions.abc.euw1.cache.amazonaws…:6379  i-0123456789abcdef0         -        -         -         -        -    3m 5s
search      needs-login                                 127.0.0.1:19200  orders.cluster-abc.eu-west-1.rds.…:5432  i-0123456789abcdef0         -        -         -         -        -    3m 5s
api         failed · port taken · retry in 5s           127.0.0.1:18081  orders.cluster-abc.eu-west-1.rds.…:5432  i-0123456789abcdef0         -        -         -         -        -    3m 5s";
    assert_eq!(drawn(&mixed(), wide(190)), expected);
}

#[test]
fn a_usual_terminal_keeps_what_matters() {
    let expected = "\
NAME        STATE                                       LOCAL            REMOTE                STREAMS      RTT    SINCE
orders-db   ready                                       127.0.0.1:15432  orders.cluster…:5432       12   1.2 ms    3m 5s
billing-db  ready · protected · 1 of 4 resuming         127.0.0.1:15433  orders.cluster…:5432        -   1.2 ms    3m 5s
web         ready                                       0.0.0.0:18080    :8080                       -   1.2 ms    3m 5s
later       down                                        127.0.0.1:15434  orders.cluster…:5432        -        -    3m 5s
cache       connecting · target offline · retry in 4s   127.0.0.1:16379  sessions.abc.e…:6379        -        -    3m 5s
search      needs-login                                 127.0.0.1:19200  orders.cluster…:5432        -        -    3m 5s
api         failed · port taken · retry in 5s           127.0.0.1:18081  orders.cluster…:5432        -        -    3m 5s";
    assert_eq!(drawn(&mixed(), wide(120)), expected);
}

#[test]
fn eighty_columns_keep_name_state_cause_and_the_address_to_paste() {
    let expected = "\
NAME        STATE                                       LOCAL                RTT
orders-db   ready                                       127.0.0.1:15432   1.2 ms
billing-db  ready · protected · 1 of 4 resuming         127.0.0.1:15433   1.2 ms
web         ready                                       0.0.0.0:18080     1.2 ms
later       down                                        127.0.0.1:15434        -
cache       connecting · target offline · retry in 4s   127.0.0.1:16379        -
search      needs-login                                 127.0.0.1:19200        -
api         failed · port taken · retry in 5s           127.0.0.1:18081        -";
    assert_eq!(drawn(&mixed(), wide(80)), expected);
}

#[test]
fn a_terminal_without_room_for_columns_gets_two_lines_a_tunnel() {
    let expected = "\
orders-db  ready
  127.0.0.1:15432
billing-db
  ready · protected · 1 of 4 resuming
  127.0.0.1:15433
web  ready
  0.0.0.0:18080
later  down
  127.0.0.1:15434
cache  connecting · target offline
  127.0.0.1:16379
search  needs-login
  127.0.0.1:19200
api  failed · port taken
  127.0.0.1:18081";
    assert_eq!(drawn(&mixed(), wide(40)), expected);
}

#[test]
fn no_line_is_too_wide_and_no_address_or_state_is_cut_at_any_width() {
    let tunnels = mixed();
    for width in 30..250 {
        let text = drawn(&tunnels, wide(width));
        for line in text.lines().filter(|_| width >= 37) {
            assert!(text::width(line) <= usize::from(width), "{width}: {line}");
            assert_eq!(line, line.trim_end(), "{width}");
        }
        for tunnel in &tunnels {
            for whole in [&tunnel.local, tunnel.state.as_str()] {
                assert!(text.contains(whole), "{whole} at {width}:\n{text}");
            }
        }
    }
}

#[test]
fn wide_characters_and_long_names_stand_in_their_columns() {
    let long = "a-tunnel-with-quite-a-long-name-as-generated-by-a-program";
    let tunnels = [status("注文データ", TunnelState::Ready), status(long, TunnelState::Listening)];
    let expected = "\
NAME                      STATE      LOCAL            REMOTE                 RTT
注文データ                ready      127.0.0.1:15432  orders.clus…:5432   1.2 ms
a-tunnel-with-quite-a-l…  listening  127.0.0.1:15432  orders.clus…:5432   1.2 ms";
    assert_eq!(drawn(&tunnels, wide(80)), expected);
    assert!(drawn(&tunnels, wide(140)).contains(long));
}

#[test]
fn a_local_address_that_is_long_stands_below_and_costs_the_others_nothing() {
    let path = "unix:/home/ada/.local/share/tunnels/orders/.s.PGSQL.5432";
    let long = TunnelStatus { local: path.into(), ..status("sock", TunnelState::Ready) };
    let expected = "\
NAME  STATE  LOCAL            REMOTE                   STREAMS      RTT    SINCE
tcp   ready  127.0.0.1:15432  orders.cluster-ab…:5432        -   1.2 ms    3m 5s
sock  ready  (below)          orders.cluster-ab…:5432        -   1.2 ms    3m 5s
  unix:/home/ada/.local/share/tunnels/orders/.s.PGSQL.5432";
    assert_eq!(drawn(&[status("tcp", TunnelState::Ready), long.clone()], wide(80)), expected);
    assert!(drawn(&[long], PIPE).lines().nth(1).unwrap().contains(path), "a pipe gets one line a tunnel");
}

#[test]
fn columns_stay_where_they_are_from_one_try_to_the_next() {
    let waiting = mixed();
    let trying: Vec<TunnelStatus> =
        waiting.iter().map(|tunnel| TunnelStatus { retry_at: None, ..tunnel.clone() }).collect();
    let waiting: Vec<TunnelStatus> = waiting.into_iter().filter(|tunnel| tunnel.name != "api").collect();
    let trying: Vec<TunnelStatus> = trying.into_iter().filter(|tunnel| tunnel.name != "api").collect();
    for width in [80, 120, 160, 200] {
        assert_eq!(rows(&waiting, now(), wide(width)).heading, rows(&trying, now(), wide(width)).heading, "{width}");
    }
}

#[test]
fn what_is_protected_is_red_and_says_so_without_colour() {
    let tunnels = mixed();
    let colored = rows(&tunnels, now(), Look { color: true, width: Some(120) });
    assert!(colored.rows[1].contains("\u{1b}[1m\u{1b}[31mbilling-db\u{1b}[0m"), "{:?}", colored.rows[1]);
    assert!(!colored.rows[0].contains("\u{1b}[31m"), "{:?}", colored.rows[0]);
    let plain = drawn(&tunnels, PIPE);
    assert!(plain.contains("ready · protected") && !plain.contains('\u{1b}'), "{plain}");
    let stripped: Vec<String> = colored.rows.iter().map(|row| anstream::adapter::strip_str(row).to_string()).collect();
    assert_eq!(stripped, rows(&tunnels, now(), wide(120)).rows, "colour changes nothing but colour");
}

#[test]
fn nothing_in_a_name_is_obeyed_by_the_terminal() {
    let text = drawn(&[status("a\u{1b}[2Jb\nc", TunnelState::Ready)], wide(80));
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_eq!(text.lines().count(), 2);
}
