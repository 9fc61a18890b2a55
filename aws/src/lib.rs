//! AWS for the daemon, over the SDK: the only crate that builds it.
//!
//! Owns clients, credentials and the mapping of SDK errors to the daemon's. It decides nothing: the SDK's
//! own retries are kept few, since the daemon knows better when another try is worth it.

#![warn(missing_docs)]

mod account;
mod client;
mod credentials;
mod credentials_cache;
mod endpoints;
mod error;
mod expiry;
mod files;
mod http;
mod local;
mod profile;
mod sts_endpoint;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use client::SdkSsm;
use credentials::Origin;
use credentials_cache::{CredentialsStore, MARGIN, SharedCredentials};
use endpoints::Named;
use expiry::sso_token_end;
use http::{Clients, Http};
use profile::{Profile, Renewal};
use ssm_session::{Network, Proxies, Tls};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::OnceCell;
use tunnels_daemon::aws::{AwsConnector, AwsError, AwsScope, BoxFuture, Expiry, SsmApi, Watched, is_loopback};

pub use local::LocalConnector;

/// A second try at once mends a connection that the pool kept too long; more is the daemon's decision.
const ATTEMPTS: u32 = 2;
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(15);
/// Longer than credentials may take, so that it is said which of the two took too long.
const OPERATION: Duration = Duration::from_secs(45);

/// Names a file of certificates to trust besides the system's, as with the AWS CLI.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// When keys of the environment run out, as `aws configure export-credentials --format env` says.
const KEYS_EXPIRE: &str = "AWS_CREDENTIAL_EXPIRATION";

/// Makes clients over the SDK. Tunnels of one scope share one client until its credentials turn out to be of no
/// use; clients of one profile share its credentials.
#[derive(Debug)]
pub struct SdkConnector {
    http: Arc<Clients>,
    credentials: CredentialsStore,
    clients: Mutex<HashMap<AwsScope, Making>>,
}

/// A client that is made once, however many wait for it.
type Making = Arc<OnceCell<Arc<SdkSsm>>>;

impl SdkConnector {
    /// A connector with the proxies and the trust that the environment asks for: `HTTPS_PROXY` and its kin, and
    /// `AWS_CA_BUNDLE`, or else the `ca_bundle` of each profile. The variables are read once, here.
    pub fn from_env() -> Self {
        let proxies = Proxies::from_env();
        Self::over(match std::env::var_os(CA_BUNDLE).filter(|path| !path.is_empty()) {
            Some(path) => Clients::alike(Network { tls: Tls::native_and(CA_BUNDLE, path), proxies }),
            None => Clients::by_profile(Network { tls: Tls::native(), proxies }),
        })
    }

    /// A connector whose connections are all opened like this.
    pub fn new(network: Network) -> Self {
        Self::over(Clients::alike(network))
    }

    fn over(clients: Clients) -> Self {
        Self { http: Arc::new(clients), credentials: CredentialsStore::default(), clients: Mutex::default() }
    }

    async fn make(&self, scope: &AwsScope) -> Result<SdkSsm, AwsError> {
        self.prepare(scope).await.map(Prepared::into_client)
    }

    /// Finds out everything that a client needs.
    async fn prepare(&self, scope: &AwsScope) -> Result<Prepared, AwsError> {
        let profile = Profile::load(scope.profile.as_deref()).await?;
        let http = self.http.of(&profile);
        let is_local = endpoints::ssm_named(scope).as_deref().is_some_and(is_loopback);
        if !is_local {
            profile.must_exist()?;
        }
        let config = load(scope, &profile, &http, is_local).await;
        let endpoints = Named::find(scope, &profile, &config)?;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(AwsError::NoRegion);
        };
        let own_region = credentials::own_region(profile.name()).region().await;
        let origin = Origin {
            profile: scope.profile.clone(),
            sts: scope.endpoints.sts.clone(),
            region: Some(own_region.map_or_else(|| region.clone(), |region| region.to_string())),
            fips: config.use_fips().unwrap_or_default(),
            dual_stack: config.use_dual_stack().unwrap_or_default(),
            is_local,
        };
        let credentials = self.credentials.of(origin, &self.http);
        Ok(Prepared { profile, http, config, endpoints, region, credentials, is_local })
    }

    /// The place of the client for a scope; one whose credentials are of no use has lost it.
    fn place(&self, scope: &AwsScope) -> Making {
        let mut clients = self.lock();
        let place = clients.entry(scope.clone()).or_default();
        if place.get().is_some_and(|client| client.needs_login()) {
            *place = Making::default();
        }
        Arc::clone(place)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AwsScope, Making>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find_expiry(&self, named: Option<&str>, now: SystemTime) -> Option<Expiry> {
        if named.is_none() && credentials::has_keys() {
            let at = expiry::time(&std::env::var(KEYS_EXPIRE).ok()?)?;
            return Some(Expiry { at, renew: None });
        }
        let profile = Profile::load(named).await.ok()?;
        let renewal = profile.renewal();
        let renew = renewal.as_ref().map(|renewal| renewal.command().to_owned());
        let at = match renewal {
            Some(Renewal::Sso { token, .. }) => {
                let file = files::sso_token(&token)?;
                let end = sso_token_end(&file, now).await?;
                if end.is_renewed && end.at > now + MARGIN {
                    return None;
                }
                if end.is_renewed && end.at > now && self.renewed(named).await.is_some() {
                    // The provider writes what it got to the same file.
                    sso_token_end(&file, now).await.map(|end| end.at).filter(|at| *at <= now + MARGIN)?
                } else {
                    end.at
                }
            }
            Some(Renewal::Code { arguments, .. }) => {
                expiry::cached_credentials(&files::assumed_role(&arguments)?, now).await?.expiry()?
            }
            None if profile.is_by_process() => {
                // What has not been asked for yet, or lasts, needs no care.
                let at = self.last_fetched(named).await.filter(|at| *at <= now + MARGIN)?;
                // Not after the end: what then needs a call asks for itself.
                if at > now { self.renewed(named).await.filter(|at| *at <= now + MARGIN)? } else { at }
            }
            Some(Renewal::Login { .. }) | None => return None,
        };
        Some(Expiry { at, renew })
    }

    /// When what was fetched last for the profile runs out.
    async fn last_fetched(&self, named: Option<&str>) -> Option<SystemTime> {
        let mut last = None;
        for credentials in self.credentials.of_profile(named) {
            last = last.max(credentials.expiry().await);
        }
        last
    }

    /// Fetches anew what was fetched before for the profile, and says when that runs out.
    async fn renewed(&self, named: Option<&str>) -> Option<SystemTime> {
        let mut last = None;
        for credentials in self.credentials.of_profile(named) {
            if credentials.expiry().await.is_some() {
                last = last.max(credentials.renew().await);
            }
        }
        last
    }
}

/// What a client is made of.
struct Prepared {
    profile: Profile,
    http: Http,
    config: SdkConfig,
    endpoints: Named,
    region: String,
    credentials: Arc<SharedCredentials>,
    /// The endpoint is the simulator's.
    is_local: bool,
}

impl Prepared {
    fn into_client(self) -> SdkSsm {
        // A login as `aws sso login`; what needs a code says so itself.
        let login = match self.profile.renewal() {
            Some(Renewal::Sso { command, .. } | Renewal::Login { command }) => Some(command),
            Some(Renewal::Code { .. }) | None => None,
        };
        let network = self.http.network().clone();
        SdkSsm::new(&self.config, self.credentials, network, self.region, self.endpoints, login)
    }
}

/// The SDK's settings for a scope; `is_local`: the endpoint is the simulator's.
async fn load(scope: &AwsScope, profile: &Profile, http: &Http, is_local: bool) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts())
        .no_credentials()
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
    loader.load().await
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build()
}

impl AwsConnector for SdkConnector {
    fn connect<'a>(&'a self, scope: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>> {
        Box::pin(async move {
            let place = self.place(scope);
            let client = place.get_or_try_init(async || self.make(scope).await.map(Arc::new)).await?;
            Ok(Arc::clone(client) as Arc<dyn SsmApi>)
        })
    }

    fn forget(&self, scope: &AwsScope, api: &Arc<dyn SsmApi>) {
        let mut clients = self.lock();
        let is_same = |known: &Arc<SdkSsm>| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(api));
        // Another tunnel may have done so already, and have a new one.
        if clients.get(scope).and_then(|place| place.get()).is_some_and(is_same) {
            clients.remove(scope);
        }
    }

    fn credential_files(&self) -> Vec<Watched> {
        files::watched()
    }

    fn credentials_may_be_others(&self) {
        self.credentials.may_be_others();
    }

    fn expiry<'a>(&'a self, profile: Option<&'a str>) -> BoxFuture<'a, Option<Expiry>> {
        Box::pin(self.find_expiry(profile, SystemTime::now()))
    }
}
