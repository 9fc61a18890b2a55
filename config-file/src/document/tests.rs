use super::*;
use crate::tunnel::{Local, Target};
use proptest::prelude::*;
use std::path::Path;
use tunnels_daemon::config::{self, LocalAddr, Remote};

fn new(name: &str) -> NewTunnel {
    let remote = Remote { host: Some("db.example".to_owned()), port: 5432 };
    NewTunnel {
        targets: vec![Target::Id("i-01234567".to_owned())],
        ..NewTunnel::new(name, remote, LocalAddr::Loopback(15432))
    }
}

fn added(text: &str) -> String {
    with_tunnels(text, &[new("db")]).unwrap()
}

const TABLE: &str = "[tunnels.db]\nremote = \"db.example:5432\"\nlocal = 15432\ntarget = \"i-01234567\"\n";

#[test]
fn a_tunnel_goes_behind_the_others_and_nothing_else_moves() {
    for (text, expected) in [
        ("", TABLE.to_owned()),
        ("# mine\n", format!("# mine\n\n{TABLE}")),
        ("# mine", format!("# mine\n\n{TABLE}")),
        ("include = []\n", format!("include = []\n\n{TABLE}")),
        (
            "# a\n[tunnels.a] # b\nremote = 1 # c\nlocal  =  1\n\n# end\n",
            format!("# a\n[tunnels.a] # b\nremote = 1 # c\nlocal  =  1\n\n{TABLE}\n# end\n"),
        ),
        (
            "[tunnels.a]\nremote = 1\nlocal = 1\n[tunnels.a.endpoints]\nssm = \"x\"\n\n# all\n[defaults]\nhold = '1s'",
            format!(
                "[tunnels.a]\nremote = 1\nlocal = 1\n[tunnels.a.endpoints]\nssm = \"x\"\n\n{TABLE}\n# all\n[defaults]\nhold = '1s'\n"
            ),
        ),
        ("\u{feff}include = []\r\n", format!("\u{feff}{}", format!("include = []\n\n{TABLE}").replace('\n', "\r\n"))),
        (
            "tunnels = { a = { remote = 1, local = 1 } }\n",
            "tunnels = { a = { remote = 1, local = 1 } , db = { remote = \"db.example:5432\", local = 15432, \
             target = \"i-01234567\" } }\n"
                .to_owned(),
        ),
    ] {
        assert_eq!(added(text), expected, "{text:?}");
    }
}

#[test]
fn every_key_is_written_as_it_is_read() {
    let tunnel = NewTunnel {
        comment: vec!["from x.sh:3".to_owned(), "a\nb".to_owned()],
        targets: vec![Target::from_word("Name=a \"b\" ${c}"), Target::from_word("mi-01234567")],
        profile: Some("~/dev".to_owned()),
        region: Some("eu-west-1".to_owned()),
        endpoint: Some("https://vpce.example/${HOME}".to_owned()),
        groups: vec!["db".to_owned(), "prod".to_owned()],
        on_demand: true,
        document: Some("My-Doc".to_owned()),
        reason: Some("it's ${HOME}, ${5} or $${x".to_owned()),
        protected: true,
        ..new("a.b")
    };
    let text = with_tunnels("", std::slice::from_ref(&tunnel)).unwrap();
    assert!(text.starts_with("# from x.sh:3\n# a b\n[tunnels.\"a.b\"]\n"), "{text}");
    let config = config::parse(Path::new("/nowhere/config.toml"), &text).unwrap_or_else(|errors| panic!("{errors}"));
    let [read] = config.tunnels.as_slice() else { panic!("{text}") };
    assert_eq!((read.name.as_str(), read.on_demand, read.protected), ("a.b", true, true));
    assert_eq!((&read.remote, &Local::At(read.local.clone())), (&tunnel.remote, &tunnel.local));
    let targets: Vec<String> = read.targets.iter().map(ToString::to_string).collect();
    assert_eq!(targets.len(), 2);
    assert!(targets[0].contains("Name=a \"b\" ${c}") && targets[1] == "mi-01234567", "{targets:?}");
    let scope = &read.scope;
    assert_eq!(
        (&scope.profile, &scope.region, &scope.endpoints.ssm),
        (&tunnel.profile, &tunnel.region, &tunnel.endpoint)
    );
    assert_eq!((&read.document, &read.reason, &read.groups), (&tunnel.document, &tunnel.reason, &tunnel.groups));
    let bare = NewTunnel {
        remote: Remote { host: None, port: 8080 },
        local: LocalAddr::Unix("/run/x".into()).into(),
        ..new("x")
    };
    let text = with_tunnels("", &[bare]).unwrap();
    assert!(text.contains("remote = 8080\nlocal = \"unix:/run/x\"\n"), "{text}");
    let local = LocalAddr::Unix("/run/${HOME}".into());
    let text = with_tunnels("", &[NewTunnel { local: local.clone().into(), ..new("x") }]).unwrap();
    assert_eq!(config::parse(Path::new("/nowhere/config.toml"), &text).unwrap().tunnels[0].local, local);
    // No host has such a name, and no name of a variable's value is asked for either.
    let host = NewTunnel { remote: Remote { host: Some("${HOME}".to_owned()), port: 1 }, ..new("x") };
    let errors = config::parse(Path::new("/nowhere/config.toml"), &with_tunnels("", &[host]).unwrap()).unwrap_err();
    assert!(errors.to_string().contains("`$` cannot be part of a host's name"), "{errors}");
}

#[test]
fn an_include_is_added_where_they_stand() {
    for (text, expected) in [
        ("", "include = [\"t\"]\n"),
        ("[defaults]\n", "include = [\"t\"]\n\n[defaults]\n"),
        ("# mine\n\n# all\n[defaults]\n", "# mine\n\ninclude = [\"t\"]\n# all\n[defaults]\n"),
        ("#:schema x\n[defaults]\n", "#:schema x\ninclude = [\"t\"]\n\n[defaults]\n"),
        ("include = []\n", "include = [\"t\"]\n"),
        ("include = [\"a\"] # x\n", "include = [\"a\", \"t\"] # x\n"),
        ("include = [\n  \"a\", # x\n]\n", "include = [\n  \"a\", # x\n  \"t\",\n]\n"),
        ("include = [\n  \"a\"\n]\n", "include = [\n  \"a\",\n  \"t\",\n]\n"),
    ] {
        assert_eq!(with_include(text, "t").unwrap(), expected, "{text:?}");
    }
}

#[test]
fn what_is_no_configuration_is_refused() {
    for text in ["[", "tunnels = 1", "[[tunnels]]\na = 1"] {
        assert!(with_tunnels(text, &[new("db")]).is_err(), "{text}");
    }
    assert!(with_include("include = 1", "t").is_err());
}

/// Pieces of which files are made; each is whole, and their order is free after the first two.
fn file() -> impl Strategy<Value = String> {
    let head = prop::sample::select(vec!["", "# mine\n", "#:schema x\n", "# mine\n\n", "\n\n"]);
    let include = prop::sample::select(vec![
        "",
        "include = []\n",
        "include = [ 'a', \"b\" ] # c\n",
        "include = [\n  'a', # one\n  # two\n  'b' # three\n  # four\n]\n",
    ]);
    let tables = prop::sample::subsequence(
        vec![
            "[defaults] # d\nhold='1s'\n",
            "\n# one\n[tunnels.a]\nremote = 1\nlocal = 1 # l\n",
            "[tunnels.\"b.c\"]\nremote = 2\nlocal = 2\nendpoints.ssm = 'x'\n\n",
            "[tunnels.e]\nremote = 3\nlocal = 3\n  [tunnels.e.endpoints] # x\n  ssm = 'y'\n# after\n",
            "[ tunnels . f ]\nremote = 4\nlocal = 4\n",
        ],
        0..=5,
    )
    .prop_shuffle();
    let end = prop::sample::select(vec!["", "# end", "# end\n", "\n\n"]);
    (head, include, tables, end)
        .prop_map(|(head, include, tables, end)| format!("{head}{include}{}{end}", tables.concat()))
}

/// Everything that is not space, in order: what a person wrote.
fn is_within(part: &str, whole: &str) -> bool {
    let mut rest = whole.chars().filter(|c| !c.is_whitespace() && *c != ',');
    part.chars().filter(|c| !c.is_whitespace() && *c != ',').all(|c| rest.any(|other| other == c))
}

proptest! {
    #[test]
    fn whatever_the_file_looks_like_all_of_it_is_kept(text in file()) {
        let tables = |text: &str| text.parse::<DocumentMut>().unwrap();
        let with = added(&text);
        prop_assert!(is_within(&text, &with), "{text}\n---\n{with}");
        prop_assert_eq!(with_tunnels(&with, &[]).unwrap(), with.clone());
        prop_assert!(tables(&with)["tunnels"].get("db").is_some(), "{}", with);
        let with = with_include(&text, "t").unwrap();
        prop_assert!(is_within(&text, &with), "{text}\n---\n{with}");
        let last = tables(&with)["include"].as_array().unwrap().iter().last().unwrap().as_str().unwrap().to_owned();
        prop_assert_eq!(last, "t");
    }
}
