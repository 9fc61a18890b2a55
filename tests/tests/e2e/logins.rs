//! Profiles with a login, a role, a program or keys, against the simulator's STS and SSO portal: what is asked for and
//! how often, what a user reads when it cannot be had, and that a login heals by itself.

use std::fmt::Write as _;
use std::fs;
use std::net::Shutdown;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tunnels_tests::{NODE, SimOptions, TestDaemon, TestRemote, TestSim, echo_once, hold_open, wait_until};

const DEADLINE: Duration = Duration::from_mins(2);
const OTHER_NODE: &str = "i-0fedcba9876543210";

/// `~/.aws/config` of somebody who has keys, and assumes roles with and without a code.
const ROLES: &str = "[profile keys]\naws_access_key_id = SIMULATED\naws_secret_access_key = simulated\n\
    [profile role]\nrole_arn = arn:aws:iam::111122223333:role/dev\nsource_profile = keys\n\
    [profile ops]\nrole_arn = arn:aws:iam::111122223333:role/ops\nsource_profile = keys\n\
    mfa_serial = arn:aws:iam::111122223333:mfa/ada\n\
    [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.invalid/start\n\
    sso_registration_scopes = sso:account:access\n";
/// Named by the SHA-1 of `corp`.
pub(super) const TOKEN_FILE: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
/// Named by the SHA-1 of the arguments with which the AWS CLI assumes `ops`.
const ROLE_FILE: &str = ".aws/cli/cache/43f402fd5230ca3c42b9dcf6266211504320f74d.json";
pub(super) const LONG_AGO: &str = "2020-01-01T00:00:00Z";
pub(super) const FAR_AWAY: &str = "2099-01-01T00:00:00Z";

fn strict() -> TestSim {
    let arguments = ["--strict", "--node", OTHER_NODE].map(str::to_owned).to_vec();
    TestSim::start_with(&SimOptions { arguments, ..SimOptions::default() })
}

/// A user with these profiles that log in, besides those of [`ROLES`]; logins are asked for at the simulator.
pub(super) fn user(sim: &TestSim, logins: &[&str]) -> TestDaemon {
    let mut config = ROLES.to_owned();
    for name in logins {
        let _ = writeln!(
            config,
            "[profile {name}]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = dev\nregion = us-east-1"
        );
    }
    TestDaemon::new(sim)
        .with_keys("", "")
        .with_variable("AWS_ENDPOINT_URL_SSO", sim.url())
        .with_variable("AWS_ENDPOINT_URL_SSO_OIDC", sim.url())
        .with_home_file(".aws/config", &config)
}

pub(super) fn token(expires: &str, more: &str) -> String {
    format!(
        r#"{{"startUrl": "https://corp.invalid/start", "region": "us-east-1", "accessToken": "t0ken", "expiresAt": "{expires}"{more}}}"#
    )
}

/// Whole at once: a test that counts must not have a half-written file read.
pub(super) fn replace(user: &TestDaemon, file: &str, content: &str) {
    let path = user.home().join(file);
    fs::create_dir_all(path.parent().expect("below the home folder")).expect("our own folder");
    fs::write(path.with_extension("new"), content).expect("our own folder");
    fs::rename(path.with_extension("new"), path).expect("our own file");
}

pub(super) fn profile(name: &str) -> String {
    format!("profile = \"{name}\"")
}

/// Brings everything up and expects this cause of a tunnel.
#[track_caller]
fn cause_of(user: &TestDaemon, code: i32, tunnel: &str) -> Value {
    user.run(&["up", "--wait"]).expect_code(code);
    user.status(tunnel)["cause"].clone()
}

#[track_caller]
fn says(cause: &Value, part: &str, words: &[&str]) {
    let said = cause[part].as_str().unwrap_or_default();
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in `{said}`");
    }
}

#[test]
fn a_login_heals_all_tunnels_of_its_profile_and_no_other_notices() {
    const LOGINS: [&str; 5] = ["work0", "work1", "work2", "work3", "work4"];
    let (remote, sim) = (TestRemote::start(), strict());
    let address = remote.address().to_string();
    let mut user = user(&sim, &LOGINS);
    for login in LOGINS {
        for tunnel in ["a", "b", "c"] {
            user = user.tunnel_with(&format!("{login}-{tunnel}"), &address, &profile(login));
        }
    }
    let user = user.tunnel_with("other", &address, &format!("{}\ntarget = \"{OTHER_NODE}\"", profile("keys")));
    user.run(&["up", "other", "--wait"]).expect_success();
    let held = hold_open(("127.0.0.1", user.port("other")), b"hello").unwrap();
    let about_other = || sim.all_calls().iter().filter(|call| call["target"] == OTHER_NODE).count();
    let before = about_other();

    let mut took = Vec::new();
    for login in LOGINS {
        let tunnels = ["a", "b", "c"].map(|tunnel| format!("{login}-{tunnel}"));
        replace(&user, TOKEN_FILE, &token(LONG_AGO, ""));
        user.run(&["up", &format!("{login}-*"), "--wait"]).expect_code(6);
        for tunnel in &tunnels {
            let status = user.wait_for_cause(tunnel, "needs-login", "credentials");
            assert_eq!(status["cause"]["next"], format!("run `aws sso login --profile {login}`"));
        }
        let log = user.events();
        let since = Instant::now();
        replace(&user, TOKEN_FILE, &token(FAR_AWAY, ""));
        for tunnel in &tunnels {
            log.wait_for_sequence(tunnel, &["needs-login", "ready"]);
        }
        took.push(since.elapsed());
    }
    took.sort();
    println!("from the token to the last of three tunnels ready: median {:?}, worst {:?}", took[2], took[4]);
    // Looks every few seconds would nearly always take longer; on a busy machine most rounds may, too.
    assert!(took[1] < Duration::from_secs(2), "{took:?}");
    assert_eq!(sim.calls("GetRoleCredentials"), LOGINS.len(), "one for each profile");
    assert_eq!(about_other(), before, "another profile's tunnel has called");
    assert_eq!(user.status("other")["streams"], 1);
    drop(held.shutdown(Shutdown::Both));
}

#[test]
fn an_old_token_is_renewed_without_anybody_s_doing_until_the_login_is_over() {
    let (remote, sim) = (TestRemote::start(), strict());
    let user = user(&sim, &["work"]).tunnel_with("files", &remote.address().to_string(), &profile("work"));
    let refresh = r#", "clientId": "c", "clientSecret": "s", "refreshToken": "r3fresh", "registrationExpiresAt": "2099-01-01T00:00:00Z""#;
    let user = user.with_home_file(TOKEN_FILE, &token(LONG_AGO, refresh));
    sim.faults(&json!({ "expired_tokens": ["t0ken", "r3fresh"] }));
    let cause = cause_of(&user, 6, "files");
    says(&cause, "next", &["run `aws sso login --profile work`"]);
    assert!(sim.calls("CreateToken") >= 1, "{:?}", sim.all_calls());

    sim.faults(&json!({ "expired_tokens": ["t0ken"] }));
    user.wait_for("files", "ready");
    let kept = fs::read_to_string(user.home().join(TOKEN_FILE)).unwrap();
    assert!(!kept.contains("t0ken"), "the new token is kept: {kept}");
    let told = user.run(&["status", "files", "--json"]).stdout + &user.state_files().concat();
    assert!(!told.contains("t0ken") && !told.contains("r3fresh"), "{told}");
}

#[test]
fn a_role_is_assumed_at_the_endpoint_that_the_tunnel_names() {
    let (remote, sim) = (TestRemote::start(), strict());
    let endpoints = format!("endpoints = {{ ssm = \"{0}\", sts = \"{0}\" }}", sim.url());
    let keys = format!("{}\n{endpoints}", profile("role"));
    let user = user(&sim, &[]).tunnel_with("files", &remote.address().to_string(), &keys);
    user.run(&["up", "--wait"]).expect_success();
    echo_once(user.port("files"), 10_000, 1).unwrap();
    // Signed, and the session with what was given: a strict simulator takes nothing else.
    assert_eq!(sim.calls("AssumeRole"), 1);
}

#[test]
fn a_role_that_is_not_ours_is_named_with_what_to_ask_for() {
    let (remote, sim) = (TestRemote::start(), strict());
    let user = user(&sim, &["work"])
        .with_variable("AWS_ENDPOINT_URL_STS", sim.url())
        .with_home_file(TOKEN_FILE, &token(FAR_AWAY, ""))
        .tunnel_with("by-role", &remote.address().to_string(), &profile("role"))
        .tunnel_with("by-login", &remote.address().to_string(), &profile("work"));
    sim.faults(&json!({ "denied_roles": ["arn:aws:iam::111122223333:role/dev", "dev"] }));
    let cause = cause_of(&user, 8, "by-role");
    says(&cause, "text", &["AWS denies profile `role` sts:AssumeRole: ", "not authorized"]);
    says(&cause, "next", &["ask for sts:AssumeRole on arn:aws:iam::111122223333:role/dev"]);
    let status = user.wait_for_cause("by-login", "failed", "access-denied");
    says(&status["cause"], "text", &["No access"]);
}

#[test]
fn a_role_that_wants_a_code_says_who_asks_for_it_and_goes_on_with_what_that_got() {
    let (remote, sim) = (TestRemote::start(), strict());
    let user = user(&sim, &[]).with_variable("AWS_ENDPOINT_URL_STS", sim.url()).tunnel_with(
        "files",
        &remote.address().to_string(),
        &profile("ops"),
    );
    let cause = cause_of(&user, 6, "files");
    assert_eq!(cause["kind"], "credentials");
    says(&cause, "text", &["profile `ops`", "arn:aws:iam::111122223333:mfa/ada", "a daemon cannot ask for"]);
    says(&cause, "next", &["run `aws sts get-caller-identity --profile ops`", "goes on by itself"]);
    assert_eq!(sim.calls("AssumeRole"), 0, "without a code it would be refused");

    let cached = format!(
        r#"{{"Credentials": {{"AccessKeyId": "SIMULATED", "SecretAccessKey": "simulated", "Expiration": "{FAR_AWAY}"}}}}"#
    );
    replace(&user, ROLE_FILE, &cached);
    user.wait_for("files", "ready");
}

#[test]
fn a_hundred_tunnels_fetch_once() {
    const TUNNELS: usize = 100;
    let (remote, sim) = (TestRemote::start(), strict());
    let script = "#!/bin/sh\necho asked >> ~/asked\n\
        echo '{\"Version\":1,\"AccessKeyId\":\"SIMULATED\",\"SecretAccessKey\":\"simulated\"}'\n";
    let mut user = user(&sim, &["work"])
        .with_variable("AWS_ENDPOINT_URL_STS", sim.url())
        .with_home_file(TOKEN_FILE, &token(FAR_AWAY, ""))
        .with_home_file("keys.sh", script);
    let config = fs::read_to_string(user.home().join(".aws/config")).unwrap();
    user.write_aws_config(&format!(
        "{config}[profile vault]\ncredential_process = {}/keys.sh\n",
        user.home().display()
    ));
    for number in 0..TUNNELS {
        let name = ["work", "role", "vault"][number % 3];
        let keys = format!("{}\nprobe = \"none\"", profile(name));
        user = user.tunnel_with(&format!("t{number}"), &remote.address().to_string(), &keys);
    }
    user.run(&["up", "--wait=2m"]).expect_success();
    let states = sim.session_states();
    assert_eq!(states.iter().filter(|state| *state == "connected").count(), TUNNELS, "{states:?}");
    let asked = fs::read_to_string(user.home().join("asked")).unwrap();
    let counts = (sim.calls("GetRoleCredentials"), sim.calls("AssumeRole"), asked.lines().count());
    assert_eq!(counts, (1, 1, 1), "the portal, STS and the program, for {TUNNELS} tunnels on {NODE}");
}

/// So many minutes from now, as AWS's programs write it.
fn in_minutes(minutes: u64) -> String {
    rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 60 * minutes)
}

/// A time in seconds since 1970, as AWS's programs write it.
pub(super) fn rfc3339(seconds: u64) -> String {
    let date = Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8(date.expect("date runs").stdout).expect("a date").trim().to_owned()
}

#[test]
fn what_runs_out_is_warned_of_in_every_view_and_once_in_the_log() {
    let (remote, sim) = (TestRemote::start(), strict());
    let address = remote.address().to_string();
    let mut user = user(&sim, &["work"])
        .with_home_file(TOKEN_FILE, &token(&in_minutes(600), ""))
        .tunnel_with("files", &address, &profile("work"))
        .tunnel_with("other", &address, &profile("keys"));
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    let expiry = |tunnel: &str| user.status(tunnel)["credentials_expire"].clone();
    wait_until("the end of the login to be known", DEADLINE, || expiry("files").is_string().then_some(()));
    assert!(expiry("other").is_null(), "keys do not run out");
    assert!(!user.run(&["ls"]).stderr.contains("warning") && !user.run(&["ls"]).stdout.contains("warning"));

    let log = user.events();
    let soon = in_minutes(20);
    replace(&user, TOKEN_FILE, &token(&soon, ""));
    wait_until("the nearer end to be known", DEADLINE, || (expiry("files") == soon.as_str()).then_some(()));
    for arguments in [&["ls"][..], &["status", "files"]] {
        let shown = user.run(arguments).expect_success();
        let shown = format!("{}{}", shown.stdout, shown.stderr);
        assert!(shown.contains("warning") && shown.contains("the credentials of profile `work` run out in"), "{shown}");
        assert!(shown.contains("run `aws sso login --profile work`"), "{shown}");
    }
    let event =
        wait_until("the event", DEADLINE, || log.all().into_iter().find(|event| event["type"] == "credentials-expire"));
    assert_eq!((&event["profile"], &event["tunnels"]), (&json!("work"), &json!(["files"])), "{event}");
    // As a new token of the same end does not, a look does not warn again.
    replace(&user, TOKEN_FILE, &token(&soon, " "));
    replace(&user, TOKEN_FILE, &token(FAR_AWAY, ""));
    wait_until("the login to be seen", DEADLINE, || (expiry("files") == FAR_AWAY).then_some(()));
    assert_eq!(log.all().iter().filter(|event| event["type"] == "credentials-expire").count(), 1);
    let said = user.process().output();
    assert_eq!(said.matches("the credentials of profile `work` run out at").count(), 1, "{said}");
}

#[test]
fn a_program_s_credentials_are_renewed_before_they_run_out_and_warned_of_only_if_that_fails() {
    let (remote, sim) = (TestRemote::start(), strict());
    let keys = |minutes| {
        format!(
            "#!/bin/sh\necho asked >> ~/asked\n\
             echo '{{\"Version\":1,\"AccessKeyId\":\"SIMULATED\",\"SecretAccessKey\":\"simulated\",\"Expiration\":\"{}\"}}'\n",
            in_minutes(minutes)
        )
    };
    let mut user = user(&sim, &[]).with_home_file("keys.sh", &keys(3)).tunnel_with(
        "files",
        &remote.address().to_string(),
        &profile("vault"),
    );
    user.write_aws_config(&format!("{ROLES}[profile vault]\ncredential_process = {}/keys.sh\n", user.home().display()));
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    wait_until("the end to be known", DEADLINE, || {
        user.status("files")["credentials_expire"].is_string().then_some(())
    });
    assert!(user.run(&["ls"]).stdout.contains("the credentials of profile `vault` run out in"));

    // It gives some that last: nobody has to do anything.
    let user = user.with_home_file("keys.sh", &keys(60));
    wait_until("the renewal", DEADLINE, || user.status("files")["credentials_expire"].is_null().then_some(()));
    let asked = || fs::read_to_string(user.home().join("asked")).unwrap().lines().count();
    let before = asked();
    user.run(&["restart", "files"]).expect_success();
    user.run(&["wait", "files"]).expect_success();
    assert_eq!(asked(), before, "what was renewed is used");
}
