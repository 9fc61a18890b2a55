//! `tunnels logs`: recent lines of the daemon's log, and those that come.
//!
//! A daemon that has crashed is the one whose log is wanted most: when none answers, the end of its log file
//! is shown.

use super::{block_on, interrupted};
use crate::completion;
use crate::exit::Exit;
use crate::link::Link;
use crate::logging::file;
use crate::logging::tail::{self, Tail};
use crate::output;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap_complete::engine::ArgValueCompleter;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode, LogEvent, LogEvents, LogLevel, LogLine, LogQuery, Logs as Lines};
use tunnels_tui::log::{self, Look};
use tunnels_tui::units;

const EXAMPLES: &str = "\
Examples:
  tunnels logs -f
  tunnels logs orders-db --level warn -n 20
  tunnels logs --json | jq -r '.lines[].message'";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Logs {
    /// Only lines about this tunnel
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completion::names))]
    name: Option<String>,
    /// Go on with what comes, until ctrl-C or the daemon's end
    #[arg(long, short)]
    follow: bool,
    /// At most so many of the lines that there are already
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    lines: usize,
    /// Only lines that matter so much: error, warn, info, debug, trace
    #[arg(
        long,
        value_name = "LEVEL",
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(LogLevel::ALL.map(LogLevel::as_str)).map(|word| level(&word))
    )]
    level: Option<LogLevel>,
    /// Print JSON; with --follow one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

impl Logs {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?.with_notes(!self.json);
            let client = match link.running().await {
                Ok(client) => client,
                Err(error) if error.code == ErrorCode::DaemonUnreachable => {
                    return self.show_file(&file::path_in(&link.places.state_dir), &error);
                }
                Err(error) => return Err(error),
            };
            if !self.follow {
                let Lines { lines } = link.explained(client.logs(&self.query())).await?;
                self.show(lines)?;
                return Ok(Exit::Done);
            }
            let events = link.explained(client.follow_logs(&self.query())).await?;
            tokio::select! {
                followed = self.keep_showing(events) => followed.map(|()| Exit::Done),
                exit = interrupted() => Ok(exit),
                () = output::hung_up() => Ok(Exit::Done),
            }
        })
    }

    fn query(&self) -> LogQuery {
        LogQuery { tunnel: self.name.clone(), level: self.level, lines: Some(self.lines), follow: self.follow }
    }

    fn show(&self, lines: Vec<LogLine>) -> Result<(), ApiError> {
        if self.json {
            return output::print_json(&Lines { lines });
        }
        let look = output::log_look(&io::stdout());
        let mut text = String::new();
        for line in &lines {
            let _ = writeln!(text, "{}", log::render(line, &look));
        }
        output::print(&text)
    }

    /// Shows what comes until the daemon ends, or whoever reads this does.
    async fn keep_showing(&self, mut events: LogEvents) -> Result<(), ApiError> {
        let look = output::log_look(&io::stdout());
        while let Some(event) = events.next().await {
            let mut out = io::stdout().lock();
            let written = out.write_all(self.told(&event?, &look).as_bytes()).and_then(|()| out.flush());
            if written.is_err() {
                return output::finish(written);
            }
        }
        Ok(())
    }

    fn told(&self, event: &LogEvent, look: &Look) -> String {
        let mut text = String::new();
        let mut tell = |line: &LogLine| {
            let _ = match serde_json::to_string(line) {
                Ok(json) if self.json => writeln!(text, "{json}"),
                _ => writeln!(text, "{}", log::render(line, look)),
            };
        };
        match event {
            LogEvent::Snapshot { lines } => lines.iter().for_each(tell),
            LogEvent::Line { line } => tell(line),
            LogEvent::Missed { count } if self.json => {
                let _ = writeln!(text, "{}", serde_json::json!({ "missed": count }));
            }
            LogEvent::Missed { count } => {
                output::say(&format!("({count} lines of the log came too fast and were missed)"));
            }
            _ => {}
        }
        text
    }

    /// What there is where no daemon answers; `error` says so.
    fn show_file(&self, path: &Path, error: &ApiError) -> Result<Exit, ApiError> {
        let hint = |hint: String| error.clone().with_hint(hint);
        let shown = path.display();
        if self.follow {
            return Err(hint(format!("without --follow this shows the end of its log: {shown}")));
        }
        let Some(Tail { lines, written }) = tail::read(path, &self.query()) else {
            return Err(hint(format!("start it with `tunnels up`; there is no log of an earlier one at {shown}")));
        };
        if lines.is_empty() {
            return Err(hint(format!(
                "start it with `tunnels up`; the log of an earlier one has no such line: {shown}"
            )));
        }
        let ago = written.map(|at| format!(" ({} ago)", units::ago(at, tunnels_api::Timestamp::now())));
        output::say(&format!(
            "note: {error}; this is the end of the log that the last one left{}: {shown}",
            ago.unwrap_or_default()
        ));
        self.show(lines)?;
        Ok(Exit::Done)
    }
}

/// The level of a word; clap has made sure that there is one.
fn level(word: &str) -> LogLevel {
    LogLevel::ALL.into_iter().find(|level| level.as_str() == word).unwrap_or(LogLevel::Info)
}
