//! A new daemon takes over from one that runs: nobody is refused, open connections go on, and no session is left over.

use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tunnels_tests::{
    Postgres, Process, TestDaemon, TestRemote, TestSim, echo_once, hold_open, open_echo, runs_or, send_signal,
    wait_until,
};

const DEADLINE: Duration = Duration::from_mins(1);

/// A tunnel by the name of `one`, and what it needs; they end with the last first.
fn one_tunnel() -> (TestRemote, TestSim, TestDaemon) {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("one", remote.address());
    (remote, sim, user)
}

fn one_tunnel_up() -> (TestRemote, TestSim, TestDaemon) {
    let (remote, sim, user) = one_tunnel();
    user.run(&["up", "--wait"]).expect_success();
    (remote, sim, user)
}

fn alive(sim: &TestSim) -> Vec<Value> {
    sim.sessions().into_iter().filter(|session| session["state"] != "terminated").collect()
}

fn ended(pid: u32) -> bool {
    // One whose parent does not look after it stays as a name only.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[track_caller]
fn pid(user: &TestDaemon) -> u32 {
    user.daemon_pid().expect("a daemon answers")
}

/// The next daemon takes over; returns the process ids of both.
#[track_caller]
fn take_over(user: &TestDaemon) -> (u32, u32) {
    let old = pid(user);
    let finished = user.run(&["daemon", "--takeover"]).expect_success();
    let new = pid(user);
    assert_ne!(old, new, "{}", finished.stderr);
    assert!(finished.stderr.contains("has taken over from"), "{}", finished.stderr);
    (old, new)
}

/// Everything ends with `stop`, the daemons before included.
#[track_caller]
fn stop(sim: &TestSim, user: &TestDaemon) {
    user.run(&["stop", "--drain", "0s"]).expect_success();
    assert_eq!(alive(sim), [] as [Value; 0], "no session is left over");
    assert!(!user.socket().exists());
}

/// Raises a flag at its end.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn takeovers_under_pgbench_refuse_no_connection_and_no_command() {
    let postgres = Postgres::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("db", &postgres.remote(), "").tunnel_with(
        "other",
        &postgres.remote(),
        "auto = false\n",
    );
    user.run(&["up", "--wait"]).expect_success();
    postgres.pgbench(postgres.port(), &["--initialize", "--quiet"]).expect_success();
    let first = pid(&user);
    // A connection for each transaction: whatever is refused, or accepted and then lost, fails the run.
    let mut load = postgres.start_pgbench(user.port("db"), &["-C", "-S", "-c", "4", "-T", "8"]);
    let is_over = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        // A check that fails here must not leave the others waiting for each other.
        let over = Raised(&is_over);
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !is_over.load(Ordering::Relaxed) {
                // It fails unless it is answered.
                user.get("/v1/tunnels");
                asked += 1;
            }
            asked
        });
        let commanding = scope.spawn(|| {
            let mut commands = 0;
            while !is_over.load(Ordering::Relaxed) {
                user.run(&[if commands % 2 == 0 { "up" } else { "down" }, "other"]).expect_success();
                user.run(&["restart", "other"]).expect_success();
                commands += 1;
            }
            commands
        });
        let mut takeovers = 0;
        // However long one takes, two of them are under load or after it.
        while load.ended().is_none() || takeovers < 2 {
            take_over(&user);
            takeovers += 1;
            user.wait_for("db", "ready");
        }
        drop(over);
        println!("{takeovers} takeovers");
        (asking.join().expect("every request was answered"), commanding.join().expect("every command was taken"))
    });
    let (status, output) = (load.wait(), load.output());
    println!("{asked:?} requests and commands\n{output}");
    assert!(status.success(), "{output}");
    assert!(output.contains("number of failed transactions: 0"), "{output}");
    wait_until("the first daemon to end", DEADLINE, || ended(first).then_some(()));
    stop(&sim, &user);
}

#[test]
fn open_connections_go_on_through_two_takeovers_until_they_end() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let path = std::env::temp_dir().join(format!("tunnels-takeover-{}.sock", std::process::id()));
    let user = TestDaemon::new(&sim)
        .tunnel("one", remote.address())
        .tunnel("off", remote.address())
        .tunnel("other", remote.address());
    let text = std::fs::read_to_string(user.config()).unwrap();
    let unix =
        format!("{text}\n[tunnels.file]\nremote = \"{}\"\nlocal = \"unix:{}\"\n", remote.address(), path.display());
    user.overwrite_config(&unix);
    user.run(&["up", "--wait"]).expect_success();
    user.run(&["down", "off"]).expect_success();

    let port = user.port("one");
    let mut echo = open_echo(port).unwrap();
    let mut exchange = |byte: u8| {
        echo.write_all(&[byte]).unwrap();
        let mut answer = [0];
        echo.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [byte]);
    };
    exchange(1);
    let (first, second) = take_over(&user);
    exchange(2);
    user.wait_for("one", "ready");
    let (_, third) = take_over(&user);
    exchange(3);
    for name in ["one", "other", "file"] {
        user.wait_for(name, "ready");
    }
    // What was wanted still is, and every address is served by the daemon that answers.
    assert_eq!(user.status("off")["state"], "down");
    assert_eq!(TcpStream::connect(("127.0.0.1", user.port("off"))).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    echo_once(port, 50_000, 7).unwrap();
    echo_once(user.port("other"), 50_000, 8).unwrap();
    UnixStream::connect(&path).unwrap();
    assert_eq!(pid(&user), third);
    // The first still has a connection, and the second waits for the first: a session each that is not the third's.
    assert!(!ended(first) && !ended(second));
    let known = || std::fs::read_to_string(user.log_file()).unwrap_or_default();
    assert!(
        known().contains("another daemon serves; connections that are open here may go on for 3600s"),
        "{}",
        known()
    );
    exchange(4);
    drop(echo);
    wait_until("both to end with the last connection", DEADLINE, || (ended(first) && ended(second)).then_some(()));
    wait_until("one session for each tunnel that is up", DEADLINE, || (alive(&sim).len() == 3).then_some(()));
    stop(&sim, &user);
    assert!(!path.exists());
}

#[test]
fn stopping_ends_the_daemons_before_and_their_connections() {
    let (remote, sim, user) = one_tunnel_up();
    let mut connection = hold_open(("127.0.0.1", user.port("one")), b"hello").unwrap();
    wait_until("the bytes to arrive", DEADLINE, || (remote.received() == 5).then_some(()));
    let (first, _) = take_over(&user);
    user.wait_for("one", "ready");
    assert!(!ended(first), "it has a connection");
    stop(&sim, &user);
    wait_until("the first daemon to end", DEADLINE, || ended(first).then_some(()));
    let error = connection.read(&mut [0; 1]).expect_err("an end without an error");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

#[test]
fn commands_that_wait_go_on_with_the_next_daemon() {
    let (_remote, sim, user) = one_tunnel_up();
    let mut attached = Process::start("up --attach", &mut user.command(&["up", "--attach"]));
    wait_until("it to stay", DEADLINE, || attached.output().contains("ctrl-C").then_some(()));
    let mut waiting = Process::start("wait", &mut user.command(&["wait", "one", "--for", "down", "--timeout", "60s"]));
    take_over(&user);
    user.wait_for("one", "ready");
    take_over(&user);
    assert!(waiting.ended().is_none(), "{}", waiting.output());
    assert!(attached.ended().is_none(), "{}", attached.output());
    // It takes down what it has brought up.
    attached.signal("INT");
    attached.wait();
    assert!(waiting.wait().success(), "{}", waiting.output());
    assert_eq!(user.status("one")["state"], "down");
    stop(&sim, &user);
}

#[test]
fn connections_that_do_not_end_are_reset_when_their_time_is_up() {
    let (remote, sim, user) = one_tunnel_up();
    let mut connection = hold_open(("127.0.0.1", user.port("one")), b"hello").unwrap();
    wait_until("the bytes to arrive", DEADLINE, || (remote.received() == 5).then_some(()));
    let first = pid(&user);
    user.run(&["daemon", "--takeover", "--drain", "100ms"]).expect_success();
    let error = connection.read(&mut [0; 1]).expect_err("an end without an error");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    wait_until("the first daemon to end", DEADLINE, || ended(first).then_some(()));
    user.wait_for("one", "ready");
    wait_until("one session to be left", DEADLINE, || (alive(&sim).len() == 1).then_some(()));
    stop(&sim, &user);
}

#[test]
fn a_new_daemon_that_is_killed_at_any_moment_costs_nothing_until_it_serves() {
    let (_remote, sim, user) = one_tunnel_up();
    let (random, kills) = (RandomState::new(), runs_or(12));
    let mut took_over = 0;
    for round in 0..kills {
        let before = pid(&user);
        let held = open_echo(user.port("one")).unwrap();
        let mut taking = Process::start("takeover", &mut user.command(&["daemon", "--foreground", "--takeover"]));
        // Not to let things settle: this is the moment. A start takes some 20 ms.
        let moment = Duration::from_micros(random.hash_one(round) % 40_000);
        thread::sleep(moment);
        taking.signal("KILL");
        taking.wait();
        let (mut held, mut answer) = (held, [0]);
        held.write_all(b"x").unwrap();
        held.read_exact(&mut answer).unwrap_or_else(|e| panic!("after {moment:?} an open connection was lost: {e}"));
        if user.daemon_pid() == Some(before) {
            echo_once(user.port("one"), 1000, round).unwrap();
            assert_eq!(user.status("one")["state"], "ready");
        } else {
            // It was the daemon already, so this is a crash as any other: the next start mends it.
            took_over += 1;
            drop(held);
            wait_until("the old one to end", DEADLINE, || ended(before).then_some(()));
            let log = std::fs::read_to_string(user.log_file()).unwrap();
            assert_eq!(log.matches("another daemon serves").count(), took_over, "the old one was told so: {log}");
            user.run(&["up", "--wait"]).expect_success();
        }
    }
    println!("{kills} kills, {took_over} after it had taken over");
    stop(&sim, &user);
}

#[test]
fn a_configuration_or_folder_that_does_not_fit_leaves_the_old_daemon_alone() {
    let (_remote, sim, user) = one_tunnel();
    // None runs: it is started.
    user.run(&["daemon", "--takeover"]).expect_success();
    user.run(&["up", "--wait"]).expect_success();
    let before = pid(&user);
    let other = user.home().join("other");
    std::fs::create_dir(&other).unwrap();
    let finished = tunnels_tests::finish(user.command(&["daemon", "--takeover"]).env("TUNNELS_STATE_DIR", &other));
    let said = finished.expect_code(1).stderr;
    assert!(said.contains("keeps its state in") && said.contains("nothing was changed"), "{said}");
    let good = std::fs::read_to_string(user.config()).unwrap();
    user.overwrite_config("[tunnels.one]\n");
    user.run(&["daemon", "--takeover"]).expect_code(3);
    user.overwrite_config(&good);
    assert_eq!(pid(&user), before);
    echo_once(user.port("one"), 1000, 1).unwrap();
    stop(&sim, &user);
}

/// What a service manager hears, and what it hands over: a stand-in for systemd.
#[test]
fn a_service_s_daemon_uses_the_socket_it_is_given_and_says_how_it_does() {
    use std::os::unix::net::UnixDatagram;
    if !Path::new("/usr/bin/systemd-socket-activate").exists() {
        println!("skipped: needs systemd-socket-activate (Debian package systemd)");
        return;
    }
    let (_remote, sim, user) = one_tunnel();
    let notify = std::env::temp_dir().join(format!("tunnels-notify-{}.sock", std::process::id()));
    let socket = UnixDatagram::bind(&notify).unwrap();
    socket.set_read_timeout(Some(2 * DEADLINE)).unwrap();
    // A manager always listens: what finds no room in the socket is not said again.
    let (told, heard) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut text = [0; 500];
        while let Ok(length) = socket.recv(&mut text)
            && told.send(String::from_utf8_lossy(&text[..length]).into_owned()).is_ok()
        {}
    });
    let program = user.command(&["daemon", "--foreground", "--takeover"]);
    let mut activate = std::process::Command::new("/usr/bin/systemd-socket-activate");
    activate.arg("--listen").arg(user.socket());
    for (name, value) in program.get_envs() {
        if let (Some(name), Some(value)) = (name.to_str(), value.and_then(|value| value.to_str())) {
            activate.env(name, value).arg(format!("--setenv={name}"));
        }
    }
    let variables = [
        ("NOTIFY_SOCKET", notify.to_str().unwrap()),
        ("WATCHDOG_USEC", "3000000"),
        ("TUNNELS_SERVICE", "test.service"),
    ];
    for (name, value) in variables {
        activate.env(name, value).arg(format!("--setenv={name}"));
    }
    let mut activated =
        Process::start("systemd-socket-activate", activate.arg(program.get_program()).args(program.get_args()));
    // The first to connect has it started, and is answered. The path is there before anybody listens.
    let mut first = wait_until("the socket", DEADLINE, || UnixStream::connect(user.socket()).ok());
    first.write_all(b"GET /v1/version HTTP/1.1\r\nhost: d\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    let version: Value = serde_json::from_str(answer.split_once("\r\n\r\n").expect("an answer").1).unwrap();
    assert_eq!(
        (&version["service"], version["pid"].as_u64()),
        (&Value::from("test.service"), Some(activated.pid().into()))
    );
    let next = || heard.recv_timeout(DEADLINE).expect("the daemon says something");
    assert_eq!(next(), format!("MAINPID={}\nREADY=1\n", activated.pid()));
    assert!(next().starts_with("WATCHDOG=1\nSTATUS=0 of 1 tunnels up"));
    user.run(&["up", "--wait"]).expect_success();
    wait_until("its status to say so", DEADLINE, || next().contains("STATUS=1 of 1 tunnels up, 1 ready").then_some(()));
    // As `systemctl reload` has it: by a process of the service.
    let mut reload = user.command(&["daemon", "--takeover"]);
    tunnels_tests::finish(reload.envs(variables)).expect_success();
    let new = pid(&user);
    wait_until("the manager to hear of the new one", DEADLINE, || {
        next().contains(&format!("MAINPID={new}\nREADY=1")).then_some(())
    });
    assert!(activated.wait().success());
    echo_once(user.port("one"), 1000, 1).unwrap();
    send_signal(new, "TERM");
    wait_until("it to say that it ends", DEADLINE, || next().starts_with("STOPPING=1").then_some(()));
    wait_until("its end", DEADLINE, || ended(new).then_some(()));
    assert!(user.socket().exists(), "the manager's socket is not the daemon's to remove");
    assert_eq!(alive(&sim), [] as [Value; 0]);
    std::fs::remove_file(user.socket()).unwrap();
    std::fs::remove_file(&notify).unwrap();
}
