//! Tunnels for the tests of the pure parts.

use tunnels_api::{Cause, CauseKind, TargetState, Timestamp, TunnelState, TunnelStatus};

/// The time at which all of it happens.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T06:03:05Z".parse().unwrap()
}

/// A tunnel in that state, wanted up unless it is down.
pub(crate) fn status(name: &str, state: TunnelState) -> TunnelStatus {
    let wanted = if state == TunnelState::Down { TargetState::Down } else { TargetState::Up };
    serde_json::from_value(serde_json::json!({
        "name": name, "state": state, "wanted": wanted, "local": "127.0.0.1:15432", "remote": "db:5432",
        "sessions": 0, "streams": 0, "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0,
        "since": Timestamp::UNIX_EPOCH,
    }))
    .expect("a status")
}

/// The same for a cause.
pub(crate) fn because(tunnel: TunnelStatus, kind: CauseKind, text: &str) -> TunnelStatus {
    TunnelStatus { cause: Some(Cause::new(kind, text)), ..tunnel }
}

/// One of a profile that nobody is logged in with.
pub(crate) fn needs_login(name: &str, profile: &str) -> TunnelStatus {
    let cause = Cause::new(CauseKind::Credentials, format!("the SSO login of `{profile}` has expired"));
    TunnelStatus {
        cause: Some(cause.with_next(format!("run `aws sso login --profile {profile}`"))),
        profile: Some(profile.to_owned()),
        ..status(name, TunnelState::NeedsLogin)
    }
}

/// The same in a group.
pub(crate) fn grouped(tunnel: TunnelStatus, group: &str) -> TunnelStatus {
    TunnelStatus { groups: vec![group.to_owned()], ..tunnel }
}
