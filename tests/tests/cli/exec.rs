//! `tunnels exec`: what the program is told, and that it takes the command's place.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use tunnels_tests::{NODE, Process, TestDaemon, TestRemote, TestSim, finish, free_port, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn the_daemon_is_started_the_tunnel_opened_and_the_program_s_exit_code_passed_on() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("api", &remote.address().to_string(), "auto = false").tunnel_with(
        "lazy",
        &remote.address().to_string(),
        "open = \"on-demand\"",
    );
    let script = "echo $TUNNEL_NAME $TUNNEL_HOST $TUNNEL_PORT; exit 42";
    for name in ["api", "lazy"] {
        let ended = user.run(&["exec", name, "--", "sh", "-c", script]).expect_code(42);
        assert_eq!(ended.stdout, format!("{name} 127.0.0.1 {}\n", user.port(name)));
        assert_eq!(user.status(name)["state"], "ready", "it stays up");
    }
    // Options of the program are not taken for ours, and standard output is the program's alone.
    let ended = user.run(&["exec", "api", "printf", "%s", "--timeout"]).expect_code(0);
    assert_eq!(ended.stdout, "--timeout");
    assert_eq!(sim.calls("StartSession"), 2, "each once");
}

#[test]
fn signals_reach_the_program() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    let script = "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done";
    let mut program = Process::start("tunnels exec", &mut user.command(&["exec", "api", "--", "sh", "-c", script]));
    wait_until("the program to run", DEADLINE, || program.output().contains("up\n").then_some(()));
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(9));
}

#[test]
fn what_the_shell_had_set_for_another_server_does_not_win() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("db", &remote.address().to_string(), "probe = \"postgres\"");
    // Nothing here speaks PostgreSQL: what matters is what psql would be told.
    let mut command = user.command(&["env", "db", "--json"]);
    command.env("PGHOSTADDR", "10.0.0.1").env("PGSERVICE", "other");
    let told = finish(&mut command).expect_success().json();
    assert_eq!(told["variables"]["PGHOST"], "127.0.0.1");
    assert_eq!(told["variables"]["PGPORT"], user.port("db").to_string());
    let unset: Vec<&str> = told["unset"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(unset.contains(&"PGHOSTADDR") && unset.contains(&"PGSERVICE"), "{unset:?}");
}

#[test]
fn what_goes_wrong_has_the_exit_codes_of_up_and_of_env() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim)
        .tunnel("api", remote.address())
        .tunnel_with("guarded", &remote.address().to_string(), "protected = true")
        .tunnel_with("offline", &remote.address().to_string(), "target = \"i-00000000000000bad\"");
    assert!(user.run(&["exec", "api", "no-such-program"]).expect_code(127).stderr.contains("no-such-program"));
    user.run(&["exec", "api", "/"]).expect_code(126);
    user.run(&["exec", "api"]).expect_code(2);
    user.run(&["exec", "nobody", "true"]).expect_code(5);
    assert!(user.run(&["exec", "guarded", "true"]).expect_code(2).stderr.contains("--yes"));
    user.run(&["exec", "guarded", "--yes", "true"]).expect_code(0);
    user.run(&["exec", "offline", "--timeout", "500ms", "true"]).expect_code(7);
    user.run(&["down", "api"]).expect_success();
    let port = user.port("api");
    let _holder = TcpListener::bind(("127.0.0.1", port)).unwrap();
    user.run(&["exec", "api", "true"]).expect_code(8);
    sim.faults(&json!({ "offline": [NODE] }));
    assert_ne!(free_port(), port);
}
