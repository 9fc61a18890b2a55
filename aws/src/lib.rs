//! AWS for the daemon, over the SDK: the only crate that builds it.
//!
//! Owns clients, credentials and the mapping of SDK errors to the daemon's. It decides nothing: the SDK's
//! own retries are kept few, since the daemon knows better when another try is worth it.

#![warn(missing_docs)]

mod client;
mod credentials;
mod error;
mod http;
mod login;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use client::SdkSsm;
use ssm_session::Tls;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tunnels_daemon::aws::{AwsConnector, AwsError, AwsScope, BoxFuture, SsmApi};

pub use http::HttpError;

/// A second try at once mends a connection that the pool kept too long; more is the daemon's decision.
const ATTEMPTS: u32 = 2;
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(15);
const OPERATION: Duration = Duration::from_secs(30);

/// Makes clients over the SDK. Tunnels of one scope share one client, and with it its credentials, until
/// these turn out to be missing or expired.
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
        let endpoint = scope.endpoints.ssm.clone().or_else(|| endpoint_variable("SSM"));
        let messages = scope.endpoints.ssmmessages.clone().or_else(|| endpoint_variable("SSMMESSAGES"));
        let is_local = endpoint.as_deref().is_some_and(is_loopback);
        let config = self.load(scope, is_local).await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(AwsError::Config("no region is set".into()));
        };
        let login = login::command(scope.profile.as_deref()).await;
        Ok(SdkSsm::new(&config, region, endpoint, messages, login))
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
        loader.load().await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AwsScope, Arc<SdkSsm>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AwsConnector for SdkConnector {
    fn connect<'a>(&'a self, scope: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>> {
        Box::pin(async move {
            let known = self.lock().get(scope).filter(|client| !client.needs_login()).cloned();
            if let Some(client) = known {
                return Ok(client as Arc<dyn SsmApi>);
            }
            let client = Arc::new(self.make(scope).await?);
            self.lock().insert(scope.clone(), Arc::clone(&client));
            Ok(client as Arc<dyn SsmApi>)
        })
    }
}

/// `AWS_ENDPOINT_URL_<service>`, else `AWS_ENDPOINT_URL` for the API itself.
///
/// The SDK reads the first two by itself; the daemon has to know them as well, to decide where a token may
/// be sent.
fn endpoint_variable(service: &str) -> Option<String> {
    let read = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    if read("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    read(&format!("AWS_ENDPOINT_URL_{service}"))
        .or_else(|| (service == "SSM").then(|| read("AWS_ENDPOINT_URL")).flatten())
}

/// Whether an endpoint is on this machine: the simulator, then.
fn is_loopback(url: &str) -> bool {
    let authority = url.split("://").nth(1).unwrap_or(url).split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_endpoints() {
        for url in ["http://127.0.0.1:8129", "http://localhost", "http://[::1]:1/", "https://127.9.9.9"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["https://ssm.eu-west-1.amazonaws.com", "http://localhost.evil.example", "http://10.0.0.1", ""] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
