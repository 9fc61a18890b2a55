//! Commands that change the configuration: `add`, `import`, `config edit`, and the schema beside them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use tunnels_tests::{Finished, Terminal, TestDaemon, TestRemote, TestSim, finish};

const MINE: &str = "# mine\n[defaults] # for all\ntarget = \"i-0123456789abcdef0\"\n\n\
                    [tunnels.orders-db]   # the old one\nremote = \"orders.example:5432\"\nlocal = 25432\n";

fn setting() -> (TestSim, TestDaemon) {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim);
    user.overwrite_config(MINE);
    (sim, user)
}

fn config(user: &TestDaemon) -> String {
    fs::read_to_string(user.config()).expect("the configuration")
}

/// Runs the program with an editor that is this shell script; `$1` is the file.
fn edit(user: &TestDaemon, script: &str) -> Finished {
    let editor = user.home().join("editor");
    fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = user.command(&["config", "edit"]);
    command.env("EDITOR", &editor).env("CONFIG", user.config());
    finish(&mut command)
}

/// What lies in the folder of the configuration.
fn files(user: &TestDaemon) -> Vec<String> {
    let folder = user.config().parent().unwrap().to_owned();
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn add_keeps_the_file_and_picks_a_port_that_stays() {
    let (_sim, user) = setting();
    let added = user.run(&["add", "billing", "--remote", "billing.example:5432", "--group", "db"]).expect_success();
    let text = config(&user);
    assert!(text.starts_with(MINE), "{text}");
    assert_eq!(text, format!("{MINE}\n{}", added.stdout.trim_start()));
    let shown = user.run(&["config", "show", "billing", "--json"]).expect_success().json();
    let settings = &shown["tunnels"][0]["settings"];
    let port = settings["local"]["value"].as_u64().expect("a port");
    assert!((1024..32768).contains(&port) && port != 25432, "{port}");
    assert_eq!(settings["groups"]["value"][0], "db");

    // Both places of what is taken.
    let again = user.run(&["add", "billing", "--remote", "other.example:1"]).expect_code(3);
    assert!(again.stderr.contains("config.toml:10 leads to billing.example:5432"), "{}", again.stderr);
    let clash = user.run(&["add", "third", "--remote", "x:1", "--local", "25432"]).expect_code(3);
    for part in ["want the same local address", " 7 | local = 25432", "first here", "here again"] {
        assert!(clash.stderr.contains(part), "{part} is missing in\n{}", clash.stderr);
    }
    let dry = user.run(&["add", "fourth", "--remote", "8080", "--dry-run"]).expect_success();
    assert!(dry.stdout.contains("[tunnels.fourth]\nremote = 8080\n"), "{}", dry.stdout);
    assert_eq!(config(&user), text, "nothing else has changed it");
    user.overwrite_config("[tunnels.x]\n");
    user.run(&["add", "y", "--remote", "y:1"]).expect_code(3);
}

#[test]
fn add_makes_the_first_configuration_and_asks_for_what_it_has_to_know() {
    let (_sim, user) = setting();
    fs::remove_file(user.config()).unwrap();
    let missing = user.run(&["add", "--remote", "db:5432"]).expect_code(2);
    assert!(missing.stderr.contains("NAME is missing"), "{}", missing.stderr);
    user.run(&["add", "db", "--remote", "db:5432"]).expect_code(3);
    assert!(!user.config().exists(), "a tunnel without a target is none");

    let mut terminal = Terminal::start(&user.command(&["add"]), 100, 30);
    for (question, answer) in [
        ("Where it leads", "postgres://db.example/x"),
        ("write `db.example:5432`", "db.example:5432"),
        ("What to call it [db]", ""),
        ("Where it listens", ""),
        ("Who carries it", "Name=bastion"),
    ] {
        terminal.wait_for(question);
        terminal.press(&format!("{answer}\r"));
    }
    terminal.wait_for("tunnels up db");
    assert!(terminal.wait_end().success());
    let text = config(&user);
    assert!(text.starts_with("[tunnels.db]\nremote = \"db.example:5432\"\nlocal = "), "{text}");
    assert!(text.ends_with("target = { tag = \"Name=bastion\" }\n"), "{text}");
    assert_eq!(user.config().metadata().unwrap().mode() & 0o777, 0o600);
    user.run(&["config", "check"]).expect_success();
}

#[test]
fn a_teams_file_is_shown_before_it_is_taken_in() {
    let (_sim, user) = setting();
    let team = user.home().join("src/tunnels.toml");
    fs::create_dir(team.parent().unwrap()).unwrap();
    fs::write(
        &team,
        "[tunnels.cache]\nremote = \"cache:6379\"\nlocal = \"0.0.0.0:26379\"\nprofile = \"prod\"\n\
         endpoints.ssm = \"https://vpce.example\"\n",
    )
    .unwrap();
    let path = team.to_str().unwrap();
    let unattended = user.run(&["add", "--include", path]).expect_code(2);
    for part in [
        "~/src/tunnels.toml names 1 tunnel",
        "0.0.0.0:26379 → cache:6379",
        "profile = \"prod\"",
        "vpce.example",
        "other machines",
    ] {
        assert!(unattended.stdout.contains(part), "{part} is missing in\n{}", unattended.stdout);
    }
    assert!(unattended.stderr.contains("--yes"), "{}", unattended.stderr);
    let mut terminal = Terminal::start(&user.command(&["add", "--include", path]), 100, 30);
    terminal.wait_for("Take ~/src/tunnels.toml in? [y/N]");
    terminal.press("\r");
    assert_eq!(terminal.wait_end().code(), Some(1));
    assert_eq!(config(&user), MINE);

    user.run(&["add", "--include", path, "--yes"]).expect_success();
    assert_eq!(config(&user), MINE.replace("# mine\n", "include = [\"~/src/tunnels.toml\"]\n# mine\n"));
    assert_eq!(user.run(&["config", "check", "--json"]).expect_success().json()["tunnels"], 2);
    let again = user.run(&["add", "--include", path, "--yes"]).expect_success();
    assert!(again.stdout.contains("already"), "{}", again.stdout);
    // A name that both have.
    let twice = user.home().join("twice.toml");
    fs::write(&twice, "[tunnels.orders-db]\nremote = 1\nlocal = 1999\n").unwrap();
    let refused = user.run(&["add", "--include", twice.to_str().unwrap(), "--yes"]).expect_code(3);
    for part in ["defined twice", "twice.toml:1", "config.toml:6"] {
        assert!(refused.stderr.contains(part), "{part} is missing in\n{}", refused.stderr);
    }
}

#[test]
fn import_takes_over_what_it_understands_and_says_what_it_does_not() {
    let (_sim, user) = setting();
    let script = user.home().join("tunnels.sh");
    fs::write(
        &script,
        "# databases\naws ssm start-session --target i-0aaaaaaaaaaaaaaaa --profile prod \\\n  --document-name \
         AWS-StartPortForwardingSessionToRemoteHost \\\n  --parameters \
         '{\"host\":[\"billing.abc.eu-west-1.rds.amazonaws.com\"],\"portNumber\":[\"5432\"],\"localPortNumber\":[\"25432\"]}'\n\
         aws ssm start-session --target i-0aaaaaaaaaaaaaaaa\n\
         aws ssm start-session --target i-0123456789abcdef0 --document-name AWS-StartPortForwardingSessionToRemoteHost \
         --parameters host=orders.example,portNumber=5432\n",
    )
    .unwrap();
    let path = script.to_str().unwrap();
    let dry = user.run(&["import", path, "--dry-run"]).expect_success();
    for part in [
        "tunnels.sh:5: not taken: it opens a shell",
        "tunnels.sh:6: not taken: `orders-db` leads there already",
        "tunnels.sh:2: `billing`: 127.0.0.1:25432 is another tunnel's address",
    ] {
        assert!(dry.stderr.contains(part), "{part} is missing in\n{}", dry.stderr);
    }
    assert!(dry.stdout.contains("[tunnels.billing]"), "{}", dry.stdout);
    assert_eq!(config(&user), MINE);
    user.run(&["import", path]).expect_code(2);
    user.run(&["import", path, "--yes", "--group", "db"]).expect_success();
    let text = config(&user);
    assert!(text.starts_with(MINE) && text.contains(&format!("# from {path}:2\n[tunnels.billing]")), "{text}");
    assert!(text.contains("profile = \"prod\"") && text.contains("groups = [\"db\"]"), "{text}");
    let again = user.run(&["import", path, "--yes"]).expect_code(1);
    assert!(again.stderr.contains("nothing to take over"), "{}", again.stderr);

    let basti = user.home().join(".basti.yaml");
    fs::write(
        &basti,
        "connections:\n  search:\n    target:\n      customTargetHost: s.internal\n      customTargetPort: 443\n",
    )
    .unwrap();
    fs::remove_file(user.config()).unwrap();
    let none = user.run(&["import", basti.to_str().unwrap(), "--yes"]).expect_code(1);
    assert!(none.stderr.contains("--target Name=bastion"), "{}", none.stderr);
    user.run(&["import", basti.to_str().unwrap(), "--yes", "--target", "Name=bastion"]).expect_success();
    assert_eq!(user.run(&["config", "check", "--json"]).expect_success().json()["tunnels"], 1);
}

#[test]
fn an_edit_replaces_the_file_only_when_it_is_sound() {
    let (_sim, user) = setting();
    fs::set_permissions(user.config(), fs::Permissions::from_mode(0o640)).unwrap();
    let before = files(&user);
    let same = edit(&user, "true").expect_success();
    assert!(same.stdout.contains("nothing was changed"), "{}", same.stdout);
    let saved = edit(&user, "sed -i 's/25432/25433/' \"$1\"; grep -q 25432 \"$CONFIG\"").expect_success();
    assert!(saved.stdout.contains("saved; 1 tunnel"), "{}", saved.stdout);
    assert_eq!(config(&user), MINE.replace("25432", "25433"));
    assert_eq!(user.config().metadata().unwrap().mode() & 0o777, 0o640);
    let wrong = edit(&user, "sed -i 's/remote/remoet/' \"$1\"").expect_code(3);
    assert!(wrong.stderr.contains("did you mean `remote`?"), "{}", wrong.stderr);
    let failed = edit(&user, "echo x > \"$1\"; exit 3").expect_code(1);
    assert!(failed.stderr.contains("nothing was changed"), "{}", failed.stderr);
    assert_eq!((config(&user), files(&user)), (MINE.replace("25432", "25433"), before));

    // Somebody else was faster: neither edit is lost.
    let changed = edit(&user, "echo '# mine' >> \"$1\"; echo '# theirs' >> \"$CONFIG\"").expect_code(1);
    assert!(changed.stderr.contains("by somebody else"), "{}", changed.stderr);
    assert!(config(&user).ends_with("# theirs\n"), "{}", config(&user));
    let (_, kept) = changed.stderr.split_once("your edit is in ").expect("where it is");
    assert!(fs::read_to_string(kept.trim()).unwrap().ends_with("# mine\n"));
}

#[test]
fn mistakes_can_be_mended_or_the_edit_discarded() {
    let (_sim, user) = setting();
    let editor = user.home().join("editor");
    // Wrong the first time, right the second.
    let script =
        "#!/bin/sh\ngrep -q holt \"$1\" && exec sed -i 's/holt/hold/' \"$1\"\necho 'holt = \"5s\"' >> \"$1\"\n";
    fs::write(&editor, script).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = user.command(&["config", "edit"]);
    command.env("VISUAL", &editor);
    let mut terminal = Terminal::start(&command, 100, 40);
    terminal.wait_for("did you mean `hold`?");
    terminal.wait_for("(e)dit again, (d)iscard?");
    terminal.press("d\r");
    assert_eq!(terminal.wait_end().code(), Some(1));
    assert_eq!(config(&user), MINE);
    let mut terminal = Terminal::start(&command, 100, 40);
    terminal.wait_for("(e)dit again, (d)iscard?");
    terminal.press("e\r");
    terminal.wait_for("saved");
    assert!(terminal.wait_end().success());
    assert_eq!(config(&user), format!("{MINE}hold = \"5s\"\n"));
}

#[test]
fn a_running_daemon_takes_over_what_is_added() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    user.run(&["add", "second", "--remote", &remote.address().to_string()]).expect_success();
    user.run(&["wait", "second"]).expect_success();
    assert_eq!(sim.calls("StartSession"), 2);
}

#[test]
fn the_schema_is_printed_for_editors() {
    let (_sim, user) = setting();
    let schema = user.run(&["config", "schema"]).expect_success().json();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(schema["definitions"]["tunnel"]["properties"]["remote"].is_object(), "{schema}");
}
