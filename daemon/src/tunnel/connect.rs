//! One attempt: from a tunnel's configuration to a session that carries, or from a lost websocket to a new
//! one. And the way back: ending a session so that no orphan is left.
//!
//! Makes the calls in their order and says what failed. It never tries again by itself.

mod candidates;

use super::Surroundings;
use super::cause::{About, DownCause, Retry};
use super::payload::PayloadMemory;
use super::pool::SessionId;
use super::seats::Seats;
use crate::aws::{AwsConnector, AwsError, SessionGrant, SsmApi, StartSession};
use crate::chain;
use crate::clock;
use crate::config::TunnelConfig;
use crate::sessions::{Listed, Look, Sessions};
use crate::state::{SessionRecord, StartRecord, StateFile};
use crate::status::milliseconds;
use ssm_session::{Connect, ConnectError, KeepAlive, Session, SessionStatus, StreamUrl};
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tunnels_api::{Cause, CauseKind, SessionState};

/// For name lookup, TCP, TLS and upgrade together. A network that needs longer will not carry a database.
pub(super) const WEBSOCKET: Duration = Duration::from_secs(15);
/// From the open websocket to the end of the handshake; the agent may take seconds to start its worker.
pub(super) const ESTABLISHED: Duration = Duration::from_secs(30);
/// For one call that ends a session, when nobody wants to wait any more.
pub(super) const TERMINATE: Duration = Duration::from_secs(5);

/// So much of a tunnel's name stands in a reason, which may have 256 characters.
const REASON_NAME: usize = 200;

/// What all attempts of a tunnel need.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) tunnel: Arc<TunnelConfig>,
    pub(super) aws: Arc<dyn AwsConnector>,
    pub(super) state: StateFile,
    sessions: Arc<Sessions>,
    api: Mutex<Option<Arc<dyn SsmApi>>>,
    /// Who carried the last session: the next one goes there as long as it can.
    carrier: Mutex<Option<candidates::Carrier>>,
    /// Whether AWS was asked how long sessions may live, and had an answer or refused one.
    knows_limit: AtomicBool,
    payload: PayloadMemory,
}

/// A session that is open.
#[derive(Debug, Clone)]
pub(super) struct Live {
    /// Who opened it, and so whose credentials and region resume and end it: the tunnel's configuration may
    /// have changed since.
    pub(super) by: Arc<Connector>,
    pub(super) session: Session,
    /// The connections that use it.
    pub(super) seats: Arc<Seats>,
    pub(super) id: SessionId,
    /// Since when it is open.
    pub(super) since: Instant,
    pub(super) target: String,
    pub(super) region: String,
    /// Why it is not the target that would have come first, if it is not.
    pub(super) instead: Option<Cause>,
    /// Where its data channel is; another one after a resume, perhaps.
    url: Arc<Mutex<StreamUrl>>,
    /// Its place among the tunnel's sessions, for whoever wants to see them.
    _listed: Arc<Listed>,
}

/// Why a resume did not work.
#[derive(Debug)]
pub(super) enum ResumeError {
    /// The session does not exist any more.
    Ended(DownCause),
    /// It may still.
    Failed(DownCause),
}

impl ResumeError {
    /// Only AWS can say that a session may not be resumed. What is wrong with this machine's files can be
    /// mended, and open connections wait for that.
    fn failed(down: DownCause) -> Self {
        let retry = if down.retry == Retry::Never && down.is_local() { Retry::Answered } else { down.retry };
        Self::Failed(DownCause { retry, ..down })
    }

    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::Ended(down) | Self::Failed(down) => down.retry,
        }
    }

    fn of(about: &About, error: AwsError) -> Self {
        match error {
            AwsError::NoSuchSession(message) => Self::Ended(gone(&message)),
            denied @ AwsError::AccessDenied(_) => Self::Failed(about.call_failed(denied).with_next(
                "ask for ssm:ResumeSession on your sessions; without it a lost channel costs the connections",
            )),
            other => Self::failed(about.call_failed(other)),
        }
    }
}

fn gone(message: &str) -> DownCause {
    let text = match message {
        "" => "the session does not exist any more".to_owned(),
        message => format!("the session does not exist any more: {message}"),
    };
    DownCause::new(CauseKind::Other, Retry::Answered, text)
}

impl Connector {
    pub(super) fn new(tunnel: Arc<TunnelConfig>, around: &Surroundings, sessions: Arc<Sessions>) -> Arc<Self> {
        let Surroundings { aws, state, .. } = around.clone();
        Arc::new(Self {
            tunnel,
            aws,
            state,
            sessions,
            api: Mutex::new(None),
            carrier: Mutex::new(None),
            knows_limit: AtomicBool::new(false),
            payload: PayloadMemory::default(),
        })
    }

    async fn start_at(self: &Arc<Self>, api: &dyn SsmApi, target: String) -> Result<Live, DownCause> {
        let about = self.about(api).at(&target);
        let grant = self.call_start(api, target.clone()).await.map_err(|error| about.call_failed(error))?;
        let id = grant.session_id.clone();
        let leaving = self.state.leaving(&id);
        match self.establish(api, &about, grant, target).await {
            Ok(live) => {
                leaving.stays();
                Ok(live)
            }
            Err(down) => {
                self.terminate(api, &id).await;
                Err(down)
            }
        }
    }

    /// Calls StartSession. With its answer there is a session to be ended, whatever happens; and where none comes there
    /// may be one all the same, which is found by its reason.
    async fn call_start(&self, api: &dyn SsmApi, target: String) -> Result<SessionGrant, AwsError> {
        let record = self.record(api);
        let mut request = request(&self.tunnel, target.clone());
        // A reason of the user's goes out as it is written, and others may give the same: then the idle timeout ends
        // what nobody knows of.
        let starting = if request.reason.is_none() {
            let reason = unique_reason(&self.tunnel.name);
            request.reason = Some(reason.clone());
            let start = StartRecord { session: record.clone(), target, at: clock::timestamp() };
            Some(self.state.starting(reason, start).await)
        } else {
            None
        };
        let started = self.noting_login(api.start_session(request).await);
        match (&started, starting) {
            (Ok(grant), Some(starting)) => starting.opened(&grant.session_id, record),
            (Ok(grant), None) => self.state.session_opened(&grant.session_id, record),
            (Err(error), Some(starting)) if !error.may_be_done() => starting.refused(),
            (Err(_), _) => {}
        }
        started
    }

    async fn establish(
        self: &Arc<Self>,
        api: &dyn SsmApi,
        about: &About,
        grant: SessionGrant,
        target: String,
    ) -> Result<Live, DownCause> {
        let url = stream_url(api, &grant.stream_url)?;
        let transport = self.websocket(api, about, &url).await?;
        let config = ssm_proto::Config {
            patience: self.tunnel.patience,
            larger_payload: self.payload.to_try(self.tunnel.payload),
            ..ssm_proto::Config::default()
        };
        let session = Session::client(config);
        session.attach(transport, grant.token);
        let outcome = timeout(ESTABLISHED, established(&session, about)).await;
        self.payload.note(session.stats().payload_trial, self.tunnel.payload);
        outcome.unwrap_or_else(|_| Err(about.agent_absent()))?;
        let seats = Arc::default();
        let listed = self.sessions.enter(self.look(&session, &seats, &grant.session_id, &target, api.region()));
        Ok(Live {
            by: Arc::clone(self),
            session,
            seats,
            id: grant.session_id.into(),
            since: clock::now(),
            target,
            region: api.region(),
            instead: None,
            url: Arc::new(Mutex::new(url)),
            _listed: Arc::new(listed),
        })
    }

    /// What users see of a session.
    fn look(&self, session: &Session, seats: &Arc<Seats>, id: &str, target: &str, region: String) -> Look {
        let (session, seats) = (session.clone(), Arc::clone(seats));
        let opened = tunnels_api::Session {
            id: id.to_owned(),
            target: target.to_owned(),
            region,
            document: self.tunnel.document_name().to_owned(),
            agent_version: session.agent_identity().map(|agent| agent.version),
            state: SessionState::Open,
            since: clock::timestamp(),
            connections: 0,
            rtt_ms: None,
        };
        Box::new(move || tunnels_api::Session {
            state: match &*session.status().borrow() {
                SessionStatus::Established => SessionState::Open,
                SessionStatus::Suspect => SessionState::Silent,
                SessionStatus::Opening | SessionStatus::Detached { .. } | SessionStatus::Resuming => {
                    SessionState::Resuming
                }
                SessionStatus::Closed(_) => SessionState::Closed,
            },
            connections: u32::try_from(seats.len()).unwrap_or(u32::MAX),
            rtt_ms: session.stats().rtt.map(milliseconds),
            ..opened.clone()
        })
    }

    /// Gets a new websocket for a session whose own was lost. That something is heard on it is seen by the
    /// session's status.
    pub(super) async fn resume(&self, live: &Live) -> Result<(), ResumeError> {
        let api = self.api().await.map_err(ResumeError::failed)?;
        let about = self.about(api.as_ref()).at(&live.target);
        let resumed = self.noting_login(api.resume_session(&live.id).await);
        let grant = match resumed.map_err(|error| ResumeError::of(&about, error))? {
            Some(grant) if !grant.token.is_empty() => grant,
            _ => return Err(ResumeError::Ended(gone("it has timed out"))),
        };
        // docs/protocol.md §7.7: the returned URL replaces the old one, unless it is empty.
        let url = if grant.stream_url.is_empty() {
            lock(&live.url).clone()
        } else {
            stream_url(api.as_ref(), &grant.stream_url).map_err(ResumeError::failed)?
        };
        let transport = self.websocket(api.as_ref(), &about, &url).await.map_err(ResumeError::failed)?;
        live.session.attach(transport, grant.token);
        *lock(&live.url) = url;
        Ok(())
    }

    /// Until when new sessions send small payloads, because larger ones do not get through.
    pub(super) fn small_payloads_until(&self) -> Option<Instant> {
        self.payload.small_until()
    }

    /// How long the session may live, if AWS tells; asked once, and again if the question itself failed.
    pub(super) async fn limit(&self, live: &Live) -> Option<Duration> {
        if self.knows_limit.load(Relaxed) {
            return None;
        }
        let api = self.api().await.ok()?;
        match self.noting_login(api.session_limit(&live.id).await) {
            Ok(limit) => {
                self.knows_limit.store(true, Relaxed);
                limit
            }
            Err(error) => {
                // It is a permission that few ask for; what sessions live is learnt from their ends as well.
                self.knows_limit.store(matches!(error, AwsError::AccessDenied(_)), Relaxed);
                tracing::debug!(%error, "how long sessions may live is not known");
                None
            }
        }
    }

    /// Ends a session that this one opened: the agent is told on the channel, the service by a call (docs/protocol.md §6.8).
    pub(super) async fn end(&self, live: Live) {
        // If the call does not work it is tried again later, by this daemon or the next.
        let _leaving = self.state.leaving(&live.id);
        live.session.terminate().await;
        match self.api().await {
            Ok(api) => self.terminate(api.as_ref(), &live.id).await,
            Err(down) => tracing::warn!(session = %live.id, "the session cannot be terminated now: {}", down.cause),
        }
    }

    async fn terminate(&self, api: &dyn SsmApi, id: &str) {
        match timeout(TERMINATE, api.terminate_session(id)).await {
            Ok(Ok(()) | Err(AwsError::NoSuchSession(_))) => self.state.session_ended(id),
            Ok(Err(error)) => tracing::warn!(session = id, "the session could not be terminated: {error}"),
            Err(_) => tracing::warn!(session = id, "terminating the session took too long"),
        }
    }

    /// What was resolved, not what is configured: the environment may be another when it is needed.
    fn record(&self, api: &dyn SsmApi) -> SessionRecord {
        SessionRecord {
            tunnel: self.tunnel.name.clone(),
            profile: self.tunnel.scope.profile_in_force(),
            region: Some(api.region()),
            ssm_endpoint: api.endpoint(),
            sts_endpoint: self.tunnel.scope.endpoints.sts.clone(),
        }
    }

    async fn websocket(
        &self,
        api: &dyn SsmApi,
        about: &About,
        url: &StreamUrl,
    ) -> Result<ssm_session::Transport, DownCause> {
        let credentials = self.noting_login(api.credentials().await).map_err(|error| about.call_failed(error))?;
        let request =
            Connect { url, signing: Some((credentials, api.region())), network: api.network(), timeout: WEBSOCKET };
        let keep_alive = KeepAlive { interval: self.tunnel.ping_interval, deadline: self.tunnel.ping_timeout };
        api.open_channel(request, keep_alive).await.map_err(|error| {
            if matches!(error, ConnectError::Http { status: 401 | 403, .. }) {
                // docs/protocol.md §2.6: signature, IAM or token. The next try has fresh credentials.
                self.forget_api();
            }
            websocket_failed(about, &error)
        })
    }

    /// The client, made once and again after a login was missing.
    async fn api(&self) -> Result<Arc<dyn SsmApi>, DownCause> {
        let made = lock(&self.api).clone();
        if let Some(api) = made {
            return Ok(api);
        }
        let connected = self.aws.connect(&self.tunnel.scope).await;
        let api = connected.map_err(|error| About::tunnel(&self.tunnel).call_failed(error))?;
        *lock(&self.api) = Some(Arc::clone(&api));
        Ok(api)
    }

    fn forget_api(&self) {
        if let Some(api) = lock(&self.api).take() {
            self.aws.forget(&self.tunnel.scope, &api);
        }
    }

    /// A client that ran out of credentials is made anew: it may hold on to what it once read.
    fn noting_login<T>(&self, result: Result<T, AwsError>) -> Result<T, AwsError> {
        if let Err(error) = &result
            && error.needs_login()
        {
            tracing::debug!(%error, "credentials are of no use");
            self.forget_api();
        }
        result
    }

    fn about(&self, api: &dyn SsmApi) -> About {
        About::tunnel(&self.tunnel).in_region(api.region())
    }
}

impl Live {
    /// What causes of this session's troubles name.
    pub(super) fn about(&self) -> About {
        About::tunnel(&self.by.tunnel).in_region(self.region.clone()).at(&self.target)
    }

    /// Ends it at once.
    pub(super) async fn end(self) {
        Arc::clone(&self.by).end(self).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the data channel is, if a token may be sent there.
pub(super) fn stream_url(api: &dyn SsmApi, url: &str) -> Result<StreamUrl, DownCause> {
    let foreign = |error: ssm_session::StreamUrlError| {
        DownCause::new(CauseKind::Protocol, Retry::Answered, format!("the stream URL is refused: {error}"))
    };
    let url = StreamUrl::parse(url).map_err(foreign)?;
    if let Some(endpoint) = api.messages_endpoint() {
        return url.with_endpoint(&endpoint).map_err(foreign);
    }
    url.check_belongs_to(&api.region(), api.endpoint().as_deref()).map_err(foreign)?;
    if api.wants_fips() && !url.is_fips() && !url.is_loopback() {
        tracing::warn!(
            host = url.host(),
            "FIPS endpoints are wanted, but AWS names another one for the data channel; `endpoints.ssmmessages` overrides it"
        );
    }
    Ok(url)
}

/// What to ask for: the document that fits the remote, its parameters as lists (docs/protocol.md §1.2).
pub(super) fn request(tunnel: &TunnelConfig, target: String) -> StartSession {
    let list = |value: &str| vec![value.to_owned()];
    let mut parameters = BTreeMap::from([("portNumber".to_owned(), list(&tunnel.remote.port.to_string()))]);
    if let Some(host) = &tunnel.remote.host {
        parameters.insert("host".to_owned(), list(host));
    }
    StartSession { target, document: tunnel.document_name().to_owned(), parameters, reason: tunnel.reason.clone() }
}

/// What no other call gives as its reason: it tells our session from all others, and an administrator whose it is.
pub(super) fn unique_reason(tunnel: &str) -> String {
    // The standard library's hash keys are random, 128 bits of them.
    let keys = RandomState::new();
    let tunnel: String = tunnel.chars().take(REASON_NAME).collect();
    format!("tunnels {tunnel} {:016x}{:016x}", keys.hash_one(0), keys.hash_one(1))
}

/// Waits until data may flow. A websocket lost before that is not worth resuming.
pub(super) async fn established(session: &Session, about: &About) -> Result<(), DownCause> {
    let mut status = session.status();
    loop {
        match &*status.borrow_and_update() {
            SessionStatus::Established => return Ok(()),
            SessionStatus::Closed(reason) => return Err(about.closed(reason)),
            SessionStatus::Detached { reason } => return Err(channel_lost(reason.as_ref())),
            _ => {}
        }
        if status.changed().await.is_err() {
            return Err(gone(""));
        }
    }
}

/// Why a websocket that was open is not any more.
pub(super) fn channel_lost(reason: &ssm_session::TransportError) -> DownCause {
    let kind = match reason {
        ssm_session::TransportError::Closed { .. } => CauseKind::ServiceRecycle,
        _ => CauseKind::Network,
    };
    DownCause::new(kind, Retry::Unreachable, chain(reason))
}

pub(super) fn websocket_failed(about: &About, error: &ConnectError) -> DownCause {
    let text = chain(error);
    match error {
        ConnectError::Http { status: 401 | 403, .. } => DownCause::new(CauseKind::AccessDenied, Retry::Answered, text)
            .with_next("ask for ssmmessages:OpenDataChannel on your sessions, and check this machine's clock"),
        ConnectError::Http { .. } => DownCause::new(CauseKind::ServiceError, Retry::Answered, text),
        ConnectError::Sign(_) => DownCause::new(CauseKind::Credentials, Retry::Login, text),
        error => about.call_failed(AwsError::from(error)),
    }
}

#[cfg(test)]
mod tests;
