//! What people read: whole reports as they are printed, and each kind of mistake in one line.

use super::*;
use crate::config::render_warnings;

const NO_ENV: Env<'static> = &|_| None;

fn errors(text: &str) -> ConfigErrors {
    parse_with(Path::new("config.toml"), text, NO_ENV).expect_err("mistakes")
}

/// Each mistake as `line:column message [label] (help)`.
fn lines(errors: &[ConfigError]) -> Vec<String> {
    let line = |error: &ConfigError| {
        let (line, column) = error.place.as_ref().map_or((0, 0), Place::line_column);
        let label = if error.label.is_empty() { String::new() } else { format!(" [{}]", error.label) };
        let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{line}:{column} {}{label}{help}", error.message)
    };
    errors.iter().map(line).collect()
}

fn assert_report(report: &str, expected: &str) {
    assert_eq!(report.trim(), expected.trim(), "\n{report}");
}

#[test]
fn a_report_as_it_is_printed() {
    let report = errors(
        "[tunnels.orders]\nremote = \"db.example:5432\"\nlocal = 15432\nprbe = \"tcp\"\n\n\
         [tunnels.cache]\nremote = \"cache\"\nlocal = \"127.0.0.1:15432\"\ntarget = \"bastion\"\n",
    );
    assert_report(
        &report.render(false),
        r#"
error: `orders` has no `target`
 --> config.toml:1:10
  |
1 | [tunnels.orders]
  |          ^^^^^^
  |
  = help: add `target = "i-0123456789abcdef0"`; a target for all tunnels can stand in [defaults]

error: there is no key `prbe`
 --> config.toml:4:1
  |
4 | prbe = "tcp"
  | ^^^^ did you mean `probe`?

error: `remote`: `cache` has no port
 --> config.toml:7:10
  |
7 | remote = "cache"
  |          ^^^^^^^
  |
  = help: accepted: `"host:port"`, or a port number alone for a port of the target itself; IPv6 as `"[::1]:5432"`

error: `orders` and `cache` want the same local address
 --> config.toml:8:9
  |
3 | local = 15432
  |         ----- first here
...
8 | local = "127.0.0.1:15432"
  |         ^^^^^^^^^^^^^^^^^ here again
  |
  = help: give one of them another port, or another address such as 127.0.0.2

error: `target`: `bastion` is not the id of a managed node
 --> config.toml:9:10
  |
9 | target = "bastion"
  |          ^^^^^^^^^
  |
  = help: write `{ tag = "Name=bastion" }`

the configuration has 5 mistakes; nothing was changed
"#,
    );
}

#[test]
fn places_of_two_files_are_both_shown() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("config.toml", "include = [\"team.toml\"]\n[tunnels.a]\nremote = 1\nlocal = 1001\ntarget = \"i-01234567\"\n");
    write("team.toml", "[tunnels.a]\nremote = 1\nlocal = 2001\ntarget = \"i-01234567\"\n");
    let report = load(&folder.path().join("config.toml")).unwrap_err().render(false);
    assert_report(
        &report.replace(&format!("{}/", folder.path().display()), ""),
        "
error: `a` is defined twice
 --> team.toml:1:10
  |
1 | [tunnels.a]
  |          ^ here again
  |
 ::: config.toml:2:10
  |
2 | [tunnels.a]
  |          - first here
  |
  = help: give one of them another name, or remove it

the configuration has 1 mistake; nothing was changed
",
    );
}

#[test]
fn tabs_line_ends_marks_and_wide_letters_keep_the_column() {
    for (text, expected) in [
        ("\u{feff}x = 1\n", "config.toml:1:1"),
        ("# ä\r\n\tx = 1\r\n", "config.toml:2:2"),
        ("[defaults]\nreason = \"ü\"\n\"é\" = 1\n", "config.toml:3:1"),
        ("defaults = { reason = \"日本\", x = 1 }\n", "config.toml:1:29"),
    ] {
        let errors = errors(text);
        let error = errors.iter().next().unwrap();
        assert_eq!(error.location().as_deref(), Some(expected), "{text:?}");
        let report = errors.render(false);
        assert!(report.contains(&format!("--> {expected}\n")), "{text:?}\n{report}");
        assert!(!report.contains('\r') && !report.contains('␍'), "{report}");
    }
}

#[test]
fn what_would_act_on_a_terminal_is_taken_out() {
    let report = errors("\"\\u001b[31mx\" = 1\n[tunnels.\"a\\u0007\"]\n").render(false);
    assert!(!report.contains(['\u{1b}', '\u{7}']), "{report:?}");
}

#[test]
fn passwords_of_connection_strings_are_not_shown() {
    for remote in ["postgres://me:sécret@db:5432/x", "me:sécret@db:5432", "://:sécret@", "me:sécret@db"] {
        let report = errors(&format!("[tunnels.a]\nremote = \"{remote}\"\n")).render(false);
        assert!(report.contains("remote = \"") && !report.contains("cret"), "{report}");
    }
}

#[test]
fn a_broken_statement_hides_no_other_mistake() {
    let text = r#"[defaults]
target = "i-01234567"
region = eu-west-1
[tunnels.a
remote = "db:5432
hold = "soon"
[tunnels.b]
remote: 5
local 5
groups = ["a", "b"
probe = "tpc"
local = 1
local = 2
[tunnels.b]
auto = True
[tunnels.my db]
[tunnels.c]
"#;
    let expected = [
        "3:10 a string needs quotes (write `region = \"eu-west-1\"`)",
        "4:11 the header of this table is not closed [`]` is missing] (write `[tunnels.a]`)",
        "5:18 the quote of this string is not closed [`\"` is missing] (write `remote = \"db:5432\"`)",
        "6:8 `hold`: `soon` is no duration (accepted: a duration such as `\"30s\"`, `\"15m\"` or `\"1h30m\"`)",
        "8:7 there is no `=` between `remote` and its value [`=` belongs here] (write `remote = 5`)",
        "9:6 there is no `=` between `local` and its value [`=` is missing] (write `local = 5`)",
        "10:19 this list is not closed [`]` is missing] (write `groups = [\"a\", \"b\"]`)",
        "11:9 `probe` cannot be `tpc` [did you mean `\"tcp\"`?] (accepted: `\"auto\"`, `\"postgres\"`, `\"mysql\"`, \
         `\"redis\"`, `\"tls\"`, `\"http\"`, `\"tcp\"`, `\"none\"`)",
        "13:1 `local` is written twice [here again] (keep one of them)",
        "14:10 `b` is defined twice [here again] (give one of them another name, or remove it)",
        "15:8 this is no boolean (write `auto = true`)",
        "16:10 `my db` cannot be the name of a tunnel [names have letters, digits, `-` and `_`] \
         (write `[tunnels.my-db]`)",
    ];
    // Of `c` nothing is missing for certain: [defaults] may have said more.
    assert_eq!(lines(&errors(text).errors), expected);
}

#[test]
fn files_of_another_language_are_one_mistake() {
    for (text, expected) in [
        ("{ \"tunnels\": { \"a\": { \"local\": 1 } } }", "1:1 this looks like JSON; the configuration is TOML"),
        ("tunnels:\n  a:\n    local: 1\n", "1:1 this looks like YAML; the configuration is TOML"),
        ("[tunnels.a]\n<<<<<<< HEAD\nlocal = 1\n=======\n", "2:1 a merge conflict is not resolved"),
    ] {
        let found = lines(&errors(text).errors);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(expected), "{found:#?}");
    }
}

#[test]
fn each_kind_of_mistake_says_what_to_write() {
    const SOUND: &str = "remote = 1\nlocal = 1001\ntarget = \"i-01234567\"\n";
    // What is written below a sound `[tunnels.a]`, and what is said of it.
    for (text, expected) in [
        ("hold = 15", "`hold` cannot be a number (write `\"15s\"` or `\"15m\"`)"),
        ("hold = \"15\"", "`hold`: the unit is missing (write `\"15s\"` or `\"15m\"`)"),
        ("hold = \"2h\"", "`hold`: 2h is too long (accepted: 0s to 1h)"),
        ("hold = \"never\"", "`hold`: `never` is no duration (accepted: a duration such as"),
        ("patience = \"0s\"", "`patience`: 0s is too short (accepted: 1s to 24h)"),
        ("ping_interval = \"1h\"", "`ping_interval`: 1h is too long (accepted: 1s to 5m)"),
        ("ping_timeout = 5", "`ping_timeout` cannot be a number (write `\"5s\"` or `\"5m\"`)"),
        ("ping_timeout = \"30s\"", "`ping_timeout` (30s) is longer than `ping_interval` (20s) (accepted: 1s to 20s)"),
        (
            "ping_interval = \"2s\"\nping_timeout = \"3s\"",
            "`ping_timeout` (3s) is longer than `ping_interval` (2s) (accepted: 1s to 2s)",
        ),
        ("park_after = \"0s\"", "`park_after`: 0s is too short (accepted: 100ms to 168h)"),
        (
            "park_after = true",
            "`park_after` cannot be a boolean (accepted: a duration such as `\"30s\"`, `\"15m\"` or `\"1h30m\"`, or \
             `\"never\"`)",
        ),
        ("auto = \"yes\"", "`auto` cannot be a string (write `true`)"),
        ("max_sessions = \"4\"", "`max_sessions` cannot be a string (write `4`)"),
        ("max_sessions = 17", "`max_sessions` cannot be 17 (accepted: a number from 1 to 16)"),
        ("payload = \"8K\"", "`payload` cannot be a string (accepted: a number of bytes from 1024 to 32768)"),
        ("payload = 512", "`payload` cannot be 512 (accepted: a number of bytes from 1024 to 32768)"),
        ("payload = 40000", "`payload` cannot be 40000 (accepted: a number of bytes from 1024 to 32768)"),
        ("max_sessions = 99999999999999999999", "`max_sessions` cannot be"),
        ("groups = \"db\"", "`groups` cannot be a string (write `[\"db\"]`)"),
        ("groups = [\"@db\"]", "`groups`: a group is written without `@` here (write `\"db\"`)"),
        ("groups = [\"db*\"]", "`groups`: `db*` cannot be the name of a group"),
        ("groups = [\"\"]", "`groups` is empty"),
        ("profile = \"\"", "`profile` is empty (write a value, or take it out)"),
        ("profile = 5", "`profile` cannot be a number (write `\"5\"`)"),
        ("region = \"eu-west1\"", "`region`: `eu-west1` is no region (write `\"eu-west-1\"`)"),
        (
            "region = \"${NOPE}\"",
            "the environment has no variable `NOPE` (set NOPE in the shell that starts the daemon",
        ),
        ("keep-alive = \"policy\"", "there is no key `keep-alive` [did you mean `keep_alive`?]"),
        ("port = 5", "there is no key `port` [did you mean `local`?]"),
        ("surprise = 5", "there is no key `surprise` (accepted: one of `remote`, `local`, `target`"),
        ("open = \"ondemand\"", "`open` cannot be `ondemand` [did you mean `\"on-demand\"`?]"),
        ("endpoints = \"https://x\"", "`endpoints` cannot be a string (accepted: a table: `{ ssm ="),
        ("endpoints.sss = \"https://x\"", "there is no key `sss` [did you mean `ssm`?]"),
        (
            "[tunnels.a.b]\nremote = 1",
            "there is no key `b` in a tunnel [read as part of another tunnel] (a name with a dot needs quotes",
        ),
        ("[orders]\nremote = 1", "there is no key `orders` outside of tunnels (write `[tunnels.orders]`)"),
        ("[tunnel.b]", "there is no key `tunnel` [did you mean `tunnels`?]"),
        ("[tunnels.\"-x\"]", "`-x` cannot be the name of a tunnel: it would be an option on the command line"),
    ] {
        let found = lines(&errors(&format!("[tunnels.a]\n{SOUND}{text}\n")).errors);
        let said: Vec<&str> = found.iter().filter_map(|line| line.split_once(' ')).map(|(_, said)| said).collect();
        assert!(matches!(said.as_slice(), [one] if one.starts_with(expected)), "{text}: {said:#?}");
    }
}

#[test]
fn a_default_that_is_wrong_for_every_tunnel_is_said_once() {
    let tunnel = |name: &str, port: u16| format!("[tunnels.{name}]\nremote = 1\nlocal = {port}\n");
    let text = format!(
        "[defaults]\ntarget = \"i-01234567\"\nping_timeout = \"30s\"\n{}{}ping_interval = \"1m\"\n{}ping_interval = \"0s\"\n",
        tunnel("a", 1001),
        tunnel("b", 1002),
        tunnel("c", 1003),
    );
    let found = lines(&errors(&text).errors);
    assert_eq!(
        found,
        [
            "3:16 `ping_timeout` (30s) is longer than `ping_interval` (20s) (accepted: 1s to 20s)",
            "14:17 `ping_interval`: 0s is too short (accepted: 1s to 5m)",
        ]
    );
}

#[test]
fn keys_that_were_meant_are_not_missing_too() {
    let found = lines(&errors("[tunnels.a]\nremot = 1\nport = 1\ntarget = { tag = \"x\" }\n").errors);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().all(|line| !line.contains("has no `")), "{found:#?}");
}

#[test]
fn warnings_are_printed_and_stop_nothing() {
    let text = "[defaults]\ntarget = \"i-01234567\"\nendpoints.kms = \"https://kms\"\nregion = \"eu-wst-1\"\n\
                [tunnels.a]\nremote = 1\nlocal = \"0.0.0.0:15432\"\n[tunnels.A]\nremote = 1\nlocal = 1001\n";
    let resolved = parse_with(Path::new("config.toml"), text, NO_ENV).unwrap_or_else(|errors| panic!("{errors}"));
    let found = lines(&resolved.warnings);
    let expected = [
        "3:17 `endpoints.kms` has no effect yet [this version makes no call to KMS]",
        "4:10 `eu-wst-1` is no region that this version knows [did you mean `eu-west-1`?]",
        "7:9 `a` can be used from other machines: it listens beyond loopback (whoever reaches this port is connected \
         with your AWS rights; a port alone listens on loopback)",
        "8:10 these names differ in upper and lower case only",
    ];
    assert_eq!(found, expected);
    let report = render_warnings(&resolved.warnings, false);
    assert!(report.starts_with("warning: `endpoints.kms` has no effect yet\n --> config.toml:3:17\n"), "{report}");
    let unused = parse_with(Path::new("config.toml"), "[defaults]\nregion = \"eu-west-1\"\n", NO_ENV).unwrap();
    assert!(lines(&unused.warnings)[0].starts_with("1:2 these defaults have no effect"));
}
