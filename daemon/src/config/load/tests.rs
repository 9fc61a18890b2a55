//! Whole files: defaults, includes, and that every mistake is reported with its place.

use super::*;
use crate::aws::{Candidate, TagFilter};
use crate::config::merge::{HOLD, PARK_AFTER};
use crate::config::{Probe, Remote};
use std::time::Duration;

fn good(text: &str) -> Config {
    parse(Path::new("config.toml"), text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn wrong(text: &str) -> Vec<(String, String)> {
    let errors = parse(Path::new("config.toml"), text).expect_err("mistakes");
    errors.iter().map(|error| (error.location().unwrap_or_default(), error.message().to_owned())).collect()
}

#[test]
fn the_documented_example() {
    let config = good(
        r#"
        [defaults]
        profile = "dev"
        region  = "eu-west-1"
        target  = { tag = "Name=bastion" }

        [tunnels.orders-db]
        remote = "orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432"
        local  = 15432
        groups = ["db"]

        [tunnels.bastion-web]
        remote = 8080
        local  = "127.0.0.2:18080"
        target = ["i-0123456789abcdef0", { tag = "Role=jump" }]
        profile = "prod"
        park_after = "never"
        hold = "5s"
        patience = "10m"
        ping_interval = "5s"
        open = "on-demand"
        endpoints.ssm = "http://127.0.0.1:8129"
        "#,
    );
    let [db, web] = config.tunnels.as_slice() else { panic!("two tunnels in the order of the file") };
    assert_eq!(db.name, "orders-db");
    assert_eq!(db.local, LocalAddr::Loopback(15432));
    assert_eq!(db.probe, Probe::Postgres);
    assert_eq!(db.scope.profile.as_deref(), Some("dev"));
    assert_eq!(db.park_after, Some(PARK_AFTER));
    assert_eq!(db.hold, HOLD);
    let seconds = Duration::from_secs;
    assert_eq!((db.patience, db.ping_interval, db.ping_timeout), (seconds(120), seconds(20), seconds(10)));
    // A ping is answered before the next one.
    assert_eq!((web.patience, web.ping_interval, web.ping_timeout), (seconds(600), seconds(5), seconds(5)));
    let tag = |key: &str, value: &str| Candidate::Tag(TagFilter { key: key.into(), value: value.into() });
    assert_eq!(db.targets, [tag("Name", "bastion")]);
    assert_eq!(web.remote, Remote { host: None, port: 8080 });
    assert_eq!(web.targets, [Candidate::Id("i-0123456789abcdef0".into()), tag("Role", "jump")]);
    assert_eq!(web.scope.profile.as_deref(), Some("prod"));
    assert_eq!(web.scope.region.as_deref(), Some("eu-west-1"));
    assert_eq!(web.scope.endpoints.ssm.as_deref(), Some("http://127.0.0.1:8129"));
    assert_eq!((web.park_after, web.on_demand), (None, true));
}

#[test]
fn the_published_example_parses() {
    let config = good(include_str!("../../../../config.example.toml"));
    assert!(!config.tunnels.is_empty());
}

#[test]
fn all_mistakes_at_once_each_with_its_place() {
    let found = wrong(
        r#"surprise = 1
[tunnels.a]
remote = "db"
local = 0
target = "bastion"
prbe = "tcp"
hold = "soon"
max_sessions = 99
auto = "yes"
[tunnels.b]
remote = "db:5432"
[tunnels."@c"]
"#,
    );
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "config.toml:1:1",
            "config.toml:3:10",
            "config.toml:4:9",
            "config.toml:5:10",
            "config.toml:6:1",
            "config.toml:7:8",
            "config.toml:8:16",
            "config.toml:9:8",
            "config.toml:10:10",
            "config.toml:12:10",
        ],
        "{found:#?}"
    );
}

fn locals(text: &str) -> Vec<(String, String)> {
    let text = format!("[defaults]\ntarget = \"i-01234567\"\n{text}");
    good(&text).tunnels.iter().map(|tunnel| (tunnel.name.clone(), tunnel.local.to_string())).collect()
}

#[test]
fn a_tunnel_with_an_address_of_its_own_keeps_it_whoever_stands_beside_it() {
    let own = |name: &str| format!("[tunnels.{name}]\nremote = \"db:5432\"\nlocal = \"auto\"\n");
    let alone = locals(&own("orders-db"));
    let address = alone[0].1.clone();
    assert!(address.starts_with("127.") && address.ends_with(":5432"), "{address}");
    let all = locals(&format!("{}{}[tunnels.c]\nremote = 1\nlocal = 5432\n", own("zebra"), own("orders-db")));
    assert!(all.contains(&alone[0]), "{all:?}");
    assert_ne!(all[0].1, all[1].1);

    // Somebody else's by name: it goes on to the next, and so it is in every order of the file.
    let taken = format!("[tunnels.x]\nremote = 1\nlocal = \"{address}\"\n");
    let before = locals(&format!("{taken}{}", own("orders-db")));
    let after = locals(&format!("{}{taken}", own("orders-db")));
    assert_ne!(before[1].1, address);
    assert_eq!(before[1], after[0]);
}

#[test]
fn an_address_of_its_own_can_clash_with_who_wants_all_of_them() {
    let text = "[defaults]\ntarget = \"i-01234567\"\n[tunnels.a]\nremote = \"db:5432\"\nlocal = \"auto\"\n\
                [tunnels.b]\nremote = 1\nlocal = \"0.0.0.0:5432\"\n";
    let found = wrong(text);
    assert_eq!(found, [("config.toml:5:9".to_owned(), "`b` and `a` want the same local address".to_owned())]);
    let errors =
        wrong("[defaults]\nlocal = \"auto\"\n[tunnels.a]\nremote = 1\nlocal = \"Auto\"\ntarget = \"i-01234567\"\n");
    assert!(
        errors[0].1.contains("cannot stand in [defaults]") && errors[1].1.contains("`Auto` is no address"),
        "{errors:?}"
    );
}

#[test]
fn ports_that_clash_name_both_places() {
    let text = "[defaults]\ntarget = \"i-01234567\"\n\
        [tunnels.a]\nremote = 1\nlocal = 15432\n\
        [tunnels.b]\nremote = 2\nlocal = \"127.0.0.1:15432\"\n";
    let errors = parse(Path::new("config.toml"), text).expect_err("a clash");
    let report = errors.to_string();
    assert!(report.contains("`a` and `b` want the same local address"), "{report}");
    assert!(report.contains("first here") && report.contains("here again"), "{report}");
}

#[test]
fn a_clash_is_reported_beside_other_mistakes_of_the_same_tunnels() {
    let found = wrong("[tunnels.a]\nremote = \"db\"\nlocal = 15432\n[tunnels.b]\nremote = 2\nlocal = 15432\n");
    let messages: Vec<_> = found.iter().map(|(_, message)| message.as_str()).collect();
    for part in ["`remote`", "`a` has no `target`", "`b` has no `target`", "`a` and `b` want the same local address"] {
        assert!(messages.iter().any(|message| message.contains(part)), "{part} is missing in {messages:#?}");
    }
}

#[test]
fn endpoints_that_would_get_credentials_in_the_clear_are_refused() {
    let with = |url: &str| format!("[defaults]\nendpoints.ssm = \"{url}\"\n");
    for url in ["http://ssm.example", "ws://10.0.0.1", "http://localhost:80@evil/", "https://me@ssm.example", "ftp://x"]
    {
        let found = wrong(&with(url));
        assert_eq!(found.len(), 1, "{url}: {found:?}");
        assert_eq!(found[0].0, "config.toml:2:17", "{url}");
    }
    for url in ["https://ssm.example", "vpce-0a1b2c.example", "http://localhost:8129", "http://[::1]:1"] {
        good(&with(url));
    }
}

#[test]
fn an_empty_text_is_a_configuration_without_tunnels() {
    assert_eq!(good("").tunnels, []);
}

#[test]
fn includes_bring_their_tunnels_inherit_defaults_and_may_not_redefine() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "config.toml",
        "include = [\"team.toml\"]\n[defaults]\ntarget = \"i-01234567\"\nregion = \"eu-west-1\"\n\
         [tunnels.mine]\nremote = 1\nlocal = 1001\n",
    );
    write(
        "team.toml",
        "include = [\"config.toml\"]\n[defaults]\nregion = \"us-east-1\"\n[tunnels.theirs]\nremote = 1\nlocal = 1002\n",
    );
    let config = load(&folder.path().join("config.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let regions: Vec<_> =
        config.tunnels.iter().map(|tunnel| (tunnel.name.as_str(), tunnel.scope.region.as_deref())).collect();
    assert_eq!(regions, [("mine", Some("eu-west-1")), ("theirs", Some("us-east-1"))]);
    assert_eq!(config.files.len(), 2);

    write("team.toml", "[tunnels.mine]\nremote = 1\nlocal = 1002\n");
    let errors = load(&folder.path().join("config.toml")).expect_err("defined twice");
    assert!(errors.to_string().contains("`mine` is defined twice"), "{errors}");

    write("config.toml", "include = [\"gone.toml\"]\n");
    let errors = load(&folder.path().join("config.toml")).expect_err("no such file");
    let first = errors.iter().next().unwrap();
    assert!(first.location().unwrap().ends_with("config.toml:1:12"));
    assert_eq!(errors.files(), ["config.toml", "gone.toml"].map(|name| folder.path().join(name)));
}

#[test]
fn a_file_that_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let errors = load(&path).expect_err("refused");
    assert!(errors.to_string().contains("chmod o-w"), "{errors}");
}
