//! A stand-in for AWS whose answers a test scripts.

use super::{AwsConnector, AwsError, AwsScope, Instance, SessionGrant, SessionSeen, SsmApi, StartSession, TagFilter};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ssm_proto::TokenValue;
use ssm_session::{Network, SigningCredentials};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was called, in order, and what the next calls answer.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) calls: Vec<String>,
    pub(crate) started: Vec<StartSession>,
    /// Answers of `StartSession`: a stream URL, or an error.
    pub(crate) starts: VecDeque<Result<String, AwsError>>,
    /// So many calls of `StartSession` panic first.
    pub(crate) panics: usize,
    /// Answers of `ResumeSession`; `None` is an empty token.
    pub(crate) resumes: VecDeque<Result<Option<String>, AwsError>>,
    pub(crate) instances: Vec<Instance>,
    /// What `DescribeSessions` finds, on whichever target.
    pub(crate) sessions: Vec<SessionSeen>,
    /// Answers of `TerminateSession`; good ones at the end.
    pub(crate) terminates: VecDeque<Result<(), AwsError>>,
    /// What clients were made for.
    pub(crate) scopes: Vec<AwsScope>,
    /// How often one was said to be of no use.
    pub(crate) forgotten: usize,
}

/// Both traits over one script.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeAws(Arc<Mutex<Script>>);

impl FakeAws {
    pub(crate) fn script<T>(&self, use_it: impl FnOnce(&mut Script) -> T) -> T {
        use_it(&mut self.0.lock().unwrap())
    }

    fn grant(id: &str, url: String) -> SessionGrant {
        SessionGrant { session_id: id.to_owned(), stream_url: url, token: TokenValue::new("token") }
    }
}

impl AwsConnector for FakeAws {
    fn connect<'a>(&'a self, scope: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>> {
        self.script(|script| script.scopes.push(scope.clone()));
        let api: Arc<dyn SsmApi> = Arc::new(self.clone());
        async move { Ok(api) }.boxed()
    }

    fn forget(&self, _: &AwsScope, _: &Arc<dyn SsmApi>) {
        self.script(|script| script.forgotten += 1);
    }
}

impl SsmApi for FakeAws {
    fn start_session(&self, request: StartSession) -> BoxFuture<'_, Result<SessionGrant, AwsError>> {
        let panics = self.script(|script| {
            let panics = script.panics > 0;
            script.panics = script.panics.saturating_sub(1);
            panics
        });
        assert!(!panics, "as scripted");
        let answer = self.script(|script| {
            script.calls.push(format!("start {}", request.target));
            script.started.push(request);
            script.starts.pop_front()
        });
        let answer = answer.unwrap_or_else(|| Err(AwsError::Service("the script is at its end".into())));
        async move { answer.map(|url| Self::grant("s-1", url)) }.boxed()
    }

    fn resume_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<SessionGrant>, AwsError>> {
        let answer = self.script(|script| {
            script.calls.push(format!("resume {id}"));
            script.resumes.pop_front()
        });
        let answer = answer.unwrap_or(Ok(None));
        async move { answer.map(|url| url.map(|url| Self::grant(id, url))) }.boxed()
    }

    fn terminate_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), AwsError>> {
        let answer = self.script(|script| {
            script.calls.push(format!("terminate {id}"));
            script.terminates.pop_front()
        });
        async move { answer.unwrap_or(Ok(())) }.boxed()
    }

    fn active_sessions<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Vec<SessionSeen>, AwsError>> {
        let sessions = self.script(|script| {
            script.calls.push(format!("sessions {target}"));
            script.sessions.clone()
        });
        async move { Ok(sessions) }.boxed()
    }

    fn session_limit<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Duration>, AwsError>> {
        async { Ok(None) }.boxed()
    }

    fn describe_instances<'a>(&'a self, tag: &'a TagFilter) -> BoxFuture<'a, Result<Vec<Instance>, AwsError>> {
        let instances = self.script(|script| {
            script.calls.push(format!("describe {tag}"));
            script.instances.clone()
        });
        async move { Ok(instances) }.boxed()
    }

    fn connection_status<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool, AwsError>> {
        async { Ok(true) }.boxed()
    }

    fn credentials(&self) -> BoxFuture<'_, Result<SigningCredentials, AwsError>> {
        async { Ok(SigningCredentials::new("AKIAFAKE", "secret", None::<String>)) }.boxed()
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
}
