//! The SSM JSON 1.1 API (docs/protocol.md §1): one POST, an operation per `X-Amz-Target`.
//!
//! Owns request and answer shapes, the errors' exact names and the call log entries. Sessions
//! and nodes belong to [`Service`].

mod error;
mod instances;
mod sessions;

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;

pub(crate) use self::error::ApiError;
pub(crate) use self::instances::AGENT_VERSION;
use crate::call_log::ApiCall;
use crate::http::HangUp;
use crate::service::Service;
use crate::strict::access_key;
use crate::sts;

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const TARGET_PREFIX: &str = "AmazonSSM.";

/// Answers one API call, or one of STS on the same path.
pub(crate) async fn handle(
    State(service): State<Arc<Service>>,
    Extension(line): Extension<HangUp>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if sts::is_call(&headers) {
        return sts::handle(&service, &method, &uri, &headers, &body);
    }
    let operation = headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .map_or("", |target| target.strip_prefix(TARGET_PREFIX).unwrap_or(target));
    let member = |name: &str| -> Option<String> {
        serde_json::from_slice::<Value>(&body).ok()?.get(name)?.as_str().map(str::to_owned)
    };
    let mut call = ApiCall {
        at: jiff::Timestamp::now(),
        operation: operation.to_owned(),
        session: member("SessionId"),
        target: member("Target"),
        result: "ok".to_owned(),
        signed: headers.contains_key(header::AUTHORIZATION),
    };
    let outcome = service
        .guard
        .check(&method, &uri, &headers, &body, "ssm", service.clock_ahead())
        .and_then(|()| answer(&service, operation, &headers, &body));
    let response = match outcome {
        Ok(answer) => {
            call.session = answer.session.or(call.session);
            ([(header::CONTENT_TYPE, CONTENT_TYPE)], answer.body).into_response()
        }
        Err(error) => {
            error.name().clone_into(&mut call.result);
            error.into_response()
        }
    };
    tracing::debug!(operation, result = call.result, "api call");
    service.calls.record(call);
    // Only the answer is late or lost: what was asked for has been done.
    if response.status().is_success() && service.faults.take_lost(operation) {
        line.now().await;
    }
    sleep(service.faults.answer_delay(operation)).await;
    with_request_id(&service, response)
}

/// A successful answer, and the session it made if it made one.
struct Answer {
    body: String,
    session: Option<String>,
}

fn answer(service: &Arc<Service>, operation: &str, headers: &HeaderMap, body: &[u8]) -> Result<Answer, ApiError> {
    if service.faults.take_expired_credentials(access_key(headers)) {
        return Err(ApiError::expired_token());
    }
    if service.faults.take_throttle() {
        return Err(ApiError::throttling());
    }
    match operation {
        "StartSession" => {
            let grant = sessions::start(service, read(body)?)?;
            let session = Some(grant.session_id.clone());
            write(&grant).map(|answer| Answer { session, ..answer })
        }
        "ResumeSession" => write(&sessions::resume(service, &read(body)?)?),
        "TerminateSession" => write(&sessions::terminate(service, read(body)?)),
        "DescribeSessions" => write(&sessions::describe(service, &read(body)?)?),
        "DescribeInstanceInformation" => write(&instances::describe(service, &read(body)?)?),
        "GetConnectionStatus" => write(&instances::connection_status(service, read(body)?)?),
        other => Err(ApiError::unknown_operation(other)),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            ApiError::validation(error.to_string())
        } else {
            ApiError::serialization(error.to_string())
        }
    })
}

fn write<T: Serialize>(answer: &T) -> Result<Answer, ApiError> {
    let body = serde_json::to_string(answer).map_err(|_| ApiError::internal())?;
    Ok(Answer { body, session: None })
}

fn with_request_id(service: &Service, mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::from_str(&service.dice.uuid().to_string()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// The API's times: epoch seconds with fraction.
fn epoch_seconds(time: jiff::Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

/// One page of a list: where it starts and how long it may be.
struct Page {
    start: usize,
    length: usize,
}

impl Page {
    fn read(
        max_results: Option<u32>,
        default: usize,
        allowed: RangeInclusive<u32>,
        next_token: Option<&str>,
    ) -> Result<Self, ApiError> {
        let length = match max_results {
            None => default,
            Some(wanted) if allowed.contains(&wanted) => wanted as usize,
            Some(wanted) => {
                return Err(ApiError::validation(format!(
                    "Value '{wanted}' at 'maxResults' is not in {} to {}.",
                    allowed.start(),
                    allowed.end(),
                )));
            }
        };
        let start = match next_token {
            None => 0,
            Some(token) => token
                .strip_prefix("from-")
                .and_then(|start| start.parse().ok())
                .ok_or_else(ApiError::invalid_next_token)?,
        };
        Ok(Self { start, length })
    }

    fn cut<T>(&self, mut all: Vec<T>) -> Result<(Vec<T>, Option<String>), ApiError> {
        if self.start > all.len() {
            return Err(ApiError::invalid_next_token());
        }
        let mut page = all.split_off(self.start);
        let next = (page.len() > self.length).then(|| format!("from-{}", self.start + self.length));
        page.truncate(self.length);
        Ok((page, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_the_list_once() {
        let mut token = None;
        let mut seen = Vec::new();
        loop {
            let page = Page::read(Some(5), 10, 5..=50, token.as_deref()).unwrap();
            let (items, next) = page.cut((0..12).collect()).unwrap();
            seen.extend(items);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..12).collect::<Vec<_>>());
        assert!(Page::read(Some(4), 10, 5..=50, None).is_err());
        assert!(Page::read(None, 10, 5..=50, Some("elsewhere")).is_err());
    }
}
