//! AWS and the targets of a simulated world: what exists there, what works at the moment, and who knows of it.
//!
//! Calls take virtual time and fail as the faults say. Owns the sessions; their data channels are `path.rs`'s and
//! their agents `agent.rs`'s.

use super::path::{self, Leg};
use super::{agent, pick};
use crate::aws::{
    AwsConnector, AwsError, AwsScope, Instance, SessionGrant, SessionSeen, SsmApi, StartSession, TagFilter,
};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ssm_proto::TokenValue;
use ssm_session::{Connect, ConnectError, KeepAlive, Network, SigningCredentials, Transport, memory_pair};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// Frames that a leg of a data channel holds: far more than one window, so that a path never waits for a side.
const LEG_FRAMES: usize = 8192;

/// What works. The default is a good day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// No call and no websocket reaches AWS.
    pub(super) no_network: bool,
    /// Calls are answered, websockets are not opened.
    pub(super) no_gateway: bool,
    pub(super) no_login: bool,
    pub(super) throttled: bool,
    /// `InternalServerError` for whoever resumes.
    pub(super) no_resume: bool,
    /// The agents cannot reach the remote.
    pub(super) no_remote: bool,
    pub(super) offline: BTreeSet<String>,
    /// How long sessions may live.
    pub(super) longest: Option<Duration>,
    /// One frame in so many is lost, doubled or overtaken on its way through the gateway.
    pub(super) odd_frame: Option<u32>,
}

/// How a session came to its end, as far as the sky is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `TerminateSession`, or the client's word to the agent.
    Asked,
    /// The service ended it: somebody else terminated it, or its time was over.
    Service,
}

#[derive(Debug)]
pub(super) struct SkySession {
    pub(super) target: String,
    pub(super) path: mpsc::UnboundedSender<path::Change>,
    pub(super) end: Option<End>,
    /// Its agent will never answer again, whatever AWS says.
    pub(super) deaf: bool,
    tasks: Vec<AbortHandle>,
}

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    weather: Weather,
    sessions: BTreeMap<String, SkySession>,
    calls: BTreeMap<&'static str, u64>,
}

#[derive(Clone)]
pub(super) struct Sky(Arc<Mutex<State>>);

impl fmt::Debug for Sky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sky")
    }
}

impl Sky {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: fastrand::Rng::with_seed(seed),
            weather: Weather::default(),
            sessions: BTreeMap::new(),
            calls: BTreeMap::new(),
        })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    pub(super) fn random<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        self.with(|state| draw(&mut state.random))
    }

    pub(super) fn between(&self, range: Range<Duration>) -> Duration {
        self.random(|random| pick(random, range))
    }

    pub(super) fn weather(&self) -> Weather {
        self.with(|state| state.weather.clone())
    }

    pub(super) fn set_weather(&self, change: impl FnOnce(&mut Weather)) {
        self.with(|state| change(&mut state.weather));
    }

    pub(super) fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.with(|state| state.calls.clone())
    }

    pub(super) fn look<T>(&self, id: &str, at: impl FnOnce(&mut SkySession) -> T) -> Option<T> {
        self.with(|state| state.sessions.get_mut(id).map(at))
    }

    /// Sessions that AWS still has.
    pub(super) fn open_sessions(&self) -> Vec<String> {
        self.with(|state| {
            state.sessions.iter().filter(|(_, session)| session.end.is_none()).map(|(id, _)| id.clone()).collect()
        })
    }

    /// Whether connections of this session could have lived, as far as the sky is concerned.
    pub(super) fn could_live(&self, id: &str) -> bool {
        self.look(id, |session| session.end != Some(End::Service) && !session.deaf).unwrap_or(false)
    }

    /// Whatever happens to the data channel of a session from outside.
    pub(super) fn change_path(&self, id: &str, change: path::Change) {
        // An error is a session that is over.
        self.look(id, |session| drop(session.path.send(change)));
    }

    /// The agent's worker is gone without a word.
    pub(super) fn kill_worker(&self, id: &str) {
        self.look(id, |session| {
            session.deaf = true;
            if let Some(agent) = session.tasks.last() {
                agent.abort();
            }
            let _ = session.path.send(path::Change::Cut(Leg::Agent));
        });
    }

    /// Ends a session; its client is told in these words.
    pub(super) fn end(&self, id: &str, end: End, output: &str) {
        let tasks = self.look(id, |session| {
            if session.end.is_some() {
                return Vec::new();
            }
            session.end = Some(end);
            let _ = session.path.send(path::Change::Close(output.to_owned()));
            session.tasks.split_off(1)
        });
        for agent in tasks.into_iter().flatten() {
            agent.abort();
        }
    }

    /// What every call takes and may come to.
    async fn call(&self, name: &'static str) -> Result<(), AwsError> {
        let weather = self.weather();
        self.with(|state| *state.calls.entry(name).or_default() += 1);
        if weather.no_network {
            // Refused, or into the dark.
            let hangs = self.random(fastrand::Rng::bool);
            sleep(if hangs { Duration::from_secs(5) } else { Duration::from_millis(20) }).await;
            return Err(AwsError::Unreachable("simulated".into()));
        }
        sleep(self.between(Duration::from_millis(10)..Duration::from_millis(150))).await;
        if weather.no_login {
            return Err(AwsError::ExpiredCredentials { message: "simulated".into(), login: None });
        }
        if weather.throttled {
            return Err(AwsError::Throttled("simulated".into()));
        }
        Ok(())
    }

    fn grant(id: &str) -> SessionGrant {
        SessionGrant {
            session_id: id.to_owned(),
            stream_url: format!("ws://127.0.0.1:1/v1/data-channel/{id}"),
            token: TokenValue::new("token"),
        }
    }

    fn open_session(&self, target: String) -> String {
        let id = self.with(|state| format!("s-{:014}", state.sessions.len()));
        let (path, changes) = mpsc::unbounded_channel();
        let session =
            SkySession { target: target.clone(), path: path.clone(), end: None, deaf: false, tasks: Vec::new() };
        self.with(|state| state.sessions.insert(id.clone(), session));
        let carries = tokio::spawn(path::run(self.clone(), id.clone(), changes)).abort_handle();
        let serves = tokio::spawn(agent::run(self.clone(), id.clone(), target)).abort_handle();
        self.look(&id, |session| session.tasks = vec![carries, serves]);
        if let Some(longest) = self.weather().longest {
            let (sky, id) = (self.clone(), id.clone());
            tokio::spawn(async move {
                sleep(longest).await;
                sky.end(&id, End::Service, "Session reached its maximum duration");
            });
        }
        id
    }

    /// One side's way to the gateway.
    pub(super) fn leg(&self, id: &str, leg: Leg) -> Transport {
        let (ours, gateways) = memory_pair(LEG_FRAMES);
        self.change_path(id, path::Change::Attach(leg, gateways));
        ours
    }
}

impl AwsConnector for Sky {
    fn connect<'a>(&'a self, _: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>> {
        let api: Arc<dyn SsmApi> = Arc::new(self.clone());
        async move { Ok(api) }.boxed()
    }
}

impl SsmApi for Sky {
    fn start_session(&self, request: StartSession) -> BoxFuture<'_, Result<SessionGrant, AwsError>> {
        async move {
            self.call("StartSession").await?;
            if self.weather().offline.contains(&request.target) {
                return Err(AwsError::TargetNotConnected("simulated".into()));
            }
            Ok(Self::grant(&self.open_session(request.target)))
        }
        .boxed()
    }

    fn resume_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<SessionGrant>, AwsError>> {
        async move {
            self.call("ResumeSession").await?;
            if self.weather().no_resume {
                return Err(AwsError::Service("simulated".into()));
            }
            match self.look(id, |session| session.end) {
                Some(None) => Ok(Some(Self::grant(id))),
                // docs/protocol.md §1.2: both ways of saying so are seen.
                Some(Some(_)) if self.random(fastrand::Rng::bool) => Ok(None),
                _ => Err(AwsError::NoSuchSession("simulated".into())),
            }
        }
        .boxed()
    }

    fn terminate_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), AwsError>> {
        async move {
            self.call("TerminateSession").await?;
            self.end(id, End::Asked, "");
            Ok(())
        }
        .boxed()
    }

    fn session_limit<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Duration>, AwsError>> {
        async move {
            self.call("DescribeSessions").await?;
            // Some accounts do not allow it.
            match self.weather().longest {
                Some(_) if self.random(fastrand::Rng::bool) => Err(AwsError::AccessDenied("simulated".into())),
                longest => Ok(longest),
            }
        }
        .boxed()
    }

    fn active_sessions<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<SessionSeen>, AwsError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn describe_instances<'a>(&'a self, _: &'a TagFilter) -> BoxFuture<'a, Result<Vec<Instance>, AwsError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn connection_status<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<bool, AwsError>> {
        async move { Ok(!self.weather().offline.contains(target)) }.boxed()
    }

    fn credentials(&self) -> BoxFuture<'_, Result<SigningCredentials, AwsError>> {
        async { Ok(SigningCredentials::new("SIMULATED", "simulated", None::<String>)) }.boxed()
    }

    fn region(&self) -> String {
        "eu-west-1".into()
    }

    fn endpoint(&self) -> Option<String> {
        Some("http://127.0.0.1:1".into())
    }

    fn network(&self) -> Network {
        Network::default()
    }

    fn open_channel<'a>(
        &'a self,
        request: Connect<'a>,
        _: KeepAlive,
    ) -> BoxFuture<'a, Result<Transport, ConnectError>> {
        async move {
            sleep(self.between(Duration::from_millis(20)..Duration::from_millis(200))).await;
            let weather = self.weather();
            if weather.no_network || weather.no_gateway {
                let refused = std::io::ErrorKind::ConnectionRefused;
                return Err(ConnectError::Tcp { host: "sky".into(), port: 443, source: refused.into() });
            }
            let id = request.url.as_str().rsplit('/').next().unwrap_or_default().to_owned();
            match self.look(&id, |session| session.end) {
                Some(None) => Ok(self.leg(&id, Leg::Client)),
                _ => Err(ConnectError::Http { status: 404, error_type: None, body: String::new() }),
            }
        }
        .boxed()
    }
}
