//! Dashboards for the tests: twelve tunnels in every state, and what can be done to them.

use super::effect::{Effect, Look, Message};
use super::geometry::Size;
use super::model::{Model, Tab};
use super::theme::Theme;
use super::update::update;
use super::view::view;
use crate::conn::News;
pub(super) use crate::fixture::now;
use crate::fixture::{soon, status};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tunnels_api::{
    Cause, CauseKind, Connection, ConnectionState, Connections, DaemonEvent, DaemonVersion, History, LogLevel, LogLine,
    Logs, Process, Sample, Session, SessionState, Sessions, Setting, SettingOrigin, Settings, StateChange, TargetState,
    Timestamp, Toll, Traffic, TunnelState, TunnelStatus, Tunnels,
};

/// A dashboard that has heard of these tunnels.
pub(super) fn with(tunnels: Vec<TunnelStatus>, width: u16, height: u16) -> Model {
    let mut model = Model::new(Theme::of(true, |_| None), TimeZone::UTC, Size { width, height });
    model.can_start = true;
    tell(
        &mut model,
        Message::News(News::Event(DaemonEvent::Snapshot { tunnels: tunnels.clone(), config_error: None })),
    );
    tell(&mut model, Message::Version(Ok(version())));
    tell(&mut model, Message::Figures(Ok(Tunnels { tunnels, config_error: None })));
    model
}

/// One with tunnels in every state.
pub(super) fn dashboard(width: u16, height: u16) -> Model {
    with(tunnels(), width, height)
}

fn version() -> DaemonVersion {
    DaemonVersion {
        version: "0.1.0".into(),
        commit: None,
        pid: 7,
        socket: "/run/user/1000/tunnels/daemon.sock".into(),
        config: Some("/home/ada/.config/tunnels/config.toml".into()),
        config_loaded: None,
        config_error: None,
        aws_environment: [].into(),
        service: None,
    }
}

/// Twelve, in every state.
pub(super) fn tunnels() -> Vec<TunnelStatus> {
    let tunnel = |name: &str, state, port: u16, group: &str, profile: &str| TunnelStatus {
        local: format!("127.0.0.1:{port}"),
        groups: if group.is_empty() { vec![] } else { vec![group.to_owned()] },
        profile: Some(profile.to_owned()),
        region: Some("eu-west-1".into()),
        ..status(name, state)
    };
    let cache = |name: &str, state, port, profile: &str| TunnelStatus {
        remote: format!("{name}.abc.euw1.cache.amazonaws.com:6379"),
        probe: Some("redis".into()),
        ..tunnel(name, state, port, "cache", profile)
    };
    let because = |tunnel: TunnelStatus, kind, text: &str, next: Option<&str>| {
        let cause = Cause::new(kind, text);
        let cause = match next {
            Some(next) => cause.with_next(next),
            None => cause,
        };
        TunnelStatus { cause: Some(cause), rtt_ms: None, sessions: 0, ..tunnel }
    };
    use TunnelState::{Connecting, Degraded, Down, Failed, Listening, NeedsLogin, Ready, Reconnecting};
    vec![
        TunnelStatus {
            streams: 12,
            rate_in: 730_000,
            rate_out: 1200,
            credentials_expire: Some(soon(7 * 3600 + 720)),
            ..tunnel("orders-db", Ready, 15432, "db", "dev")
        },
        TunnelStatus {
            protected: true,
            sessions: 4,
            sessions_resuming: 1,
            streams: 3,
            rate_in: 20,
            ..tunnel("billing-db", Ready, 15433, "db", "prod")
        },
        because(
            tunnel("reporting-db", Connecting, 15434, "db", "dev"),
            CauseKind::TargetOffline,
            "i-0123456789abcdef0 is not connected to Systems Manager",
            Some("start the instance, or look at its agent: `systemctl status amazon-ssm-agent`"),
        ),
        because(
            tunnel("ledger-db", NeedsLogin, 15435, "db", "ops"),
            CauseKind::Credentials,
            "the SSO login of the profile `ops` has expired",
            Some("run `aws sso login --profile ops`"),
        ),
        TunnelStatus {
            wanted: TargetState::Down,
            rtt_ms: None,
            sessions: 0,
            protected: true,
            ..tunnel("payroll-db", Down, 15436, "db", "prod")
        },
        cache("sessions-cache", Ready, 16379, "dev"),
        TunnelStatus { rtt_ms: None, sessions: 0, ..cache("carts-cache", Listening, 16380, "dev") },
        because(
            cache("feeds-cache", Reconnecting, 16381, "prod"),
            CauseKind::Network,
            "the connection to AWS was lost: connection reset by peer",
            None,
        ),
        because(
            TunnelStatus { retry_at: Some(soon(4)), ..cache("queue-cache", Degraded, 16382, "dev") },
            CauseKind::RemoteRefused,
            "i-0123456789abcdef0 cannot connect to queue-cache.abc.euw1.cache.amazonaws.com:6379",
            Some("look at its security group"),
        ),
        because(
            TunnelStatus { retry_at: Some(soon(5)), ..tunnel("api", Failed, 18080, "", "dev") },
            CauseKind::PortTaken,
            "127.0.0.1:18080 is taken by `node` (pid 4711)",
            Some("end it, or give the tunnel another `local`"),
        ),
        TunnelStatus {
            local: "0.0.0.0:18081".into(),
            exposed: true,
            remote: ":8080".into(),
            probe: Some("http".into()),
            ..tunnel("bastion-web", Ready, 1, "", "dev")
        },
        TunnelStatus {
            local: "unix:/run/user/1000/tunnels/search/.s.PGSQL.5432".into(),
            wanted: TargetState::Down,
            rtt_ms: None,
            sessions: 0,
            ..tunnel("search-with-quite-a-long-name", Down, 1, "", "dev")
        },
    ]
}

/// A thousand of them.
pub(super) fn thousand() -> Vec<TunnelStatus> {
    let kinds = tunnels();
    let number = |at: usize| TunnelStatus { name: format!("tunnel-{at:04}"), ..kinds[at % kinds.len()].clone() };
    (0..1000).map(number).collect()
}

/// Takes a message now, and settles as before the next frame.
pub(super) fn tell(model: &mut Model, message: Message) -> Vec<Effect> {
    let effects = update(model, message, now());
    model.settle();
    effects
}

/// Presses keys, named as in the table: `u`, `enter`, `^C`.
pub(super) fn press(model: &mut Model, keys: &[&str]) -> Vec<Effect> {
    keys.iter().flat_map(|key| tell(model, Message::Key(event(key)))).collect()
}

fn event(key: &str) -> KeyEvent {
    let code = match key {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "down" => KeyCode::Down,
        "up" => KeyCode::Up,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgdn" => KeyCode::PageDown,
        "pgup" => KeyCode::PageUp,
        "backspace" => KeyCode::Backspace,
        "^C" => return KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
        key => KeyCode::Char(key.chars().next().expect("a key")),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// What stands on the screen, line by line, without styles.
pub(super) fn screen(model: &Model) -> String {
    let mut terminal = Terminal::new(TestBackend::new(model.size.width, model.size.height)).unwrap();
    terminal.draw(|frame| view(model, frame, now())).unwrap();
    let text = terminal.backend().to_string();
    // The backend puts each line in quotes.
    text.lines().map(|line| line.trim_matches('"').trim_end().to_owned() + "\n").collect()
}

/// Opens a tunnel and answers what it asks for.
pub(super) fn opened(model: &mut Model, name: &str, tab: Tab) {
    model.list.selected = Some(name.to_owned());
    press(model, &["enter"]);
    let digit = (tab as usize + 1).to_string();
    press(model, &[&digit]);
    for look in looks(name) {
        tell(model, Message::Looked { name: name.to_owned(), look: Ok(look) });
    }
}

/// An answer for every tab.
fn looks(name: &str) -> Vec<Look> {
    let tunnel = name.to_owned();
    let session = |id: &str, state, connections, rtt_ms| Session {
        id: id.into(),
        target: "i-0123456789abcdef0".into(),
        region: "eu-west-1".into(),
        document: "AWS-StartPortForwardingSessionToRemoteHost".into(),
        agent_version: Some("3.3.987.0".into()),
        state,
        since: soon(-3700),
        connections,
        rtt_ms,
    };
    let connection = |id, program: Option<(&str, u32)>, state, bytes_in, rate_in| Connection {
        id,
        since: soon(-65),
        state,
        peer: program.map(|(_, pid)| format!("127.0.0.1:{}", 50000 + pid)),
        process: program.map(|(command, pid)| Process { command: command.into(), pid }),
        bytes_in,
        bytes_out: bytes_in / 10,
        rate_in,
        rate_out: rate_in / 10,
    };
    let sample = |at: u32| Sample {
        rate_in: if at < 20 { 0 } else { u64::from(at % 17) * 40_000 },
        rate_out: u64::from(at % 5) * 300,
        rtt_ms: (!at.is_multiple_of(25)).then(|| 12.0 + f64::from(at % 7)),
    };
    let change = |at, from, to, text: &str, lasted| StateChange {
        at: soon(at),
        from,
        to,
        cause: Cause::new(CauseKind::Other, text),
        lasted_ms: lasted,
        connections: Toll::default(),
    };
    let line = |second, level, message: &str| LogLine {
        time: soon(second),
        level,
        tunnel: Some(tunnel.clone()),
        target: "tunnels_daemon".into(),
        message: message.into(),
        fields: [].into(),
    };
    let setting = |key: &str, value: serde_json::Value, origin| Setting { key: key.into(), value, origin };
    let file = || "/home/ada/.config/tunnels/config.toml".to_owned();
    use TunnelState::{Connecting, Down, Ready, Reconnecting};
    vec![
        Look::Sessions(Sessions {
            tunnel: tunnel.clone(),
            sessions: vec![
                session("ada-0a1b2c3d4e5f67890", SessionState::Open, 11, Some(12.4)),
                session("ada-11223344556677889", SessionState::Resuming, 1, None),
            ],
        }),
        Look::Connections(Connections {
            tunnel: tunnel.clone(),
            connections: vec![
                connection(1, Some(("psql", 4711)), ConnectionState::Open, 52_310, 730),
                connection(2, Some(("dbeaver", 812)), ConnectionState::Open, 34_000_000, 730_000),
                connection(3, None, ConnectionState::Held, 0, 0),
            ],
            left_out: 0,
        }),
        Look::Traffic(Traffic {
            tunnel: tunnel.clone(),
            step_s: 1,
            until: now(),
            samples: (0..60).map(sample).collect(),
        }),
        Look::History(History {
            tunnel: tunnel.clone(),
            forgotten: 0,
            changes: vec![
                change(-3700, Down, Connecting, "brought up", Some(420)),
                change(-3699, Connecting, Ready, "the remote answers", Some(3_514_000)),
                change(
                    -185,
                    Ready,
                    Reconnecting,
                    "the service closed the websocket, as it does about every hour: 1000 Bye",
                    Some(41),
                ),
                change(-185, Reconnecting, Ready, "a session carries again", None),
            ],
        }),
        Look::Logs(Logs {
            lines: vec![
                line(-3700, LogLevel::Info, "session open"),
                line(
                    -185,
                    LogLevel::Warn,
                    "reconnecting: the service closed the websocket, as it does about every hour: 1000 Bye",
                ),
                line(-185, LogLevel::Info, "reconnecting → ready"),
            ],
        }),
        Look::Settings(Settings {
            tunnel: tunnel.clone(),
            settings: vec![
                setting(
                    "remote",
                    "orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432".into(),
                    SettingOrigin::Tunnel { file: file(), line: 8 },
                ),
                setting("local", 15432.into(), SettingOrigin::Tunnel { file: file(), line: 9 }),
                setting("profile", "dev".into(), SettingOrigin::Defaults { file: file(), line: 3 }),
                setting("region", "eu-west-1".into(), SettingOrigin::Environment { variable: "AWS_REGION".into() }),
                setting("hold", "30s".into(), SettingOrigin::BuiltIn),
                setting("reason", serde_json::Value::Null, SettingOrigin::Unset),
            ],
        }),
    ]
}

/// A moment so many seconds later.
pub(super) fn later(seconds: i64) -> Timestamp {
    soon(seconds)
}
