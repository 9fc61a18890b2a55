//! What was seen on the way to an endpoint, as a finding. Pure.

use crate::aws::is_private;
use crate::way::{Blocked, BlockedStep, Way};
use std::net::IpAddr;
use tunnels_api::{Check, Finding};
use tunnels_daemon::aws::AwsError;
use tunnels_daemon::config;

/// What the configuration says of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    /// `SsmEndpoint` or `MessagesEndpoint`.
    pub(crate) check: Check,
    /// Whether somebody named it, instead of AWS's own.
    pub(crate) is_override: bool,
    pub(crate) region: &'a str,
}

impl Named<'_> {
    fn key(self) -> &'static str {
        if self.check == Check::MessagesEndpoint { "endpoints.ssmmessages" } else { "endpoints.ssm" }
    }

    /// Who is spoken to, in words.
    fn who(self) -> &'static str {
        if self.check == Check::MessagesEndpoint { "the gateway of the data channels" } else { "the SSM API" }
    }
}

/// What the way says of the endpoint; or of the region, if there is no such one.
pub(crate) fn judge(way: &Way, named: Named<'_>) -> Finding {
    let host = &way.host;
    let finding = match (&way.opened, &way.answer) {
        (Err(blocked), _) => failed(way, blocked, named),
        (Ok(()), Some(Err(what))) => {
            let text = format!("{host}:{} can be connected to, but does not answer: {what}", way.port);
            Finding::fail(named.check, text).with_next(format!(
                "a firewall or VPN may swallow what is sent: check that {host} is AWS, and try another network"
            ))
        }
        (Ok(()), Some(Ok(head))) if (300..400).contains(&head.status) => {
            let to = head.location.as_deref().unwrap_or("another page");
            Finding::fail(named.check, format!("what answers as {host} is not AWS: it leads to {to}"))
                .with_next("this network asks for a login first: open that page in a browser")
        }
        _ => Finding::ok(named.check, format!("{} is reached at {host}", named.who())),
    };
    evidence(way).into_iter().fold(finding, Finding::with_evidence)
}

fn failed(way: &Way, blocked: &Blocked, named: Named<'_>) -> Finding {
    let host = &way.host;
    let is_unknown = !named.is_override && !config::is_known_region(named.region);
    if is_unknown && matches!(blocked.step, BlockedStep::Name | BlockedStep::BehindProxy) {
        let near = config::nearest_region(named.region);
        let next =
            near.map_or("correct `region`".to_owned(), |near| format!("correct `region`: did you mean `{near}`?"));
        return Finding::fail(
            Check::Region,
            format!("there is no AWS region `{}`, as far as can be told", named.region),
        )
        .with_next(next);
    }
    let is_vpce = host.starts_with("vpce-") || host.contains(".vpce.");
    let own_next = match &blocked.error {
        AwsError::Blocked { next, .. } => next.clone(),
        _ => None,
    };
    let text = match &blocked.error {
        AwsError::Unreachable(text) | AwsError::NoAnswer(text) => text.clone(),
        other => other.to_string(),
    };
    let next = own_next.unwrap_or_else(|| match blocked.step {
        BlockedStep::Name if is_vpce => format!(
            "check the name of the VPC endpoint in `{}`; such names are known everywhere, so a typing error or an endpoint \
             that was deleted is most likely",
            named.key()
        ),
        BlockedStep::Name if named.is_override => {
            format!("check `{}` (or AWS_ENDPOINT_URL*), and this machine's DNS; a private name needs the VPN", named.key())
        }
        BlockedStep::Name => "check this machine's network and DNS, and whether a VPN has to be up".to_owned(),
        BlockedStep::Tcp if all_private(way) => {
            "its address is private: it is reached from inside the VPC only, so connect the VPN (or take the endpoint \
             override out), and let its security group admit port 443"
                .to_owned()
        }
        BlockedStep::Tcp if named.is_override => {
            format!("check host and port in `{}` (or AWS_ENDPOINT_URL*), and that it runs", named.key())
        }
        BlockedStep::Tcp => format!("allow connections to {host}:{} in the firewall, or set HTTPS_PROXY", way.port),
        BlockedStep::Tls | BlockedStep::Proxy | BlockedStep::BehindProxy => {
            format!("check what stands between this machine and {host}")
        }
    });
    Finding::fail(named.check, text).with_next(next)
}

fn all_private(way: &Way) -> bool {
    !way.addresses.is_empty() && way.addresses.iter().all(is_private)
}

/// Where the way led, as far as the text does not say it anyhow.
fn evidence(way: &Way) -> Option<String> {
    const MOST: usize = 3;
    let Way { host, port, .. } = way;
    let is_name = way.addresses.iter().any(|address| address.to_string() != *host);
    let route = if let Some(proxy) = &way.proxy {
        Some(format!("{host}:{port} through the proxy {proxy}"))
    } else if is_name {
        let shown: Vec<String> = way.addresses.iter().take(MOST).map(described).collect();
        let more = if way.addresses.len() > MOST { ", …" } else { "" };
        Some(format!("{host}:{port} is {}{more}", shown.join(", ")))
    } else {
        None
    };
    let answer = way.answer.as_ref().and_then(|answer| answer.as_ref().ok());
    let parts: Vec<String> =
        route.into_iter().chain(answer.map(|head| format!("it answers HTTP {}", head.status))).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn described(address: &IpAddr) -> String {
    let kind = if address.is_loopback() {
        "this machine"
    } else if is_private(address) {
        "private"
    } else {
        "public"
    };
    format!("{address} ({kind})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::way::Head;
    use tunnels_api::Verdict;

    fn way(host: &str, addresses: &[&str], opened: Result<(), (BlockedStep, AwsError)>) -> Way {
        Way {
            host: host.into(),
            port: 443,
            proxy: None,
            addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
            opened: opened.map_err(|(step, error)| Blocked { error, step }),
            answer: None,
        }
    }

    fn named(region: &str, is_override: bool) -> Named<'_> {
        Named { check: Check::SsmEndpoint, is_override, region }
    }

    fn unreachable(what: &str) -> AwsError {
        AwsError::Unreachable(what.into())
    }

    #[test]
    fn a_name_that_nobody_knows_is_the_region_s_fault_if_nobody_knows_that_either() {
        let unknown = |host: &str| unreachable(&format!("cannot resolve {host}"));
        let blocked = |host: &str| way(host, &[], Err((BlockedStep::Name, unknown(host))));
        let typo = judge(&blocked("ssm.eu-wst-1.amazonaws.com"), named("eu-wst-1", false));
        assert_eq!((typo.check, typo.verdict), (Check::Region, Verdict::Fail));
        assert_eq!(typo.next.as_deref(), Some("correct `region`: did you mean `eu-west-1`?"));
        let network = judge(&blocked("ssm.eu-west-1.amazonaws.com"), named("eu-west-1", false));
        assert_eq!(network.check, Check::SsmEndpoint);
        assert!(network.next.unwrap().contains("DNS"));
        let private = judge(&blocked("vpce-0a1b.ssm.eu-west-1.vpce.amazonaws.com"), named("eu-west-1", true));
        assert!(private.next.unwrap().contains("VPC endpoint in `endpoints.ssm`"));
    }

    #[test]
    fn a_private_address_that_does_not_answer_wants_the_vpn() {
        let timeout = || Err((BlockedStep::Tcp, unreachable("the TCP connection did not finish within 5s")));
        let inside =
            judge(&way("ssm.eu-west-1.amazonaws.com", &["10.0.3.7", "10.0.4.9"], timeout()), named("eu-west-1", false));
        assert!(inside.next.unwrap().contains("VPN"));
        assert_eq!(
            inside.evidence.as_deref(),
            Some("ssm.eu-west-1.amazonaws.com:443 is 10.0.3.7 (private), 10.0.4.9 (private)")
        );
        let outside = judge(&way("ssm.eu-west-1.amazonaws.com", &["52.94.5.1"], timeout()), named("eu-west-1", false));
        assert!(outside.next.unwrap().contains("firewall"));
    }

    #[test]
    fn whoever_leads_elsewhere_is_not_aws() {
        let answer = |status, location: Option<&str>| Way {
            answer: Some(Ok(Head { status, clock_ahead: None, location: location.map(str::to_owned) })),
            ..way("ssm.eu-west-1.amazonaws.com", &["52.94.5.1"], Ok(()))
        };
        let portal = judge(&answer(302, Some("http://hotel.example/")), named("eu-west-1", false));
        assert!(portal.text.ends_with("is not AWS: it leads to http://hotel.example/"), "{}", portal.text);
        let fine = judge(&answer(404, None), named("eu-west-1", false));
        assert_eq!(
            (fine.verdict, fine.text.as_str()),
            (Verdict::Ok, "the SSM API is reached at ssm.eu-west-1.amazonaws.com")
        );
        assert_eq!(
            fine.evidence.as_deref(),
            Some("ssm.eu-west-1.amazonaws.com:443 is 52.94.5.1 (public); it answers HTTP 404")
        );
    }
}
