//! The JSON that scripts rely on: these literals may gain fields, and nothing else may change.

use serde_json::{Value, json};
use tunnels_api::{
    ApiError, Cause, CauseKind, ConnectionState, Connections, DaemonEvent, DaemonVersion, ErrorBody, ErrorCode,
    LogEvent, LogLevel, Logs, SessionState, Sessions, Setting, SettingOrigin, Settings, Span, TargetState, Traffic,
    TunnelState, TunnelStatus, Tunnels, Version, aws_environment,
};

fn status() -> TunnelStatus {
    TunnelStatus {
        name: "orders-db".into(),
        state: TunnelState::NeedsLogin,
        wanted: TargetState::Up,
        cause: Some(
            Cause::new(CauseKind::Credentials, "the SSO login of `dev` has expired")
                .with_next("aws sso login --profile dev"),
        ),
        local: "127.0.0.1:15432".into(),
        exposed: false,
        remote: "orders.example:5432".into(),
        target: Some("i-0123456789abcdef0".into()),
        profile: Some("dev".into()),
        region: Some("eu-west-1".into()),
        probe: Some("postgres".into()),
        groups: vec!["db".into()],
        auto: false,
        protected: true,
        sessions: 2,
        sessions_resuming: 1,
        streams: 3,
        bytes_in: 4,
        bytes_out: 5,
        rate_in: 6,
        rate_out: 7,
        rtt_ms: Some(12.5),
        since: "2026-11-21T06:00:00Z".parse().unwrap(),
        retry_at: Some("2026-11-21T06:00:05Z".parse().unwrap()),
        credentials_expire: Some("2026-11-21T14:00:00Z".parse().unwrap()),
        credentials_renew: Some("aws sso login --profile dev".into()),
        small_payloads_until: Some("2026-11-21T07:00:00Z".parse().unwrap()),
    }
}

#[test]
fn credentials_are_worth_a_warning_half_an_hour_before_they_run_out() {
    let (tunnel, at) = (status(), |time: &str| time.parse().unwrap());
    assert_eq!(tunnel.credentials_expire_soon(at("2026-11-21T13:29:59Z")), None);
    for now in ["2026-11-21T13:30:00Z", "2026-11-21T15:00:00Z"] {
        assert_eq!(tunnel.credentials_expire_soon(at(now)), tunnel.credentials_expire, "{now}");
    }
}

#[test]
fn ls() {
    let full = json!({"tunnels": [{
        "name": "orders-db",
        "state": "needs-login",
        "wanted": "up",
        "cause": {
            "kind": "credentials",
            "text": "the SSO login of `dev` has expired",
            "next": "aws sso login --profile dev",
        },
        "local": "127.0.0.1:15432",
        "exposed": false,
        "remote": "orders.example:5432",
        "target": "i-0123456789abcdef0",
        "profile": "dev",
        "region": "eu-west-1",
        "probe": "postgres",
        "groups": ["db"],
        "auto": false,
        "protected": true,
        "sessions": 2,
        "sessions_resuming": 1,
        "streams": 3,
        "bytes_in": 4,
        "bytes_out": 5,
        "rate_in": 6,
        "rate_out": 7,
        "rtt_ms": 12.5,
        "since": "2026-11-21T06:00:00Z",
        "retry_at": "2026-11-21T06:00:05Z",
        "credentials_expire": "2026-11-21T14:00:00Z",
        "credentials_renew": "aws sso login --profile dev",
        "small_payloads_until": "2026-11-21T07:00:00Z",
    }]});
    let tunnels = Tunnels { tunnels: vec![status()], config_error: None };
    assert_eq!(serde_json::to_value(&tunnels).unwrap(), full);
    assert_eq!(serde_json::from_value::<Tunnels>(full).unwrap(), tunnels);
}

#[test]
fn what_is_not_known_is_left_out() {
    let bare = TunnelStatus {
        cause: None,
        target: None,
        profile: None,
        region: None,
        rtt_ms: None,
        retry_at: None,
        credentials_expire: None,
        credentials_renew: None,
        small_payloads_until: None,
        ..status()
    };
    let value = serde_json::to_value(&bare).unwrap();
    let optional = [
        "cause",
        "target",
        "profile",
        "region",
        "rtt_ms",
        "retry_at",
        "credentials_expire",
        "credentials_renew",
        "small_payloads_until",
    ];
    for absent in optional {
        assert!(value.get(absent).is_none(), "{absent}");
    }
    assert_eq!(serde_json::from_value::<TunnelStatus>(value).unwrap(), bare);
}

#[test]
fn states_are_the_words_of_the_documentation() {
    let words: Vec<String> = TunnelState::ALL
        .iter()
        .map(|state| {
            assert_eq!(serde_json::to_value(state).unwrap(), Value::from(state.as_str()));
            state.to_string()
        })
        .collect();
    assert_eq!(
        words,
        ["down", "listening", "connecting", "ready", "degraded", "reconnecting", "needs-login", "failed"]
    );
}

#[test]
fn events_name_themselves() {
    let events = [
        DaemonEvent::Snapshot { tunnels: vec![status()], config_error: None },
        DaemonEvent::TunnelChanged { tunnel: status() },
        DaemonEvent::TunnelRemoved { name: "orders-db".into() },
        DaemonEvent::ConfigReloaded,
        DaemonEvent::ConfigRejected { report: "config.toml:3:1".into() },
        DaemonEvent::CredentialsExpire {
            profile: Some("dev".into()),
            at: "2026-11-21T14:00:00Z".parse().unwrap(),
            renew: Some("aws sso login --profile dev".into()),
            tunnels: vec!["orders-db".into()],
        },
        DaemonEvent::Stopping,
    ];
    for event in events {
        let value = serde_json::to_value(&event).unwrap();
        assert_eq!(value["type"], event.name());
        assert_eq!(serde_json::from_value::<DaemonEvent>(value).unwrap(), event);
    }
}

#[test]
fn logs() {
    let full = json!({"lines": [{
        "time": "2026-11-21T06:00:00Z",
        "level": "warn",
        "tunnel": "orders-db",
        "target": "tunnels_daemon::tunnel",
        "message": "connecting: no network",
        "fields": {"session": "ada-1"},
    }]});
    let logs: Logs = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(&logs).unwrap(), full);
    let line = logs.lines[0].clone();
    for event in [LogEvent::Snapshot { lines: logs.lines }, LogEvent::Line { line }, LogEvent::Missed { count: 7 }] {
        let value = serde_json::to_value(&event).unwrap();
        assert_eq!(value["type"], event.name());
        assert_eq!(serde_json::from_value::<LogEvent>(value).unwrap(), event);
    }
    for level in LogLevel::ALL {
        assert_eq!(serde_json::to_value(level).unwrap(), Value::from(level.as_str()));
    }
}

/// Reads it as `T` and writes it again, which must come to the same.
fn is_shape_of<T: serde::Serialize + serde::de::DeserializeOwned>(shape: &Value) {
    let read: T = serde_json::from_value(shape.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), shape);
}

#[test]
fn what_is_seen_of_one_tunnel() {
    is_shape_of::<Connections>(&json!({"tunnel": "orders-db", "left_out": 2, "connections": [
        {"id": 7, "since": "2026-11-21T06:00:00Z", "state": "open", "peer": "127.0.0.1:53122",
         "process": {"command": "psql", "pid": 4711}, "bytes_in": 1, "bytes_out": 2, "rate_in": 3, "rate_out": 4},
        {"id": 8, "since": "2026-11-21T06:00:00Z", "state": "held",
         "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0},
    ]}));
    is_shape_of::<Sessions>(&json!({"tunnel": "orders-db", "sessions": [
        {"id": "ada-0a1b2c", "target": "i-0", "region": "eu-west-1", "document": "d", "agent_version": "3.3.987.0",
         "state": "open", "since": "2026-11-21T06:00:00Z", "connections": 2, "rtt_ms": 12.5},
        {"id": "ada-3d4e5f", "target": "i-0", "region": "eu-west-1", "document": "d",
         "state": "resuming", "since": "2026-11-21T06:00:00Z", "connections": 0},
    ]}));
    is_shape_of::<Traffic>(&json!({"tunnel": "orders-db", "step_s": 1, "until": "2026-11-21T06:00:00Z", "samples": [
        {"rate_in": 730, "rate_out": 12, "rtt_ms": 12.5}, {"rate_in": 0, "rate_out": 0},
    ]}));
    is_shape_of::<Settings>(&json!({"tunnel": "orders-db", "settings": [
        {"key": "remote", "value": "orders.example:5432", "from": "tunnel", "file": "/c.toml", "line": 8},
        {"key": "target", "value": {"tag": "Name=bastion"}, "from": "defaults", "file": "/c.toml", "line": 3},
        {"key": "profile", "value": "dev", "from": "environment", "variable": "AWS_PROFILE"},
        {"key": "hold", "value": "30s", "from": "built-in"},
        {"key": "reason", "value": null, "from": "unset"},
    ]}));
    for span in Span::ALL {
        assert_eq!(serde_json::to_value(span).unwrap(), span.as_str());
    }
}

#[test]
fn words_of_a_newer_daemon_are_read() {
    let event: DaemonEvent = serde_json::from_value(json!({"type": "moon-rose", "phase": "full"})).unwrap();
    assert_eq!(event, DaemonEvent::Unknown);
    let state: TunnelState = serde_json::from_value(json!("moonlit")).unwrap();
    assert_eq!((state, state.as_str()), (TunnelState::Unknown, "unknown"));
    let mut newer = serde_json::to_value(status()).unwrap();
    newer["state"] = json!("moonlit");
    newer["phase"] = json!({"of": "the moon"});
    let newer: TunnelStatus = serde_json::from_value(newer).unwrap();
    assert_eq!(newer, TunnelStatus { state: TunnelState::Unknown, ..status() });
    let event: LogEvent = serde_json::from_value(json!({"type": "moon-rose"})).unwrap();
    assert_eq!(event, LogEvent::Unknown);
    let level: LogLevel = serde_json::from_value(json!("moon")).unwrap();
    assert_eq!(level, LogLevel::Trace);
    let cause: Cause = serde_json::from_value(json!({"kind": "moon", "text": "t", "more": 1})).unwrap();
    assert_eq!(cause.kind, CauseKind::Other);
    let state: SessionState = serde_json::from_value(json!("moonlit")).unwrap();
    assert_eq!(state, SessionState::Unknown);
    let state: ConnectionState = serde_json::from_value(json!("moonlit")).unwrap();
    assert_eq!(state, ConnectionState::Unknown);
    let setting = json!({"key": "moon", "value": 1, "from": "the moon", "phase": "full"});
    assert_eq!(serde_json::from_value::<Setting>(setting).unwrap().origin, SettingOrigin::Unknown);
    let code: ErrorCode = serde_json::from_value(json!("moon")).unwrap();
    assert_eq!(code, ErrorCode::Failed);
}

#[test]
fn errors() {
    let error = ApiError::new(ErrorCode::NoSuchTunnel, "no tunnel is named `x`").with_hint("tunnels ls");
    assert_eq!(
        serde_json::to_value(ErrorBody { error }).unwrap(),
        json!({"error": {
            "code": "no-such-tunnel",
            "message": "no tunnel is named `x`",
            "hint": "tunnels ls",
        }})
    );
    let codes = [
        ErrorCode::Usage,
        ErrorCode::ConfigInvalid,
        ErrorCode::ConfigMismatch,
        ErrorCode::DaemonUnreachable,
        ErrorCode::AlreadyRunning,
        ErrorCode::NoSuchTunnel,
        ErrorCode::NeedsLogin,
        ErrorCode::TimedOut,
        ErrorCode::TunnelFailed,
        ErrorCode::Stopping,
        ErrorCode::HandedOver,
        ErrorCode::NotFound,
        ErrorCode::Failed,
    ];
    for code in codes {
        assert_eq!(serde_json::to_value(code).unwrap(), Value::from(code.as_str()));
    }
}

#[test]
fn version() {
    let version = Version { version: "0.1.0".into(), commit: "unknown".into(), date: None, daemon: None };
    assert_eq!(serde_json::to_value(&version).unwrap(), json!({"version": "0.1.0", "commit": "unknown"}));
    let daemon: DaemonVersion =
        serde_json::from_value(json!({"version": "0.1.0", "pid": 7, "socket": "/run/d.sock"})).unwrap();
    assert_eq!((daemon.pid, daemon.config), (7, None));
}

#[test]
fn no_secret_of_the_environment_is_shown() {
    let vars = [
        ("AWS_PROFILE", "dev"),
        ("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:8129"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token"),
        ("AWS_REGION", ""),
        ("HTTPS_PROXY", "http://me:secret@proxy:3128/"),
        ("https_proxy", "proxy:3128"),
        ("ALL_PROXY", "http://me:secret"),
        ("NO_PROXY", "example.com"),
        ("HOME", "/home/ada"),
    ];
    let shown = aws_environment(vars.map(|(k, v)| (k.into(), v.into())));
    let shown: Vec<_> = shown.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("ALL_PROXY", "…"),
            ("AWS_ACCESS_KEY_ID", "…MPLE"),
            ("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:8129"),
            ("AWS_PROFILE", "dev"),
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("NO_PROXY", "example.com"),
            ("https_proxy", "http://proxy:3128"),
        ]
    );
}

#[test]
fn every_kind_of_cause_is_in_the_documentation_with_its_words() {
    let document = include_str!("../../docs/ipc.md");
    for kind in CauseKind::ALL {
        let name = serde_json::to_value(kind).unwrap();
        let row = format!("\n| `{}` | {} | ", name.as_str().unwrap(), kind.words());
        assert!(document.contains(&row), "{row} is missing");
    }
}
