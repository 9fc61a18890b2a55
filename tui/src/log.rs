//! Lines of the daemon's log as people read them on a terminal.
//!
//! Pure: a line in, text out. How a line stands in a file is `tunnels-api`'s.

use jiff::tz::TimeZone;
use tunnels_api::{LogLevel, LogLine};

/// How lines are to look where they go.
#[derive(Debug, Clone)]
pub struct Look {
    /// Whether escape codes for colours are wanted.
    pub color: bool,
    /// The zone that times are shown in.
    pub zone: TimeZone,
}

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

/// Renders one line, without a newline at its end. A message of several lines is indented.
pub fn render(line: &LogLine, look: &Look) -> String {
    let time = line.time.to_zoned(look.zone.clone()).strftime("%F %T%.3f").to_string();
    let label = format!("{:5}", line.level.label());
    let text = line.text().replace('\n', "\n    ");
    let tunnel = line.tunnel.as_deref().map(|name| format!("{name}  "));
    if !look.color {
        return format!("{time}  {label}  {}{text}", tunnel.unwrap_or_default());
    }
    let tunnel = tunnel.map(|name| format!("{BOLD}{name}{RESET}")).unwrap_or_default();
    format!("{DIM}{time}{RESET}  {}{label}{RESET}  {tunnel}{text}", color(line.level))
}

/// The same in less room: the time of the day, and not which tunnel it is about. The message is the last piece.
pub(crate) fn render_short(line: &LogLine, look: &Look) -> String {
    let time = line.time.to_zoned(look.zone.clone()).strftime("%T").to_string();
    let label = format!("{:5}", line.level.label());
    let text = line.text().replace('\n', " ");
    if look.color {
        format!("{DIM}{time}{RESET}  {}{label}{RESET}  {RESET}{text}", color(line.level))
    } else {
        format!("{time}  {label}  {RESET}{text}")
    }
}

fn color(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "\x1b[1;31m",
        LogLevel::Warn => "\x1b[33m",
        LogLevel::Info => "\x1b[32m",
        LogLevel::Debug => "\x1b[36m",
        LogLevel::Trace => DIM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz;

    fn line(tunnel: Option<&str>, message: &str) -> LogLine {
        LogLine {
            time: "2026-11-21T23:30:00.25Z".parse().unwrap(),
            level: LogLevel::Warn,
            tunnel: tunnel.map(str::to_owned),
            target: "tunnels_daemon".into(),
            message: message.into(),
            fields: [("session".to_owned(), "ada-1".to_owned())].into(),
        }
    }

    #[test]
    fn times_are_local_and_colour_is_only_there_when_it_is_wanted() {
        let look = Look { color: false, zone: TimeZone::fixed(tz::offset(1)) };
        let text = render(&line(Some("orders-db"), "connecting: no network"), &look);
        assert_eq!(text, "2026-11-22 00:30:00.250  WARN   orders-db  connecting: no network session=ada-1");
        let text = render(&line(None, "two\nlines"), &look);
        assert_eq!(text, "2026-11-22 00:30:00.250  WARN   two\n    lines session=ada-1");
        let text = render(&line(Some("a"), "m"), &Look { color: true, ..look });
        assert!(text.contains("\x1b[33mWARN \x1b[0m") && text.contains("\x1b[1ma  \x1b[0m"), "{text:?}");
    }
}
