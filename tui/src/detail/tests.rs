use super::*;
use crate::fixture::{self, offline, status};
use jiff::tz::{self, TimeZone};

fn now() -> Zoned {
    fixture::now().to_zoned(TimeZone::fixed(tz::offset(1)))
}

#[test]
fn a_tunnel_in_trouble() {
    let tunnel = TunnelStatus {
        profile: Some("dev".into()),
        region: Some("eu-west-1".into()),
        groups: vec!["db".into(), "eu".into()],
        streams: 2,
        bytes_in: 1200,
        rate_in: 300,
        protected: true,
        auto: false,
        ..offline("orders-db")
    };
    let expected = "\
orders-db
  state       connecting
  since       07:00:00, 3m 5s ago
  protected   `up` asks before it opens this tunnel
  cause       i-0123456789abcdef0 is not connected to Systems Manager
  next        check that the instance runs, and the profile and region
  next try    in 4s

  local       127.0.0.1:15432
  try         psql \"host=127.0.0.1 port=15432 user=… dbname=…\"
  remote      orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432
  target      i-0123456789abcdef0
  profile     dev
  region      eu-west-1
  groups      @db @eu
  auto        no: only `up` with its name or group brings it up

  sessions    0
  streams     2
  in          1.2 kB (300 B/s)
  out         0 B";
    assert_eq!(render(&tunnel, &now(), Look { color: false, width: Some(72) }), format!("{expected}\n"));
}

#[test]
fn what_resumes_and_who_can_reach_it_is_said() {
    let tunnel = TunnelStatus {
        sessions: 4,
        sessions_resuming: 1,
        exposed: true,
        local: "0.0.0.0:15432".into(),
        ..status("a", TunnelState::Ready)
    };
    let text = render(&tunnel, &now(), Look::default());
    for line in [
        "  state       ready · 1 of 4 resuming\n",
        "  warning     other machines can reach 0.0.0.0:15432\n",
        "  try         psql \"host=127.0.0.1 port=15432 user=… dbname=…\"\n",
        "  round trip  1.2 ms\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn the_example_fits_what_answers() {
    let example = |probe: &str, local: &str, remote: &str| {
        let probe = Some(probe.into());
        let (local, remote) = (local.into(), remote.into());
        example(&TunnelStatus { probe, local, remote, ..status("a", TunnelState::Ready) })
    };
    let case = |probe, local| example(probe, local, "cache.example:6380").unwrap_or_default();
    assert_eq!(case("redis", "127.0.0.2:6379"), "redis-cli -h 127.0.0.2 -p 6379");
    assert_eq!(case("redis", "unix:/run/redis.sock"), "redis-cli -s /run/redis.sock");
    assert_eq!(case("mysql", "127.0.0.1:3306"), "mysql --host=127.0.0.1 --port=3306 --user=… -p");
    assert_eq!(case("http", "[::]:8080"), "curl 'http://[::1]:8080/'");
    assert_eq!(case("tls", "127.0.0.1:8443"), "redis-cli -h 127.0.0.1 -p 8443 --tls --sni cache.example");
    assert_eq!(
        example("tls", "127.0.0.1:8443", "api.example:443").as_deref(),
        Some("curl --connect-to api.example:443:127.0.0.1:8443 https://api.example:443/")
    );
    assert_eq!(example("tls", "127.0.0.1:8443", ":443"), None);
    assert_eq!(example("tcp", "127.0.0.1:1", "queue.example:5672"), None);
}

#[test]
fn one_that_is_down_says_how_it_comes_up() {
    let text = render(&status("orders-db", TunnelState::Down), &now(), Look::default());
    assert!(text.contains("`tunnels up orders-db` brings it up"), "{text}");
}

#[test]
fn the_day_is_said_where_it_is_not_today() {
    let old = "2026-11-20T22:59:00Z".parse().unwrap();
    assert_eq!(since(old, &now()), "2026-11-20 23:59:00, 7h 4m ago");
}

#[test]
fn payloads_that_are_smaller_than_configured_are_shown_while_they_are() {
    let small = |minutes| TunnelStatus {
        small_payloads_until: Some(fixture::now() + jiff::SignedDuration::from_mins(minutes)),
        ..status("a", TunnelState::Ready)
    };
    let text = render(&small(59), &now(), Look::default());
    let line = "  payload     1024 bytes, since larger ones do not get through; tried again after 08:02:05\n";
    assert!(text.replace("\n              ", " ").contains(line), "{text}");
    assert!(!render(&small(0), &now(), Look::default()).contains("payload"));
}

#[test]
fn credentials_are_shown_and_warned_of_when_they_run_out_soon() {
    let lasting = |minutes| TunnelStatus {
        profile: Some("dev".into()),
        credentials_expire: Some(fixture::now() + jiff::SignedDuration::from_mins(minutes)),
        credentials_renew: Some("aws sso login --profile dev".into()),
        ..status("a", TunnelState::Ready)
    };
    let text = render(&lasting(60), &now(), Look::default());
    assert!(text.contains("  credentials until 08:03:05\n") && !text.contains("warning"), "{text}");
    let text = render(&lasting(20), &now(), Look::default());
    for line in [
        "  warning     the credentials of profile `dev` run out in 20m\n",
        "  next        run `aws sso login --profile dev`\n",
    ] {
        assert!(text.contains(line), "`{line}` is missing in\n{text}");
    }
}
