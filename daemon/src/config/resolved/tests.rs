//! Every value with its origin.

use super::*;
use crate::config::load::parse_with;
use std::path::Path;

const TEXT: &str = r#"[defaults]
target = { tag = "Name=bastion" }
hold = "90s"
endpoints.ssm = "vpce-1.example"

[tunnels.a]
remote = "db.example:5432"
local = 15432
groups = ["db"]

[tunnels.b]
remote = 8080
local = "127.0.0.2:8080"
target = ["i-01234567", { tag = "Role=jump" }]
profile = "prod"
park_after = "never"
"#;

fn settings(tunnel: usize, env: &[(&str, &str)]) -> BTreeMap<&'static str, (String, String)> {
    let resolved = parse_with(Path::new("c.toml"), TEXT, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let origin = |origin: &Origin| match origin {
        Origin::File { path, line, defaults: false } => format!("{}:{line}", path.display()),
        Origin::File { path, line, defaults: true } => format!("defaults {}:{line}", path.display()),
        Origin::Environment(name) => (*name).to_owned(),
        Origin::BuiltIn => "built in".to_owned(),
        Origin::Unset => "unset".to_owned(),
    };
    let all = resolved.settings(tunnel, &env);
    all.iter().map(|one| (one.key, (one.value.to_string(), origin(&one.origin)))).collect()
}

#[test]
fn each_value_says_where_it_comes_from() {
    let a = settings(0, &[("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_PROFILE", ""), ("AWS_REGION", "us-east-1")]);
    for (key, value, origin) in [
        ("remote", "\"db.example:5432\"", "c.toml:7"),
        ("local", "15432", "c.toml:8"),
        ("target", "{\"tag\":\"Name=bastion\"}", "defaults c.toml:2"),
        ("profile", "null", "unset"),
        ("region", "\"us-east-1\"", "AWS_REGION"),
        ("endpoints.ssm", "\"https://vpce-1.example\"", "defaults c.toml:4"),
        ("endpoints.ssmmessages", "null", "unset"),
        ("groups", "[\"db\"]", "c.toml:9"),
        ("park_after", "\"15m\"", "built in"),
        ("ping_timeout", "\"10s\"", "built in"),
        ("hold", "\"1m30s\"", "defaults c.toml:3"),
        ("probe", "\"postgres\"", "built in"),
        ("document", "\"AWS-StartPortForwardingSessionToRemoteHost\"", "built in"),
        ("protected", "false", "built in"),
    ] {
        assert_eq!(a[key], (value.to_owned(), origin.to_owned()), "{key}");
    }
    let b = settings(1, &[("AWS_PROFILE", "dev")]);
    for (key, value, origin) in [
        ("remote", "8080", "c.toml:12"),
        ("local", "\"127.0.0.2:8080\"", "c.toml:13"),
        ("target", "[\"i-01234567\",{\"tag\":\"Role=jump\"}]", "c.toml:14"),
        ("profile", "\"prod\"", "c.toml:15"),
        ("park_after", "\"never\"", "c.toml:16"),
        ("document", "\"AWS-StartPortForwardingSession\"", "built in"),
    ] {
        assert_eq!(b[key], (value.to_owned(), origin.to_owned()), "{key}");
    }
}
