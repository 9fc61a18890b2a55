//! The tabs that are text: overview, connections, why, logs, config. As many lines as there is to say; the caller scrolls.

use super::ansi;
use super::line::{cut, fold, span};
use crate::dashboard::keys::{self, Action};
use crate::dashboard::model::{Detail, Link, Model, Tab};
use crate::dashboard::theme::Theme;
use crate::dashboard::update::makes_sense;
use crate::style::Look;
use crate::{detail as status, log, text, timeline, units};
use jiff::Zoned;
use ratatui::text::{Line, Span};
use tunnels_api::{
    Connection, ConnectionState, Connections, Session, SessionState, Sessions, Setting, SettingOrigin, Settings,
    Timestamp, TunnelStatus,
};

/// Labels of the overview stand in a column of this width, as those of `tunnels status`.
const LABEL: usize = 12;

/// The lines of the open tab.
pub(super) fn lines(model: &Model, now: Timestamp) -> Vec<Line<'static>> {
    let (Some(detail), Some(tunnel)) = (&model.detail, model.current()) else { return Vec::new() };
    let page = Page { model, columns: usize::from(model.size.width), now: now.to_zoned(model.zone.clone()) };
    match detail.tab {
        Tab::Overview => page.overview(tunnel, detail),
        Tab::Connections => page.connections(detail),
        Tab::Why => page.why(detail),
        Tab::Logs => page.logs(detail),
        Tab::Config => page.config(detail),
        // Drawn as charts.
        Tab::Throughput | Tab::Latency => Vec::new(),
    }
}

struct Page<'a> {
    model: &'a Model,
    columns: usize,
    now: Zoned,
}

/// Where the daemon has not answered yet, or nobody is there to answer.
pub(super) fn waiting(model: &Model) -> Line<'static> {
    let said = match model.link {
        Link::Lost { .. } => "not known: no daemon answers",
        Link::Opening | Link::Up => "asking the daemon …",
    };
    Line::from(span(said, Theme::dim()))
}

impl Page<'_> {
    fn look(&self) -> Look {
        Look { color: self.model.theme.has_color(), width: Some(self.model.size.width) }
    }

    /// What `tunnels status` says, and below it the sessions.
    fn overview(&self, tunnel: &TunnelStatus, detail: &Detail) -> Vec<Line<'static>> {
        let brings_up = makes_sense(self.model, Action::BringUp, self.now.timestamp());
        let key = keys::label(Action::BringUp).filter(|_| brings_up);
        let mut lines = ansi::lines(&status::render_beside(key.as_deref(), tunnel, &self.now, self.look()));
        // Its name stands above already.
        lines.remove(0);
        let probe = tunnel.probe.as_deref().unwrap_or("none");
        lines.push(Self::field("probe", &probed(probe)));
        lines.push(Line::default());
        match &detail.seen.sessions {
            None => lines.push(waiting(self.model)),
            Some(Sessions { sessions, .. }) if sessions.is_empty() => {
                lines.push(Line::from(span("  no session is open", Theme::dim())));
            }
            Some(Sessions { sessions, .. }) => {
                for session in sessions {
                    lines.extend(self.session(session));
                }
            }
        }
        lines.into_iter().flat_map(|line| fold(line, self.columns, 2 + LABEL)).collect()
    }

    fn field(label: &str, value: &str) -> Line<'static> {
        let label = span(format!("  {}", text::pad(label, LABEL)), Theme::dim());
        Line::from(vec![label, Span::raw(text::clean(value))])
    }

    fn session(&self, session: &Session) -> Vec<Line<'static>> {
        let style = match session.state {
            SessionState::Open => self.model.theme.good(),
            SessionState::Silent | SessionState::Resuming => self.model.theme.warning(),
            SessionState::Closed | SessionState::Unknown => Theme::dim(),
        };
        let first = vec![
            span(format!("  {}", text::pad("session", LABEL)), Theme::dim()),
            span(text::clean(&session.id), Theme::bold()),
            span(format!("  {}", session.state.as_str()), style),
        ];
        let connections = match session.connections {
            0 => "no connection".to_owned(),
            1 => "1 connection".to_owned(),
            count => format!("{count} connections"),
        };
        let age = units::ago(session.since, self.now.timestamp());
        let agent = session.agent_version.as_deref().unwrap_or("of unknown version");
        let rtt = session.rtt_ms.map(|rtt| format!(" · {}", units::round_trip(Some(rtt)))).unwrap_or_default();
        vec![
            Line::from(first),
            Self::field("", &format!("{connections} · open for {age}{rtt}")),
            Self::field("", &format!("{} in {} · agent {agent}", session.target, session.region)),
            Self::field("", &session.document),
        ]
    }

    fn connections(&self, detail: &Detail) -> Vec<Line<'static>> {
        let Some(Connections { connections, left_out, .. }) = &detail.seen.connections else {
            return vec![waiting(self.model)];
        };
        if connections.is_empty() {
            return vec![Line::from(span("nobody is connected", Theme::dim()))];
        }
        let mut lines =
            vec![self.row(["PROGRAM", "FROM", "STATE", "SINCE", "IN", "RATE", "OUT", "RATE"].map(str::to_owned), true)];
        lines.extend(connections.iter().map(|connection| self.connection(connection)));
        if *left_out > 0 {
            lines.push(Line::from(span(format!("… and {left_out} more"), Theme::dim())));
        }
        lines
    }

    fn connection(&self, connection: &Connection) -> Line<'static> {
        let program = connection
            .process
            .as_ref()
            .map_or_else(|| "-".to_owned(), |process| format!("{} ({})", text::clean(&process.command), process.pid));
        let state = match connection.state {
            ConnectionState::Held => "waits",
            other => other.as_str(),
        };
        let cells = [
            program,
            connection.peer.clone().unwrap_or_else(|| "-".to_owned()),
            state.to_owned(),
            units::ago(connection.since, self.now.timestamp()),
            units::bytes(connection.bytes_in),
            units::rate(connection.rate_in),
            units::bytes(connection.bytes_out),
            units::rate(connection.rate_out),
        ];
        self.row(cells, false)
    }

    /// Cells in their columns; where the terminal is narrow the least useful are left out.
    fn row(&self, cells: [String; 8], is_heading: bool) -> Line<'static> {
        /// Width, and from how many columns on it is shown.
        const COLUMNS: [(usize, usize); 8] = [(22, 0), (21, 108), (7, 48), (8, 34), (8, 56), (9, 85), (8, 64), (9, 85)];
        let mut spans = Vec::new();
        for (at, (cell, (wide, from))) in cells.into_iter().zip(COLUMNS).enumerate() {
            if self.columns < from {
                continue;
            }
            let cell = text::cut(&cell, wide);
            let missing = " ".repeat(wide - text::width(&cell));
            let padded = if at >= 3 { format!("{missing}{cell}  ") } else { format!("{cell}{missing}  ") };
            spans.push(span(padded, if is_heading { Theme::dim() } else { self.model.theme.plain() }));
        }
        Line::from(cut(spans, self.columns))
    }

    fn why(&self, detail: &Detail) -> Vec<Line<'static>> {
        match &detail.seen.history {
            None => vec![waiting(self.model)],
            Some(history) => ansi::lines(&timeline::render(history, &self.now, self.look())),
        }
    }

    fn logs(&self, detail: &Detail) -> Vec<Line<'static>> {
        let Some(logs) = &detail.seen.logs else { return vec![waiting(self.model)] };
        if logs.lines.is_empty() {
            return vec![Line::from(span("the daemon has no lines about it", Theme::dim()))];
        }
        let look = log::Look { color: self.model.theme.has_color(), zone: self.model.zone.clone() };
        let lines = logs.lines.iter().flat_map(|line| ansi::lines(&log::render_short(line, &look)));
        lines.flat_map(|line| self.wrapped(line)).collect()
    }

    /// A line in as many as it needs.
    fn wrapped(&self, line: Line<'static>) -> Vec<Line<'static>> {
        const MARGIN: usize = 10;
        if super::line::width(&line.spans) <= self.columns {
            return vec![line];
        }
        let mut spans = line.spans;
        // The message is the last piece, and the only one that may be long.
        let Some(message) = spans.pop() else { return Vec::new() };
        let before = super::line::width(&spans);
        let room = self.columns.saturating_sub(before);
        let mut texts = text::wrap(&message.content, room.max(MARGIN)).into_iter();
        spans.push(Span::styled(texts.next().unwrap_or_default(), message.style));
        let rest = texts.collect::<Vec<_>>().join(" ");
        let mut lines = vec![Line::from(cut(spans, self.columns))];
        let margin = " ".repeat(MARGIN);
        lines.extend(text::wrap(&rest, self.columns.saturating_sub(MARGIN).max(MARGIN)).into_iter().map(|text| {
            Line::from(cut(vec![Span::raw(margin.clone()), Span::styled(text, message.style)], self.columns))
        }));
        lines
    }

    fn config(&self, detail: &Detail) -> Vec<Line<'static>> {
        let Some(Settings { settings, .. }) = &detail.seen.settings else { return vec![waiting(self.model)] };
        let key = settings.iter().map(|setting| text::width(&setting.key)).max().unwrap_or(0);
        let value =
            settings.iter().map(|setting| text::width(&shown(setting))).filter(|wide| *wide <= 44).max().unwrap_or(0);
        settings.iter().flat_map(|setting| self.setting(setting, key, value)).collect()
    }

    fn setting(&self, setting: &Setting, key: usize, value: usize) -> Vec<Line<'static>> {
        let is_unset = setting.origin == SettingOrigin::Unset;
        let value_style = if is_unset { Theme::dim() } else { self.model.theme.plain() };
        let said = shown(setting);
        let key_span = span(format!("{}  ", text::pad(&text::clean(&setting.key), key)), self.model.theme.accent());
        let origin = span(origin(&setting.origin), Theme::dim());
        let room = self.columns.saturating_sub(key + 2);
        // Where both do not fit beside each other the origin stands below.
        if text::width(&said).max(value) + 2 + text::width(&origin.content) <= room {
            let spans = vec![key_span, span(text::pad(&said, value), value_style), Span::raw("  "), origin];
            return vec![Line::from(spans)];
        }
        let mut lines = vec![Line::from(vec![key_span, span(said, value_style)])];
        if !is_unset {
            lines.push(Line::from(vec![Span::raw(" ".repeat(key + 2)), origin]));
        }
        lines.into_iter().flat_map(|line| fold(line, self.columns, key + 2)).collect()
    }
}

/// How the tunnel is found to be ready.
fn probed(probe: &str) -> String {
    match probe {
        "none" => "none: ready as soon as a session is open".to_owned(),
        "tcp" => "tcp: the agent reports no refusal".to_owned(),
        probe => format!("{probe}: the remote answers, be it with an error"),
    }
}

fn shown(setting: &Setting) -> String {
    match &setting.value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text::clean(text),
        other => text::clean(&other.to_string()),
    }
}

fn origin(origin: &SettingOrigin) -> String {
    match origin {
        SettingOrigin::Tunnel { file, line } => format!("{}:{line}", text::clean(file)),
        SettingOrigin::Defaults { file, line } => format!("defaults in {}:{line}", text::clean(file)),
        SettingOrigin::Environment { variable } => format!("{} of the daemon", text::clean(variable)),
        SettingOrigin::BuiltIn => "built-in default".to_owned(),
        SettingOrigin::Unset => "not set".to_owned(),
        SettingOrigin::Unknown => String::new(),
    }
}
