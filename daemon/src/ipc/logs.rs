//! `GET /v1/logs`: recent lines of the log, and those that come as server-sent events.
//!
//! A stream starts with a snapshot. A reader that lags behind is told how many lines went past it, and goes
//! on with those that it still can have.

use super::routes::{Failure, Served, existing};
use crate::log_buffer::LogSubscription;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError};
use tunnels_api::{ApiError, ErrorCode, LogEvent, LogLine, LogQuery, Logs};

/// Answers with what there is, or goes on until the caller hangs up or the daemon ends.
pub(super) async fn logs(
    State(served): State<Served>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(|error| {
        ApiError::new(ErrorCode::Usage, format!("the query is not understood: {}", error.body_text()))
            .with_hint("tunnel=NAME, level=error|warn|info|debug|trace, lines=NUMBER, follow=true")
    })?;
    // One that has left the configuration may still have lines.
    if let Some(name) = &query.tunnel
        && !served.daemon.logs().knows(name)
    {
        existing(&served.daemon, name)?;
    }
    if !query.follow {
        return Ok(Json(Logs { lines: owned(&served.daemon.logs().lines(&query)) }).into_response());
    }
    let reader = Reader { news: None, query, served };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((to_sse(&event), reader))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

struct Reader {
    /// None before the snapshot.
    news: Option<broadcast::Receiver<Arc<LogLine>>>,
    query: LogQuery,
    served: Served,
}

impl Reader {
    async fn next(&mut self) -> Option<LogEvent> {
        let Some(news) = &mut self.news else {
            let LogSubscription { lines, news } = self.served.daemon.logs().subscribe(&self.query);
            self.news = Some(news);
            return Some(LogEvent::Snapshot { lines: owned(&lines) });
        };
        loop {
            let received = tokio::select! {
                // What was written is told before the end is.
                biased;
                received = news.recv() => received,
                () = self.served.shutdown.cancelled() => return None,
            };
            match received {
                Ok(line) if self.query.wants(&line) => return Some(LogEvent::Line { line: LogLine::clone(&line) }),
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => return Some(LogEvent::Missed { count }),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn owned(lines: &[Arc<LogLine>]) -> Vec<LogLine> {
    lines.iter().map(|line| LogLine::clone(line)).collect()
}

fn to_sse(event: &LogEvent) -> Result<Event, serde_json::Error> {
    let data = serde_json::to_string(event)?;
    Ok(Event::default().event(event.name()).data(data))
}
