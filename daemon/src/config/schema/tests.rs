//! What the schema accepts is what the program accepts, by a validator of its own.

use super::*;
use crate::config::load::parse_with;
use crate::config::published::published;
use jsonschema::Validator;
use std::path::Path;

const EXAMPLE: &str = include_str!("../../../../config.example.toml");

fn validator() -> Validator {
    jsonschema::draft7::new(&schema()).expect("a sound schema")
}

fn as_json(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    serde_json::to_value(table).unwrap()
}

/// Where each mistake is, as a JSON pointer.
fn mistakes(text: &str) -> Vec<String> {
    validator().iter_errors(&as_json(text)).map(|error| error.instance_path().to_string()).collect()
}

/// A tunnel that says what it must, but for the key of `line`, and `line`.
fn tunnel(line: &str) -> String {
    let key = line.split([' ', '.']).next().unwrap_or_default();
    let must = [("remote", "\"db:5432\""), ("local", "15432"), ("target", "\"i-01234567\"")];
    let lines = must.iter().filter(|(name, _)| *name != key).map(|(name, value)| format!("{name} = {value}\n"));
    format!("[tunnels.a]\n{}{line}\n", lines.collect::<String>())
}

#[test]
fn the_published_schema_is_this_one() {
    assert!(jsonschema::meta::is_valid(&schema()), "the schema of schemas");
    published("config.schema.json", &format!("{:#}\n", schema()));
}

#[test]
fn the_example_file_is_valid_and_names_every_key() {
    assert_eq!(mistakes(EXAMPLE), [""; 0]);
    let example = as_json(EXAMPLE);
    let tunnels = example["tunnels"].as_object().unwrap();
    for row in KEYS {
        assert!(tunnels.values().any(|tunnel| tunnel.get(row.name).is_some()), "{} is not in the example", row.name);
    }
}

#[test]
fn each_example_and_default_is_valid() {
    for row in KEYS {
        let default = match row.default {
            Fallback::Value(value) => Some(value),
            _ => None,
        };
        for value in [Some(row.example), default].into_iter().flatten() {
            assert_eq!(mistakes(&tunnel(&format!("{} = {value}", row.name))), [""; 0], "{} = {value}", row.name);
        }
    }
}

#[test]
fn what_the_program_accepts_the_schema_accepts() {
    for line in [
        "remote = 8080",
        "remote = \"[::1]:5432\"",
        "remote = \":8080\"",
        "remote = \"5432\"",
        "remote = \"${DB}\"",
        "remote = \"${DB}:5432\"",
        "local = \"127.0.0.2:6379\"",
        "local = \"localhost:6379\"",
        "local = \"[::1]:6379\"",
        "local = \"15432\"",
        "local = \"unix:~/db.sock\"",
        "local = \"unix:${HOME}/db.sock\"",
        "target = { tag = \"Name=a=b\" }",
        "target = [\"mi-0123456789abcdef0\", { tag = \"Name=bastion b\" }, \"ecs:c_0123_0123-1\"]",
        "target = \"${DB}\"",
        "profile = \"my profile\"",
        "region = \"us-gov-west-1\"",
        "region = \"${AWS_REGION}\"",
        "endpoints.ssm = \"vpce-0a1b.example\"",
        "groups = []",
        "open = \"on-demand\"",
        "park_after = \"never\"",
        "park_after = \"1h 30m\"",
        "hold = \"0s\"",
        "hold = \"15 minutes\"",
        "hold = \"PT15M\"",
        "hold = \"${HOLD}\"",
        "probe = \"none\"",
        "document = \"arn:aws:ssm:eu-west-1:123456789012:document/My-Doc\"",
        "reason = \"it's ü\"",
    ] {
        let text = tunnel(line);
        let env = |name: &str| {
            Some(match name {
                "DB" if line.contains(":5432") => "db".to_owned(),
                "DB" if line.starts_with("target") => "i-01234567".to_owned(),
                "DB" => "db:5432".to_owned(),
                "AWS_REGION" => "eu-west-1".to_owned(),
                "HOLD" => "1s".to_owned(),
                "HOME" => "/home/u".to_owned(),
                _ => return None,
            })
        };
        parse_with(Path::new("config.toml"), &text, &env).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(mistakes(&text), [""; 0], "{line}");
    }
}

#[test]
fn what_editors_show_as_wrong_is_wrong_and_is_where_it_stands() {
    for (line, place) in [
        ("remote = \"db\"", "/tunnels/a/remote"),
        ("remote = \"postgres://db:5432/x\"", "/tunnels/a/remote"),
        ("remote = 70000", "/tunnels/a/remote"),
        ("local = 0", "/tunnels/a/local"),
        ("local = \"/run/db\"", "/tunnels/a/local"),
        ("target = \"bastion\"", "/tunnels/a/target"),
        ("target = []", "/tunnels/a/target"),
        ("target = { tag = \"Name\" }", "/tunnels/a/target"),
        ("target = { name = \"x\" }", "/tunnels/a/target"),
        ("profile = 5", "/tunnels/a/profile"),
        ("profile = \"\"", "/tunnels/a/profile"),
        ("region = \"eu-west1\"", "/tunnels/a/region"),
        ("endpoints.sss = \"https://x\"", "/tunnels/a/endpoints"),
        ("groups = \"db\"", "/tunnels/a/groups"),
        ("groups = [\"@db\"]", "/tunnels/a/groups/0"),
        ("auto = \"yes\"", "/tunnels/a/auto"),
        ("open = \"ondemand\"", "/tunnels/a/open"),
        ("park_after = 15", "/tunnels/a/park_after"),
        ("hold = \"never\"", "/tunnels/a/hold"),
        ("hold = \"15\"", "/tunnels/a/hold"),
        ("max_sessions = 17", "/tunnels/a/max_sessions"),
        ("payload = 512", "/tunnels/a/payload"),
        ("probe = \"tpc\"", "/tunnels/a/probe"),
        ("document = \"my document\"", "/tunnels/a/document"),
        ("protected = 1", "/tunnels/a/protected"),
        ("prbe = \"tcp\"", "/tunnels/a"),
    ] {
        let text = tunnel(line);
        assert!(parse_with(Path::new("config.toml"), &text, &|_| None).is_err(), "the program accepts {line}");
        assert_eq!(mistakes(&text), [place], "{line}");
    }
    for (text, place) in [
        ("include = \"team.toml\"", "/include"),
        ("[default]\nregion = \"eu-west-1\"", ""),
        ("[defaults]\nlocal = 1", "/defaults"),
        ("[defaults]\nhold = 1", "/defaults/hold"),
        ("[tunnels.a]\nremote = 1", "/tunnels/a"),
        ("[tunnels.\"a b\"]\nremote = 1\nlocal = 1", "/tunnels"),
        ("[tunnels]\na = 1", "/tunnels/a"),
    ] {
        assert!(parse_with(Path::new("config.toml"), text, &|_| None).is_err(), "the program accepts {text}");
        assert_eq!(mistakes(text), [place], "{text}");
    }
}
