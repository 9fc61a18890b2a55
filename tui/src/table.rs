//! The list of tunnels as a plain table, with a line below for each tunnel that has trouble.
//!
//! Pure: statuses and a time in, text out. Made for pipes as well: one line a tunnel, columns that
//! `awk` can count on until the first one with spaces, colour only when asked for.

use crate::units;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tunnels_api::{Timestamp, TunnelState, TunnelStatus};

/// How text is to look where it goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Whether escape codes for colours are wanted.
    pub color: bool,
    /// The width to fit into; none for a pipe, where nothing is shortened.
    pub width: Option<u16>,
}

/// Below this a remote's name says nothing any more; rather let the line be too long.
const SHORTEST_REMOTE: usize = 16;

const HEADER: [&str; 11] =
    ["NAME", "STATE", "LOCAL", "REMOTE", "TARGET", "SESSIONS", "STREAMS", "IN", "OUT", "RTT", "SINCE"];
/// Columns from here on are figures and stand to the right.
const FIRST_FIGURE: usize = 5;

/// Renders the list; ends with a newline.
pub fn render(tunnels: &[TunnelStatus], now: Timestamp, look: Look) -> String {
    let mut text = draw(tunnels, now, look, usize::MAX);
    if let Some(width) = look.width {
        let widest = text.lines().map(width_of).max().unwrap_or(0);
        let over = widest.saturating_sub(usize::from(width));
        let longest = tunnels.iter().map(|t| t.remote.chars().count()).max().unwrap_or(0);
        if over > 0 && longest > SHORTEST_REMOTE {
            text = draw(tunnels, now, look, longest.saturating_sub(over).max(SHORTEST_REMOTE));
        }
    }
    for tunnel in tunnels {
        notes(&mut text, tunnel, look);
    }
    text
}

/// What the state column says: the state, and what it waits for.
pub fn state(tunnel: &TunnelStatus, now: Timestamp) -> String {
    let mut text = tunnel.state.to_string();
    if tunnel.sessions_resuming > 0 && tunnel.state == TunnelState::Ready {
        let _ = write!(text, " · {} of {} resuming", tunnel.sessions_resuming, tunnel.sessions);
    }
    if let Some(at) = tunnel.retry_at.filter(|at| *at > now) {
        let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        // Rounded up: "in 0s" would be over.
        let seconds = left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
        let _ = write!(text, " · retry in {}", units::span(Duration::from_secs(seconds)));
    }
    text
}

fn draw(tunnels: &[TunnelStatus], now: Timestamp, look: Look, remote_width: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if look.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(HEADER.map(|title| Cell::new(title).add_attribute(Attribute::Dim)));
    for tunnel in tunnels {
        let count = |n: u32| if n == 0 { "-".to_owned() } else { n.to_string() };
        table.add_row([
            Cell::new(&tunnel.name).add_attribute(Attribute::Bold),
            Cell::new(state(tunnel, now)).fg(color(tunnel.state)),
            Cell::new(&tunnel.local),
            Cell::new(shorten(&tunnel.remote, remote_width)),
            Cell::new(tunnel.target.as_deref().unwrap_or("-")),
            Cell::new(count(tunnel.sessions)),
            Cell::new(count(tunnel.streams)),
            Cell::new(units::rate(tunnel.rate_in)),
            Cell::new(units::rate(tunnel.rate_out)),
            Cell::new(units::round_trip(tunnel.rtt_ms)),
            Cell::new(units::ago(tunnel.since, now)),
        ]);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let last = index + 1 == HEADER.len();
        column.set_padding((0, if last { 0 } else { 2 }));
        if index >= FIRST_FIGURE {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text: String = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    if tunnels.is_empty() {
        text.push_str("(no tunnels)\n");
    }
    text
}

/// Who can reach a tunnel's port, if that is more than this machine.
pub fn warning(tunnel: &TunnelStatus) -> Option<String> {
    let exposed = tunnel.local.parse::<SocketAddr>().is_ok_and(|local| !local.ip().is_loopback());
    exposed.then(|| format!("other machines can reach {}", tunnel.local))
}

/// Under the table: why a tunnel is not what it should be, and what to do; who else can reach it.
fn notes(text: &mut String, tunnel: &TunnelStatus, look: Look) {
    let (bold, red, off) = if look.color { ("\x1b[1m", "\x1b[31m", "\x1b[0m") } else { ("", "", "") };
    let quiet = matches!(tunnel.state, TunnelState::Ready | TunnelState::Down | TunnelState::Listening);
    if let Some(cause) = tunnel.cause.as_ref().filter(|_| !quiet) {
        let _ = write!(text, "\n{bold}{}{off} is {}: {}\n", tunnel.name, tunnel.state, cause.text);
        if let Some(next) = &cause.next {
            let _ = writeln!(text, "  next: {next}");
        }
    }
    if let Some(warning) = warning(tunnel).filter(|_| tunnel.state != TunnelState::Down) {
        let _ = write!(text, "\n{bold}{}{off}: {red}warning{off}: {warning}\n", tunnel.name);
    }
}

/// The colour a state has in every view.
pub fn color(state: TunnelState) -> Color {
    match state {
        TunnelState::Ready => Color::Green,
        TunnelState::Failed | TunnelState::NeedsLogin => Color::Red,
        TunnelState::Degraded | TunnelState::Connecting | TunnelState::Reconnecting => Color::Yellow,
        TunnelState::Listening => Color::Cyan,
        TunnelState::Down | TunnelState::Unknown => Color::DarkGrey,
    }
}

/// Takes the middle out: the beginning of a host tells which it is, the end has the port.
fn shorten(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let tail = kept / 3;
    let mut short: String = chars[..kept - tail].iter().collect();
    short.push('…');
    short.extend(&chars[chars.len() - tail..]);
    short
}

/// Columns a line takes, escape codes not counted.
fn width_of(line: &str) -> usize {
    let mut width = 0;
    let mut escape = false;
    for c in line.chars() {
        match (escape, c) {
            (false, '\x1b') => escape = true,
            (true, c) if c.is_ascii_alphabetic() => escape = false,
            (true, _) => {}
            (false, _) => width += 1,
        }
    }
    width
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use tunnels_api::{Cause, CauseKind, TargetState};

    pub(crate) fn status(name: &str, state: TunnelState) -> TunnelStatus {
        TunnelStatus {
            name: name.into(),
            state,
            wanted: TargetState::Up,
            cause: None,
            local: "127.0.0.1:15432".into(),
            remote: "orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432".into(),
            target: Some("i-0123456789abcdef0".into()),
            profile: None,
            region: None,
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
        }
    }

    fn now() -> Timestamp {
        "2026-11-21T06:03:05Z".parse().unwrap()
    }

    #[test]
    fn a_pipe_gets_plain_whole_lines() {
        let busy =
            TunnelStatus { streams: 12, rate_in: 730_000, rate_out: 1_200, ..status("orders-db", TunnelState::Ready) };
        let down = TunnelStatus {
            local: "127.0.0.2:6379".into(),
            remote: ":8080".into(),
            target: None,
            sessions: 0,
            rtt_ms: None,
            ..status("web", TunnelState::Down)
        };
        let text = render(&[busy, down], now(), Look::default());
        let expected = "\
NAME       STATE  LOCAL            REMOTE                                               TARGET               SESSIONS  STREAMS        IN       OUT     RTT  SINCE
orders-db  ready  127.0.0.1:15432  orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432  i-0123456789abcdef0         1       12  730 kB/s  1.2 kB/s  1.2 ms  3m 5s
web        down   127.0.0.2:6379   :8080                                                -                           -        -         -         -       -  3m 5s
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_terminal_shortens_the_remote_and_never_the_address_to_paste() {
        let text = render(&[status("orders-db", TunnelState::Ready)], now(), Look { color: false, width: Some(125) });
        assert!(text.lines().all(|line| width_of(line) <= 125), "{text}");
        assert!(text.contains("127.0.0.1:15432"), "{text}");
        assert!(text.contains('…'), "{text}");
        assert!(text.contains(":5432 "), "{text}");
    }

    #[test]
    fn trouble_is_told_below_with_what_to_do() {
        let mut tunnel = status("orders-db", TunnelState::NeedsLogin);
        tunnel.cause = Some(
            Cause::new(CauseKind::Credentials, "the SSO login of `dev` has expired")
                .with_next("aws sso login --profile dev"),
        );
        let text = render(&[tunnel], now(), Look::default());
        assert!(
            text.ends_with(
                "\norders-db is needs-login: the SSO login of `dev` has expired\n  next: aws sso login --profile dev\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn the_state_says_what_it_waits_for() {
        let mut tunnel = status("a", TunnelState::Ready);
        (tunnel.sessions, tunnel.sessions_resuming) = (4, 1);
        assert_eq!(state(&tunnel, now()), "ready · 1 of 4 resuming");
        let mut tunnel = status("a", TunnelState::Connecting);
        tunnel.retry_at = Some("2026-11-21T06:03:09Z".parse().unwrap());
        assert_eq!(state(&tunnel, now()), "connecting · retry in 4s");
        tunnel.retry_at = Some("2026-11-21T06:00:00Z".parse().unwrap());
        assert_eq!(state(&tunnel, now()), "connecting");
    }

    #[test]
    fn the_time_to_the_next_try_is_rounded_up() {
        let mut tunnel = status("a", TunnelState::Connecting);
        tunnel.retry_at = Some("2026-11-21T06:03:05.020Z".parse().unwrap());
        assert_eq!(state(&tunnel, now()), "connecting · retry in 1s");
    }

    #[test]
    fn a_port_that_others_can_reach_is_warned_of_while_it_is_open() {
        let mut tunnel = status("a", TunnelState::Ready);
        for (local, warned) in [("0.0.0.0:1", true), ("[::]:1", true), ("127.0.0.2:1", false), ("unix:/s", false)] {
            tunnel.local = local.into();
            let text = render(&[tunnel.clone()], now(), Look::default());
            assert_eq!(text.contains("warning: other machines can reach"), warned, "{local}");
        }
        tunnel.local = "0.0.0.0:1".into();
        tunnel.state = TunnelState::Down;
        assert!(!render(&[tunnel], now(), Look::default()).contains("warning"));
    }

    #[test]
    fn colour_only_when_asked_for() {
        let tunnels = [status("a", TunnelState::Ready)];
        assert!(!render(&tunnels, now(), Look::default()).contains('\x1b'));
        let colored = render(&tunnels, now(), Look { color: true, width: None });
        assert!(colored.contains('\x1b'));
    }

    #[test]
    fn none_is_said() {
        assert!(render(&[], now(), Look::default()).ends_with("(no tunnels)\n"));
    }
}
