//! An account as `tunnels doctor` looks at it: who the caller is, which nodes there are, where calls go.
//!
//! Beside the calls that tunnels make, over the same client, credentials and connections.

use crate::client::SdkSsm;
use crate::credentials;
use crate::error::from_sdk;
use crate::sts_endpoint::with_sts;
use crate::{Prepared, SdkConnector, endpoints};
use aws_sdk_ssm::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_ssm::types::InstanceInformation;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tunnels_daemon::aws::{AwsConnector, AwsError, AwsScope, BoxFuture, Candidate, Expiry, SsmApi, endpoint_host};
use tunnels_doctor::aws::{Account, Accounts, Identity, Node};

/// Who somebody is need not be known: a network that swallows calls to STS must not hold up everything else.
const IDENTITY: Duration = Duration::from_secs(10);

struct SdkAccount {
    ssm: SdkSsm,
    sts: aws_sdk_sts::Client,
    source: String,
    ssm_url: String,
    messages_url: Option<String>,
}

impl fmt::Debug for SdkAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkAccount").field("ssm", &self.ssm).finish_non_exhaustive()
    }
}

impl SdkAccount {
    async fn make(prepared: Prepared, scope: &AwsScope) -> Self {
        let has_keys = credentials::has_keys();
        let source = if prepared.is_local && !has_keys && !prepared.profile.exists() {
            "made-up credentials, which a simulator takes".to_owned()
        } else {
            prepared.profile.source(has_keys)
        };
        let own = own_url(&prepared).await;
        let messages_url = match &prepared.endpoints.messages {
            Some(named) => Some(named.clone()),
            // Where its channels are the simulator's stream URLs say.
            None if prepared.is_local => None,
            None => own.as_deref().and_then(gateway),
        };
        let ssm_url = prepared.endpoints.ssm.clone().or(own).unwrap_or_default();
        let sts_named = endpoints::of_credentials("STS", &prepared.profile);
        let mut sts = aws_sdk_sts::config::Builder::from(&prepared.config)
            .http_client(with_sts(&prepared.http, scope.endpoints.sts.as_deref()));
        if prepared.is_local && sts_named.is_none() && scope.endpoints.sts.is_none() {
            // The simulator answers for STS at the same address; its credentials must not go anywhere else.
            sts = sts.endpoint_url(&ssm_url);
        }
        let ssm = prepared.into_client();
        let sts = sts.credentials_provider(ssm.credentials_provider());
        Self { sts: aws_sdk_sts::Client::from_conf(sts.build()), ssm, source, ssm_url, messages_url }
    }

    async fn ask_identity(&self) -> Result<Identity, AwsError> {
        let asked = tokio::time::timeout(IDENTITY, self.sts.get_caller_identity().send()).await;
        let answer =
            asked.map_err(|_| AwsError::NoAnswer(format!("STS: no answer within {} s", IDENTITY.as_secs())))?;
        let answer = answer.map_err(|error| {
            let login = self.ssm.login();
            from_sdk(&error, "STS", login.is_some()).with_login(login.map(str::to_owned))
        })?;
        let lacking = |what: &str| AwsError::Unknown(format!("the answer of STS has no {what}"));
        Ok(Identity {
            account: answer.account.ok_or_else(|| lacking("account"))?,
            arn: answer.arn.ok_or_else(|| lacking("ARN"))?,
        })
    }
}

/// AWS's own endpoint of SSM for these settings.
async fn own_url(prepared: &Prepared) -> Option<String> {
    let parameters = Params::builder()
        .region(prepared.region.clone())
        .use_fips(prepared.config.use_fips().unwrap_or_default())
        .use_dual_stack(prepared.config.use_dual_stack().unwrap_or_default())
        .build()
        .ok()?;
    let resolver = DefaultResolver::new();
    let found = ResolveEndpoint::resolve_endpoint(&resolver, &parameters).await.ok()?;
    Some(found.url().to_owned())
}

/// The message gateway beside an endpoint of AWS's own: the same name but for its first label.
fn gateway(ssm_url: &str) -> Option<String> {
    let (service, rest) = endpoint_host(ssm_url)?.split_once('.')?;
    let service = match service {
        "ssm" => "ssmmessages",
        "ssm-fips" => "ssmmessages-fips",
        _ => return None,
    };
    Some(format!("https://{service}.{rest}"))
}

fn node(found: InstanceInformation) -> Option<Node> {
    Some(Node {
        id: found.instance_id?,
        ping: found.ping_status.map_or_else(|| "unknown".to_owned(), |status| status.as_str().to_owned()),
        last_ping: found.last_ping_date_time.and_then(|at| SystemTime::try_from(at).ok()),
        agent_version: found.agent_version,
    })
}

impl Account for SdkAccount {
    fn api(&self) -> &dyn SsmApi {
        &self.ssm
    }

    fn source(&self) -> String {
        self.source.clone()
    }

    fn ssm_url(&self) -> String {
        self.ssm_url.clone()
    }

    fn messages_url(&self) -> Option<String> {
        self.messages_url.clone()
    }

    fn identity(&self) -> BoxFuture<'_, Result<Identity, AwsError>> {
        Box::pin(self.ask_identity())
    }

    fn nodes<'a>(&'a self, candidate: &'a Candidate) -> BoxFuture<'a, Result<Vec<Node>, AwsError>> {
        Box::pin(async move {
            let found = match candidate {
                Candidate::Id(id) if id.starts_with("ecs:") => Vec::new(),
                Candidate::Id(id) => self.ssm.managed_nodes("InstanceIds", id).await?,
                Candidate::Tag(tag) => self.ssm.managed_nodes(&format!("tag:{}", tag.key), &tag.value).await?,
            };
            Ok(found.into_iter().filter_map(node).collect())
        })
    }
}

impl Accounts for SdkConnector {
    fn account<'a>(&'a self, scope: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn Account>, AwsError>> {
        Box::pin(async move {
            let prepared = self.prepare(scope).await?;
            Ok(Arc::new(SdkAccount::make(prepared, scope).await) as Arc<dyn Account>)
        })
    }

    fn expiry<'a>(&'a self, profile: Option<&'a str>) -> BoxFuture<'a, Option<Expiry>> {
        AwsConnector::expiry(self, profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_beside_the_api() {
        for (ssm, messages) in [
            ("https://ssm.eu-west-1.amazonaws.com", Some("https://ssmmessages.eu-west-1.amazonaws.com")),
            ("https://ssm-fips.us-east-1.amazonaws.com", Some("https://ssmmessages-fips.us-east-1.amazonaws.com")),
            ("https://ssm.cn-north-1.amazonaws.com.cn", Some("https://ssmmessages.cn-north-1.amazonaws.com.cn")),
            ("https://vpce-1.ssm.eu-west-1.vpce.amazonaws.com", None),
        ] {
            assert_eq!(gateway(ssm).as_deref(), messages, "{ssm}");
        }
    }
}
