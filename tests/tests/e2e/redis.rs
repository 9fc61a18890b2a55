//! Tunnels to a real Redis: probe, load, mass insertion, subscriptions that outlive a cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use tunnels_tests::{Postgres, Redis, TestDaemon, TestSim, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);

/// A tunnel named `cache` to the server, ready by this probe.
fn ready(sim: &TestSim, redis: &Redis, probe: &str) -> TestDaemon {
    let user = TestDaemon::new(sim).tunnel_with("cache", &redis.remote(), &format!("probe = \"{probe}\""));
    user.run(&["up", "--wait"]).expect_success();
    user
}

#[test]
fn redis_and_postgres_in_one_file_are_ready_and_carry_load() {
    let (redis, postgres, sim) = (Redis::start(), Postgres::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel_with("orders-db", &postgres.remote(), "probe = \"postgres\"").tunnel_with(
        "cache",
        &redis.remote(),
        "probe = \"redis\"",
    );
    user.run(&["up", "--wait"]).expect_success();
    for name in ["orders-db", "cache"] {
        let status = user.status(name);
        assert_eq!(status["state"], "ready", "{status}");
        let rtt = status["rtt_ms"].as_f64().expect("a ready tunnel knows its round trip");
        assert!(rtt > 0.0 && rtt.is_finite(), "round trip of {rtt} ms");
    }

    let port = user.port("cache");
    assert_eq!(redis.cli(port, &["ping"]).expect_success().stdout.trim(), "PONG");
    let tests = ["SET", "GET", "INCR", "LPUSH", "MSET (10 keys)"];
    let load = ["-n", "20000", "-c", "50", "-P", "16", "-q", "-t", "set,get,incr,lpush,mset"];
    let load = redis.benchmark(port, &load).expect_success();
    println!("{}", load.stdout.replace('\r', "\n"));
    for test in tests {
        assert!(load.stdout.contains(&format!("{test}: ")), "{test} is missing in {}", load.stdout);
    }
    assert!(!load.stderr.to_lowercase().contains("error"), "{}", load.stderr);
    assert_eq!(postgres.psql(user.port("orders-db"), "select 6 * 7").expect_success().stdout.trim(), "42");
    for name in ["orders-db", "cache"] {
        assert_eq!(user.status(name)["state"], "ready");
    }
}

#[test]
fn mass_insertion_gets_every_reply() {
    const KEYS: usize = 50_000;
    let (redis, sim) = (Redis::start(), TestSim::start());
    let user = ready(&sim, &redis, "redis");
    let port = user.port("cache");

    let mut commands = Vec::new();
    for key in 0..KEYS {
        write!(commands, "SET key:{key} value:{key}\r\n").unwrap();
    }
    let piped = redis.pipe(port, &commands).expect_success();
    let expected = format!("errors: 0, replies: {KEYS}");
    assert!(piped.stdout.contains(&expected), "{expected} is missing in {}", piped.stdout);
    assert_eq!(redis.cli(redis.port(), &["dbsize"]).stdout.trim(), KEYS.to_string());

    // And as a client that closes its half right behind its last command.
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection.write_all("PING\r\n".repeat(1000).as_bytes()).unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    let mut replies = vec![0; "+PONG\r\n".len() * 1000];
    connection.read_exact(&mut replies).expect("a reply to each command");
    assert_eq!(replies, "+PONG\r\n".repeat(1000).as_bytes());
}

#[test]
fn a_subscription_survives_cuts_of_either_side() {
    let (redis, sim) = (Redis::start(), TestSim::start());
    let user = ready(&sim, &redis, "redis");
    let subscriber = redis.follow(user.port("cache"), &["subscribe", "news"]);
    let hears = |words: &str| {
        wait_until(format!("the subscriber to hear `{words}`"), DEADLINE, || {
            subscriber.output().contains(words).then_some(())
        });
    };
    let publish = |words: &str| {
        let sent = redis.cli(redis.port(), &["publish", "news", words]).expect_success();
        assert_eq!(sent.stdout.trim(), "1", "the server has lost its subscriber");
    };
    hears("subscribe");
    publish("before");
    hears("before");
    for (side, how) in [("client", "reset"), ("agent", "reset"), ("client", "bye")] {
        sim.cut(side, how);
        publish(&format!("{side}-{how}"));
        hears(&format!("{side}-{how}"));
        user.wait_for("cache", "ready");
    }
    assert_eq!(sim.calls("StartSession"), 1, "one session carried it all");
}

#[test]
fn a_server_that_wants_a_password_answers_the_probe() {
    let (redis, sim) = (Redis::with_password("correct horse"), TestSim::start());
    let user = ready(&sim, &redis, "redis");
    assert_eq!(user.status("cache")["state"], "ready");
    // The tunnel knows no password and lets everything through as it is.
    assert_eq!(redis.cli(user.port("cache"), &["ping"]).expect_success().stdout.trim(), "PONG");
    let mut stranger = TcpStream::connect(("127.0.0.1", user.port("cache"))).unwrap();
    stranger.set_read_timeout(Some(DEADLINE)).unwrap();
    stranger.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    stranger.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"-NOAUTH");
}

#[test]
fn a_server_that_speaks_only_tls_is_ready_by_either_probe() {
    let (redis, sim) = (Redis::with_tls(), TestSim::start());
    for probe in ["tls", "redis"] {
        let user = ready(&sim, &redis, probe);
        assert_eq!(user.status("cache")["state"], "ready", "{probe}");
        assert_eq!(redis.cli(user.port("cache"), &["ping"]).expect_success().stdout.trim(), "PONG");
    }
}
