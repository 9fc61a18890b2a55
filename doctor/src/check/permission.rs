//! What IAM denies, read out of its own words, and the statement of a policy that would allow it. Pure.

use serde_json::{Value, json};
use tunnels_api::{Check, Finding};
use tunnels_daemon::config::TunnelConfig;

/// What IAM's message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    /// `ssm:StartSession`.
    pub(crate) action: String,
    /// The ARN.
    pub(crate) resource: Option<String>,
    /// What kind of policy denies it in so many words: then allowing it elsewhere helps nothing.
    pub(crate) explicit: Option<String>,
    /// What kind of policy, other than the caller's own, would have to allow it.
    pub(crate) missing_in: Option<String>,
}

impl Denial {
    /// Reads `User: ARN is not authorized to perform: ACTION on resource: ARN because …`; `usual` is the action where
    /// the message names none.
    pub(crate) fn read(message: &str, usual: &str) -> Self {
        let word = |words: &str| message.split_once(words)?.1.split_whitespace().next();
        let plain = |word: &str| word.trim_end_matches(['.', ',', ';']).to_owned();
        let explicit = message.split_once("with an explicit deny");
        let missing = message.split_once("because no ").and_then(|(_, rest)| rest.split_once(" allows"));
        Self {
            action: word("to perform: ").map_or_else(|| usual.to_owned(), plain),
            resource: word("on resource: ").map(plain),
            explicit: explicit.map(|(_, rest)| rest.trim_start_matches(" in").trim().trim_end_matches('.').to_owned()),
            missing_in: missing.map(|(kind, _)| kind.to_owned()).filter(|kind| kind != "identity-based policy"),
        }
    }
}

/// Where a tunnel's resources are, for their ARNs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) region: &'a str,
    /// None where it is not known: `*` stands for it.
    pub(crate) account: Option<&'a str>,
}

impl Place<'_> {
    fn partition(self) -> &'static str {
        match self.region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            region if region.starts_with("eusc-") => "aws-eusc",
            region if region.starts_with("us-isob-") => "aws-iso-b",
            region if region.starts_with("us-isof-") => "aws-iso-f",
            region if region.starts_with("eu-isoe-") => "aws-iso-e",
            region if region.starts_with("us-iso-") => "aws-iso",
            _ => "aws",
        }
    }

    fn arn(self, service: &str, account: Option<&str>, rest: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{rest}", self.partition(), self.region, account.unwrap_or("*"))
    }

    /// The ARN of a managed node, as IAM names it for StartSession.
    fn node(self, id: &str) -> String {
        if let Some(task) = id.strip_prefix("ecs:") {
            // CLUSTER_TASK_RUNTIME: only a cluster's name may have an underscore.
            let mut parts = task.rsplitn(3, '_').skip(1);
            let (task, cluster) = (parts.next().unwrap_or("*"), parts.next().unwrap_or("*"));
            return self.arn("ecs", self.account, &format!("task/{cluster}/{task}"));
        }
        if id.starts_with("mi-") {
            return self.arn("ssm", self.account, &format!("managed-instance/{id}"));
        }
        self.arn("ec2", self.account, &format!("instance/{id}"))
    }

    /// Documents of AWS's own belong to no account.
    fn document(self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let account = if name.starts_with("AWS-") { Some("") } else { self.account };
        self.arn("ssm", account, &format!("document/{name}"))
    }
}

/// The statement that allows what was denied: for a session all that a session needs, so that it is asked for once.
pub(crate) fn statement(denial: &Denial, tunnel: &TunnelConfig, node: &str, place: Place<'_>) -> Value {
    let resource = match denial.action.as_str() {
        "ssm:StartSession" => json!([place.node(node), place.document(tunnel.document_name())]),
        // As AWS's own examples have it: the caller's own sessions.
        "ssmmessages:OpenDataChannel" | "ssm:ResumeSession" | "ssm:TerminateSession" => {
            json!([format!("arn:{}:ssm:*:*:session/${{aws:userid}}-*", place.partition())])
        }
        _ => json!(denial.resource.as_deref().filter(|arn| arn.starts_with("arn:")).unwrap_or("*")),
    };
    json!({ "Effect": "Allow", "Action": denial.action, "Resource": resource })
}

/// What somebody who was denied something reads.
pub(crate) fn finding(message: &str, usual: &str, tunnel: &TunnelConfig, node: &str, place: Place<'_>) -> Finding {
    let denial = Denial::read(message, usual);
    let on = denial.resource.as_ref().map_or(String::new(), |resource| format!(" on {resource}"));
    let who = tunnel.scope.profile.as_ref().map_or("you".to_owned(), |profile| format!("profile `{profile}`"));
    let text = format!("IAM does not allow {who} {}{on}", denial.action);
    let finding = Finding::fail(Check::Permission, text).with_evidence(message);
    if let Some(policy) = denial.explicit {
        let next = format!(
            "{} denies it: ask whoever owns that policy; allowing it elsewhere does not help",
            if policy.is_empty() { "a policy" } else { &policy }
        );
        return finding.with_next(next);
    }
    if denial.action == "sts:AssumeRole" {
        let next = "ask for this statement in a policy of yours, and for a trust policy of the role that names you";
        return finding.with_next(next).with_policy(statement(&denial, tunnel, node, place));
    }
    let next = match &denial.missing_in {
        Some(kind) => format!("the {kind} has to allow this statement, too; or choose another `profile`"),
        None => "ask for this statement in your IAM policy, or choose another `profile`".to_owned(),
    };
    finding.with_next(next).with_policy(statement(&denial, tunnel, node, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::tunnel;

    const PLACE: Place<'_> = Place { region: "eu-west-1", account: Some("123456789012") };

    #[test]
    fn iam_s_words_are_read() {
        let who = "User: arn:aws:sts::1:assumed-role/dev/ada is not authorized to perform:";
        for (message, action, resource, explicit, missing_in) in [
            (
                "ssm:StartSession on resource: arn:aws:ec2:eu-west-1:1:instance/i-1 because no identity-based policy allows the ssm:StartSession action",
                "ssm:StartSession",
                Some("arn:aws:ec2:eu-west-1:1:instance/i-1"),
                None,
                None,
            ),
            (
                "ssm:StartSession on resource: arn:aws:ec2:eu-west-1:1:instance/i-1 with an explicit deny in a service control policy",
                "ssm:StartSession",
                Some("arn:aws:ec2:eu-west-1:1:instance/i-1"),
                Some("a service control policy"),
                None,
            ),
            (
                "ssm:DescribeInstanceInformation on resource: arn:aws:ssm:eu-west-1:1:* because no VPC endpoint policy allows the ssm:DescribeInstanceInformation action",
                "ssm:DescribeInstanceInformation",
                Some("arn:aws:ssm:eu-west-1:1:*"),
                None,
                Some("VPC endpoint policy"),
            ),
            (
                "sts:AssumeRole on resource: arn:aws:iam::2:role/ops.",
                "sts:AssumeRole",
                Some("arn:aws:iam::2:role/ops"),
                None,
                None,
            ),
        ] {
            let denial = Denial::read(&format!("{who} {message}"), "ssm:Usual");
            let expected = Denial {
                action: action.into(),
                resource: resource.map(str::to_owned),
                explicit: explicit.map(str::to_owned),
                missing_in: missing_in.map(str::to_owned),
            };
            assert_eq!(denial, expected, "{message}");
        }
        let bare = Denial::read("Access denied", "ssm:StartSession");
        assert_eq!((bare.action.as_str(), bare.resource), ("ssm:StartSession", None));
    }

    #[test]
    fn the_missing_statement_names_node_and_document() {
        let tunnel = tunnel("");
        let denial = Denial::read("to perform: ssm:StartSession on resource: x", "");
        for (node, region, arn) in [
            ("i-0123", "eu-west-1", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123"),
            ("mi-0123", "cn-north-1", "arn:aws-cn:ssm:cn-north-1:123456789012:managed-instance/mi-0123"),
            ("ecs:web_0a1b_c-9", "us-gov-west-1", "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:task/web/0a1b"),
            ("ecs:my_cluster_0a1b_c-9", "eu-west-1", "arn:aws:ecs:eu-west-1:123456789012:task/my_cluster/0a1b"),
        ] {
            let statement = statement(&denial, &tunnel, node, Place { region, ..PLACE });
            assert_eq!(statement["Resource"][0], arn);
            let document = statement["Resource"][1].as_str().unwrap();
            assert!(document.ends_with("::document/AWS-StartPortForwardingSessionToRemoteHost"), "{document}");
        }
        let channel = Denial::read("", "ssmmessages:OpenDataChannel");
        let statement = statement(&channel, &tunnel, "i-0123", PLACE);
        assert_eq!(statement["Resource"][0], "arn:aws:ssm:*:*:session/${aws:userid}-*");
    }

    #[test]
    fn an_explicit_deny_is_not_mended_by_an_allow() {
        let message = "User: a is not authorized to perform: ssm:StartSession on resource: b with an explicit deny in a service control policy";
        let finding = finding(message, "", &tunnel(""), "i-0123", PLACE);
        assert_eq!(finding.policy, None);
        assert!(finding.next.unwrap().starts_with("a service control policy denies it"));
    }
}
