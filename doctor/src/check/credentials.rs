//! Whose credentials they are, whether AWS takes them, and how long they last.

use super::refused::{self, Asked};
use crate::aws::{Account, Accounts, Identity};
use crate::span;
use std::time::SystemTime;
use tunnels_api::{CREDENTIALS_WARNING, Check, Finding};
use tunnels_daemon::aws::{AwsError, AwsScope, Expiry};

/// What is known of credentials.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Where they come from, in words.
    pub(crate) source: String,
    /// Whether there are any.
    pub(crate) loaded: Result<(), AwsError>,
    /// Who they are, as STS says; none if there was nothing to ask with.
    pub(crate) identity: Option<Result<Identity, AwsError>>,
    /// When somebody has to do something about them.
    pub(crate) expiry: Option<Expiry>,
    /// A profile that the environment names, and that its own keys come before.
    pub(crate) shadowed: Option<String>,
}

impl Seen {
    /// Who the caller is, if AWS has said so.
    pub(crate) fn who(&self) -> Option<&Identity> {
        self.identity.as_ref()?.as_ref().ok()
    }
}

pub(crate) async fn ask(accounts: &dyn Accounts, account: &dyn Account, scope: &AwsScope) -> Seen {
    let expiry = accounts.expiry(scope.profile.as_deref());
    let loaded = account.api().credentials().await.map(drop);
    let identity = if loaded.is_ok() { Some(account.identity().await) } else { None };
    let variable = |name: &str| std::env::var(name).ok();
    let shadowed = shadowed(scope, variable);
    Seen { source: account.source(), loaded, identity, expiry: expiry.await, shadowed }
}

/// The SDK's order: keys of the environment come before a profile that the environment names.
fn shadowed(scope: &AwsScope, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.trim().is_empty());
    let has_keys = is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY");
    if scope.profile.is_some() || !has_keys {
        return None;
    }
    variable("AWS_PROFILE").filter(|profile| !profile.is_empty())
}

pub(crate) fn judge(seen: &Seen, asked: Asked<'_>, now: SystemTime) -> Finding {
    if let Err(error) = &seen.loaded {
        let finding = refused::judge(error.clone(), asked);
        if matches!(error, AwsError::Unreachable(_) | AwsError::NoAnswer(_) | AwsError::Blocked { .. }) {
            // What gives the credentials is another service than SSM.
            let text = format!("the credentials of {} cannot be fetched: {}", seen.source, finding.text);
            return Finding { check: Check::Credentials, text, ..finding };
        }
        return finding.with_source(&seen.source);
    }
    let (whose, unknown) = match &seen.identity {
        Some(Ok(who)) => (format!("{}: account {}, {}", seen.source, who.account, who.arn), None),
        Some(Err(error)) if error.needs_login() => {
            return refused::judge(error.clone(), asked).with_source(&seen.source);
        }
        // STS is another service: tunnels do without it, and a network may let them reach SSM alone.
        Some(Err(error)) => (
            format!("there are credentials of {}", seen.source),
            Some(format!("STS could not be asked whose they are: {error}")),
        ),
        None => (seen.source.clone(), None),
    };
    if let Some(profile) = &seen.shadowed {
        return Finding::warn(Check::Credentials, format!("AWS_PROFILE={profile} has no effect: AWS_ACCESS_KEY_ID comes before it"))
            .with_evidence(whose)
            .with_next(format!("if the profile is meant: unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN, or set `profile = \"{profile}\"`"));
    }
    let Some(expiry) = &seen.expiry else {
        let finding = Finding::ok(Check::Credentials, whose);
        return unknown.into_iter().fold(finding, Finding::with_evidence);
    };
    let left = expiry.at.duration_since(now).map_or(0, |left| left.as_secs());
    let warning = CREDENTIALS_WARNING.as_secs().unsigned_abs();
    if left > warning {
        let lasting = format!("they last for another {}", span::words(left));
        let evidence = unknown.map_or(lasting.clone(), |unknown| format!("{lasting}; {unknown}"));
        return Finding::ok(Check::Credentials, whose).with_evidence(evidence);
    }
    let text = if left == 0 {
        "the AWS login has run out; what is open goes on".to_owned()
    } else {
        format!("the AWS credentials run out in {}", span::words(left))
    };
    let next = expiry.renew.as_ref().map_or("renew them".to_owned(), |command| format!("run `{command}`"));
    Finding::warn(Check::Credentials, text).with_evidence(whose).with_next(next)
}

trait WithSource {
    /// Adds where the credentials come from to what was said of them.
    fn with_source(self, source: &str) -> Self;
}

impl WithSource for Finding {
    fn with_source(mut self, source: &str) -> Self {
        let said = self.evidence.take().map(|said| format!("; {said}")).unwrap_or_default();
        self.with_evidence(format!("from {source}{said}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::tunnel;
    use crate::check::permission::Place;
    use std::time::{Duration, UNIX_EPOCH};
    use tunnels_api::Verdict;

    fn seen() -> Seen {
        let who = Identity { account: "123456789012".into(), arn: "arn:aws:iam::123456789012:user/ada".into() };
        Seen {
            source: "profile `dev` (SSO login)".into(),
            loaded: Ok(()),
            identity: Some(Ok(who)),
            expiry: None,
            shadowed: None,
        }
    }

    fn judged(seen: &Seen) -> Finding {
        let tunnel = tunnel("profile = \"dev\"");
        let place = Place { region: "eu-west-1", account: None };
        let asked = Asked { check: Check::Credentials, action: "", tunnel: &tunnel, node: "", place };
        judge(seen, asked, UNIX_EPOCH)
    }

    #[test]
    fn account_and_caller_are_named() {
        let fine = judged(&seen());
        assert_eq!(fine.verdict, Verdict::Ok);
        assert_eq!(fine.text, "profile `dev` (SSO login): account 123456789012, arn:aws:iam::123456789012:user/ada");
    }

    #[test]
    fn a_login_that_is_missing_comes_with_its_command() {
        let login = Some("aws sso login --profile dev".to_owned());
        let missing = Seen {
            loaded: Err(AwsError::NoCredentials { message: "no token".into(), login }),
            identity: None,
            ..seen()
        };
        let finding = judged(&missing);
        assert_eq!((finding.check, finding.verdict), (Check::Credentials, Verdict::Fail));
        assert_eq!(finding.next.as_deref(), Some("run `aws sso login --profile dev`"));
        assert_eq!(finding.evidence.as_deref(), Some("from profile `dev` (SSO login); no token"));
    }

    #[test]
    fn what_runs_out_soon_is_worth_a_word() {
        let renew = Some("aws sso login --profile dev".to_owned());
        for (minutes, verdict) in [(120, Verdict::Ok), (31, Verdict::Ok), (29, Verdict::Warn), (0, Verdict::Warn)] {
            let expiry = Some(Expiry { at: UNIX_EPOCH + Duration::from_mins(minutes), renew: renew.clone() });
            assert_eq!(judged(&Seen { expiry, ..seen() }).verdict, verdict, "{minutes}");
        }
    }

    #[test]
    fn a_network_without_sts_is_no_failure() {
        let silent = Seen { identity: Some(Err(AwsError::Unreachable("cannot resolve sts".into()))), ..seen() };
        let finding = judged(&silent);
        assert_eq!(finding.verdict, Verdict::Ok);
        assert!(finding.evidence.unwrap().contains("cannot resolve sts"));
    }

    #[test]
    fn a_profile_that_has_no_effect_is_told() {
        let variables = |name: &str| match name {
            "AWS_PROFILE" => Some("dev".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("x".to_owned()),
            _ => None,
        };
        assert_eq!(shadowed(&AwsScope::default(), variables).as_deref(), Some("dev"));
        let named = AwsScope { profile: Some("ops".into()), ..AwsScope::default() };
        assert_eq!(shadowed(&named, variables), None, "the configured profile comes before keys");
        let finding = judged(&Seen { shadowed: Some("dev".into()), ..seen() });
        assert_eq!(finding.verdict, Verdict::Warn);
    }
}
