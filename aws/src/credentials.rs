//! Whose credentials calls are signed with, where the SDK's default chain is not what users mean.
//!
//! A profile that a tunnel names is meant, also in a shell that has keys of another account in its
//! environment: the SDK's chain would prefer those, the AWS CLI's `--profile` does not. And calls to this
//! machine – the simulator – need no account: whatever a client has will do, and no call is made to get it.

use aws_config::Region;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

const LOCAL_REGION: &str = "us-east-1";

/// The credentials of a profile and of nothing else: the named one, or the environment's. `region` is where
/// its own calls go (STS).
pub(crate) fn of_profile(
    name: Option<&str>,
    region: Option<Region>,
    http: &SharedHttpClient,
) -> ProfileFileCredentialsProvider {
    let config = ProviderConfig::without_region().with_region(region).with_http_client(http.clone());
    let mut provider = ProfileFileCredentialsProvider::builder().configure(&config);
    if let Some(name) = name {
        provider = provider.profile_name(name);
    }
    provider.build()
}

/// For calls to this machine.
pub(crate) fn local(profile: Option<&str>, http: &SharedHttpClient) -> CredentialsProviderChain {
    let from_profile = of_profile(profile, Some(Region::from_static(LOCAL_REGION)), http);
    let chain = if profile.is_some() {
        CredentialsProviderChain::first_try("profile", from_profile)
    } else {
        CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("profile", from_profile)
    };
    chain.or_else("simulator", Credentials::new("SIMULATOR", "simulator", None, None, "simulator"))
}

/// The region of calls to this machine, where no other is named.
pub(crate) fn local_region(profile: Option<&str>) -> RegionProviderChain {
    let mut from_profile = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        from_profile = from_profile.profile_name(profile);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(from_profile.build())
        .or_else(Region::from_static(LOCAL_REGION))
}
