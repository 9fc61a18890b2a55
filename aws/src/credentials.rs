//! Credentials and region when the endpoint is on this machine, that is, the simulator.
//!
//! The usual chain would end at the instance metadata service, which a laptop waits seconds for, and then
//! find nothing. Here it ends with a name that the simulator takes, so that trying the program out needs no
//! AWS account. Such credentials are never used for any other endpoint.

use aws_config::Region;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

const LOCAL_REGION: &str = "us-east-1";

pub(crate) fn local(profile: Option<&str>, http: &SharedHttpClient) -> CredentialsProviderChain {
    let config = ProviderConfig::without_region()
        .with_region(Some(Region::from_static(LOCAL_REGION)))
        .with_http_client(http.clone());
    let mut from_profile = ProfileFileCredentialsProvider::builder().configure(&config);
    if let Some(profile) = profile {
        from_profile = from_profile.profile_name(profile);
    }
    CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("profile", from_profile.build())
        .or_else("simulator", Credentials::new("SIMULATOR", "simulator", None, None, "simulator"))
}

pub(crate) fn local_region(profile: Option<&str>) -> RegionProviderChain {
    let mut from_profile = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        from_profile = from_profile.profile_name(profile);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(from_profile.build())
        .or_else(Region::from_static(LOCAL_REGION))
}
