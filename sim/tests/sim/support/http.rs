//! Plain HTTP requests, one connection each.

use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use ssm_sim::SimHandle;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The name in `__type`, of an error.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        assert!(!self.status.is_success(), "no error: {}", self.text);
        self.json()["__type"].as_str().expect("an error has a __type").to_owned()
    }
}

pub(crate) async fn request(
    sim: &SimHandle,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let stream = TcpStream::connect(sim.address()).await.unwrap();
    request_over(stream, method, path, headers, body).await
}

pub(crate) async fn request_over<S>(
    stream: S,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&body).into_owned() }
}

/// One unsigned API call.
pub(crate) async fn api(sim: &SimHandle, operation: &str, body: Value) -> Answer {
    let target = format!("AmazonSSM.{operation}");
    let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
    request(sim, Method::POST, "/", &headers, &body.to_string()).await
}

/// One call to `/_sim`, which must succeed.
#[track_caller]
pub(crate) fn sim_call<'a>(
    sim: &'a SimHandle,
    method: Method,
    path: &'a str,
    body: &Value,
) -> impl Future<Output = Value> + 'a {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    async move {
        let answer = request(sim, method, path, &[], &body).await;
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
        answer.json()
    }
}
