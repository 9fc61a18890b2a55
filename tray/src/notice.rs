//! What a desktop notification says.
//!
//! Pure. When there is one is decided by `policy`.

use std::time::Duration;
use tunnels_api::{ApiError, Cause, Timestamp};
use tunnels_tui::{text, units};

/// So many names are listed; more are counted.
const MOST_NAMES: usize = 4;

/// A desktop notification, in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) summary: String,
    pub(crate) body: String,
    /// A name of the icon naming specification.
    pub(crate) icon: &'static str,
    /// It is of no interest later.
    pub(crate) is_passing: bool,
}

/// A tunnel that something is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) tunnel: String,
    pub(crate) cause: Option<Cause>,
    /// How long its trouble has lasted.
    pub(crate) lasted: Duration,
}

/// Credentials that run out soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// Whose; none for those of the environment.
    pub(crate) profile: Option<String>,
    pub(crate) at: Timestamp,
    /// The command that renews them, where known.
    pub(crate) renew: Option<String>,
    /// The tunnels that need them.
    pub(crate) tunnels: Vec<String>,
}

impl Notice {
    pub(crate) fn needs_login(about: &[About]) -> Self {
        let verb = if about.len() == 1 { "needs" } else { "need" };
        Self::trouble(about, &format!("{verb} a login"), "dialog-password")
    }

    pub(crate) fn failed(about: &[About]) -> Self {
        let verb = if about.len() == 1 { "has" } else { "have" };
        Self::trouble(about, &format!("{verb} failed"), "dialog-error")
    }

    pub(crate) fn recovered(about: &[About]) -> Self {
        let longest = about.iter().map(|about| about.lasted).max().unwrap_or_default();
        let after = format!("after {}", units::span(longest));
        let verb = if about.len() == 1 { "works" } else { "work" };
        let body = if about.len() == 1 { after } else { format!("{}, {after}", names(about)) };
        let summary = format!("{} {verb} again", whom(about));
        Self { summary, body, icon: "dialog-information", is_passing: true }
    }

    pub(crate) fn expiring(expiries: &[Expiry], now: Timestamp) -> Self {
        let left = |expiry: &Expiry| format!("in {}", units::until(expiry.at, now));
        let (summary, body) = match expiries {
            [one] => {
                let summary = match &one.profile {
                    Some(profile) => format!("The login of profile {} runs out {}", text::clean(profile), left(one)),
                    None => format!("The AWS credentials run out {}", left(one)),
                };
                let renew = one.renew.as_ref().map(|command| format!("{} renews it", text::clean(command)));
                let tunnels = match one.tunnels.as_slice() {
                    [] => None,
                    [_] => Some(format!("{} needs it", text::names(&one.tunnels, MOST_NAMES))),
                    _ => Some(format!("{} need it", text::names(&one.tunnels, MOST_NAMES))),
                };
                (summary, [renew, tunnels].into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
            many => {
                let whose = |expiry: &Expiry| expiry.profile.as_deref().map_or("environment".to_owned(), text::clean);
                let each: Vec<String> = many.iter().map(|one| format!("{} {}", whose(one), left(one))).collect();
                (format!("{} logins run out soon", many.len()), text::names(&each, MOST_NAMES))
            }
        };
        Self { summary, body, icon: "dialog-warning", is_passing: false }
    }

    /// The answer to a click that could not be done.
    pub(crate) fn refused(what: &str, error: &ApiError) -> Self {
        let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!("\n{hint}"));
        let body = format!("{}{hint}", error.message);
        Self { summary: format!("{what}: not done"), body, icon: "dialog-error", is_passing: true }
    }

    /// The answer to a click that has nothing but words to show.
    pub(crate) fn answer(summary: impl Into<String>, body: impl Into<String>) -> Self {
        Self { summary: summary.into(), body: body.into(), icon: "dialog-information", is_passing: true }
    }

    fn trouble(about: &[About], verb: &str, icon: &'static str) -> Self {
        let causes: Vec<&Cause> = about.iter().filter_map(|about| about.cause.as_ref()).collect();
        let mut lines = Vec::new();
        if about.len() > 1 {
            lines.push(names(about));
        }
        // What is so of all of them needs to be said once only.
        if let Some(first) = causes.first().filter(|first| causes.iter().all(|cause| cause == *first)) {
            lines.push(text::clean(&first.text));
            lines.extend(first.next.as_deref().map(text::clean));
        }
        Self { summary: format!("{} {verb}", whom(about)), body: lines.join("\n"), icon, is_passing: false }
    }
}

/// The tunnel, or how many they are.
fn whom(about: &[About]) -> String {
    match about {
        [one] => text::clean(&one.tunnel),
        many => format!("{} tunnels", many.len()),
    }
}

fn names(about: &[About]) -> String {
    let names: Vec<String> = about.iter().map(|about| text::clean(&about.tunnel)).collect();
    text::names(&names, MOST_NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::now;
    use jiff::SignedDuration;
    use tunnels_api::{CauseKind, ErrorCode};

    fn about(tunnel: &str, cause: Option<&str>) -> About {
        let cause = cause.map(|text| Cause::new(CauseKind::Credentials, text).with_next("run `aws login`"));
        About { tunnel: tunnel.to_owned(), cause, lasted: Duration::from_secs(185) }
    }

    fn said(notice: &Notice) -> (&str, &str) {
        (&notice.summary, &notice.body)
    }

    #[test]
    fn one_is_told_with_its_cause_and_what_to_do() {
        let notice = Notice::needs_login(&[about("orders-db", Some("the login of `dev` has expired"))]);
        assert_eq!(said(&notice), ("orders-db needs a login", "the login of `dev` has expired\nrun `aws login`"));
        let notice = Notice::failed(&[about("orders-db", None)]);
        assert_eq!(said(&notice), ("orders-db has failed", ""));
        let notice = Notice::recovered(&[about("orders-db", None)]);
        assert_eq!(said(&notice), ("orders-db works again", "after 3m 5s"));
    }

    #[test]
    fn many_are_one_with_what_they_have_in_common() {
        let all: Vec<About> = ["a", "b", "c", "d", "e", "f"].map(|name| about(name, Some("expired"))).into();
        let notice = Notice::needs_login(&all);
        assert_eq!(said(&notice), ("6 tunnels need a login", "a, b, c, d and 2 more\nexpired\nrun `aws login`"));
        let notice = Notice::failed(&[about("a", Some("denied")), about("b", Some("port taken"))]);
        assert_eq!(said(&notice), ("2 tunnels have failed", "a, b"));
        let notice = Notice::recovered(&all[..2]);
        assert_eq!(said(&notice), ("2 tunnels work again", "a, b, after 3m 5s"));
    }

    #[test]
    fn a_login_that_runs_out_says_when_and_for_whom() {
        let expiry = |profile: Option<&str>, minutes| Expiry {
            profile: profile.map(str::to_owned),
            at: now() + SignedDuration::from_mins(minutes),
            renew: Some("aws sso login --profile dev".to_owned()),
            tunnels: vec!["a".to_owned(), "b".to_owned()],
        };
        let notice = Notice::expiring(&[expiry(Some("dev"), 28)], now());
        let expected =
            ("The login of profile dev runs out in 28m", "aws sso login --profile dev renews it; a, b need it");
        assert_eq!(said(&notice), expected);
        let notice = Notice::expiring(&[expiry(Some("dev"), 28), expiry(None, 5)], now());
        assert_eq!(said(&notice), ("2 logins run out soon", "dev in 28m, environment in 5m"));
    }

    #[test]
    fn what_was_not_done_says_why_and_what_next() {
        let error = ApiError::new(ErrorCode::Failed, "no such thing").with_hint("try another");
        assert_eq!(said(&Notice::refused("restart a", &error)), ("restart a: not done", "no such thing\ntry another"));
    }
}
