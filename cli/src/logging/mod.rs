//! Log lines of the commands that run for long: what is heard, and where it goes. Never to standard output.
//!
//! Each output is a layer of its own behind the same kind of filter, and a thread of its own behind a `queue`.
//! `file` keeps the daemon's file, `tail` reads it back, and what a line looks like to people is `tunnels_tui::log`'s.

pub(crate) mod file;
mod panics;
mod queue;
pub(crate) mod tail;

use crate::output;
use clap::ValueEnum;
pub(crate) use file::LogFile;
use queue::{LastWords, Output, Queue};
use std::io::{self, IsTerminal as _, Write as _};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tunnels_api::LogLine;
use tunnels_daemon::{LogBuffer, LogLayer, LogSink};
use tunnels_tui::log;

/// How the targets of our own crates begin.
const OURS: [&str; 3] = ["tunnels", "ssm_", panics::TARGET];
/// What is heard where nobody says otherwise.
const USUAL: &str = "info";

/// How lines are written to standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One object a line, as in `tunnels logs --json`
    Json,
}

/// Where the lines of a daemon go, beside the buffer that it answers from.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// The file it keeps.
    pub(crate) file: LogFile,
    /// Standard error, where somebody reads it.
    pub(crate) stderr: Option<LogFormat>,
}

/// A log that was started.
#[derive(Debug)]
pub(crate) struct Log {
    /// The recent lines.
    pub(crate) buffer: LogBuffer,
    /// To be kept until nothing is logged any more.
    pub(crate) last_words: LastWords,
    /// What is wrong with the file, if anything is: that stops no daemon.
    pub(crate) file_error: Option<io::Error>,
}

/// Starts the log of a daemon; `TUNNELS_LOG` says what is heard, else `info`.
pub(crate) fn init_daemon(outputs: Outputs) -> Log {
    let Outputs { mut file, stderr } = outputs;
    let buffer = LogBuffer::default();
    let opened = file.open();
    let (file, file_error) = match Queue::start(file) {
        Ok(queue) => (Some(queue), opened.err()),
        Err(error) => (None, Some(error)),
    };
    let queues: Vec<Queue> = file.into_iter().chain(stderr.and_then(Stderr::queue)).collect();
    let usual = usually(USUAL);
    let mut layers = vec![layer(buffer.clone(), &usual)];
    layers.extend(queues.iter().map(|queue| layer(queue.clone(), &usual)));
    start(layers);
    Log { buffer, last_words: LastWords::of(queues), file_error }
}

/// Starts a log on standard error for a command that people watch; `TUNNELS_LOG` says what is heard, else
/// `default`. The buffer is for a daemon in the same process, and hears as much as any daemon's.
pub(crate) fn init(default: &str) -> Log {
    let buffer = LogBuffer::default();
    // A simulator in the same process is no part of the daemon that the buffer is for.
    let of_the_daemon = format!("{},ssm_sim=warn", usually(USUAL));
    let stderr = Stderr::queue(LogFormat::Text);
    let mut layers = vec![layer(buffer.clone(), &of_the_daemon)];
    layers.extend(stderr.iter().map(|queue| layer(queue.clone(), &usually(default))));
    start(layers);
    Log { buffer, last_words: LastWords::of(stderr), file_error: None }
}

fn start(layers: Vec<BoxedLayer>) {
    // An error says that logging has been started already, which is as good.
    if tracing_subscriber::registry().with(layers).try_init().is_ok() {
        panics::log_them();
        if let Some(text) = asked().filter(|text| EnvFilter::try_new(text).is_err()) {
            tracing::warn!(
                TUNNELS_LOG = text,
                "this is not understood, and not heeded: write `debug`, or `tunnels_daemon=debug,info`"
            );
        }
    }
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// A layer that hears what was asked for, else what `usual` says.
fn layer(sink: impl LogSink, usual: &str) -> BoxedLayer {
    let filter = asked().and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(usual));
    LogLayer::new(sink).with_filter(capped(filter)).boxed()
}

/// Our own crates at this level, others only where something is broken: what stands in their way reaches the
/// log as the cause of a state, once, and from them again with every try.
fn usually(level: &str) -> String {
    let others = if level == "off" { level } else { "error" };
    let ours: Vec<String> = OURS.iter().map(|target| format!("{target}={level}")).collect();
    format!("{others},{}", ours.join(","))
}

/// What is to be heard, if it was said.
fn asked() -> Option<String> {
    std::env::var("TUNNELS_LOG").ok().filter(|text| !text.is_empty())
}

/// What was asked for, but no more than `info` of crates that are not ours: the SDK and the HTTP libraries
/// write whole answers at `trace`, and with them tokens, stream URLs and credentials.
fn capped(filter: EnvFilter) -> impl Filter<Registry> + Send + Sync {
    let cap =
        Targets::new().with_default(LevelFilter::INFO).with_targets(OURS.map(|target| (target, LevelFilter::TRACE)));
    filter.and(cap)
}

/// Standard error: for whoever looks at the terminal, or collects what a service writes.
struct Stderr {
    format: LogFormat,
    /// How it is to look on a terminal.
    look: Option<log::Look>,
}

impl Stderr {
    fn new(format: LogFormat) -> Self {
        let look = io::stderr().is_terminal().then(|| output::log_look(&io::stderr()));
        Self { format, look }
    }

    /// With a thread that writes it; none where the system gives none, and so nothing to say that with.
    fn queue(format: LogFormat) -> Option<Queue> {
        Queue::start(Self::new(format)).ok()
    }

    fn text(&self, line: &LogLine) -> String {
        match (self.format, &self.look) {
            (LogFormat::Json, _) => serde_json::to_string(line).unwrap_or_default(),
            (LogFormat::Text, Some(look)) => log::render(line, look),
            // Not in local time: services are read from elsewhere.
            (LogFormat::Text, None) => line.to_string(),
        }
    }
}

impl Output for Stderr {
    fn write(&mut self, line: &LogLine) {
        // Nobody can be told that nobody reads.
        let _ = io::stderr().lock().write_all((self.text(line) + "\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::subscriber::with_default;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<String>>);

    impl LogSink for Lines {
        fn write(&self, line: &Arc<LogLine>) {
            self.0.lock().unwrap().push_str(&(line.to_string() + "\n"));
        }
    }

    fn logged(filter: &str) -> String {
        written(EnvFilter::new(filter))
    }

    fn written(filter: EnvFilter) -> String {
        let lines = &Lines::default();
        let layer = LogLayer::new(lines.clone()).with_filter(capped(filter));
        with_default(tracing_subscriber::registry().with(layer), || {
            tracing::trace!(target: "aws_smithy_runtime::client", "token");
            tracing::debug!(target: "hyper_util", "url");
            let span = tracing::debug_span!(target: "aws_sdk_ssm::operation", "call", secret = "key");
            span.in_scope(|| tracing::info!(target: "aws_config::profile", "loaded"));
            tracing::trace!(target: "tunnels_daemon::tunnel", "ours");
            tracing::debug!(target: "ssm_session", "session");
        });
        lines.0.lock().unwrap().clone()
    }

    #[test]
    fn other_crates_are_never_heard_below_info_whatever_is_asked_for() {
        for filter in [
            "trace",
            "aws_smithy_runtime=trace,hyper_util=trace,aws_sdk_ssm=trace,info",
            "aws_sdk_ssm[call]=trace,trace",
        ] {
            let log = logged(filter);
            for secret in ["token", "url", "secret"] {
                assert!(!log.contains(secret), "{secret} with {filter}:\n{log}");
            }
            assert!(log.contains("loaded"), "{filter}:\n{log}");
        }
    }

    #[test]
    fn our_own_crates_say_what_is_asked_for() {
        let log = logged("trace");
        assert!(log.contains("ours") && log.contains("session"), "{log}");
        assert_eq!(logged("off"), "");
        assert!(!logged("info").contains("session"));
    }

    #[test]
    fn where_nobody_asks_others_are_heard_only_when_something_is_broken() {
        assert_eq!(written(EnvFilter::new(usually("info"))), "");
        let log = written(EnvFilter::new(usually("debug")));
        assert!(log.contains("session") && !log.contains("loaded"), "{log}");
        assert_eq!(written(EnvFilter::new(usually("off"))), "");
    }

    #[test]
    fn the_buffer_hears_no_more_than_the_other_outputs() {
        let buffer = LogBuffer::default();
        let layer = buffer.layer().with_filter(capped(EnvFilter::new("trace")));
        with_default(tracing_subscriber::registry().with(layer), || {
            tracing::trace!(target: "aws_smithy_runtime::client", "token");
            tracing::info!(tunnel = "a", "heard");
        });
        assert_eq!(format!("{buffer:?}").matches("tunnels: 1").count(), 1, "{buffer:?}");
    }
}
