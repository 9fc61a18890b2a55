//! The demo's web server: a page, a health check, an echo of headers, a download and a clock.

use crate::acceptor;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// The longest download: enough to see a rate for minutes at the real agent's pace.
const MOST_BYTES: u64 = 1 << 30;
/// What a download is sent in.
const PIECE: usize = 32 * 1024;
/// A kept connection without a request for so long is closed.
const HEADER_TIMEOUT: Duration = Duration::from_mins(5);

/// What there is: path, and what it answers.
const PAGES: [(&str, &str); 5] = [
    ("/", "this page"),
    ("/health", "ok"),
    ("/headers", "the headers of your request"),
    ("/bytes/1048576", "as many bytes as you say, 1 GiB at most"),
    ("/clock", "the time, a line a second, until you hang up: cut the websocket meanwhile"),
];

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener) {
    let routes = Router::new()
        .route("/", get(index))
        .route("/health", get(|| async { "ok\n" }))
        .route("/headers", get(headers))
        .route("/bytes/{count}", get(bytes))
        .route("/clock", get(clock))
        .fallback(not_found);
    acceptor::accept(listener, move |stream| answer(stream, routes.clone())).await;
}

async fn answer(stream: TcpStream, routes: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn index(headers: HeaderMap) -> Response {
    let wants_html =
        headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"));
    if wants_html { Html(page()).into_response() } else { text().into_response() }
}

fn text() -> String {
    let mut text = "internal-api: this answer came through a tunnel.\n\n".to_owned();
    for (path, what) in PAGES {
        let _ = writeln!(text, "  {path:<16} {what}");
    }
    text
}

fn page() -> String {
    let mut items = String::new();
    for (path, what) in PAGES {
        let _ = writeln!(items, "<li><a href=\"{path}\"><code>{path}</code></a> {what}</li>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>internal-api</title></head>\n\
         <body><h1>internal-api</h1>\n<p>This page came through a tunnel.</p>\n<ul>\n{items}</ul>\n</body></html>\n"
    )
}

async fn headers(headers: HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in &headers {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}

async fn bytes(Path(count): Path<String>) -> Response {
    let Some(count) = count.parse().ok().filter(|count| *count <= MOST_BYTES) else {
        let refusal = format!("/bytes/N wants a number of bytes up to {MOST_BYTES}\n");
        return (StatusCode::BAD_REQUEST, refusal).into_response();
    };
    let piece = Bytes::from(vec![b'.'; PIECE]);
    let pieces = stream::unfold(count, move |left: u64| {
        let length = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let piece = piece.slice(..length);
        async move { (length > 0).then(|| (Ok::<_, Infallible>(piece), left - length as u64)) }
    });
    let length = [(header::CONTENT_LENGTH, count.to_string())];
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    (length, kind, Body::from_stream(pieces)).into_response()
}

async fn clock() -> Response {
    let ticks = tokio::time::interval(Duration::from_secs(1));
    let lines = stream::unfold(ticks, |mut ticks| async move {
        ticks.tick().await;
        Some((Ok::<_, Infallible>(format!("{:.3}\n", jiff::Timestamp::now())), ticks))
    });
    ([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(lines)).into_response()
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, format!("there is no such page\n\n{}", text())).into_response()
}
