//! AWS for the daemon, over the SDK: the only crate that builds it.
//!
//! Owns clients, credentials and the mapping of SDK errors to the daemon's. It decides nothing: the SDK's
//! own retries are kept few, since the daemon knows better when another try is worth it.

#![warn(missing_docs)]

mod client;
mod credentials;
mod credentials_cache;
mod endpoints;
mod error;
mod http;
mod profile;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use client::SdkSsm;
use profile::Profiles;
use ssm_session::Tls;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tunnels_daemon::aws::{AwsConnector, AwsError, AwsScope, BoxFuture, SsmApi, check_endpoint, is_loopback};

pub use http::HttpError;

/// A second try at once mends a connection that the pool kept too long; more is the daemon's decision.
const ATTEMPTS: u32 = 2;
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(15);
const OPERATION: Duration = Duration::from_secs(30);

/// Makes clients over the SDK. Tunnels of one scope share one client, and with it its credentials, until
/// these turn out to be of no use.
#[derive(Debug)]
pub struct SdkConnector {
    http: SharedHttpClient,
    tls: Tls,
    clients: Mutex<HashMap<AwsScope, Arc<SdkSsm>>>,
}

impl SdkConnector {
    /// A connector with the system's trust store, `AWS_CA_BUNDLE` and the proxy variables.
    ///
    /// # Errors
    /// The bundle cannot be used.
    pub fn new() -> Result<Self, HttpError> {
        let bundle = http::ca_bundle()?;
        let http = http::client(bundle.as_deref())?;
        let tls = bundle.map_or_else(Tls::native, Tls::native_and);
        Ok(Self { http, tls, clients: Mutex::default() })
    }

    /// The same trust, for the data channels.
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    async fn make(&self, scope: &AwsScope) -> Result<SdkSsm, AwsError> {
        let named = endpoints::ssm_named(scope);
        let is_local = named.as_deref().is_some_and(is_loopback);
        let profiles = Profiles::load(scope.profile.as_deref()).await;
        if let Some(profile) = scope.profile.as_deref().filter(|name| !is_local && profiles.lack(name)) {
            return Err(AwsError::NoProfile(profile.to_owned()));
        }
        let config = self.load(scope, is_local).await;
        let endpoint = named.or_else(|| endpoints::ssm_of_profile(&config));
        let messages = endpoints::messages(scope);
        // One for all services may serve others of the SDK's calls: those that fetch credentials.
        for endpoint in endpoint.iter().chain(&messages).map(String::as_str).chain(config.endpoint_url()) {
            check_endpoint(endpoint).map_err(|error| AwsError::Config(error.to_string()))?;
        }
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(AwsError::NoRegion);
        };
        Ok(SdkSsm::new(&config, region, endpoint, messages, profiles.login_command()))
    }

    async fn load(&self, scope: &AwsScope, is_local: bool) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts);
        if let Some(profile) = &scope.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &scope.region {
            loader = loader.region(Region::new(region.clone()));
        } else if is_local {
            loader = loader.region(credentials::local_region(scope.profile.as_deref()));
        }
        if is_local {
            loader = loader.credentials_provider(credentials::local(scope.profile.as_deref(), &self.http));
        }
        let config = loader.load().await;
        match &scope.profile {
            Some(profile) if !is_local => {
                let credentials = credentials::of_profile(Some(profile), config.region().cloned(), &self.http);
                let credentials = SharedCredentialsProvider::new(credentials);
                config.into_builder().credentials_provider(credentials).build()
            }
            _ => config,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AwsScope, Arc<SdkSsm>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn usable(clients: &HashMap<AwsScope, Arc<SdkSsm>>, scope: &AwsScope) -> Option<Arc<dyn SsmApi>> {
    let client = clients.get(scope).filter(|client| !client.needs_login())?;
    Some(Arc::clone(client) as Arc<dyn SsmApi>)
}

impl AwsConnector for SdkConnector {
    fn connect<'a>(&'a self, scope: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>> {
        Box::pin(async move {
            if let Some(client) = usable(&self.lock(), scope) {
                return Ok(client);
            }
            let made = Arc::new(self.make(scope).await?);
            let mut clients = self.lock();
            // Another tunnel may have been faster: one client, one set of credentials.
            if let Some(client) = usable(&clients, scope) {
                return Ok(client);
            }
            clients.insert(scope.clone(), Arc::clone(&made));
            Ok(made as Arc<dyn SsmApi>)
        })
    }

    fn forget(&self, scope: &AwsScope, api: &Arc<dyn SsmApi>) {
        let mut clients = self.lock();
        // Another tunnel may have done so already, and have a new one.
        if clients.get(scope).is_some_and(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(api))) {
            clients.remove(scope);
        }
    }
}
