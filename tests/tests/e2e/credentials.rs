//! Where credentials come from, and what a user reads when they do not: no network is needed for any of it.

use std::time::Duration;

use serde_json::Value;
use tunnels_tests::{SimOptions, TestDaemon, TestRemote, TestSim, echo_once, wait_until};

/// What the strict simulator takes.
const KEYS: &str = r#"{"Version":1,"AccessKeyId":"SIMULATED","SecretAccessKey":"simulated"}"#;

/// A user whose shell has keys of another account, and one tunnel with these lines.
fn user(sim: &TestSim, remote: &TestRemote, keys: &str) -> TestDaemon {
    TestDaemon::new(sim).with_keys("AKIDOTHER", "another-account").tunnel_with(
        "files",
        &remote.address().to_string(),
        keys,
    )
}

fn strict() -> TestSim {
    TestSim::start_with(&SimOptions { arguments: vec!["--strict".to_owned()], ..SimOptions::default() })
}

/// Brings the tunnel up, expects this exit code and state, and returns the cause.
#[track_caller]
fn cause_of(user: &mut TestDaemon, code: i32, state: &str) -> Value {
    user.start();
    let waited = user.run(&["up", "--wait"]);
    assert_eq!(waited.code, Some(code), "{}{}", waited.stdout, waited.stderr);
    let status = user.status("files");
    assert_eq!(status["state"], state, "{status}");
    status["cause"].clone()
}

#[track_caller]
fn text<'a>(cause: &'a Value, part: &str) -> &'a str {
    cause[part].as_str().unwrap_or_else(|| panic!("no {part} in {cause}"))
}

#[test]
fn a_named_profile_s_process_comes_before_the_keys_of_the_shell() {
    let (remote, sim) = (TestRemote::start(), strict());
    let mut user = user(&sim, &remote, "profile = \"work\"")
        .with_home_file("keys.sh", &format!("#!/bin/sh\necho '{KEYS}'\n"))
        .with_home_file(".aws/config", "[profile work]\ncredential_process = ./keys.sh\n");
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    echo_once(user.port("files"), 10_000, 1).unwrap();
}

#[test]
fn the_simulator_needs_no_credentials_whichever_profiles_there_are() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    for keys in ["", "profile = \"work\""] {
        let mut user = user(&sim, &remote, keys)
            .with_keys("", "")
            .with_home_file(".aws/config", "[profile other]\ncredential_process = ./none.sh\n");
        user.start();
        user.run(&["up", "--wait"]).expect_success();
        echo_once(user.port("files"), 10_000, 1).unwrap();
    }
}

#[test]
fn a_process_that_fails_is_quoted_and_the_tunnel_goes_on_once_it_works() {
    let (remote, sim) = (TestRemote::start(), strict());
    let failing = "#!/bin/sh\necho 'the vault is\nsealed' >&2\nexit 3\n";
    let mut user = user(&sim, &remote, "profile = \"work\"")
        .with_home_file("keys.sh", failing)
        .with_home_file(".aws/config", "[profile work]\ncredential_process = ./keys.sh --token s3cret\n");
    let cause = cause_of(&mut user, 6, "needs-login");
    assert!(text(&cause, "text").contains("the vault is sealed"), "{cause}");
    assert!(!cause.to_string().contains("s3cret") && !user.process().output().contains("s3cret"), "{cause}");
    let user = user.with_home_file("keys.sh", &format!("#!/bin/sh\necho '{KEYS}'\n"));
    wait_until("the tunnel to be ready by itself", Duration::from_mins(1), || {
        (user.status("files")["state"] == "ready").then_some(())
    });
}

#[test]
fn an_expired_sso_session_names_the_command_that_logs_in() {
    let (remote, sim) = (TestRemote::start(), strict());
    let config = "[profile work]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = dev\nregion = us-east-1\n\
                  [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.invalid/start\n\
                  sso_registration_scopes = sso:account:access\n";
    // The file's name is the SHA-1 of the session's.
    let cache = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
    let token = r#"{"startUrl":"https://corp.invalid/start","region":"us-east-1","accessToken":"s3cret","expiresAt":"2020-01-01T00:00:00Z"}"#;
    for cached in [true, false] {
        let mut user = user(&sim, &remote, "profile = \"work\"").with_home_file(".aws/config", config);
        if cached {
            user = user.with_home_file(cache, token);
        }
        let cause = cause_of(&mut user, 6, "needs-login");
        assert_eq!(text(&cause, "next"), "run `aws sso login --profile work`");
        assert!(!cause.to_string().contains("s3cret"), "{cause}");
        assert!(text(&cause, "text").starts_with("profile `work` is not logged in"), "{cause}");
    }
}

#[test]
fn settings_that_cannot_work_say_which_and_where() {
    let (remote, sim) = (TestRemote::start(), strict());
    let config = "[profile work]\nregion = us-east-1\n\
                  [profile chained]\nrole_arn = arn:aws:iam::111122223333:role/dev\nsource_profile = chained-too\n\
                  [profile chained-too]\nrole_arn = arn:aws:iam::111122223333:role/dev\nsource_profile = chained\n";
    let aws = "endpoints = { ssm = \"https://ssm.invalid\" }";
    let named = |profile: &str| format!("{aws}\nprofile = \"{profile}\"");
    for (keys, variable, says) in [
        (named("wrok"), None, ["there is no AWS profile `wrok`", "did you mean `work`?"]),
        (named("chained"), None, ["infinite loop", ""]),
        (
            aws.to_owned(),
            Some(("AWS_ENDPOINT_URL_STS", "http://sts.invalid")),
            ["the endpoint of STS", "http://sts.invalid"],
        ),
        (
            aws.to_owned(),
            Some(("AWS_ENDPOINT_URL_SSO_OIDC", "http://sso.invalid")),
            ["the endpoint of SSO OIDC", "unencrypted"],
        ),
        (
            aws.to_owned(),
            Some(("AWS_ENDPOINT_URL_SSMMESSAGES", "http://m.invalid")),
            ["the ssmmessages endpoint", "unencrypted"],
        ),
        (aws.to_owned(), Some(("AWS_USE_FIPS_ENDPOINT", "true")), ["AWS_USE_FIPS_ENDPOINT", "https://ssm.invalid"]),
    ] {
        let mut user = user(&sim, &remote, &keys).with_home_file(".aws/config", config);
        if let Some((name, value)) = variable {
            user = user.with_variable(name, value);
        }
        let cause = cause_of(&mut user, 8, "failed");
        let said = format!("{} {}", text(&cause, "text"), text(&cause, "next"));
        for part in says {
            assert!(said.contains(part), "`{part}` is missing in {said}");
        }
    }
}

#[test]
fn what_only_a_profile_says_is_checked_as_well() {
    let (remote, sim) = (TestRemote::start(), strict());
    let config = "[profile plain]\nregion = us-east-1\nservices = plain\n\
                  [services plain]\nssm =\n  endpoint_url = http://ssm.invalid\n\
                  [profile messages]\nregion = us-east-1\nservices = messages\n\
                  [services messages]\nssm =\n  endpoint_url = https://ssm.invalid\nssmmessages =\n  endpoint_url = http://m.invalid\n";
    for (profile, says) in
        [("plain", "the SSM endpoint: `http://ssm.invalid`"), ("messages", "the ssmmessages endpoint")]
    {
        let mut user = user(&sim, &remote, "").with_home_file(".aws/config", config);
        user.overwrite_config(&format!(
            "[tunnels.files]\nremote = 1\nlocal = {}\ntarget = \"i-0123456789abcdef0\"\nprofile = \"{profile}\"\n",
            user.port("files")
        ));
        let cause = cause_of(&mut user, 8, "failed");
        assert!(text(&cause, "text").contains(says), "{cause}");
    }
    let mut user = user(&sim, &remote, "");
    user.overwrite_config(&format!(
        "[tunnels.files]\nremote = 1\nlocal = {}\ntarget = \"i-0123456789abcdef0\"\n",
        user.port("files")
    ));
    let cause = cause_of(&mut user, 8, "failed");
    assert_eq!(text(&cause, "kind"), "no-region");
}
