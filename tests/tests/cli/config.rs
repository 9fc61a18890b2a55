//! `tunnels config`: what it says of sound and unsound files, without a daemon.

use serde_json::json;
use tunnels_tests::{TestDaemon, TestSim};

/// A user with one tunnel and an included file; nobody runs.
fn setting() -> (TestSim, TestDaemon) {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim);
    user.overwrite_config(
        "include = [\"team.toml\"]\n[defaults]\ntarget = \"i-0123456789abcdef0\"\nregion = \"eu-west-1\"\n\
         [tunnels.orders-db]\nremote = \"orders.example:5432\"\nlocal = 15432\ngroups = [\"db\"]\n",
    );
    let team = user.config().with_file_name("team.toml");
    std::fs::write(team, "[tunnels.cache]\nremote = \"cache.example:6379\"\nlocal = 16379\n").unwrap();
    (sim, user)
}

#[test]
fn check_says_that_all_is_well_and_what_is_worth_a_warning() {
    let (_sim, user) = setting();
    let finished = user.run(&["config", "check"]).expect_success();
    assert!(finished.stdout.ends_with(": 2 tunnels in 2 files, no mistakes\n"), "{}", finished.stdout);
    assert_eq!(finished.stderr, "");

    let team = user.config().with_file_name("team.toml");
    std::fs::write(&team, "[tunnels.cache]\nremote = \"cache.example:6379\"\nlocal = \"0.0.0.0:16379\"\n").unwrap();
    let finished = user.run(&["config", "check"]).expect_success();
    assert!(finished.stdout.ends_with(", no mistakes, 1 warning\n"), "{}", finished.stdout);
    assert!(finished.stderr.contains("team.toml:3:9"), "{}", finished.stderr);
    let report = user.run(&["config", "check", "--json"]).expect_success().json();
    assert_eq!((&report["valid"], &report["tunnels"], &report["errors"]), (&json!(true), &json!(2), &json!([])));
    assert_eq!(report["files"], json!([user.config(), team]));
    let warning = &report["warnings"][0];
    assert_eq!((&warning["file"], &warning["line"], &warning["column"]), (&json!(team), &json!(3), &json!(9)));
    assert!(warning["message"].is_string() && warning["help"].is_string(), "{warning}");
}

#[test]
fn check_reports_every_mistake_of_every_file() {
    let (_sim, user) = setting();
    let team = user.config().with_file_name("team.toml");
    // A line that is no TOML hides neither its neighbours nor the other file.
    std::fs::write(&team, "[tunnels.cache]\nremote = cache:6379\nlocal = 0\nprbe = \"tcp\"\n").unwrap();
    user.overwrite_config(
        "include = [\"team.toml\", \"gone.toml\"]\n[defaults]\ntarget = \"i-0123456789abcdef0\"\n\
         [tunnels.a]\nremote = \"a:1\"\nlocal = 15432\nhold = \"15\"\n[tunnels.b]\nremote = \"b:1\"\nlocal = 15432\n",
    );
    let finished = user.run(&["config", "check"]).expect_code(3);
    assert_eq!(finished.stdout, "");
    for (place, words) in [
        ("config.toml:1:25", "gone.toml does not exist"),
        ("config.toml:7:8", "write `\"15s\"` or `\"15m\"`"),
        ("config.toml:10:9", "`a` and `b` want the same local address"),
        ("team.toml:2:10", "write `remote = \"cache:6379\"`"),
        ("team.toml:3:9", "port 0 would be another one at every start"),
        ("team.toml:4:1", "did you mean `probe`?"),
    ] {
        assert!(finished.stderr.contains(place), "{place} is missing in\n{}", finished.stderr);
        assert!(finished.stderr.contains(words), "{words} is missing in\n{}", finished.stderr);
    }
    assert!(finished.stderr.contains("6 mistakes"), "{}", finished.stderr);

    let finished = user.run(&["config", "check", "--json"]).expect_code(3);
    let report = finished.json();
    assert_eq!((&report["valid"], report["errors"].as_array().map(Vec::len)), (&json!(false), Some(6)));
    let error: serde_json::Value = serde_json::from_str(&finished.stderr).expect("an error as JSON");
    assert_eq!(error["error"]["code"], "config-invalid");
    // The file that is named is the one that is checked.
    let own = user.config().with_file_name("own.toml");
    std::fs::write(&own, "").unwrap();
    user.run(&["config", "check", own.to_str().unwrap()]).expect_success();
}

#[test]
fn check_reports_in_json_too_that_there_is_no_file() {
    let (_sim, user) = setting();
    let gone = user.config().with_file_name("gone.toml");
    let finished = user.run(&["config", "check", gone.to_str().unwrap(), "--json"]).expect_code(3);
    let report = finished.json();
    assert_eq!((&report["valid"], &report["tunnels"]), (&json!(false), &json!(null)));
    assert_eq!((&report["files"], &report["warnings"]), (&json!([gone]), &json!([])));
    let errors = report["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 1, "{report}");
    assert!(errors[0]["message"].as_str().is_some_and(|text| text.contains("gone.toml")), "{report}");
    assert!(errors[0]["help"].as_str().is_some_and(|text| text.contains("create it")), "{report}");
    let error: serde_json::Value = serde_json::from_str(&finished.stderr).expect("an error as JSON");
    assert_eq!(error["error"]["code"], "config-invalid");
}

#[test]
fn show_says_what_is_in_force_and_where_it_comes_from() {
    let (_sim, user) = setting();
    let shown = user.run(&["config", "show"]).expect_success().stdout;
    for line in
        ["[tunnels.orders-db]", "[tunnels.cache]", "# config.toml:6", "# defaults in config.toml:4", "# team.toml:3"]
    {
        assert!(shown.contains(line), "{line} is missing in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "colours in a pipe");
    // What it prints is a configuration that means the same.
    let copy = user.config().with_file_name("copy.toml");
    std::fs::write(&copy, &shown).unwrap();
    user.run(&["config", "check", copy.to_str().unwrap()]).expect_success();

    let shown = user.run(&["config", "show", "@db", "--json"]).expect_success().json();
    let [tunnel] = shown["tunnels"].as_array().unwrap().as_slice() else { panic!("one tunnel: {shown}") };
    assert_eq!(tunnel["name"], "orders-db");
    let local = json!({ "value": 15432, "from": "tunnel", "file": user.config(), "line": 7 });
    assert_eq!(tunnel["settings"]["local"], local);
    assert_eq!(tunnel["settings"]["hold"], json!({ "value": "30s", "from": "built-in" }));
    assert_eq!(tunnel["settings"]["region"]["from"], "defaults");

    user.run(&["config", "show", "nobody"]).expect_code(5);
    user.overwrite_config("[tunnels.a]\n");
    user.run(&["config", "show"]).expect_code(3);
}

#[test]
fn path_names_files_whether_they_exist_or_not() {
    let (_sim, user) = setting();
    let team = user.config().with_file_name("team.toml");
    let main = format!("{}\n", user.config().display());
    assert_eq!(user.run(&["config", "path"]).expect_success().stdout, main);
    assert_eq!(user.run(&["config", "path", "--all"]).expect_success().stdout, format!("{main}{}\n", team.display()));
    std::fs::remove_file(user.config()).unwrap();
    assert_eq!(user.run(&["config", "path"]).expect_success().stdout, main);
}

#[test]
fn variables_and_the_home_folder_are_expanded_and_a_missing_one_is_named() {
    let (_sim, user) = setting();
    let user = user.with_variable("DB_HOST", "orders.example");
    let team = user.home().join("team.toml");
    std::fs::write(&team, "[tunnels.team]\nremote = \"${DB_HOST}:5432\"\nlocal = \"unix:~/team.sock\"\n").unwrap();
    user.overwrite_config("include = [\"~/team.toml\"]\n[defaults]\ntarget = \"i-0123456789abcdef0\"\n");
    let shown = user.run(&["config", "show", "--json"]).expect_success().json();
    let settings = &shown["tunnels"][0]["settings"];
    assert_eq!(settings["remote"]["value"], "orders.example:5432");
    assert_eq!(settings["local"]["value"], format!("unix:{}/team.sock", user.home().display()));
    std::fs::write(&team, "[tunnels.team]\nremote = \"${DB_HOTS}:5432\"\nlocal = 1999\n").unwrap();
    let report = user.run(&["config", "check"]).expect_code(3).stderr;
    assert!(
        report.contains("the environment has no variable `DB_HOTS`") && report.contains("team.toml:2:10"),
        "{report}"
    );
}
