//! A call that AWS refused, or that did not get there, as a finding of the check that it belongs to. Pure.
//!
//! The words are those of `status`, so that the same trouble reads the same everywhere.

use super::clock;
use super::permission::{self, Place};
use tunnels_api::{CauseKind, Check, Finding};
use tunnels_daemon::aws::AwsError;
use tunnels_daemon::config::TunnelConfig;
use tunnels_daemon::explain;

/// Who asked what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The check that asked: an error that belongs to no other is its own.
    pub(crate) check: Check,
    /// The action, where IAM's words do not name it.
    pub(crate) action: &'a str,
    pub(crate) tunnel: &'a TunnelConfig,
    /// The target, as it was asked for; empty where none was.
    pub(crate) node: &'a str,
    pub(crate) place: Place<'a>,
}

pub(crate) fn judge(error: AwsError, asked: Asked<'_>) -> Finding {
    if let AwsError::AccessDenied(message) = &error {
        return permission::finding(message, asked.action, asked.tunnel, asked.node, asked.place);
    }
    if let AwsError::BadSignature(message) = &error
        && let Some(clock) = clock::told_by(message)
    {
        return clock;
    }
    let evidence = said(&error);
    let is_endpoint = matches!(&error, AwsError::Config(text) if text.contains("endpoint"));
    let is_settings = matches!(error, AwsError::Config(_));
    let region = Some(asked.place.region).filter(|region| !region.is_empty());
    let node = Some(asked.node).filter(|node| !node.is_empty());
    let cause = explain(asked.tunnel, region, node, error);
    let check = match cause.kind {
        CauseKind::Network | CauseKind::Proxy | CauseKind::Certificate => Check::SsmEndpoint,
        CauseKind::Credentials | CauseKind::NoCredentials | CauseKind::NoProfile => Check::Credentials,
        CauseKind::NoRegion => Check::Region,
        CauseKind::TargetOffline | CauseKind::NoSuchTarget => Check::Target,
        CauseKind::DocumentMissing => Check::Document,
        CauseKind::Config if is_endpoint => Check::SsmEndpoint,
        CauseKind::Config if is_settings => Check::Credentials,
        _ => asked.check,
    };
    let next = cause.next.or_else(|| by_itself(cause.kind).map(str::to_owned));
    let mut finding = Finding::fail(check, cause.text.clone());
    finding.evidence = evidence.filter(|said| !cause.text.contains(said.as_str()));
    finding.next = next;
    finding
}

/// What AWS or the provider of credentials said.
fn said(error: &AwsError) -> Option<String> {
    match error {
        AwsError::NoCredentials { message, .. }
        | AwsError::ExpiredCredentials { message, .. }
        | AwsError::TargetNotConnected(message)
        | AwsError::InvalidDocument(message) => Some(message.clone()),
        _ => None,
    }
}

/// What to do about trouble of AWS's own.
fn by_itself(kind: CauseKind) -> Option<&'static str> {
    match kind {
        CauseKind::Throttled => {
            Some("wait: tunnels try again by themselves; if it lasts, ask who else calls so often in this account")
        }
        CauseKind::ServiceError => {
            Some("try again in a while; https://health.aws.amazon.com/health/status shows AWS's own trouble")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::tunnel;

    #[test]
    fn each_error_belongs_to_what_has_to_be_mended() {
        let m = || "m".to_owned();
        let late = "Signature expired: 20261121T180000Z is now earlier than 20261121T183000Z".to_owned();
        let login = Some("aws sso login --profile dev".to_owned());
        for (error, check) in [
            (AwsError::Unreachable(m()), Check::SsmEndpoint),
            (AwsError::ExpiredCredentials { message: m(), login: login.clone() }, Check::Credentials),
            (AwsError::NoCredentials { message: m(), login }, Check::Credentials),
            (AwsError::BadSignature(m()), Check::Credentials),
            (AwsError::BadSignature(late), Check::Clock),
            (AwsError::NoProfile { name: m(), similar: None }, Check::Credentials),
            (AwsError::NoRegion, Check::Region),
            (AwsError::AccessDenied(m()), Check::Permission),
            (AwsError::TargetNotConnected(m()), Check::Target),
            (AwsError::InvalidDocument(m()), Check::Document),
            (AwsError::InvalidRequest(m()), Check::Session),
            (AwsError::Throttled(m()), Check::Session),
            (AwsError::Service(m()), Check::Session),
            (AwsError::Config("the SSM endpoint: `x` is no URL".into()), Check::SsmEndpoint),
            (AwsError::Config("a profile refers to itself".into()), Check::Credentials),
        ] {
            let asked = Asked {
                check: Check::Session,
                action: "ssm:StartSession",
                tunnel: &tunnel(""),
                node: "i-0123",
                place: Place { region: "eu-west-1", account: None },
            };
            let finding = judge(error.clone(), asked);
            assert_eq!(finding.check, check, "{error:?}");
            assert!(finding.next.is_some(), "{error:?} says what to do");
        }
    }
}
