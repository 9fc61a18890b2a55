//! Commands that change the configuration: `add`, `import`, `config edit`, and the schema beside them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;
use std::time::Duration;

use tunnels_tests::{Finished, Process, Terminal, TestDaemon, TestRemote, TestSim, finish, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);

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
    finish(&mut editing(user, script))
}

fn editing(user: &TestDaemon, script: &str) -> Command {
    let editor = user.home().join("editor");
    fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = user.command(&["config", "edit"]);
    command.env("EDITOR", &editor).env("CONFIG", user.config());
    command
}

/// The edit that was kept, which is taken away.
#[track_caller]
fn kept(user: &TestDaemon, said: &str) -> String {
    let (_, rest) = said.split_once("your edit is in ").unwrap_or_else(|| panic!("not where it is: {said}"));
    let path = rest.split(';').next().unwrap();
    let config = user.config();
    assert!(rest.contains(&format!("`mv {path} {}`", config.display())), "{rest}");
    let text = fs::read_to_string(path).unwrap();
    fs::remove_file(path).unwrap();
    text
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
    user.run(&["add", "own", "--remote", "own.example:5432", "--local", "auto"]).expect_success();
    assert!(
        config(&user).contains("[tunnels.own]\nremote = \"own.example:5432\"\nlocal = \"auto\"\n"),
        "{}",
        config(&user)
    );
    let shown = user.run(&["config", "show", "own", "--json"]).expect_success().json();
    let local = shown["tunnels"][0]["settings"]["local"]["value"].as_str().expect("an address").to_owned();
    assert!(local.starts_with("127.") && local.ends_with(":5432") && local != "127.0.0.1:5432", "{local}");
    // What the shell did not expand is meant as it stands.
    user.run(&["add", "fifth", "--remote", "8081", "--reason", "cost ${5} of ${HOME}"]).expect_success();
    let shown = user.run(&["config", "show", "fifth", "--json"]).expect_success().json();
    assert_eq!(shown["tunnels"][0]["settings"]["reason"]["value"], "cost ${5} of ${HOME}");
    user.overwrite_config("[tunnels.x]\n");
    user.run(&["add", "y", "--remote", "y:1"]).expect_code(3);
}

#[test]
fn add_makes_the_first_configuration_and_asks_for_what_it_has_to_know() {
    let (_sim, user) = setting();
    fs::remove_file(user.config()).unwrap();
    let nothing = user.run(&["ls"]).expect_code(4);
    for part in ["there is no configuration at", user.config().to_str().unwrap(), "`tunnels add` makes one"] {
        assert!(nothing.stderr.contains(part), "{part} is missing in\n{}", nothing.stderr);
    }
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
fn one_line_that_cannot_be_used_keeps_no_other_from_being_imported() {
    let (_sim, user) = setting();
    let script = user.home().join("wiki.sh");
    let web = |target: &str, more: &str| {
        format!(
            "aws ssm start-session --target {target} --document-name AWS-StartPortForwardingSession --parameters \
             portNumber=8080 {more}\n"
        )
    };
    fs::write(
        &script,
        web("i-xxxxxxxx", "")
            + &web("i-0aaaaaaaa", "--region eu-west-1")
            + &web("i-0bbbbbbbb", "--region mars")
            + &web("i-0cccccccc", "--reason '${AWS_SECRET_ACCESS_KEY}'"),
    )
    .unwrap();
    let imported = user.run(&["import", script.to_str().unwrap(), "--yes"]).expect_success();
    for part in [
        "wiki.sh:1: not taken: `port-8080`: `target`: `i-xxxxxxxx` is not a whole instance id",
        "8 or 17 digits",
        "wiki.sh:3: not taken: `port-8080`: `region`: `mars` is no region",
        "added 2 tunnels",
    ] {
        assert!(imported.stderr.contains(part), "{part} is missing in\n{}", imported.stderr);
    }
    let text = config(&user);
    for part in ["[tunnels.port-8080]", "[tunnels.port-8080-2]", "i-0aaaaaaaa", "i-0cccccccc"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    // What a script has as text stays text.
    assert!(text.contains("reason = \"$${AWS_SECRET_ACCESS_KEY}\""), "{text}");
    fs::write(&script, web("i-xxxxxxxx", "")).unwrap();
    let none = user.run(&["import", script.to_str().unwrap(), "--yes"]).expect_code(1);
    assert!(none.stderr.contains("is not a whole instance id"), "{}", none.stderr);
    assert_eq!(config(&user), text);
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
    assert_eq!(files(&user), before, "nothing is left behind");
}

#[test]
fn an_edit_that_cannot_be_saved_is_kept() {
    let (_sim, user) = setting();
    let before = files(&user);
    let nothing = edit(&user, "exit 3").expect_code(1);
    assert!(!nothing.stderr.contains("your edit"), "{}", nothing.stderr);
    let wrong = edit(&user, "sed -i 's/remote/remoet/' \"$1\"").expect_code(3);
    assert!(wrong.stderr.contains("did you mean `remote`?"), "{}", wrong.stderr);
    assert_eq!(kept(&user, &wrong.stderr), MINE.replace("remote", "remoet"));
    let failed = edit(&user, "echo x > \"$1\"; exit 3").expect_code(1);
    assert!(failed.stderr.contains("nothing was changed"), "{}", failed.stderr);
    assert_eq!(kept(&user, &failed.stderr), "x\n");
    let unreadable = edit(&user, "echo '# mine' >> \"$1\"; rm \"$CONFIG\"; mkdir \"$CONFIG\"").expect_code(1);
    assert!(unreadable.stderr.contains("cannot replace"), "{}", unreadable.stderr);
    assert_eq!(kept(&user, &unreadable.stderr), format!("{MINE}# mine\n"));
    fs::remove_dir(user.config()).unwrap();
    user.overwrite_config(MINE);

    // Somebody else was faster: neither edit is lost.
    let changed = edit(&user, "echo '# mine' >> \"$1\"; echo '# theirs' >> \"$CONFIG\"").expect_code(1);
    assert!(changed.stderr.contains("by somebody else"), "{}", changed.stderr);
    assert_eq!(config(&user), format!("{MINE}# theirs\n"));
    assert_eq!(kept(&user, &changed.stderr), format!("{MINE}# mine\n"));

    // It outlives the command, and ends with the test's folder at the latest.
    let script = "echo '# mine' >> \"$1\"; touch \"$HOME/begun\"; while test -e \"$HOME/begun\"; do sleep 0.05; done";
    let mut waits = Process::start("config edit", editing(&user, script).env("HOME", user.home()));
    wait_until("the editor", DEADLINE, || user.home().join("begun").exists().then_some(()));
    waits.signal("TERM");
    assert_eq!(waits.wait().code(), Some(143));
    assert_eq!(kept(&user, &waits.output()), format!("{MINE}# theirs\n# mine\n"));
    fs::remove_file(user.home().join("begun")).unwrap();
    assert_eq!(files(&user), before, "nothing else is left behind");
}

#[test]
fn a_signal_or_no_answer_ends_a_question_and_the_edit_is_kept() {
    let (_sim, user) = setting();
    let command = editing(&user, "echo 'holt = \"5s\"' >> \"$1\"");
    let end = |how: &dyn Fn(&Terminal), code| {
        let mut terminal = Terminal::start(&command, 400, 40);
        terminal.wait_for("(e)dit again, (d)iscard?");
        how(&terminal);
        terminal.wait_for("puts it in place");
        assert_eq!(terminal.wait_end().code(), Some(code));
        assert_eq!(kept(&user, &terminal.text()), format!("{MINE}holt = \"5s\"\n"));
        assert_eq!(config(&user), MINE);
    };
    end(&|terminal| terminal.press("\u{3}"), 130);
    end(&|terminal| terminal.press("\u{4}"), 1);
    end(&|terminal| terminal.signal("TERM"), 143);
    end(&|terminal| terminal.signal("HUP"), 143);
}

#[test]
fn mistakes_can_be_mended_or_the_edit_discarded() {
    let (_sim, user) = setting();
    let before = files(&user);
    // Wrong the first time, right the second.
    let script = "grep -q holt \"$1\" && exec sed -i 's/holt/hold/' \"$1\"\necho 'holt = \"5s\"' >> \"$1\"";
    let mut command = editing(&user, script);
    command.env("VISUAL", user.home().join("editor")).env("EDITOR", "false");
    let mut terminal = Terminal::start(&command, 100, 40);
    terminal.wait_for("did you mean `hold`?");
    terminal.wait_for("(e)dit again, (d)iscard?");
    terminal.press("d\r");
    assert_eq!(terminal.wait_end().code(), Some(1));
    assert_eq!((config(&user).as_str(), files(&user)), (MINE, before));
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
