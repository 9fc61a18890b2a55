//! Where calls and websockets go, if not to AWS's own endpoints: the configuration, else the variables, else
//! the profile.
//!
//! The SDK finds most of this by itself; the daemon has to know it as well, to decide where a token may be
//! sent and whether credentials would leave this machine in the clear.

use crate::profile::Profile;
use aws_config::SdkConfig;
use aws_runtime::env_config::EnvConfigValue;
use aws_types::os_shim_internal::Env;
use aws_types::service_config::ServiceConfigKey;
use tunnels_daemon::aws::{AwsError, AwsScope, check_endpoint};

/// The services that the SDK asks for credentials: they are sent secrets, and give some.
const OF_CREDENTIALS: [&str; 4] = ["STS", "SSO", "SSO OIDC", "Signin"];

/// Endpoints that were named, of whatever service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Replaces SSM's own.
    pub(crate) ssm: Option<String>,
    /// Replaces the address of the data channels.
    pub(crate) messages: Option<String>,
}

/// What the configuration or the environment names for the API.
pub(crate) fn ssm_named(scope: &AwsScope) -> Option<String> {
    let variables = || variable("AWS_ENDPOINT_URL_SSM").or_else(|| variable("AWS_ENDPOINT_URL"));
    scope.endpoints.ssm.clone().or_else(variables)
}

impl Named {
    /// Finds them, the profile's included.
    ///
    /// # Errors
    /// One of them, or one that credentials would be fetched from, may not be used.
    pub(crate) fn find(scope: &AwsScope, profile: &Profile, config: &SdkConfig) -> Result<Self, AwsError> {
        let of_profile = |service| {
            // The service config knows AWS_IGNORE_CONFIGURED_ENDPOINT_URLS and the profile's key of that name.
            let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
            let found = key.build().ok().and_then(|key| config.service_config()?.load_config(key));
            found.filter(|url| !url.is_empty())
        };
        let ssm = ssm_named(scope).or_else(|| of_profile("SSM")).or_else(|| config.endpoint_url().map(str::to_owned));
        // Not `endpoint_url` without a service: one address for all is no message gateway.
        let general = config.endpoint_url();
        let of_messages = || of_profile("ssmmessages").filter(|url| Some(url.as_str()) != general);
        let messages = scope.endpoints.ssmmessages.clone().or_else(of_messages);
        let named = Self { ssm, messages };
        check("the SSM endpoint", named.ssm.as_deref())?;
        if let Some(endpoint) = &named.ssm {
            // The SDK refuses each call; and which of the two is meant cannot be known.
            for (is_set, variable, key) in [
                (config.use_fips(), "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
                (config.use_dual_stack(), "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
            ] {
                if is_set == Some(true) {
                    return Err(AwsError::Config(format!(
                        "both the endpoint `{endpoint}` and {variable} (or `{key}` of the profile) are set: keep one of them"
                    )));
                }
            }
        }
        check("the ssmmessages endpoint", named.messages.as_deref())?;
        check("`endpoints.sts`", scope.endpoints.sts.as_deref())?;
        for service in OF_CREDENTIALS {
            check(&format!("the endpoint of {service}"), of_credentials(service, profile).as_deref())?;
        }
        Ok(named)
    }
}

fn check(what: &str, endpoint: Option<&str>) -> Result<(), AwsError> {
    endpoint.map_or(Ok(()), check_endpoint).map_err(|error| AwsError::Config(format!("{what}: {error}")))
}

/// What the SDK's credential providers would use: they do not know of ignored endpoints.
pub(crate) fn of_credentials(service: &str, profile: &Profile) -> Option<String> {
    let (url, _) = EnvConfigValue::new()
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .service_id(service)
        .load(&Env::real(), Some(profile.sections()))
        .map(|(url, source)| (url.into_owned(), source))?;
    Some(url).filter(|url| !url.is_empty())
}

fn variable(name: &str) -> Option<String> {
    let read = |name| std::env::var(name).ok().filter(|url: &String| !url.is_empty());
    let ignored = read("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if ignored { None } else { read(name) }
}
