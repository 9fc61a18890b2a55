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

/// For calls to this machine; at the end a name that the simulator takes. `is_named`: our configuration names the
/// profile.
pub(crate) fn local(name: &str, is_named: bool, config: &SdkConfig, http: &Http) -> CredentialsProviderChain {
    let from_profile = of_profile(name, config, http);
    let chain = if is_named {
        CredentialsProviderChain::first_try("profile", from_profile)
    } else {
        CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("profile", from_profile)
    };
    chain.or_else("simulator", Credentials::new("SIMULATOR", "simulator", None, None, "simulator"))
}

/// The region of calls to this machine, where no other is named.
pub(crate) fn local_region(name: &str) -> RegionProviderChain {
    let from_profile = ProfileFileRegionProvider::builder().profile_name(name).build();
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(from_profile)
        .or_else(Region::from_static(LOCAL_REGION))
}
