//! Real clients that are led to real servers by `url`, `env`, `export` and `exec`, and check whose certificate they are shown.

use std::process::Command;

use tunnels_tests::{
    Finished, Postgres, Redis, SimOptions, TestAuthority, TestDaemon, TestSim, finish, tunnels_program,
};

const ORDERS: &str = "orders.cluster-abc.eu-west-1.rds.amazonaws.com";
/// Another name, which leads to the same server.
const BILLING: &str = "billing.cluster-abc.eu-west-1.rds.amazonaws.com";
const CACHE: &str = "master.sessions.abc.euw1.cache.amazonaws.com";

const IS_ENCRYPTED: &str = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";

/// A simulator whose agent finds these names on loopback.
fn sim() -> TestSim {
    let resolve = [ORDERS, BILLING, CACHE].map(|name| ["--resolve".to_owned(), format!("{name}=127.0.0.1")]);
    TestSim::start_with(&SimOptions { arguments: resolve.concat(), ..SimOptions::default() })
}

/// Runs a line of a user's shell, in which `tunnels` is our program and psql's user and database are set.
fn shell(user: &TestDaemon, line: &str) -> Finished {
    let ours = user.command(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(user.home()).env_clear();
    shell.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let folder = user.home().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("tunnels");
    if !link.exists() {
        std::os::unix::fs::symlink(tunnels_program(), link).unwrap();
    }
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    shell.env("PATH", path).env("PGUSER", "postgres").env("PGDATABASE", "postgres").env("QUERY", IS_ENCRYPTED);
    finish(&mut shell)
}

#[test]
fn psql_verifies_the_server_s_own_name_through_a_tunnel() {
    let authority = TestAuthority::new();
    let postgres = Postgres::with_tls(&authority.issue(ORDERS));
    let port = postgres.port();
    let sim = sim();
    let user = TestDaemon::new(&sim)
        .tunnel_with("orders-db", &format!("{ORDERS}:{port}"), "probe = \"postgres\"")
        .tunnel_with("billing-db", &format!("{BILLING}:{port}"), "probe = \"postgres\"")
        .with_home_file(".postgresql/root.crt", &std::fs::read_to_string(authority.file()).unwrap());
    user.run(&["up", "--wait"]).expect_success();
    let url = user.run(&["url", "orders-db"]).expect_success();
    assert!(url.stdout.contains("sslmode=verify-full"), "{}", url.stdout);
    assert_eq!(url.stderr, "", "there is nothing left to be done");

    // Each way to tell psql; the name is right.
    for line in [
        "psql \"$(tunnels url orders-db)\" -XAtc \"$QUERY\"",
        "psql \"$(tunnels url orders-db --user postgres --database postgres)\" -XAtc \"$QUERY\"",
        "tunnels exec orders-db -- psql -XAtc \"$QUERY\"",
        "eval \"$(tunnels env orders-db --shell sh)\" && psql -XAtc \"$QUERY\"",
        "tunnels export pg_service > services && PGSERVICEFILE=services psql service=orders-db -XAtc \"$QUERY\"",
    ] {
        let answer = shell(&user, line).expect_success();
        assert_eq!(answer.stdout.trim(), "t", "{line}: over TLS");
    }
    // The same server under a name that its certificate does not have.
    let refused = format!("\"{ORDERS}\" does not match host name \"{BILLING}\"");
    for line in [
        "psql \"$(tunnels url billing-db)\" -XAtc \"$QUERY\"",
        "tunnels exec billing-db -- psql -XAtc \"$QUERY\"",
        "eval \"$(tunnels env billing-db --shell sh)\" && psql -XAtc \"$QUERY\"",
        "tunnels export pg_service > services && PGSERVICEFILE=services psql service=billing-db -XAtc \"$QUERY\"",
    ] {
        let answer = shell(&user, line).expect_code(2);
        assert!(answer.stderr.contains(&refused), "{line}: {}", answer.stderr);
    }
    // Who wants less has to say so.
    let without_authority = "rm -r .postgresql; psql \"$(tunnels url billing-db --tls require)\" -XAtc \"$QUERY\"";
    assert_eq!(shell(&user, without_authority).expect_success().stdout.trim(), "t");
    let advice = shell(&user, "tunnels url orders-db").expect_success().stderr;
    assert!(advice.contains("truststore.pki.rds.amazonaws.com") && advice.contains("root.crt"), "{advice}");
    // Another authority is none.
    let stranger = TestAuthority::new();
    for (file, code) in [(stranger.file(), 2), (authority.file(), 0)] {
        let line = format!("psql \"$(tunnels url orders-db --ca {})\" -XAtc \"$QUERY\"", file.display());
        shell(&user, &line).expect_code(code);
    }
}

#[test]
fn redis_cli_shows_the_server_its_own_name_and_trusts_only_its_authority() {
    let (authority, stranger) = (TestAuthority::new(), TestAuthority::new());
    let redis = Redis::with_identity(&authority.issue(CACHE));
    let sim = sim();
    let user = TestDaemon::new(&sim)
        .tunnel_with("sessions", &format!("{CACHE}:{}", redis.port()), "probe = \"redis\"")
        .with_variable("CA", authority.file().to_str().unwrap())
        .with_variable("STRANGER", stranger.file().to_str().unwrap());
    user.run(&["up", "--wait"]).expect_success();

    let written = user.run(&["export", "redis", "--ca", authority.file().to_str().unwrap()]).expect_success().stdout;
    assert!(written.contains(&format!("--tls --sni {CACHE}")), "{written}");
    for line in [
        "sh -c \"$(tunnels export redis sessions --ca $CA | tail -n 1) ping\"",
        "redis-cli -u \"$(tunnels url sessions)\" --sni master.sessions.abc.euw1.cache.amazonaws.com --cacert $CA ping",
        "tunnels exec sessions -- sh -c 'redis-cli -u \"$REDIS_URL\" --sni \"$TUNNEL_REMOTE_HOST\" --cacert \"$CA\" ping'",
    ] {
        assert_eq!(shell(&user, line).expect_success().stdout.trim(), "PONG", "{line}");
    }
    let strange = shell(&user, "sh -c \"$(tunnels export redis sessions --ca $STRANGER | tail -n 1) ping\"");
    assert_ne!((strange.code, strange.stdout.trim()), (Some(0), "PONG"), "another authority is none");

    // redis-cli does not compare names; a client that does is satisfied with this one, and with no other.
    let verify = |name: &str| {
        let line = format!(
            "tunnels exec sessions -- sh -c 'openssl s_client -connect \"$TUNNEL_HOST:$TUNNEL_PORT\" -CAfile \"$CA\" \
             -servername {name} -verify_hostname {name} -verify_return_error </dev/null'"
        );
        shell(&user, &line)
    };
    verify(CACHE).expect_code(0);
    assert_ne!(verify(ORDERS).code, Some(0));
}

#[test]
fn a_tunnel_of_its_own_address_has_the_remote_s_port_and_stays_where_it_is() {
    let postgres = Postgres::start();
    let sim = sim();
    let user = TestDaemon::new(&sim);
    let base = std::fs::read_to_string(user.config()).unwrap();
    let tunnel = |name: &str| {
        format!(
            "\n[tunnels.{name}]\nremote = \"{ORDERS}:{}\"\nlocal = \"auto\"\nprobe = \"postgres\"\n",
            postgres.port()
        )
    };
    user.overwrite_config(&format!("{base}{}{}", tunnel("orders-db"), tunnel("copy-db")));
    user.run(&["up", "--wait"]).expect_success();

    let local = |name: &str| user.status(name)["local"].as_str().unwrap().to_owned();
    let (orders, copy) = (local("orders-db"), local("copy-db"));
    assert_ne!(orders, copy);
    for address in [&orders, &copy] {
        assert!(address.starts_with("127.") && !address.starts_with("127.0."), "{address}");
        assert!(address.ends_with(&format!(":{}", postgres.port())), "{address}");
    }
    let answer = shell(&user, "psql \"$(tunnels url orders-db --tls off)\" -XAtc 'select 6 * 7'").expect_success();
    assert_eq!(answer.stdout.trim(), "42");
    let hosts = user.run(&["export", "hosts", "orders-db"]).expect_success().stdout;
    let ip = orders.rsplit_once(':').unwrap().0;
    assert!(hosts.contains(&format!("{ip}  {ORDERS}  # orders-db\n")), "{hosts}");

    // Others come and go, the file's order changes: the address stays.
    user.overwrite_config(&format!("{base}{}{}", tunnel("another-db"), tunnel("orders-db")));
    user.run(&["up", "--wait"]).expect_success();
    assert_eq!(local("orders-db"), orders);
}
