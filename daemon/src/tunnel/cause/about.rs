//! The words of causes: what went wrong, with the names of what it went wrong with, and what to do next.
//!
//! Written for people who know psql and not Systems Manager. What AWS or the agent said comes last, as they
//! said it, because that is what an administrator asks for.

use super::{DownCause, Retry};
use crate::aws::{AwsError, Obstacle};
use crate::config::{Remote, TunnelConfig};
use ssm_proto::CloseReason;
use tunnels_api::CauseKind;

/// For what is not tried again by itself. Without the tunnel's name: views say once what many tunnels need.
const UP_AGAIN: &str = "then bring it up again";

/// A service does not have a shell's variables, whoever takes over.
const GIVE_CREDENTIALS: &str =
    "from a shell that has them: tunnels daemon --takeover (a service has its own: docs/service.md says where)";

/// What texts name.
#[derive(Debug, Clone)]
pub(crate) struct About {
    profile: Option<String>,
    region: Option<String>,
    /// The node that was asked; before there is one, what is configured.
    target: String,
    remote: Remote,
    document: Option<String>,
}

impl About {
    /// A tunnel of which no more is known than is configured.
    pub(crate) fn tunnel(config: &TunnelConfig) -> Self {
        let candidates: Vec<String> = config.targets.iter().map(ToString::to_string).collect();
        Self {
            profile: config.scope.profile_in_force(),
            region: config.scope.region.clone(),
            target: candidates.join(", "),
            remote: config.remote.clone(),
            document: config.document.clone(),
        }
    }

    /// The same, with the region that calls go to.
    pub(crate) fn in_region(mut self, region: String) -> Self {
        self.region = Some(region);
        self
    }

    /// The same, with the node that was asked.
    pub(crate) fn at(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// What a failed call means.
    pub(crate) fn call_failed(&self, error: AwsError) -> DownCause {
        let text = error.to_string();
        let (target, region) = (&self.target, self.in_the_region());
        match error {
            AwsError::Unreachable(_) | AwsError::NoAnswer(_) => {
                DownCause::new(CauseKind::Network, Retry::Unreachable, text)
                    .with_next("check the network, VPN, proxy variables and AWS_ENDPOINT_URL*")
            }
            AwsError::Blocked { by, next, lasting, .. } => {
                let kind = match by {
                    Obstacle::Proxy => CauseKind::Proxy,
                    Obstacle::Certificate => CauseKind::Certificate,
                };
                let retry = if lasting { Retry::Never } else { Retry::Answered };
                let down = DownCause::new(kind, retry, text);
                next.into_iter().fold(down, DownCause::with_next)
            }
            AwsError::NoCredentials { message, login } => self.no_credentials(&message, login),
            AwsError::ExpiredCredentials { login, .. } => {
                let text = format!("the AWS credentials{} have expired", self.of_the_profile());
                DownCause::new(CauseKind::Credentials, Retry::Login, text).with_next(self.renew(login))
            }
            AwsError::NeedsCode { device, command } => {
                let who =
                    self.profile.as_ref().map_or("the AWS profile".to_owned(), |name| format!("profile `{name}`"));
                let text = format!("{who} needs a code of the MFA device {device}, which a daemon cannot ask for");
                DownCause::new(CauseKind::Credentials, Retry::Login, text)
                    .with_next(format!("run `{command}`, which asks for the code; the tunnel then goes on by itself"))
            }
            AwsError::BadSignature(message) => {
                let text = format!("AWS does not accept the access key{}: {message}", self.of_the_profile());
                DownCause::new(CauseKind::Credentials, Retry::Login, text)
                    .with_next("check the access key and its secret, and this machine's clock")
            }
            AwsError::AccessDenied(message) => {
                let who = self.profile.as_ref().map_or("you".to_owned(), |profile| format!("profile `{profile}`"));
                let what = denied_action(&message).unwrap_or("a session");
                // Whoever is refused credentials has not come to the target yet.
                let to = if what.starts_with("sts:") { String::new() } else { format!(" on {target}{region}") };
                let text = format!("AWS denies {who} {what}{to}: {message}");
                DownCause::new(CauseKind::AccessDenied, Retry::Never, text).with_next(self.ask_for(&message))
            }
            AwsError::TargetNotConnected(_) => {
                let text = format!("{target} is not connected to Systems Manager{region}");
                DownCause::new(CauseKind::TargetOffline, Retry::Answered, text).with_next(
                    "check that the instance and its SSM agent run, and that `profile` and `region` are the instance's",
                )
            }
            AwsError::InvalidDocument(message) => {
                let document =
                    self.document.as_ref().map_or("for port forwarding".to_owned(), |name| format!("`{name}`"));
                let text = format!("the session document {document} cannot be used{region}: {message}");
                DownCause::new(CauseKind::DocumentMissing, Retry::Never, text)
                    .with_next(format!("check `document`: this account and region need it, of type Port; {UP_AGAIN}"))
            }
            AwsError::InvalidRequest(_) => DownCause::new(CauseKind::Config, Retry::Never, text)
                .with_next("check `target`, `remote` and `document`"),
            AwsError::NoRegion => {
                let text = format!("no AWS region is set{}", self.for_the_profile());
                DownCause::new(CauseKind::NoRegion, Retry::Never, text)
                    .with_next("set `region` for the tunnel or in [defaults], or in the profile in ~/.aws/config")
            }
            AwsError::NoProfile { name, similar } => {
                let meant = similar.map_or_else(String::new, |similar| format!(" (did you mean `{similar}`?)"));
                DownCause::new(CauseKind::NoProfile, Retry::Never, text).with_next(format!(
                    "correct `profile`{meant}, or make it: aws configure sso --profile {name}; {UP_AGAIN}"
                ))
            }
            AwsError::Throttled(_) => DownCause::new(CauseKind::Throttled, Retry::Answered, text),
            AwsError::NoSuchSession(_) | AwsError::Service(_) | AwsError::Unknown(_) => {
                DownCause::new(CauseKind::ServiceError, Retry::Answered, text)
            }
            AwsError::Config(_) => DownCause::new(CauseKind::Config, Retry::Never, text)
                .with_next("check `profile`, `region` and `endpoints`, the AWS_* variables, and ~/.aws/config"),
        }
    }

    /// No candidate of this description exists.
    pub(crate) fn no_such_target(&self, candidate: &str) -> DownCause {
        let text = format!("no managed node matches {candidate}{}", self.in_the_region());
        DownCause::new(CauseKind::NoSuchTarget, Retry::Answered, text)
            .with_next("check `target`, and that `profile` and `region` are its own")
    }

    /// They exist, and none of them is online.
    pub(crate) fn all_offline(&self, candidate: &str, count: usize) -> DownCause {
        let who = if count == 1 {
            format!("the node that matches {candidate} is not online")
        } else {
            format!("none of the {count} nodes that match {candidate} is online")
        };
        DownCause::new(CauseKind::TargetOffline, Retry::Answered, format!("{who}{}", self.in_the_region()))
            .with_next("check that it and its SSM agent run")
    }

    /// The agent could not connect; it does not tell why.
    pub(crate) fn remote_refused(&self) -> DownCause {
        let (text, next) = match self.remote.host {
            Some(_) => (
                format!("{} cannot connect to {}", self.target, self.remote),
                "check host and port in `remote`, that it runs, and that its security group admits the target",
            ),
            None => (
                format!("{} refuses connections to its port {}", self.target, self.remote.port),
                "check the port in `remote`, and that something listens on it there",
            ),
        };
        DownCause::new(CauseKind::RemoteRefused, Retry::Answered, text).with_next(next)
    }

    /// The remote took the connection, or seemed to, and then did this.
    pub(crate) fn probe_failed(&self, what: &str) -> DownCause {
        let text = format!("{} {what}", self.named_remote());
        DownCause::new(CauseKind::ProbeFailed, Retry::Answered, text)
            .with_next(format!("check that it answers when asked from {}, or choose another `probe`", self.target))
    }

    /// There is a session, and the agent's part of it never came.
    pub(crate) fn agent_absent(&self) -> DownCause {
        let text = format!("the SSM agent on {} did not answer the session's first messages", self.target);
        DownCause::new(CauseKind::Other, Retry::Answered, text)
    }

    /// The session's websocket is open, and nothing that was sent is acknowledged (docs/protocol.md §7.4).
    pub(crate) fn silent(&self) -> DownCause {
        let text = format!("the SSM agent on {} acknowledges nothing; its session may be dead", self.target);
        DownCause::new(CauseKind::Unresponsive, Retry::Answered, text)
    }

    /// Why a session ended, from what the other side said.
    pub(crate) fn closed(&self, reason: &CloseReason) -> DownCause {
        let text = reason.to_string();
        match reason {
            CloseReason::ChannelClosed { output } => self.channel_closed(output.trim()),
            CloseReason::MultiplexingUnsupported { .. } => {
                DownCause::new(CauseKind::AgentTooOld, Retry::Never, format!("{}: {text}", self.target))
                    .with_next(format!("update the SSM agent on {}; {UP_AGAIN}", self.target))
            }
            CloseReason::UnsupportedSession { .. } => DownCause::new(CauseKind::DocumentMissing, Retry::Never, text)
                .with_next("check `document`: it must be a session document of type Port"),
            CloseReason::ProtocolViolation(_) => DownCause::new(CauseKind::Protocol, Retry::Answered, text),
            CloseReason::Unresponsive(_) => DownCause::new(CauseKind::Unresponsive, Retry::Answered, text),
            _ => DownCause::new(CauseKind::Other, Retry::Answered, text),
        }
    }

    /// `channel_closed` says why only in prose that AWS may reword: matched loosely, kept verbatim
    /// (docs/protocol.md §7.1).
    fn channel_closed(&self, output: &str) -> DownCause {
        let lower = output.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let said = if output.is_empty() {
            "AWS closed the session".to_owned()
        } else {
            format!("AWS closed the session: {output}")
        };
        if has(&["inactiv", "idle"]) {
            DownCause::new(CauseKind::IdlePolicy, Retry::Answered, said).with_next(
                "the account's idle policy ended it; `keep_alive = \"connected\"` keeps a session with open connections alive",
            )
        } else if has(&["maximum", "max session", "duration"]) {
            DownCause::new(CauseKind::MaxDuration, Retry::Answered, said)
        } else if has(&["no such host", "lookup "]) {
            // The agent resolves the host when the session starts (docs/protocol.md §6.4).
            let host = self.remote.host.as_deref().unwrap_or("localhost");
            let text = format!("{} cannot find the host {host}: {output}", self.target);
            DownCause::new(CauseKind::NoSuchHost, Retry::Answered, text)
                .with_next("check the host in `remote`: the target resolves it, not this machine")
        } else if has(&["forbidden"]) {
            let text = format!("{} does not forward to {}: {output}", self.target, self.named_remote());
            DownCause::new(CauseKind::RemoteRefused, Retry::Answered, text)
                .with_next("choose another `remote`: the SSM agent refuses the addresses of AWS's own services")
        } else if has(&["agent"]) && has(&["restart", "shut", "stopp"]) {
            DownCause::new(CauseKind::AgentRestarted, Retry::Answered, said)
        } else {
            DownCause::new(CauseKind::Other, Retry::Answered, said)
        }
    }

    fn no_credentials(&self, message: &str, login: Option<String>) -> DownCause {
        let text = match (&self.profile, &login) {
            // Which file of the SDK's cache is missing helps nobody: the log has it.
            (Some(profile), Some(_)) => format!("profile `{profile}` is not logged in, or its login has expired"),
            (None, Some(_)) => "nobody is logged in, or the login has expired".to_owned(),
            (Some(profile), None) => format!("profile `{profile}` has no usable AWS credentials: {message}"),
            (None, None) => format!("there are no usable AWS credentials: {message}"),
        };
        // A login that has to be made again is what people know as expired.
        let kind = if login.is_some() { CauseKind::Credentials } else { CauseKind::NoCredentials };
        let next = match (&self.profile, &login) {
            (None, None) => format!("name a `profile`, or {GIVE_CREDENTIALS}"),
            _ => self.renew(login),
        };
        DownCause::new(kind, Retry::Login, text).with_next(next)
    }

    /// How credentials come back.
    fn renew(&self, login: Option<String>) -> String {
        match (login, &self.profile) {
            (Some(command), _) => format!("run `{command}`"),
            (None, Some(profile)) => {
                format!("renew the credentials of profile `{profile}`; the tunnel then goes on by itself")
            }
            // Those of the environment are the daemon's own, and it cannot be given others.
            (None, None) => format!("renew the credentials; if they are AWS_* variables, {GIVE_CREDENTIALS}"),
        }
    }

    /// Which permission is lacking, if IAM's words tell.
    fn ask_for(&self, message: &str) -> String {
        let what = match (denied_action(message), word_after(message, "on resource: ")) {
            (Some(action), Some(resource)) => format!("{action} on {resource}"),
            _ => format!("ssm:StartSession on {} and on the session document", self.target),
        };
        format!("ask for {what}, or choose another `profile`; {UP_AGAIN}")
    }

    fn in_the_region(&self) -> String {
        self.region.as_ref().map_or_else(String::new, |region| format!(" in {region}"))
    }

    fn of_the_profile(&self) -> String {
        self.profile.as_ref().map_or_else(String::new, |profile| format!(" of profile `{profile}`"))
    }

    fn for_the_profile(&self) -> String {
        self.profile.as_ref().map_or_else(String::new, |profile| format!(" for profile `{profile}`"))
    }

    /// `host:port`, or in words if it is a port of the target's own.
    fn named_remote(&self) -> String {
        match self.remote.host {
            Some(_) => self.remote.to_string(),
            None => format!("port {} of {}", self.remote.port, self.target),
        }
    }
}

/// IAM's words: `… is not authorized to perform: ACTION on resource: ARN because …`.
fn denied_action(message: &str) -> Option<&str> {
    word_after(message, "to perform: ")
}

fn word_after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    message.split_once(words)?.1.split_whitespace().next()
}

#[cfg(test)]
mod tests;
