//! The end of a log file that a daemon has left, read back into lines.
//!
//! Beside the daemon's lines the file holds what went straight to its standard error: the error that ended
//! it, or the last words of a crash.

use super::file::family;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use tunnels_api::{LogLevel, LogLine, LogQuery, Timestamp};

/// The most bytes of one file that are read: more than it grows to.
const MOST: u64 = 64 << 20;

/// What a log file ends with.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Those that were asked for, oldest first.
    pub(crate) lines: Vec<LogLine>,
    /// When the newest file was written to.
    pub(crate) written: Option<Timestamp>,
}

/// Reads what is asked for out of the file and, as far as it takes, those that were put aside before it.
/// None if there is no such file.
pub(crate) fn read(path: &Path, query: &LogQuery) -> Option<Tail> {
    let written = fs::metadata(path).ok()?.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
    let mut lines: Vec<LogLine> = Vec::new();
    for path in family(path) {
        let Ok(text) = text(&path) else { break };
        let mut older = query.pick(parse(&text, written.unwrap_or_default()));
        older.append(&mut lines);
        lines = query.pick(older);
        if query.lines.is_some_and(|most| lines.len() >= most) {
            break;
        }
    }
    Some(Tail { lines, written })
}

fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of a file. What is indented belongs to the line above; what nobody gave a time has that of the
/// line above, or `otherwise`.
fn parse(text: &str, otherwise: Timestamp) -> Vec<LogLine> {
    let mut lines: Vec<LogLine> = Vec::new();
    let mut is_foreign = false;
    for text in text.lines().filter(|text| !text.trim().is_empty()) {
        if let Some(line) = LogLine::parse(text) {
            lines.push(line);
            is_foreign = false;
            continue;
        }
        let continues = is_foreign || text.starts_with("    ");
        match lines.last_mut() {
            Some(line) if continues => {
                line.message.push('\n');
                line.message.push_str(text.strip_prefix("    ").unwrap_or(text));
            }
            above => {
                let time = above.map_or(otherwise, |line| line.time);
                lines.push(LogLine {
                    time,
                    level: LogLevel::Error,
                    tunnel: None,
                    target: String::new(),
                    message: text.to_owned(),
                    fields: [].into(),
                });
                is_foreign = true;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
error: something went wrong
  next: mend it
2026-11-21T06:00:00.000Z INFO  the daemon runs
2026-11-21T06:00:01.000Z WARN  [orders-db] degraded: two
    lines
2026-11-21T06:00:02.000Z INFO  [orders-db] ready

memory allocation failed
aborted
";

    fn messages(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| &*line.message).collect()
    }

    #[test]
    fn lines_and_what_stands_between_them() {
        let lines = parse(TEXT, Timestamp::UNIX_EPOCH);
        assert_eq!(
            messages(&lines),
            [
                "error: something went wrong\n  next: mend it",
                "the daemon runs",
                "degraded: two\nlines",
                "ready",
                "memory allocation failed\naborted",
            ]
        );
        assert_eq!((lines[0].time, lines[0].level), (Timestamp::UNIX_EPOCH, LogLevel::Error));
        assert_eq!((lines[4].time, lines[4].tunnel.as_deref()), (lines[3].time, None));
        assert_eq!(lines[2].tunnel.as_deref(), Some("orders-db"));
    }

    #[test]
    fn older_files_are_read_as_far_as_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("daemon.log");
        assert!(read(&path, &LogQuery::default()).is_none());
        let write = |age: usize, number: usize| {
            let text = format!("2026-11-21T06:00:00.000Z INFO  [a] {number}\n");
            fs::write(&family(&path)[age], text).unwrap();
        };
        write(0, 3);
        write(1, 2);
        write(2, 1);
        let read = |query| read(&path, &query).unwrap().lines;
        assert_eq!(messages(&read(LogQuery::default())), ["1", "2", "3"]);
        assert_eq!(messages(&read(LogQuery { lines: Some(2), ..LogQuery::default() })), ["2", "3"]);
        assert_eq!(read(LogQuery { tunnel: Some("b".into()), ..LogQuery::default() }), []);
    }
}
