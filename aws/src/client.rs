//! One SDK client: the daemon's calls, one method each.

use crate::credentials_cache::CachedCredentials;
use crate::endpoints::Named;
use crate::error::{from_credentials, from_sdk};
use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::types::{ConnectionStatus, InstanceInformationStringFilter, PingStatus};
use aws_smithy_runtime_api::http::Response;
use ssm_session::{Network, SigningCredentials};
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tunnels_daemon::aws::{
    AwsError, BoxFuture, Instance, SessionGrant, SsmApi, StartSession, TagFilter, TokenValue, endpoint_host,
};

/// The most the API gives in one page, and how many of them are read: 5 000 nodes with one tag are no
/// bastion any more.
const PAGE: i32 = 50;
const PAGES: usize = 100;

pub(crate) struct SdkSsm {
    client: Client,
    credentials: Option<SharedCredentialsProvider>,
    network: Network,
    region: String,
    endpoints: Named,
    wants_fips: bool,
    /// The command that brings credentials back.
    login: Option<String>,
    needs_login: AtomicBool,
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
        network: Network,
        region: String,
        endpoints: Named,
        login: Option<String>,
    ) -> Self {
        let credentials = config
            .credentials_provider()
            .map(|provider| SharedCredentialsProvider::new(CachedCredentials::new(provider)));
        let mut ssm = aws_sdk_ssm::config::Builder::from(config);
        ssm.set_credentials_provider(credentials.clone());
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

    fn failed<E>(&self, error: &SdkError<E, Response>) -> AwsError
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        self.noted(from_sdk(error, &self.host(), self.login.is_some()))
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

/// What an answer must hold and does not.
fn lacking(what: &str) -> AwsError {
    AwsError::Unknown(format!("the answer has no {what}"))
}

impl SsmApi for SdkSsm {
    fn start_session(&self, request: StartSession) -> BoxFuture<'_, Result<SessionGrant, AwsError>> {
        Box::pin(async move {
            let answer = self
                .client
                .start_session()
                .target(request.target)
                .document_name(request.document)
                .set_parameters(Some(request.parameters.into_iter().collect()))
                .set_reason(request.reason)
                .send()
                .await
                .map_err(|error| self.failed(&error))?;
            Ok(SessionGrant {
                session_id: answer.session_id.ok_or_else(|| lacking("SessionId"))?,
                stream_url: answer.stream_url.ok_or_else(|| lacking("StreamUrl"))?,
                token: TokenValue::new(answer.token_value.ok_or_else(|| lacking("TokenValue"))?),
            })
        })
    }

    fn resume_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<SessionGrant>, AwsError>> {
        Box::pin(async move {
            let answer =
                self.client.resume_session().session_id(id).send().await.map_err(|error| self.failed(&error))?;
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
            let ended = self.client.terminate_session().session_id(id).send().await;
            match ended.map_err(|error| self.failed(&error)) {
                Ok(_) | Err(AwsError::NoSuchSession(_)) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn describe_instances<'a>(&'a self, tag: &'a TagFilter) -> BoxFuture<'a, Result<Vec<Instance>, AwsError>> {
        Box::pin(async move {
            let filter = InstanceInformationStringFilter::builder()
                .key(format!("tag:{}", tag.key))
                .values(&tag.value)
                .build()
                .map_err(|error| AwsError::InvalidRequest(error.to_string()))?;
            let mut found = Vec::new();
            let mut next = None;
            for _ in 0..PAGES {
                let page = self
                    .client
                    .describe_instance_information()
                    .filters(filter.clone())
                    .max_results(PAGE)
                    .set_next_token(next.take())
                    .send()
                    .await
                    .map_err(|error| self.failed(&error))?;
                found.extend(page.instance_information_list.unwrap_or_default().into_iter().filter_map(|node| {
                    Some(Instance { online: node.ping_status == Some(PingStatus::Online), id: node.instance_id? })
                }));
                next = page.next_token.filter(|token| !token.is_empty());
                if next.is_none() {
                    break;
                }
            }
            Ok(found)
        })
    }

    fn connection_status<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<bool, AwsError>> {
        Box::pin(async move {
            let answer =
                self.client.get_connection_status().target(target).send().await.map_err(|error| self.failed(&error))?;
            Ok(answer.status == Some(ConnectionStatus::Connected))
        })
    }

    fn credentials(&self) -> BoxFuture<'_, Result<SigningCredentials, AwsError>> {
        Box::pin(async move {
            let Some(provider) = &self.credentials else {
                return Err(AwsError::Config("no credentials provider".into()));
            };
            let found = provider
                .provide_credentials()
                .await
                .map_err(|error| self.noted(from_credentials(&error, self.login.is_some())))?;
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
