//! A way to a simulator in the same process: nothing of the user's – variables, files, proxies – is looked at.

use crate::client::SdkSsm;
use crate::credentials_cache::SharedCredentials;
use crate::endpoints::Named;
use crate::http::Http;
use crate::timeouts;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use ssm_session::{Network, Proxies, Tls};
use std::sync::Arc;
use tunnels_daemon::aws::{AwsConnector, AwsError, AwsScope, BoxFuture, SsmApi, is_loopback};

/// What the simulator takes from whoever names no region.
const REGION: &str = "us-east-1";

/// Makes clients for endpoints of this machine, with made-up credentials.
#[derive(Debug)]
pub struct LocalConnector {
    http: Http,
}

impl LocalConnector {
    /// A connector; no connection is opened yet.
    #[expect(clippy::new_without_default, reason = "there is nothing usual about it")]
    pub fn new() -> Self {
        Self { http: Http::new(Network { tls: Tls::native(), proxies: Proxies::none() }) }
    }

    fn make(&self, scope: &AwsScope) -> Result<SdkSsm, AwsError> {
        let Some(endpoint) = scope.endpoints.ssm.clone().filter(|endpoint| is_loopback(endpoint)) else {
            return Err(AwsError::Config("`endpoints.ssm` must be on this machine here".into()));
        };
        let region = scope.region.clone().unwrap_or_else(|| REGION.to_owned());
        let credentials = Credentials::new("SIMULATOR", "simulator", None, None, "simulator");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .http_client(SharedHttpClient::new(self.http.clone()))
            .timeout_config(timeouts())
            .build();
        let endpoints = Named { ssm: Some(endpoint), messages: scope.endpoints.ssmmessages.clone() };
        let credentials = Arc::new(SharedCredentials::fixed(credentials));
        Ok(SdkSsm::new(&config, credentials, self.http.network().clone(), region, endpoints, None))
    }
}

impl AwsConnector for LocalConnector {
    fn connect<'a>(&'a self, scope: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>> {
        Box::pin(async move { Ok(Arc::new(self.make(scope)?) as Arc<dyn SsmApi>) })
    }

    /// Clients are not kept: nothing to forget.
    fn forget(&self, _: &AwsScope, _: &Arc<dyn SsmApi>) {}
}
