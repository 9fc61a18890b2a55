//! Every cause by its kind, what it names, and what it says to do.

use super::*;
use std::path::Path;

/// A tunnel of profile `dev` whose session is on `i-01234567` in `eu-west-1`.
fn about() -> About {
    About { profile: Some("dev".into()), ..with("remote = \"db.example:5432\"") }
}

fn with(keys: &str) -> About {
    let text = format!("[tunnels.orders-db]\nlocal = 1\ntarget = {{ tag = \"Name=bastion\" }}\n{keys}\n");
    let config = crate::config::parse(Path::new("c"), &text).unwrap().tunnels.remove(0);
    About { profile: None, ..About::tunnel(&config).in_region("eu-west-1".into()).at("i-01234567") }
}

/// Kind, whether a retry helps, and words that text and next step have to contain.
#[track_caller]
fn says(down: &DownCause, kind: CauseKind, retry: Retry, text: &[&str], next: &[&str]) {
    assert_eq!((down.cause.kind, down.retry), (kind, retry), "{down:?}");
    for word in text {
        assert!(down.cause.text.contains(word), "`{word}` is missing in `{}`", down.cause.text);
    }
    let said = down.cause.next.as_deref().unwrap_or_default();
    for word in next {
        assert!(said.contains(word), "`{word}` is missing in `{said}`");
    }
}

#[test]
fn calls_that_no_retry_mends_say_what_does() {
    let denied = "User: arn:aws:iam::1:user/ada is not authorized to perform: ssm:StartSession on resource: \
                  arn:aws:ec2:eu-west-1:1:instance/i-01234567 because no identity-based policy allows it";
    says(
        &about().call_failed(AwsError::AccessDenied(denied.into())),
        CauseKind::AccessDenied,
        Retry::Never,
        &["AWS denies profile `dev` ssm:StartSession on i-01234567 in eu-west-1: ", denied],
        &["ssm:StartSession on arn:aws:ec2:eu-west-1:1:instance/i-01234567", "bring it up again"],
    );
    says(
        &about().call_failed(AwsError::AccessDenied("no".into())),
        CauseKind::AccessDenied,
        Retry::Never,
        &["a session on i-01234567", ": no"],
        &["ssm:StartSession on i-01234567 and on the session document"],
    );
    let own = with_document("Company-Port");
    says(
        &own.call_failed(AwsError::InvalidDocument("m".into())),
        CauseKind::DocumentMissing,
        Retry::Never,
        &["`Company-Port`", "eu-west-1"],
        &["`document`"],
    );
    says(
        &about().call_failed(AwsError::NoRegion),
        CauseKind::NoRegion,
        Retry::Never,
        &["profile `dev`"],
        &["`region`"],
    );
    says(
        &about().call_failed(AwsError::NoProfile { name: "prd".into(), similar: Some("prod".into()) }),
        CauseKind::NoProfile,
        Retry::Never,
        &["`prd`"],
        &["--profile prd", "did you mean `prod`?"],
    );
    says(
        &about().call_failed(AwsError::InvalidRequest("m".into())),
        CauseKind::Config,
        Retry::Never,
        &["m"],
        &["target"],
    );
    says(&about().call_failed(AwsError::Config("m".into())), CauseKind::Config, Retry::Never, &["m"], &["endpoints"]);
}

fn with_document(name: &str) -> About {
    with(&format!("remote = 1\ndocument = \"{name}\""))
}

#[test]
fn calls_that_a_retry_mends_say_what_is_waited_for() {
    says(
        &about().call_failed(AwsError::TargetNotConnected("m".into())),
        CauseKind::TargetOffline,
        Retry::Answered,
        &["i-01234567", "eu-west-1"],
        &["SSM agent", "`region`"],
    );
    says(
        &about().call_failed(AwsError::Unreachable("ssm.example: refused".into())),
        CauseKind::Network,
        Retry::Unreachable,
        &["AWS cannot be reached: ssm.example: refused"],
        &["VPN", "AWS_ENDPOINT_URL"],
    );
    let error = AwsError::Throttled("Rate exceeded".into());
    says(&about().call_failed(error), CauseKind::Throttled, Retry::Answered, &["slow down"], &[]);
    for error in [AwsError::Service("m".into()), AwsError::Unknown("m".into()), AwsError::NoSuchSession("m".into())] {
        says(&about().call_failed(error), CauseKind::ServiceError, Retry::Answered, &["m"], &[]);
    }
    says(&about().no_such_target("tag:Name=x"), CauseKind::NoSuchTarget, Retry::Answered, &["tag:Name=x"], &["target"]);
    for (count, words) in [(1, "the node that matches tag:Name=x is not"), (3, "none of the 3 nodes")] {
        says(&about().all_offline("tag:Name=x", count), CauseKind::TargetOffline, Retry::Answered, &[words], &["run"]);
    }
}

#[test]
fn credentials_say_whose_and_how_they_come_back() {
    let expired =
        |login: Option<&str>| AwsError::ExpiredCredentials { message: "m".into(), login: login.map(str::to_owned) };
    let none = |login: Option<&str>| AwsError::NoCredentials { message: "m".into(), login: login.map(str::to_owned) };
    let sso = Some("aws sso login --profile dev");
    let nobody = with_document("doc");
    for (about, error, kind, text, next) in [
        (
            about(),
            expired(sso),
            CauseKind::Credentials,
            "profile `dev` have expired",
            "run `aws sso login --profile dev`",
        ),
        (
            about(),
            expired(None),
            CauseKind::Credentials,
            "profile `dev` have expired",
            "renew the credentials of profile `dev`",
        ),
        (about(), none(sso), CauseKind::Credentials, "profile `dev` is not logged in", "run `aws sso login"),
        (
            about(),
            none(None),
            CauseKind::NoCredentials,
            "profile `dev` has no usable AWS credentials: m",
            "profile `dev`",
        ),
        (
            nobody.clone(),
            none(None),
            CauseKind::NoCredentials,
            "there are no usable AWS credentials: m",
            "tunnels daemon --takeover",
        ),
        (
            nobody,
            expired(None),
            CauseKind::Credentials,
            "the AWS credentials have expired",
            "tunnels daemon --takeover",
        ),
        (
            about(),
            AwsError::BadSignature("m".into()),
            CauseKind::Credentials,
            "access key of profile `dev`: m",
            "clock",
        ),
    ] {
        says(&about.call_failed(error), kind, Retry::Login, &[text], &[next]);
    }
}

#[test]
fn the_remote_is_named_as_the_target_sees_it() {
    let kind = CauseKind::RemoteRefused;
    let words = ["i-01234567 cannot connect to db.example:5432"];
    says(&about().remote_refused(), kind, Retry::Answered, &words, &["security group"]);
    let own_port = with("remote = 8080");
    let words = ["i-01234567 refuses connections to its port 8080"];
    says(&own_port.remote_refused(), kind, Retry::Answered, &words, &["listens"]);
    let kind = CauseKind::ProbeFailed;
    says(&about().probe_failed("is mute"), kind, Retry::Answered, &["db.example:5432 is mute"], &["from i-01234567"]);
    let words = ["port 8080 of i-01234567 is mute"];
    says(&own_port.probe_failed("is mute"), kind, Retry::Answered, &words, &["`probe`"]);
}

#[test]
fn the_service_s_parting_words_are_matched_loosely_and_kept() {
    for (output, kind, named) in [
        ("Your session timed out due to inactivity.", CauseKind::IdlePolicy, "AWS closed"),
        ("Session reached its maximum duration", CauseKind::MaxDuration, "AWS closed"),
        ("Session terminated by admin", CauseKind::Other, "AWS closed"),
        ("lookup db.example: no such host", CauseKind::NoSuchHost, "i-01234567 cannot find the host db.example"),
        ("Forwarding to IP address 169.254.169.254 is forbidden.", CauseKind::RemoteRefused, "does not forward to db"),
        ("The agent is restarting", CauseKind::AgentRestarted, "AWS closed"),
        ("", CauseKind::Other, "AWS closed the session"),
    ] {
        let down = about().closed(&CloseReason::ChannelClosed { output: output.to_owned() });
        says(&down, kind, Retry::Answered, &[output, named], &[]);
    }
}
