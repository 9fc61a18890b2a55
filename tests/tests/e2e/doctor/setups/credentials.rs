//! The clock, and credentials.

use super::{Broken, EXPIRED_KEY};
use serde_json::json;
use tunnels_tests::{NODE, TestDaemon};

/// `~/.aws/config` of somebody who has been given much.
const ROLES: &str = "[profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n\
    [profile denied]\nrole_arn = arn:aws:iam::111122223333:role/denied\nsource_profile = keys\n\
    [profile ops]\nrole_arn = arn:aws:iam::111122223333:role/ops\nsource_profile = keys\n\
    mfa_serial = arn:aws:iam::111122223333:mfa/ada\n\
    [profile vault]\ncredential_process = sh -c 'echo the vault is locked >&2; exit 1'\n\
    [profile work]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = dev\n\
    [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.invalid/start\n\
    sso_registration_scopes = sso:account:access\n";

pub(super) const SETUPS: &[Broken] = &[
    Broken::new("a clock that is slow", "clock", &["clock is 20 min slow", "set the clock"], |world| {
        world.alone(&json!({ "clock_ahead_s": 1200 }))
    }),
    Broken::new("a clock that is fast", "clock", &["clock is 2 days fast"], |world| {
        world.alone(&json!({ "clock_ahead_s": -200_000 }))
    }),
    Broken::new("keys that have expired", "credentials", &["have expired", "renew"], |world| {
        world.user(NODE).with_keys(EXPIRED_KEY, "secret").into()
    })
    .code(6),
    Broken::new("keys that AWS does not know", "credentials", &["does not accept the access key"], |world| {
        let user = TestDaemon::new(&world.strict).tunnel("db", world.remote.address());
        user.with_keys("AKIDUNKNOWN000000000", "secret").into()
    })
    .code(6),
    Broken::new(
        "a secret that does not fit its key",
        "credentials",
        &["does not accept the access key", "does not match"],
        |world| {
            let user = TestDaemon::new(&world.strict).tunnel("db", world.remote.address());
            user.with_keys("SIMULATED", "wrong").into()
        },
    )
    .code(6),
    Broken::new(
        "a profile that nobody wrote",
        "credentials",
        &["no AWS profile `wrok`", "did you mean `work`?"],
        |_| {
            let user = TestDaemon::with_defaults(&format!("target = \"{NODE}\"\nregion = \"us-east-1\"\n"));
            user.tunnel_with("db", "db.example:5432", "profile = \"wrok\"").with_home_file(".aws/config", ROLES).into()
        },
    )
    .code(6),
    Broken::new(
        "an SSO login that is missing",
        "credentials",
        &["not logged in", "run `aws sso login --profile work`"],
        |world| world.with_profile("work", ROLES).into(),
    )
    .code(6),
    Broken::new(
        "a role that wants a code",
        "credentials",
        &["MFA device arn:aws:iam::111122223333:mfa/ada", "run `aws sts"],
        |world| world.with_profile("ops", ROLES).into(),
    )
    .code(6),
    Broken::new(
        "a role that may not be assumed",
        "permission",
        &["sts:AssumeRole", "role/denied", "trust policy"],
        |world| world.with_profile("denied", ROLES).into(),
    ),
    Broken::new("a program that gives no credentials", "credentials", &["`vault`", "the vault is locked"], |world| {
        world.with_profile("vault", ROLES).into()
    })
    .code(6),
    Broken::new(
        "a profile that keys come before",
        "credentials",
        &["AWS_PROFILE=work has no effect", "unset"],
        |world| world.user(NODE).with_home_file(".aws/config", ROLES).with_variable("AWS_PROFILE", "work").into(),
    )
    .warns(),
];
