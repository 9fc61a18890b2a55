//! Tunnels for the tests of the views.

use tunnels_api::{Cause, CauseKind, TargetState, Timestamp, TunnelState, TunnelStatus};

/// The time at which the views are drawn.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T06:03:05Z".parse().unwrap()
}

/// The same some seconds later.
pub(crate) fn soon(seconds: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_secs(seconds)
}

/// A tunnel to a database, three minutes in its state.
pub(crate) fn status(name: &str, state: TunnelState) -> TunnelStatus {
    TunnelStatus {
        name: name.into(),
        state,
        wanted: TargetState::Up,
        cause: None,
        local: "127.0.0.1:15432".into(),
        exposed: false,
        remote: "orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432".into(),
        target: Some("i-0123456789abcdef0".into()),
        profile: None,
        region: None,
        probe: Some("postgres".into()),
        groups: Vec::new(),
        auto: true,
        protected: false,
        sessions: 1,
        sessions_resuming: 0,
        streams: 0,
        bytes_in: 0,
        bytes_out: 0,
        rate_in: 0,
        rate_out: 0,
        rtt_ms: Some(1.25),
        since: "2026-11-21T06:00:00Z".parse().unwrap(),
        retry_at: None,
        credentials_expire: None,
        credentials_renew: None,
        small_payloads_until: None,
    }
}

/// One that a user of `dev` has to log in for.
pub(crate) fn needs_login(name: &str) -> TunnelStatus {
    let cause = Cause::new(CauseKind::Credentials, "the SSO login of `dev` has expired");
    idle(status(name, TunnelState::NeedsLogin), cause.with_next("run `aws sso login --profile dev`"))
}

/// One whose target is offline, and which is tried again in four seconds.
pub(crate) fn offline(name: &str) -> TunnelStatus {
    let cause = Cause::new(CauseKind::TargetOffline, "i-0123456789abcdef0 is not connected to Systems Manager");
    let tunnel = idle(
        status(name, TunnelState::Connecting),
        cause.with_next("check that the instance runs, and the profile and region"),
    );
    TunnelStatus { retry_at: Some(soon(4)), ..tunnel }
}

/// One whose port another program has.
pub(crate) fn port_taken(name: &str, port: u16) -> TunnelStatus {
    let cause = Cause::new(CauseKind::PortTaken, format!("127.0.0.1:{port} is taken by python3 (pid {port})"));
    let tunnel =
        idle(status(name, TunnelState::Failed), cause.with_next("stop that program, or choose another `local`"));
    TunnelStatus { local: format!("127.0.0.1:{port}"), retry_at: Some(soon(5)), ..tunnel }
}

fn idle(tunnel: TunnelStatus, cause: Cause) -> TunnelStatus {
    TunnelStatus { sessions: 0, rtt_ms: None, cause: Some(cause), ..tunnel }
}

/// Tunnels in most states that there are.
pub(crate) fn mixed() -> Vec<TunnelStatus> {
    let busy = TunnelStatus {
        streams: 12,
        rate_in: 730_000,
        rate_out: 1_200,
        local: "127.0.0.1:15432".into(),
        ..status("orders-db", TunnelState::Ready)
    };
    let resuming = TunnelStatus {
        sessions: 4,
        sessions_resuming: 1,
        protected: true,
        local: "127.0.0.1:15433".into(),
        ..status("billing-db", TunnelState::Ready)
    };
    let web = TunnelStatus {
        local: "0.0.0.0:18080".into(),
        exposed: true,
        remote: ":8080".into(),
        probe: Some("http".into()),
        ..status("web", TunnelState::Ready)
    };
    let down = TunnelStatus {
        target: None,
        sessions: 0,
        rtt_ms: None,
        local: "127.0.0.1:15434".into(),
        ..status("later", TunnelState::Down)
    };
    let cache = TunnelStatus {
        local: "127.0.0.1:16379".into(),
        remote: "sessions.abc.euw1.cache.amazonaws.com:6379".into(),
        ..offline("cache")
    };
    let search = TunnelStatus { local: "127.0.0.1:19200".into(), ..needs_login("search") };
    vec![busy, resuming, web, down, cache, search, port_taken("api", 18081)]
}
