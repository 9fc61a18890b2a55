//! From the program's log events to lines that say which tunnel they are about.
//!
//! A line belongs to the tunnel whose span it was written in, or that it names itself in the field `tunnel`.
//! What becomes of it is the sink's matter; what is heard at all, of whoever installs the layer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tunnels_api::{LogLevel, LogLine, Timestamp};

/// A message or a particular that is longer is cut: a page of text says who is speaking, and AWS's answers
/// are shorter.
const LONGEST_TEXT: usize = 8 << 10;
/// The most particulars of one line; ours have a handful.
const MOST_FIELDS: usize = 32;

const SPAN: &str = "tunnel";

/// The span for everything that is done for one tunnel. It is there at every level, so that a line knows its
/// tunnel whatever is filtered out.
pub(crate) fn tunnel_span(name: &str) -> Span {
    tracing::error_span!("tunnel", name)
}

/// Takes lines as they are written.
pub trait LogSink: Send + Sync + 'static {
    /// Takes one line. It must neither wait nor write to the log.
    fn write(&self, line: &Arc<LogLine>);
}

/// Hands every event to a sink, as a line.
#[derive(Debug)]
pub struct LogLayer<S>(S);

impl<S: LogSink> LogLayer<S> {
    /// A layer in front of this sink.
    pub fn new(sink: S) -> Self {
        Self(sink)
    }
}

/// The name of the tunnel that a span is about.
struct TunnelName(String);

impl<R, S> Layer<R> for LogLayer<S>
where
    R: Subscriber + for<'a> LookupSpan<'a>,
    S: LogSink,
{
    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, ctx: Context<'_, R>) {
        if attrs.metadata().name() != SPAN {
            return;
        }
        let mut words = Words::default();
        attrs.record(&mut words);
        if let (Some(span), Some(name)) = (ctx.span(id), words.fields.remove("name")) {
            // Another layer of this kind may have noted it.
            span.extensions_mut().replace(TunnelName(name));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, R>) {
        let mut words = Words::default();
        event.record(&mut words);
        let in_span = || {
            ctx.event_scope(event)?.find_map(|span| span.extensions().get::<TunnelName>().map(|name| name.0.clone()))
        };
        let meta = event.metadata();
        self.0.write(&Arc::new(LogLine {
            time: Timestamp::now(),
            level: level(*meta.level()),
            tunnel: words.fields.remove(SPAN).or_else(in_span),
            target: meta.target().to_owned(),
            message: words.message,
            fields: words.fields,
        }));
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

/// The message and the particulars of an event, each cut to its bound.
#[derive(Default)]
struct Words {
    message: String,
    fields: BTreeMap<String, String>,
}

impl Words {
    fn take(&mut self, field: &Field, mut value: String) {
        if value.len() > LONGEST_TEXT {
            value.truncate(value.floor_char_boundary(LONGEST_TEXT));
            value.push('…');
        }
        if field.name() == "message" {
            self.message = value;
        } else if self.fields.len() < MOST_FIELDS {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[derive(Default, Clone)]
    struct Kept(Arc<Mutex<Vec<Arc<LogLine>>>>);

    impl LogSink for Kept {
        fn write(&self, line: &Arc<LogLine>) {
            self.0.lock().unwrap().push(Arc::clone(line));
        }
    }

    fn lines_of(act: impl FnOnce()) -> Vec<Arc<LogLine>> {
        let (first, second) = (Kept::default(), Kept::default());
        let layers = LogLayer::new(first.clone()).and_then(LogLayer::new(second.clone()));
        with_default(tracing_subscriber::registry().with(layers), act);
        let lines = first.0.lock().unwrap().clone();
        assert_eq!(lines.len(), second.0.lock().unwrap().len());
        lines
    }

    #[test]
    fn a_line_knows_its_tunnel_level_and_particulars() {
        let lines = lines_of(|| {
            tunnel_span("orders-db").in_scope(|| {
                let inner = tracing::info_span!("attempt", name = "not a tunnel");
                inner.in_scope(|| tracing::warn!(tries = 3, why = %"no network", "cannot connect"));
                tracing::info!(tunnel = "other", "about another");
            });
            tracing::error!("about all");
        });
        assert_eq!(lines[0].tunnel.as_deref(), Some("orders-db"));
        assert_eq!((lines[0].level, &*lines[0].message), (LogLevel::Warn, "cannot connect"));
        let fields: Vec<_> = lines[0].fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["tries=3", "why=no network"]);
        assert_eq!((lines[1].tunnel.as_deref(), lines[1].fields.len()), (Some("other"), 0));
        assert_eq!((lines[2].tunnel.as_deref(), lines[2].level), (None, LogLevel::Error));
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let lines = lines_of(|| tracing::info!(more = "€".repeat(LONGEST_TEXT), "{}", "é".repeat(LONGEST_TEXT)));
        for text in [&lines[0].message, &lines[0].fields["more"]] {
            assert!(text.len() <= LONGEST_TEXT + '…'.len_utf8() && text.ends_with('…'), "{}", text.len());
        }
    }
}
