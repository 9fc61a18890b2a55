//! Where the credentials of a profile come from, when that is not the SDK's usual chain.
//!
//! A profile that our configuration names comes before keys in the environment: a shell with another
//! account's keys must not decide where a tunnel leads. The usual chain has them the other way round.
//!
//! A role with an MFA device: the SDK would ask STS without a code. Nobody can type one here, so what the AWS CLI
//! was given is taken from its cache.
//!
//! With an endpoint on this machine, the simulator's, the usual chain would end at the instance metadata
//! service, which a laptop waits seconds for, and then find nothing. There it ends with a name that the
//! simulator takes, so that trying the program out needs no AWS account. Such credentials are never used
//! for any other endpoint.

use crate::expiry::cached_credentials;
use crate::http::Clients;
use crate::profile::{Profile, Renewal};
use crate::sts_endpoint::with_sts;
use crate::{files, timeouts};
use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use std::time::SystemTime;

const LOCAL_REGION: &str = "us-east-1";

/// What decides which credentials one gets: clients with the same share them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// The profile that our configuration names.
    pub(crate) profile: Option<String>,
    /// The endpoint of STS, if it is not AWS's own.
    pub(crate) sts: Option<String>,
    /// Where STS is asked: the environment's region or the profile's own, so that tunnels of one profile share what
    /// they get, whichever regions they lead to.
    pub(crate) region: Option<String>,
    pub(crate) fips: bool,
    pub(crate) dual_stack: bool,
    /// For calls to the simulator.
    pub(crate) is_local: bool,
}

/// A role needs a code that only a person can type.
#[derive(Debug, thiserror::Error)]
#[error("a code of the MFA device {device} is needed")]
pub(crate) struct NeedsCode {
    pub(crate) device: String,
    pub(crate) command: String,
}

impl Origin {
    /// Gets them, from the files as they are now.
    pub(crate) async fn fetch(&self, clients: &Clients) -> Result<Credentials, CredentialsError> {
        let profile = Profile::load(self.profile.as_deref()).await.map_err(CredentialsError::invalid_configuration)?;
        if let (Some(Renewal::Code { command, device, arguments }), true) = (profile.renewal(), comes_first(&profile)) {
            let kept = match files::assumed_role(&arguments) {
                Some(file) => cached_credentials(&file, SystemTime::now()).await,
                None => None,
            };
            return kept.ok_or_else(|| CredentialsError::provider_error(NeedsCode { device, command }));
        }
        self.provider(&profile, clients).await.provide_credentials().await
    }

    async fn provider(&self, profile: &Profile, clients: &Clients) -> SharedCredentialsProvider {
        let config = ProviderConfig::without_region()
            .with_region(self.region.clone().map(Region::new))
            .with_use_fips(Some(self.fips))
            .with_use_dual_stack(Some(self.dual_stack))
            .with_timeout_config(timeouts())
            .with_http_client(with_sts(&clients.of(profile), self.sts.as_deref()));
        if self.is_local {
            SharedCredentialsProvider::new(local(profile, &config))
        } else if profile.is_named() {
            SharedCredentialsProvider::new(of_profile(profile.name(), &config))
        } else {
            let chain = DefaultCredentialsChain::builder().profile_name(profile.name()).configure(config);
            SharedCredentialsProvider::new(chain.region(self.region.clone().map(Region::new)).build().await)
        }
    }
}

/// Whether the profile is asked before keys of the environment.
fn comes_first(profile: &Profile) -> bool {
    profile.is_named() || !has_keys()
}

/// Whether the environment holds keys, as the SDK sees it.
pub(crate) fn has_keys() -> bool {
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    is_set("AWS_ACCESS_KEY_ID") && (is_set("AWS_SECRET_ACCESS_KEY") || is_set("SECRET_ACCESS_KEY"))
}

/// The profile's own credentials and nothing else.
fn of_profile(name: &str, config: &ProviderConfig) -> ProfileFileCredentialsProvider {
    ProfileFileCredentialsProvider::builder().configure(config).profile_name(name).build()
}

/// For calls to this machine; at the end a name that the simulator takes.
fn local(profile: &Profile, config: &ProviderConfig) -> CredentialsProviderChain {
    // A profile that does not exist would end the chain as soon as there is any other: it is a mistake to the SDK.
    let from_profile = profile.exists().then(|| of_profile(profile.name(), config));
    let simulator = Credentials::new("SIMULATOR", "simulator", None, None, "simulator");
    let chain = match (from_profile, profile.is_named()) {
        (Some(from_profile), true) => CredentialsProviderChain::first_try("profile", from_profile),
        (None, true) => return CredentialsProviderChain::first_try("simulator", simulator),
        (from_profile, false) => {
            let chain =
                CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new());
            match from_profile {
                Some(from_profile) => chain.or_else("profile", from_profile),
                None => chain,
            }
        }
    };
    chain.or_else("simulator", simulator)
}

/// The region that the environment names, or else the profile.
pub(crate) fn own_region(name: &str) -> RegionProviderChain {
    let from_profile = ProfileFileRegionProvider::builder().profile_name(name).build();
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(from_profile)
}

/// The region of calls to this machine, where no other is named.
pub(crate) fn local_region(name: &str) -> RegionProviderChain {
    own_region(name).or_else(Region::from_static(LOCAL_REGION))
}
