//! Where calls and websockets go, if not to AWS's own endpoints: the configuration, else the variables, else
//! the profile.
//!
//! The SDK finds most of this by itself; the daemon has to know it as well, to decide where a token may be
//! sent and whether credentials would leave this machine in the clear.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use tunnels_daemon::aws::AwsScope;

/// What the configuration or the environment names for the API.
pub(crate) fn ssm_named(scope: &AwsScope) -> Option<String> {
    let variables = || variable("AWS_ENDPOINT_URL_SSM").or_else(|| variable("AWS_ENDPOINT_URL"));
    scope.endpoints.ssm.clone().or_else(variables)
}

/// What the profile names for the API.
pub(crate) fn ssm_of_profile(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("SSM").env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let of_service = key.build().ok().and_then(|key| config.service_config()?.load_config(key));
    of_service.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// What replaces the address of the data channels.
pub(crate) fn messages(scope: &AwsScope) -> Option<String> {
    scope.endpoints.ssmmessages.clone().or_else(|| variable("AWS_ENDPOINT_URL_SSMMESSAGES"))
}

fn variable(name: &str) -> Option<String> {
    let read = |name| std::env::var(name).ok().filter(|url: &String| !url.is_empty());
    let ignored = read("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if ignored { None } else { read(name) }
}
