//! Where credentials come from, when that is not the SDK's usual chain.
//!
//! A profile that our configuration names comes before keys in the environment: a shell with another
//! account's keys must not decide where a tunnel leads. The usual chain has them the other way round.
//!
//! With an endpoint on this machine, the simulator's, the usual chain would end at the instance metadata
//! service, which a laptop waits seconds for, and then find nothing. There it ends with a name that the
//! simulator takes, so that trying the program out needs no AWS account. Such credentials are never used
//! for any other endpoint.

use crate::http::Http;
use crate::profile::Profile;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;

const LOCAL_REGION: &str = "us-east-1";

/// The profile's own credentials and nothing else.
pub(crate) fn of_profile(name: &str, config: &SdkConfig, http: &Http) -> ProfileFileCredentialsProvider {
    let config = ProviderConfig::without_region()
        .with_region(config.region().cloned())
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack())
        .with_http_client(http.clone());
    ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name).build()
}

/// For calls to this machine; at the end a name that the simulator takes.
pub(crate) fn local(profile: &Profile, config: &SdkConfig, http: &Http) -> CredentialsProviderChain {
    // A profile that does not exist would end the chain as soon as there is any other: it is a mistake to the SDK.
    let from_profile = profile.exists().then(|| of_profile(profile.name(), config, http));
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

/// The region of calls to this machine, where no other is named.
pub(crate) fn local_region(name: &str) -> RegionProviderChain {
    let from_profile = ProfileFileRegionProvider::builder().profile_name(name).build();
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(from_profile)
        .or_else(Region::from_static(LOCAL_REGION))
}
