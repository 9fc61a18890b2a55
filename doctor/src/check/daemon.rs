//! What the running daemon is, and what it makes of tunnels. Pure: it was asked before.

use crate::case::DaemonSeen;
use tunnels_api::{Check, Finding, TargetState, TunnelState, TunnelStatus};

/// Another daemon takes the place of one that runs, and its listeners.
const ANEW: &str = "tunnels daemon --takeover";

pub(crate) fn judge(daemon: Option<&DaemonSeen>) -> Vec<Finding> {
    let Some(daemon) = daemon else {
        return vec![Finding::ok(Check::Daemon, "no daemon is running; `tunnels up` starts one")];
    };
    let pid = daemon.version.pid;
    let mut findings = Vec::new();
    if let Some(other) = &daemon.other_config {
        findings.push(
            Finding::warn(Check::Daemon, format!("the running daemon (pid {pid}) has another configuration: {other}"))
                .with_next(format!("examine that one (tunnels --config {other} doctor), or end its daemon: tunnels --config {other} stop")),
        );
    }
    if daemon.version.config_error.is_some() {
        findings.push(
            Finding::warn(
                Check::Daemon,
                "the daemon rejected the last edit of the configuration, and has the one before in force",
            )
            .with_next("`tunnels config check` says what is wrong; if nothing is, save the file once more"),
        );
    }
    if let Some(skew) = &daemon.skew {
        findings.push(
            Finding::warn(Check::Daemon, skew.clone()).with_next(format!("to put this version in its place: {ANEW}")),
        );
    }
    if !daemon.variables.is_empty() {
        let who = if daemon.version.service.is_some() { "is a service with" } else { "was started from a shell with" };
        findings.push(
            Finding::warn(Check::Daemon, format!("the daemon {who} other AWS variables, and keeps those"))
                .with_evidence(daemon.variables.join("; "))
                .with_next(daemon.version.way_to_variables()),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Check::Daemon, format!("the daemon runs (pid {pid}), {}", daemon.version.version)));
    }
    findings
}

/// What is to be said of a tunnel's state, if nothing was found that explains it.
pub(crate) fn unexplained(status: &TunnelStatus) -> Option<Finding> {
    if status.wanted == TargetState::Down {
        return None;
    }
    let is_in_trouble = matches!(
        status.state,
        TunnelState::Failed | TunnelState::NeedsLogin | TunnelState::Connecting | TunnelState::Reconnecting
    );
    if !is_in_trouble {
        return None;
    }
    let said = said(status);
    let text = format!("what was checked works now, but the daemon has {} {}", status.name, status.state);
    let next = match status.state {
        TunnelState::Failed => format!("bring it up again: tunnels up {}", status.name),
        TunnelState::Connecting | TunnelState::Reconnecting => {
            format!("it is tried again by itself; at once: tunnels restart {}", status.name)
        }
        _ => format!("tunnels restart {}", status.name),
    };
    let finding = Finding::warn(Check::Tunnel, text).with_next(next);
    Some(said.into_iter().fold(finding, Finding::with_evidence).of(&status.name))
}

/// What the daemon says of a tunnel that does not work.
pub(crate) fn said(status: &TunnelStatus) -> Option<String> {
    let cause = status.cause.as_ref()?;
    Some(format!("the daemon says: {}: {}", status.state, cause.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tunnels_api::Verdict;

    fn seen() -> DaemonSeen {
        let version = serde_json::from_value(json!({"version": "0.1.0", "pid": 7, "socket": "/s"})).unwrap();
        DaemonSeen { version, tunnels: Vec::new(), skew: None, variables: Vec::new(), other_config: None }
    }

    fn status(state: &str, wanted: &str) -> TunnelStatus {
        serde_json::from_value(json!({
            "name": "db", "state": state, "wanted": wanted, "local": "127.0.0.1:1", "remote": ":1",
            "sessions": 0, "streams": 0, "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0,
            "since": "2026-11-21T06:00:00Z", "cause": {"kind": "access-denied", "text": "IAM says no"},
        }))
        .unwrap()
    }

    #[test]
    fn a_daemon_of_another_version_or_shell_is_told_with_the_mend() {
        let variables = vec!["AWS_PROFILE is `a` here and `b` in the daemon".to_owned()];
        let skew = Some("the running daemon is 0.1.0, and this command 0.2.0".to_owned());
        let findings = judge(Some(&DaemonSeen { skew, variables, ..seen() }));
        assert_eq!(findings[1].evidence.as_deref(), Some("AWS_PROFILE is `a` here and `b` in the daemon"));
        assert!(findings.iter().all(|finding| finding.next.as_ref().unwrap().ends_with(ANEW)));
    }

    #[test]
    fn a_daemon_that_is_as_it_should_be_is_fine() {
        assert_eq!(judge(Some(&seen()))[0].verdict, Verdict::Ok);
        assert_eq!(judge(None)[0].verdict, Verdict::Ok);
    }

    #[test]
    fn only_trouble_that_nothing_explains_is_worth_a_word() {
        let failed = unexplained(&status("failed", "up")).unwrap();
        assert_eq!(
            (failed.verdict, failed.evidence.as_deref()),
            (Verdict::Warn, Some("the daemon says: failed: IAM says no"))
        );
        assert_eq!(failed.next.as_deref(), Some("bring it up again: tunnels up db"));
        for fine in ["ready", "listening", "degraded"] {
            assert_eq!(unexplained(&status(fine, "up")), None, "{fine}");
        }
        assert_eq!(unexplained(&status("down", "down")), None);
    }
}
