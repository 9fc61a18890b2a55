//! `StartSession`, `ResumeSession`, `TerminateSession`, `DescribeSessions`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ApiError, Page};
use crate::config::is_target;
use crate::document::{Parameters, PortDocument};
use crate::service::Service;
use crate::session::{EndReason, Session, SessionState};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartRequest {
    pub(super) target: String,
    document_name: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SessionRequest {
    pub(super) session_id: String,
}

/// The answer of Start and Resume. Holds a token: no `Debug`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Grant {
    pub(super) session_id: String,
    stream_url: String,
    token_value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Terminated {
    session_id: String,
}

pub(super) fn start(service: &Arc<Service>, request: StartRequest) -> Result<Grant, ApiError> {
    if service.faults.take_start_refusal() {
        return Err(ApiError::internal());
    }
    let StartRequest { target, document_name, parameters, reason } = request;
    if !is_target(&target) {
        return Err(ApiError::validation(format!("Value '{target}' at 'target' failed to satisfy constraint.")));
    }
    if reason.as_ref().is_some_and(|text| text.is_empty() || text.chars().count() > 256) {
        return Err(ApiError::validation("Reason has 1 to 256 characters."));
    }
    let Some(document_name) = document_name else {
        return Err(ApiError::invalid_document("Shell sessions are not simulated.".to_owned()));
    };
    if service.faults.is_access_denied(&target) {
        let resource = format!("arn:aws:ec2:{}:{}:instance/{target}", service.region(), crate::service::ACCOUNT);
        return Err(service.access_denied("ssm:StartSession", &resource));
    }
    service.allow("ssm:StartSession", || format!("arn:aws:ssm:{}::document/{document_name}", service.region()))?;
    if service.faults.is_document_missing(&document_name) {
        return Err(ApiError::unknown_document(&document_name));
    }
    let document = PortDocument::resolve(&document_name, &parameters, &service.documents)?;
    if !document.is_multiplexed() && service.has_builtin_agent() {
        return Err(ApiError::invalid_document(format!("{document_name} needs an external agent.")));
    }
    if !service.is_connected(&target) {
        return Err(ApiError::target_not_connected(&target));
    }
    let session = service.start_session(target, document, reason);
    Ok(grant(service, &session))
}

pub(super) fn resume(service: &Service, request: &SessionRequest) -> Result<Grant, ApiError> {
    if service.faults.take_resume_refusal() {
        return Err(ApiError::internal());
    }
    let session = service
        .registry
        .get(&request.session_id)
        .filter(|session| session.state() != SessionState::Terminated)
        .ok_or_else(|| ApiError::does_not_exist(&request.session_id))?;
    if service.faults.is_access_denied(&session.target) {
        let account = crate::service::ACCOUNT;
        let resource = format!("arn:aws:ssm:{}:{account}:session/{}", service.region(), session.id);
        return Err(service.access_denied("ssm:ResumeSession", &resource));
    }
    if service.faults.take_empty_token() {
        // docs/protocol.md §1.2: no token means that the session has timed out.
        return Ok(Grant {
            session_id: request.session_id.clone(),
            stream_url: String::new(),
            token_value: String::new(),
        });
    }
    session.renew();
    Ok(grant(service, &session))
}

fn grant(service: &Service, session: &Session) -> Grant {
    let token = session.dice.token();
    let token_value = token.expose().to_owned();
    session.grant_client(token);
    Grant {
        session_id: session.id.clone(),
        stream_url: format!(
            "ws://{}/v1/data-channel/{}?role=publish_subscribe&cell-number={}",
            service.address,
            session.id,
            session.cell_number(),
        ),
        token_value,
    }
}

/// Idempotent, as AWS's: an unknown or ended session is no error.
pub(super) fn terminate(service: &Service, request: SessionRequest) -> Terminated {
    if let Some(session) = service.registry.get(&request.session_id) {
        session.end(EndReason::Terminated, String::new());
    }
    Terminated { session_id: request.session_id }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeRequest {
    state: String,
    #[serde(default)]
    filters: Vec<Filter>,
    max_results: Option<u32>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Filter {
    key: String,
    value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeResponse {
    sessions: Vec<Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    session_id: String,
    target: String,
    status: &'static str,
    start_date: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<f64>,
    document_name: String,
    owner: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Minutes, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_session_duration: Option<String>,
}

impl Description {
    fn of(service: &Service, session: &Session) -> Self {
        Self {
            session_id: session.id.clone(),
            target: session.target.clone(),
            status: match session.state() {
                SessionState::Connected => "Connected",
                SessionState::Disconnected => "Disconnected",
                SessionState::Terminated => "Terminated",
            },
            start_date: super::epoch_seconds(session.started),
            end_date: session.ended_at().map(super::epoch_seconds),
            document_name: session.document.name.clone(),
            owner: crate::service::OWNER,
            reason: session.reason.clone(),
            // Whole minutes in AWS; a test's seconds are a fraction.
            max_session_duration: service
                .faults
                .look(|faults| faults.max_duration_s)
                .map(|seconds| (seconds / 60.0).to_string()),
        }
    }

    fn matches(&self, filter: &Filter) -> Result<bool, ApiError> {
        let time = || {
            filter
                .value
                .parse::<jiff::Timestamp>()
                .map(super::epoch_seconds)
                .map_err(|_| ApiError::validation(format!("{} is no time.", filter.value)))
        };
        Ok(match filter.key.as_str() {
            "Target" => self.target == filter.value,
            "Owner" => self.owner == filter.value,
            "Status" => self.status == filter.value,
            "SessionId" => self.session_id == filter.value,
            "InvokedAfter" => self.start_date >= time()?,
            "InvokedBefore" => self.start_date <= time()?,
            key => return Err(ApiError::invalid_filter_key(key)),
        })
    }
}

pub(super) fn describe(service: &Service, request: &DescribeRequest) -> Result<DescribeResponse, ApiError> {
    let active = match request.state.as_str() {
        "Active" => true,
        "History" => false,
        other => return Err(ApiError::validation(format!("State {other} is unknown."))),
    };
    let page = Page::read(request.max_results, 50, 1..=200, request.next_token.as_deref())?;
    let mut found = Vec::new();
    for session in service.registry.all() {
        if (session.state() != SessionState::Terminated) != active {
            continue;
        }
        let description = Description::of(service, &session);
        let mut matches = true;
        for filter in &request.filters {
            matches &= description.matches(filter)?;
        }
        if matches {
            found.push(description);
        }
    }
    let (sessions, next_token) = page.cut(found)?;
    Ok(DescribeResponse { sessions, next_token })
}
