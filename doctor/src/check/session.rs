//! What came of a session that was opened to see: permission, document, agent, and whether the remote answers. Pure but for
//! the session itself, which is the daemon's code.

use super::agent;
use super::permission::{self, Place};
use super::refused::{self, Asked};
use std::net::IpAddr;
use tunnels_api::{CauseKind, Check, Finding, TunnelState, TunnelStatus};
use tunnels_daemon::config::{Probe, TunnelConfig};
use tunnels_daemon::{Trial, TrialFailure, TrialStep};

/// What can be said of the remote before anybody is asked.
pub(crate) fn denied(tunnel: &TunnelConfig) -> Option<Finding> {
    let host: IpAddr = tunnel.remote.host.as_deref()?.parse().ok()?;
    ssm_proto::is_denied_by_default(host).then(|| {
        Finding::fail(Check::Remote, format!("the SSM agent does not forward to {host}"))
            .with_evidence("it refuses the addresses of AWS's own services: instance metadata, DNS, time")
            .with_next("choose another `remote`; on the node itself that address can be used")
    })
}

/// What the running daemon's own session says, if it has one that tells.
pub(crate) fn of_daemon(status: &TunnelStatus) -> Option<Vec<Finding>> {
    let has_session = Finding::ok(Check::Session, "the running daemon has a session that carries");
    match (status.state, &status.cause) {
        (TunnelState::Ready, _) => {
            let answers = format!("{} answers, by the running daemon's probe", status.remote);
            Some(vec![has_session, Finding::ok(Check::Remote, answers)])
        }
        (TunnelState::Degraded, Some(cause)) => {
            let remote =
                Finding::fail(Check::Remote, cause.text.clone()).with_evidence("by the running daemon's session");
            Some(vec![has_session, cause.next.iter().cloned().fold(remote, Finding::with_next)])
        }
        _ => None,
    }
}

/// That a session is left over, if it is.
fn left(trial: &Trial) -> Option<Finding> {
    let (id, why) = trial.left.as_ref()?;
    let finding =
        Finding::warn(Check::Session, format!("the session {id} that was opened to see could not be ended: {why}"));
    Some(finding.with_next(format!(
        "aws ssm terminate-session --session-id {id}, or leave it to the account's idle timeout; tunnels need ssm:TerminateSession"
    )))
}

pub(crate) fn judge(trial: &Trial, tunnel: &TunnelConfig, node: &str, place: Place<'_>) -> Vec<Finding> {
    let opened = || {
        left(trial)
            .unwrap_or_else(|| Finding::ok(Check::Session, format!("a session opened on {node}, and was ended again")))
    };
    match &trial.failure {
        None => vec![opened(), answered(tunnel)],
        Some(failure) => {
            let finding = failed(failure, trial.agent_version.as_deref(), tunnel, node, place);
            // The session is there; what it leads to is not.
            if failure.step == TrialStep::Remote {
                vec![opened(), finding]
            } else {
                left(trial).into_iter().chain([finding]).collect()
            }
        }
    }
}

fn answered(tunnel: &TunnelConfig) -> Finding {
    let remote = &tunnel.remote;
    match tunnel.probe {
        Probe::None => Finding::skipped(Check::Remote, format!("{remote} was not asked: `probe = \"none\"`")),
        Probe::Tcp => Finding::ok(Check::Remote, format!("{remote} does not refuse connections")).with_evidence(
            "the wire has no sign of success; a `probe` of the remote's protocol would wait for an answer",
        ),
        probe => Finding::ok(Check::Remote, format!("{remote} answers"))
            .with_evidence(format!("to `probe = \"{probe}\"`, any answer counts")),
    }
}

fn failed(
    failure: &TrialFailure,
    version: Option<&str>,
    tunnel: &TunnelConfig,
    node: &str,
    place: Place<'_>,
) -> Finding {
    let TrialFailure { step, cause, error, refused } = failure;
    if let Some(error) = error {
        let asked = Asked { check: Check::Session, action: "ssm:StartSession", tunnel, node, place };
        return refused::judge(error.clone(), asked);
    }
    let is_login = cause.text.to_lowercase().contains("expired");
    if matches!(refused, Some(401 | 403)) && !is_login {
        let denied = permission::finding(&cause.text, "ssmmessages:OpenDataChannel", tunnel, node, place);
        return Finding { evidence: Some(cause.text.clone()), ..denied };
    }
    let finding = |check| cause.next.iter().cloned().fold(Finding::fail(check, cause.text.clone()), Finding::with_next);
    match (step, cause.kind) {
        // What agents say that have no part for such sessions.
        (TrialStep::Agent, CauseKind::Other) if cause.text.contains("Plugin with name") => {
            finding(Check::Agent).with_next(agent::UPDATE)
        }
        (_, CauseKind::AgentTooOld) => match version {
            Some(version) => agent::judge(node, version, tunnel.remote.host.is_some()),
            None => finding(Check::Agent),
        },
        (_, CauseKind::Credentials | CauseKind::AccessDenied) => finding(Check::Credentials),
        (TrialStep::Channel, CauseKind::Network | CauseKind::Proxy | CauseKind::Certificate) => {
            finding(Check::MessagesEndpoint)
        }
        (_, CauseKind::DocumentMissing) => finding(Check::Document),
        (TrialStep::Remote, CauseKind::ProbeFailed) => silent(finding(Check::Remote), tunnel, node),
        (TrialStep::Remote, _) | (_, CauseKind::NoSuchHost | CauseKind::RemoteRefused) => finding(Check::Remote),
        _ if cause.next.is_none() => finding(Check::Session).with_next(format!(
            "restart the SSM agent on {node} (sudo systemctl restart amazon-ssm-agent), and see that it has memory left: each \
             session is a process of its own there"
        )),
        _ => finding(Check::Session),
    }
}

/// Neither refused nor answered: packets are dropped on the way, or somebody waits for another protocol.
fn silent(finding: Finding, tunnel: &TunnelConfig, node: &str) -> Finding {
    let (remote, probe) = (&tunnel.remote, tunnel.probe);
    finding.with_next(format!(
        "let the security group of {remote} admit {node} on port {}; if it does not speak {probe}, set `probe`",
        remote.port
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::tunnel;
    use tunnels_api::{Cause, Verdict};

    fn judged(failure: Option<TrialFailure>, version: &str) -> Vec<Finding> {
        let trial = Trial { agent_version: Some(version.into()), failure, left: None };
        judge(&trial, &tunnel(""), "i-0123", Place { region: "eu-west-1", account: None })
    }

    fn failure(step: TrialStep, kind: CauseKind, text: &str, refused: Option<u16>) -> TrialFailure {
        TrialFailure { step, cause: Cause::new(kind, text), error: None, refused }
    }

    #[test]
    fn where_a_session_ended_says_what_is_to_be_mended() {
        for (failed, check) in [
            (failure(TrialStep::Channel, CauseKind::Network, "cannot connect", None), Check::MessagesEndpoint),
            (failure(TrialStep::Channel, CauseKind::AccessDenied, "HTTP 403", Some(403)), Check::Permission),
            (
                failure(TrialStep::Channel, CauseKind::AccessDenied, "HTTP 403: token is expired", Some(403)),
                Check::Credentials,
            ),
            (failure(TrialStep::Channel, CauseKind::ServiceError, "HTTP 503", Some(503)), Check::Session),
            (failure(TrialStep::Agent, CauseKind::NoSuchHost, "lookup", None), Check::Remote),
            (failure(TrialStep::Agent, CauseKind::RemoteRefused, "forbidden", None), Check::Remote),
            (failure(TrialStep::Agent, CauseKind::DocumentMissing, "a shell", None), Check::Document),
            (failure(TrialStep::Agent, CauseKind::AgentTooOld, "no multiplexing", None), Check::Agent),
            (failure(TrialStep::Agent, CauseKind::Other, "silent", None), Check::Session),
            (failure(TrialStep::Agent, CauseKind::Other, "Plugin with name Port not found", None), Check::Agent),
            (failure(TrialStep::Remote, CauseKind::RemoteRefused, "refuses", None), Check::Remote),
            (failure(TrialStep::Remote, CauseKind::ProbeFailed, "does not answer", None), Check::Remote),
        ] {
            let findings = judged(Some(failed.clone()), "3.0.1.0");
            let worst = findings.iter().min_by_key(|finding| finding.verdict).unwrap();
            assert_eq!((worst.check, worst.verdict), (check, Verdict::Fail), "{failed:?}");
        }
    }

    #[test]
    fn a_channel_that_may_not_be_opened_prints_its_own_statement() {
        let refused = failure(TrialStep::Channel, CauseKind::AccessDenied, "refused: HTTP 403", Some(403));
        let policy = judged(Some(refused), "3.3.987.0").remove(0).policy.unwrap();
        assert_eq!(policy["Action"], "ssmmessages:OpenDataChannel");
    }

    #[test]
    fn a_session_that_carries_is_two_good_findings() {
        let findings = judged(None, "3.3.987.0");
        let words: Vec<_> = findings.iter().map(|finding| (finding.check, finding.verdict)).collect();
        assert_eq!(words, [(Check::Session, Verdict::Ok), (Check::Remote, Verdict::Ok)]);
    }

    #[test]
    fn a_session_that_is_left_over_is_told_with_the_command_that_ends_it() {
        let left = Some(("s-1".to_owned(), "access denied".to_owned()));
        let trial = Trial { agent_version: None, failure: None, left };
        let finding = judge(&trial, &tunnel(""), "i-0123", Place { region: "eu-west-1", account: None }).remove(0);
        assert_eq!(finding.verdict, Verdict::Warn);
        assert!(finding.next.unwrap().starts_with("aws ssm terminate-session --session-id s-1,"));
    }

    #[test]
    fn the_metadata_service_is_told_before_a_session_is_opened() {
        assert!(denied(&tunnel("remote = \"169.254.169.254:80\"")).is_some());
        assert_eq!(denied(&tunnel("remote = \"10.0.0.1:80\"")), None);
        assert_eq!(denied(&tunnel("")), None);
    }
}
