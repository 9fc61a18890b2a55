//! Whether the SSM agent on a target is new enough, and what is lost if it is not. Pure.

use ssm_proto::handshake::features::Features;
use std::cmp::Ordering;
use tunnels_api::{Check, Finding};

/// docs/protocol.md §1.6: from this version on agents forward to other hosts than their own.
const REMOTE_HOSTS: [u64; 4] = [3, 1, 1374, 0];
pub(crate) const UPDATE: &str = "update it: run the document AWS-UpdateSSMAgent on the node (Systems Manager, Run Command), or reinstall amazon-ssm-agent";

/// `forwards`: whether the tunnel leads to a host behind the target.
pub(crate) fn judge(node: &str, version: &str, forwards: bool) -> Finding {
    let features = Features::of_agent(version);
    let said = format!("the SSM agent on {node} is {version}");
    if !features.multiplexing {
        return Finding::fail(Check::Agent, format!("{said}, which is too old: it takes one connection a session"))
            .with_evidence("sessions with several connections need an agent newer than 3.0.196.0")
            .with_next(UPDATE);
    }
    if forwards && is_below(version, REMOTE_HOSTS) {
        return Finding::fail(Check::Agent, format!("{said}, which is too old to forward to other hosts than its own"))
            .with_evidence("AWS-StartPortForwardingSessionToRemoteHost needs agent 3.1.1374.0 or newer")
            .with_next(UPDATE);
    }
    if features.smux_keep_alive {
        return Finding::warn(
            Check::Agent,
            format!("{said}: it ends a session that is silent for a minute, so sessions have to be kept busy"),
        )
        .with_evidence("agents up to 3.1.1511.0 want keep-alive messages, which count as activity for an idle timeout of the account")
        .with_next(UPDATE);
    }
    Finding::ok(Check::Agent, said)
}

/// By components; what is no version is not below anything.
fn is_below(version: &str, gate: [u64; 4]) -> bool {
    let parts: Option<Vec<u64>> = version.split('.').map(|part| part.parse().ok()).collect();
    parts.is_some_and(|parts| parts.as_slice().cmp(gate.as_slice()) == Ordering::Less)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::Verdict;

    #[test]
    fn what_is_lost_with_an_old_agent() {
        for (version, forwards, verdict, says) in [
            ("3.3.987.0", true, Verdict::Ok, "is 3.3.987.0"),
            ("3.1.1512.0", true, Verdict::Ok, "is 3.1.1512.0"),
            ("3.1.1511.0", true, Verdict::Warn, "silent for a minute"),
            ("3.1.1373.0", true, Verdict::Fail, "other hosts"),
            ("3.1.1373.0", false, Verdict::Warn, "silent for a minute"),
            ("3.0.196.0", false, Verdict::Fail, "one connection a session"),
            ("2.3.50.0", true, Verdict::Fail, "one connection a session"),
        ] {
            let finding = judge("i-0123", version, forwards);
            assert_eq!(finding.verdict, verdict, "{version}");
            assert!(finding.text.contains(says), "{version}: {}", finding.text);
        }
    }
}
