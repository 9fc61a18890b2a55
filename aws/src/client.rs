//! One SDK client: the daemon's calls, one method each.

use crate::credentials_cache::{SharedCredentials, SharedError};
use crate::endpoints::Named;
use crate::error::{from_credentials, from_sdk};
use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::provider::future;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::types::{
    ConnectionStatus, InstanceInformation, InstanceInformationStringFilter, PingStatus, SessionFilter,
    SessionFilterKey, SessionState,
};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::retry::RetryConfig;
use ssm_session::{Network, SigningCredentials};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tunnels_daemon::aws::{
    AwsError, BoxFuture, Instance, SessionGrant, SessionSeen, SsmApi, StartSession, TagFilter, TokenValue,
    endpoint_host,
};

/// The most the API gives in one page, and how many of them are read: 5 000 nodes with one tag are no
/// bastion any more.
const PAGE: i32 = 50;
const PAGES: usize = 100;
/// The same for sessions of one target.
const SESSIONS_PAGE: i32 = 200;
const SESSIONS_PAGES: usize = 20;

pub(crate) struct SdkSsm {
    client: Client,
    credentials: InUse,
    network: Network,
    region: String,
    endpoints: Named,
    wants_fips: bool,
    /// The command that brings credentials back.
    login: Option<String>,
    needs_login: AtomicBool,
}

/// The credentials, and which of them a call has signed with last.
#[derive(Debug, Clone)]
struct InUse {
    shared: Arc<SharedCredentials>,
    access_key: Arc<Mutex<Option<String>>>,
}

impl InUse {
    async fn get(&self) -> Result<aws_credential_types::Credentials, SharedError> {
        let found = self.shared.get().await?;
        *self.access_key.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.access_key_id().to_owned());
        Ok(found)
    }

    /// AWS does not accept them.
    async fn refused(&self, error: &AwsError) {
        let access_key = self.access_key.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(access_key) = access_key {
            self.shared.refuse(&access_key, error).await;
        }
    }
}

impl ProvideCredentials for InUse {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.get().await.map_err(CredentialsError::provider_error) })
    }
}

impl fmt::Debug for SdkSsm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkSsm")
            .field("region", &self.region)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl SdkSsm {
    pub(crate) fn new(
        config: &SdkConfig,
        credentials: Arc<SharedCredentials>,
        network: Network,
        region: String,
        endpoints: Named,
        login: Option<String>,
    ) -> Self {
        let credentials = InUse { shared: credentials, access_key: Arc::default() };
        let mut ssm = aws_sdk_ssm::config::Builder::from(config)
            // What is shared is kept in one place only.
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(credentials.clone());
        if let Some(endpoint) = &endpoints.ssm {
            ssm = ssm.endpoint_url(endpoint);
        }
        Self {
            client: Client::from_conf(ssm.build()),
            credentials,
            network,
            region,
            endpoints,
            wants_fips: config.use_fips().unwrap_or_default(),
            login,
            needs_login: AtomicBool::new(false),
        }
    }

    /// Its credentials turned out to be of no use: it may hold on to them, a new one will not.
    pub(crate) fn needs_login(&self) -> bool {
        self.needs_login.load(Relaxed)
    }

    async fn failed<E>(&self, error: SdkError<E, Response>) -> AwsError
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let answered = error.as_service_error().is_some();
        let error = self.noted(from_sdk(&error, &self.host(), self.login.is_some()));
        if answered && error.needs_login() {
            self.credentials.refused(&error).await;
        }
        error
    }

    /// The inventory's nodes for which `key` has this value; none if it knows no such id.
    pub(crate) async fn managed_nodes(&self, key: &str, value: &str) -> Result<Vec<InstanceInformation>, AwsError> {
        let filter = InstanceInformationStringFilter::builder()
            .key(key)
            .values(value)
            .build()
            .map_err(|error| AwsError::InvalidRequest(error.to_string()))?;
        let mut found = Vec::new();
        let mut next = None;
        for _ in 0..PAGES {
            let described = self.client.describe_instance_information().filters(filter.clone());
            let page = match described.max_results(PAGE).set_next_token(next.take()).send().await {
                Ok(page) => page,
                Err(error) if error.code() == Some("InvalidInstanceId") => return Ok(Vec::new()),
                Err(error) => return Err(self.failed(error).await),
            };
            found.extend(page.instance_information_list.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// What signs the calls.
    pub(crate) fn credentials_provider(&self) -> impl ProvideCredentials + use<> {
        self.credentials.clone()
    }

    /// The command that brings credentials back.
    pub(crate) fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    fn noted(&self, error: AwsError) -> AwsError {
        if error.needs_login() {
            self.needs_login.store(true, Relaxed);
        }
        error.with_login(self.login.clone())
    }

    /// Where calls go, for people.
    fn host(&self) -> String {
        let named = self.endpoints.ssm.as_deref().and_then(endpoint_host);
        named.map_or_else(|| format!("the SSM endpoint of {}", self.region), str::to_owned)
    }
}

fn session_filter(key: SessionFilterKey, value: &str) -> Result<SessionFilter, AwsError> {
    let filter = SessionFilter::builder().key(key).value(value).build();
    filter.map_err(|error| AwsError::InvalidRequest(error.to_string()))
}

/// Without the SDK's own second try.
fn once() -> aws_sdk_ssm::config::Builder {
    aws_sdk_ssm::Config::builder().retry_config(RetryConfig::disabled())
}

/// What an answer must hold and does not.
fn lacking(what: &str) -> AwsError {
    AwsError::Unknown(format!("the answer has no {what}"))
}

impl SsmApi for SdkSsm {
    fn start_session(&self, request: StartSession) -> BoxFuture<'_, Result<SessionGrant, AwsError>> {
        Box::pin(async move {
            let started = self
                .client
                .start_session()
                .target(request.target)
                .document_name(request.document)
                .set_parameters(Some(request.parameters.into_iter().collect()))
                .set_reason(request.reason)
                .customize()
                // A second try may open a second session, whose id nobody would learn.
                .config_override(once())
                .send()
                .await;
            let answer = match started {
                Ok(answer) => answer,
                Err(error) => return Err(self.failed(error).await),
            };
            Ok(SessionGrant {
                session_id: answer.session_id.ok_or_else(|| lacking("SessionId"))?,
                stream_url: answer.stream_url.ok_or_else(|| lacking("StreamUrl"))?,
                token: TokenValue::new(answer.token_value.ok_or_else(|| lacking("TokenValue"))?),
            })
        })
    }

    fn resume_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<SessionGrant>, AwsError>> {
        Box::pin(async move {
            let resume = self.client.resume_session().session_id(id).customize();
            // How often it is tried is the tunnel's decision: while AWS fails, many want to.
            let answer = match resume.config_override(once()).send().await {
                Ok(answer) => answer,
                Err(error) => return Err(self.failed(error).await),
            };
            let token = answer.token_value.filter(|token| !token.is_empty());
            Ok(token.map(|token| SessionGrant {
                session_id: answer.session_id.unwrap_or_else(|| id.to_owned()),
                stream_url: answer.stream_url.unwrap_or_default(),
                token: TokenValue::new(token),
            }))
        })
    }

    fn terminate_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(async move {
            let Err(error) = self.client.terminate_session().session_id(id).send().await else { return Ok(()) };
            match self.failed(error).await {
                AwsError::NoSuchSession(_) => Ok(()),
                error => Err(error),
            }
        })
    }

    fn active_sessions<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Vec<SessionSeen>, AwsError>> {
        Box::pin(async move {
            let filter = session_filter(SessionFilterKey::TargetId, target)?;
            let mut found = Vec::new();
            let mut next = None;
            for _ in 0..SESSIONS_PAGES {
                let described = self.client.describe_sessions().state(SessionState::Active).filters(filter.clone());
                let page = match described.max_results(SESSIONS_PAGE).set_next_token(next.take()).send().await {
                    Ok(page) => page,
                    Err(error) => return Err(self.failed(error).await),
                };
                let seen = page.sessions.unwrap_or_default().into_iter();
                found.extend(
                    seen.filter_map(|session| Some(SessionSeen { id: session.session_id?, reason: session.reason })),
                );
                next = page.next_token.filter(|token| !token.is_empty());
                if next.is_none() {
                    break;
                }
            }
            Ok(found)
        })
    }

    fn session_limit<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Duration>, AwsError>> {
        Box::pin(async move {
            let filter = session_filter(SessionFilterKey::SessionId, id)?;
            let answer = match self.client.describe_sessions().state(SessionState::Active).filters(filter).send().await
            {
                Ok(answer) => answer,
                Err(error) => return Err(self.failed(error).await),
            };
            let longest = answer.sessions().first().and_then(|session| session.max_session_duration());
            Ok(longest.and_then(minutes))
        })
    }

    fn describe_instances<'a>(&'a self, tag: &'a TagFilter) -> BoxFuture<'a, Result<Vec<Instance>, AwsError>> {
        Box::pin(async move {
            let found = self.managed_nodes(&format!("tag:{}", tag.key), &tag.value).await?;
            let instance = |node: InstanceInformation| {
                Some(Instance { online: node.ping_status == Some(PingStatus::Online), id: node.instance_id? })
            };
            Ok(found.into_iter().filter_map(instance).collect())
        })
    }

    fn connection_status<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<bool, AwsError>> {
        Box::pin(async move {
            let answer = match self.client.get_connection_status().target(target).send().await {
                Ok(answer) => answer,
                Err(error) => return Err(self.failed(error).await),
            };
            Ok(answer.status == Some(ConnectionStatus::Connected))
        })
    }

    fn credentials(&self) -> BoxFuture<'_, Result<SigningCredentials, AwsError>> {
        Box::pin(async move {
            let found = self.credentials.get().await;
            let found =
                found.map_err(|SharedError(error)| self.noted(from_credentials(&error, self.login.is_some())))?;
            Ok(SigningCredentials::new(found.access_key_id(), found.secret_access_key(), found.session_token()))
        })
    }

    fn region(&self) -> String {
        self.region.clone()
    }

    fn endpoint(&self) -> Option<String> {
        self.endpoints.ssm.clone()
    }

    fn network(&self) -> Network {
        self.network.clone()
    }

    fn wants_fips(&self) -> bool {
        self.wants_fips
    }

    fn messages_endpoint(&self) -> Option<String> {
        self.endpoints.messages.clone()
    }
}

/// `MaxSessionDuration` is a number of minutes as text.
fn minutes(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse::<f64>().ok()? * 60.0;
    Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_s_longest_life() {
        assert_eq!(minutes("60"), Some(Duration::from_hours(1)));
        for none in ["", "0", "-1", "NaN", "inf", "1e300", "soon"] {
            assert_eq!(minutes(none), None, "{none:?}");
        }
    }
}
