//! One line of the daemon's log: its JSON shape, and the text that stands for it in a file.
//!
//! The text is for people and is read back by us when no daemon answers:
//!
//! ```text
//! 2026-11-21T06:00:00.123Z WARN  [orders-db] connecting: i-0123 is not connected
//! ```
//!
//! Colours and local time are the views' matter.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// How much a line matters; the smallest matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something does not work, or soon will not.
    Warn,
    /// What happens in the course of things.
    Info,
    /// For whoever looks for the cause of something.
    Debug,
    /// Everything. A level that this version does not know reads as this, too.
    #[serde(other)]
    Trace,
}

impl LogLevel {
    /// Every level, the one that matters most first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word used in JSON, in queries and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The word used in lines of text.
    pub fn label(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }
}

/// One line of the daemon's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub time: Timestamp,
    /// How much it matters.
    pub level: LogLevel,
    /// The tunnel that it is about; none for the daemon as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// The part of the program that wrote it.
    #[serde(default)]
    pub target: String,
    /// What happened.
    pub message: String,
    /// Particulars, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

impl LogLine {
    /// What happened, with the particulars behind it and, for lines that only somebody who looks for
    /// something asks for, where they come from. May have several lines; nothing in it can steer a terminal.
    pub fn text(&self) -> String {
        let mut text = visible(&self.message);
        for (name, value) in &self.fields {
            let needs_quotes = value.is_empty() || value.contains(|c: char| c.is_whitespace() || c == '"');
            let value = if needs_quotes { format!("{value:?}") } else { visible(value) };
            let _ = write!(text, " {name}={value}");
        }
        if self.level >= LogLevel::Debug && !self.target.is_empty() {
            let _ = write!(text, " ({})", self.target);
        }
        text
    }

    /// Reads what [`Self`]'s `Display` writes; particulars stay in the message. None for a line that only
    /// continues another, and for one that somebody else wrote.
    pub fn parse(line: &str) -> Option<Self> {
        let (time, rest) = line.split_once(' ')?;
        let time = time.parse().ok()?;
        let (level, rest) = rest.split_once(' ')?;
        let level = LogLevel::ALL.into_iter().find(|known| known.label() == level)?;
        let rest = rest.trim_start();
        let named = rest.strip_prefix('[').and_then(|rest| rest.split_once("] "));
        let (tunnel, message) = match named {
            Some((tunnel, message)) => (Some(tunnel.to_owned()), message),
            None => (None, rest),
        };
        let message = message.to_owned();
        Some(Self { time, level, tunnel, target: String::new(), message, fields: BTreeMap::new() })
    }
}

/// The line as it stands in a log file, without the newline at its end. Lines of its own that a message has
/// are indented, so that none can be taken for another entry.
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} {:5} ", self.time, self.level.label())?;
        if let Some(tunnel) = &self.tunnel {
            write!(f, "[{tunnel}] ")?;
        }
        f.write_str(&self.text().replace('\n', "\n    "))
    }
}

/// Without what could move a cursor or change a colour: part of what is logged comes from the network.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => shown.push(c),
            '\t' => shown.push_str("    "),
            '\r' => {}
            c if c.is_control() => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// The answer of `GET /v1/logs` and the output of `tunnels logs --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// Oldest first.
    pub lines: Vec<LogLine>,
}

/// The query of `GET /v1/logs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogQuery {
    /// Only lines about this tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// Only lines that matter so much, or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// At most so many of those that there are already, the newest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// Send what comes as server-sent events, until the reader hangs up or the daemon ends.
    pub follow: bool,
}

impl LogQuery {
    /// Whether a line is asked for.
    pub fn wants(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|level| line.level <= level)
            && self.tunnel.as_ref().is_none_or(|tunnel| line.tunnel.as_ref() == Some(tunnel))
    }

    /// The newest of the lines that are asked for, oldest first.
    pub fn pick<T: AsRef<LogLine>>(&self, lines: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut wanted: Vec<T> = lines.into_iter().filter(|line| self.wants(line.as_ref())).collect();
        let over = self.lines.map_or(0, |most| wanted.len().saturating_sub(most));
        wanted.drain(..over);
        wanted
    }
}

impl AsRef<Self> for LogLine {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// What a reader that follows the log gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogEvent {
    /// The first: what there is already.
    Snapshot {
        /// Oldest first.
        lines: Vec<LogLine>,
    },
    /// A new line.
    Line {
        /// The line.
        line: LogLine,
    },
    /// The reader was too slow.
    Missed {
        /// How many lines of the whole log went past it, whether it had asked for them or not.
        count: u64,
    },
    /// An event that this version does not know.
    #[serde(other)]
    Unknown,
}

impl LogEvent {
    /// The value of `event:` in the stream, equal to `type` in the JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Snapshot { .. } => "snapshot",
            Self::Line { .. } => "line",
            Self::Missed { .. } => "missed",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: LogLevel, tunnel: Option<&str>, message: &str) -> LogLine {
        LogLine {
            time: "2026-11-21T06:00:00.123456Z".parse().unwrap(),
            level,
            tunnel: tunnel.map(str::to_owned),
            target: "tunnels_daemon::tunnel".into(),
            message: message.into(),
            fields: BTreeMap::new(),
        }
    }

    #[test]
    fn the_text_of_a_line_can_be_read_again() {
        let mut full = line(LogLevel::Warn, Some("orders-db"), "connecting: i-0 is offline");
        full.fields = [("session".to_owned(), "ada-1".to_owned()), ("why".to_owned(), "two words".to_owned())].into();
        let text = full.to_string();
        assert_eq!(
            text,
            "2026-11-21T06:00:00.123Z WARN  [orders-db] connecting: i-0 is offline session=ada-1 why=\"two words\""
        );
        let read = LogLine::parse(&text).unwrap();
        assert_eq!((read.level, read.tunnel.as_deref()), (LogLevel::Warn, Some("orders-db")));
        assert_eq!(read.to_string(), text);
        let daemon = line(LogLevel::Error, None, "[odd] message").to_string();
        assert_eq!(LogLine::parse(&daemon).unwrap().to_string(), daemon);
        assert!(line(LogLevel::Debug, None, "m").to_string().ends_with("DEBUG m (tunnels_daemon::tunnel)"));
    }

    #[test]
    fn nothing_in_a_message_looks_like_another_line_or_reaches_the_terminal() {
        let forged = "x\n2026-11-21T06:00:00Z ERROR you were hacked\n\x1b[2Jy\u{9b}z\r";
        let text = line(LogLevel::Info, None, forged).to_string();
        assert!(!text.contains(['\x1b', '\u{9b}', '\r']), "{text:?}");
        assert_eq!(text.lines().filter(|line| LogLine::parse(line).is_some()).count(), 1, "{text}");
        assert_eq!(LogLine::parse("thread 'main' has panicked"), None);
        assert_eq!(LogLine::parse(""), None);
    }

    #[test]
    fn a_query_picks_by_tunnel_and_level_and_takes_the_newest() {
        let lines = [
            line(LogLevel::Info, Some("a"), "1"),
            line(LogLevel::Error, Some("a"), "2"),
            line(LogLevel::Debug, Some("a"), "3"),
            line(LogLevel::Warn, Some("b"), "4"),
            line(LogLevel::Info, None, "5"),
        ];
        let picked = |query: LogQuery| -> String { query.pick(&lines).iter().map(|line| &*line.message).collect() };
        assert_eq!(picked(LogQuery::default()), "12345");
        assert_eq!(picked(LogQuery { tunnel: Some("a".into()), ..LogQuery::default() }), "123");
        assert_eq!(picked(LogQuery { level: Some(LogLevel::Info), ..LogQuery::default() }), "1245");
        assert_eq!(picked(LogQuery { level: Some(LogLevel::Info), lines: Some(2), ..LogQuery::default() }), "45");
        assert_eq!(picked(LogQuery { lines: Some(0), ..LogQuery::default() }), "");
    }
}
