//! `url`, `env` and `export`: what comes out where, with a daemon and without.

use tunnels_tests::{TestDaemon, TestRemote, TestSim};

const ORDERS: &str = "orders.cluster-abc.eu-west-1.rds.amazonaws.com";

fn user(sim: &TestSim) -> TestDaemon {
    TestDaemon::new(sim).tunnel_with("orders-db", &format!("{ORDERS}:5432"), "groups = [\"db\"]").tunnel_with(
        "web",
        "web.example:80",
        "",
    )
}

#[test]
fn no_daemon_is_needed_and_none_started() {
    let sim = TestSim::start();
    let user = user(&sim);
    let url = user.run(&["url", "orders-db", "-U", "o'brien", "-d", "a/b"]).expect_success();
    let port = user.port("orders-db");
    assert_eq!(
        url.stdout,
        format!("postgresql://o%27brien@{ORDERS}:{port}/a%2Fb?hostaddr=127.0.0.1&sslmode=verify-full\n")
    );
    assert!(url.stderr.contains("`tunnels up orders-db`"), "it is not up: {}", url.stderr);
    assert!(user.run(&["export", "pg_service"]).expect_success().stdout.starts_with("[orders-db]\nhost="));
    assert!(user.run(&["env", "web"]).expect_success().stdout.contains("export TUNNEL_URL='http://127.0.0.1:"));
    user.run(&["ls"]).expect_code(4);
}

#[test]
fn the_daemon_s_tunnels_are_the_same_and_json_has_the_notes() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = user(&sim).tunnel("api", remote.address());
    let before = user.run(&["export", "env"]).expect_success().stdout;
    user.run(&["up", "--wait", "api"]).expect_success();
    assert_eq!(user.run(&["export", "env"]).expect_success().stdout, before);
    let url = user.run(&["url", "orders-db", "--jdbc", "--json"]).expect_success();
    assert_eq!(url.stderr, "");
    let url = url.json();
    assert_eq!(url["tunnel"], "orders-db");
    assert!(url["url"].as_str().unwrap().starts_with("jdbc:postgresql://orders."), "{url}");
    assert!(url["notes"][0].as_str().unwrap().contains("tunnels hosts apply"), "{url}");
}

#[test]
fn what_makes_no_sense_says_what_does() {
    let sim = TestSim::start();
    let user = user(&sim);
    user.run(&["url", "nobody"]).expect_code(5);
    user.run(&["url", "@db"]).expect_code(5);
    user.run(&["export", "no-such-format"]).expect_code(2);
    user.run(&["env", "web", "--shell", "csh"]).expect_code(2);
    assert!(user.run(&["url", "web", "--jdbc"]).expect_code(1).stderr.contains("no JDBC URL"));
    assert!(user.run(&["export", "mysql"]).expect_code(1).stderr.contains("no tunnel that was picked is for mysql"));
    assert!(user.run(&["url", "orders-db", "--ca", "missing.pem"]).expect_code(2).stderr.contains("missing.pem"));
    let partly = user.run(&["export", "pg_service", "*"]).expect_success();
    assert!(partly.stderr.contains("not for pg_service: web"), "{}", partly.stderr);
}

#[test]
fn each_shell_is_written_in_its_own_language() {
    let sim = TestSim::start();
    let user = user(&sim);
    for (shell, expected) in [
        ("zsh", "export TUNNEL_NAME='web'\n"),
        ("fish", "set -gx TUNNEL_NAME 'web'\n"),
        ("powershell", "$Env:TUNNEL_NAME = 'web'\n"),
        ("elvish", "set-env TUNNEL_NAME 'web'\n"),
    ] {
        let text = user.run(&["env", "web", "--shell", shell]).expect_success().stdout;
        assert!(text.contains(expected), "{shell}: {text}");
    }
}
