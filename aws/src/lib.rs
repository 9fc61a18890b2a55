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
mod local;
mod profile;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use client::SdkSsm;
use endpoints::Named;
use http::Http;
use profile::Profile;
use ssm_session::{Network, Proxies, Tls};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tunnels_daemon::aws::{AwsConnector, AwsError, AwsScope, BoxFuture, SsmApi, is_loopback};

pub use local::LocalConnector;

/// A second try at once mends a connection that the pool kept too long; more is the daemon's decision.
const ATTEMPTS: u32 = 2;
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(15);
/// Longer than credentials may take, so that it is said which of the two took too long.
const OPERATION: Duration = Duration::from_secs(45);

/// Names a file of certificates to trust besides the system's, as with the AWS CLI.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// Makes clients over the SDK. Tunnels of one scope share one client, and with it its credentials, until
/// these turn out to be of no use.
#[derive(Debug)]
pub struct SdkConnector {
    http: Http,
    /// Clients of profiles with a `ca_bundle`, by that; `None`: such keys do not count.
    of_profiles: Option<Mutex<HashMap<PathBuf, Http>>>,
    clients: Mutex<HashMap<AwsScope, Arc<SdkSsm>>>,
}

impl SdkConnector {
    /// A connector with the proxies and the trust that the environment asks for: `HTTPS_PROXY` and its kin, and
    /// `AWS_CA_BUNDLE`, or else the `ca_bundle` of each profile. The variables are read once, here.
    pub fn from_env() -> Self {
        let proxies = Proxies::from_env();
        match std::env::var_os(CA_BUNDLE).filter(|path| !path.is_empty()) {
            Some(path) => Self::new(Network { tls: Tls::native_and(CA_BUNDLE, path), proxies }),
            None => Self { of_profiles: Some(Mutex::default()), ..Self::new(Network { tls: Tls::native(), proxies }) },
        }
    }

    /// A connector whose connections are all opened like this.
    pub fn new(network: Network) -> Self {
        Self { http: Http::new(network), of_profiles: None, clients: Mutex::default() }
    }

    async fn make(&self, scope: &AwsScope) -> Result<SdkSsm, AwsError> {
        let profile = Profile::load(scope.profile.as_deref()).await?;
        let http = self.http_for(&profile);
        let is_local = endpoints::ssm_named(scope).as_deref().is_some_and(is_loopback);
        if !is_local {
            profile.must_exist()?;
        }
        let config = load(scope, &profile, &http, is_local).await;
        let endpoints = Named::find(scope, &profile, &config)?;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(AwsError::NoRegion);
        };
        Ok(SdkSsm::new(&config, http.network().clone(), region, endpoints, profile.login()))
    }

    fn http_for(&self, profile: &Profile) -> Http {
        let (Some(of_profiles), Some(path)) = (&self.of_profiles, profile.ca_bundle()) else {
            return self.http.clone();
        };
        let mut known = of_profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let origin = format!("`ca_bundle` of the profile `{}`", profile.name());
            let tls = Tls::native_and(origin, path.clone());
            Http::new(Network { tls, ..self.http.network().clone() })
        };
        known.entry(path.clone()).or_insert_with(make).clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AwsScope, Arc<SdkSsm>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The SDK's settings for a scope; `is_local`: the endpoint is the simulator's.
async fn load(scope: &AwsScope, profile: &Profile, http: &Http, is_local: bool) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts())
        // Ours gives up sooner, and says so.
        .identity_cache(IdentityCache::lazy().load_timeout(2 * credentials_cache::PATIENCE).build())
        .profile_name(profile.name());
    if let Some(region) = &scope.region {
        loader = loader.region(Region::new(region.clone()));
    } else if is_local {
        loader = loader.region(credentials::local_region(profile.name()));
    }
    if is_local {
        // The SDK refuses them together with an endpoint of one's own, which the simulator's is.
        loader = loader.use_fips(false).use_dual_stack(false);
    }
    let config = loader.load().await;
    let provider = if is_local {
        SharedCredentialsProvider::new(credentials::local(profile, &config, http))
    } else if profile.is_named() {
        SharedCredentialsProvider::new(credentials::of_profile(profile.name(), &config, http))
    } else {
        return config;
    };
    config.into_builder().credentials_provider(provider).build()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build()
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
