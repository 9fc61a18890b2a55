//! `tunnels demo`: what a new user sees first, from an empty home folder to nothing left behind.
//!
//! Where its tunnels listen is read from its output: several of these tests may run at once.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tunnels_tests::{TestDaemon, TestDemo, TestRemote, TestSim, exchange, finish, tunnels_program, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);
/// What the user is promised after ctrl-C.
const END_DEADLINE: Duration = Duration::from_secs(6);
const TUNNELS: [&str; 3] = ["orders-db", "sessions-cache", "internal-api"];

#[test]
fn three_tunnels_answer() {
    let demo = TestDemo::start(&[]);
    assert_eq!(demo.psql("select 1").expect_success().stdout.trim(), "1");
    assert_eq!(demo.psql("select count(*) from orders").expect_success().stdout.trim(), "100");
    let mut cache = TcpStream::connect(demo.address("sessions-cache")).unwrap();
    assert_eq!(exchange(&mut cache, b"*1\r\n$4\r\nPING\r\n", b"\r\n").unwrap(), b"+PONG\r\n");
    let page = demo.get("/");
    assert!(page.status == 200 && page.body.contains("through a tunnel"), "{page:?}");
    assert_eq!(demo.get("/nowhere").status, 404);

    let list = demo.run(&["ls", "--json"]).expect_success().json();
    for (tunnel, name) in list["tunnels"].as_array().unwrap().iter().zip(TUNNELS) {
        assert_eq!((tunnel["name"].as_str(), tunnel["state"].as_str()), (Some(name), Some("ready")), "{list}");
        assert_eq!(tunnel["local"].as_str(), Some(demo.address(name).to_string().as_str()));
    }
    let logged = demo.run(&["logs", "orders-db"]).expect_success();
    assert!(logged.stdout.contains("ready"), "{}", logged.stdout);
}

#[test]
fn open_connections_go_on_when_the_websockets_are_cut() {
    let demo = TestDemo::start(&[]);
    let mut cache = TcpStream::connect(demo.address("sessions-cache")).unwrap();
    let key = b"SET cut 1\r\n";
    assert_eq!(exchange(&mut cache, key, b"\r\n").unwrap(), b"+OK\r\n");
    for round in 2..=4 {
        assert_eq!(demo.cut(), 3);
        let answer = exchange(&mut cache, b"INCR cut\r\n", b"\r\n").unwrap();
        assert_eq!(answer, format!(":{round}\r\n").as_bytes());
        wait_until("the next line of each tunnel", DEADLINE, || {
            let output = demo.output();
            let times = |text: &str| output.lines().filter(|line| line.contains(text)).count();
            TUNNELS.iter().all(|name| times(&format!("Z  {name}  ready")) >= round).then_some(())
        });
    }
    let output = demo.output();
    assert!(output.contains("sessions-cache  reconnecting"), "a line for each change:\n{output}");
    let sessions = demo.sessions();
    assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(3), "the same sessions: {sessions}");
}

/// Ends it with connections open: what is promised, and nothing left.
fn ends_with(signal: &str, code: i32) {
    let mut demo = TestDemo::start(&[]);
    let mut cache = TcpStream::connect(demo.address("sessions-cache")).unwrap();
    exchange(&mut cache, b"PING\r\n", b"\r\n").unwrap();
    let _database = TcpStream::connect(demo.address("orders-db")).unwrap();
    let folder = demo.runtime_dir();
    assert!(folder.join("daemon.sock").exists() && demo.files().contains(&folder));
    assert_eq!(demo.processes(), [demo.pid()]);

    demo.signal(signal);
    let status = wait_until("the demo to end", END_DEADLINE, || demo.ended());
    assert_eq!(status.code(), Some(code), "{}", demo.output());
    assert_eq!(demo.files(), Vec::<std::path::PathBuf>::new());
    // Which ports were its own is nobody's to ask by now: another demo may have them.
    assert_eq!(demo.processes(), Vec::<u32>::new());
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing() {
    ends_with("INT", 130);
}

#[test]
fn so_does_a_request_to_end() {
    ends_with("TERM", 143);
}

#[test]
fn stop_ends_it_as_any_daemon() {
    let mut demo = TestDemo::start(&[]);
    demo.run(&["stop"]).expect_success();
    let status = wait_until("the demo to end", DEADLINE, || demo.ended());
    assert_eq!(status.code(), Some(0), "{}", demo.output());
    assert_eq!(demo.files(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_taken_port_is_named_with_its_holder_and_another_one_taken() {
    // Somebody else may have it: then that is who must be named, and who may have gone when the demo looks.
    let (ours, demo) = wait_until("a demo that finds the usual port taken", DEADLINE, || {
        // Reserved as a demo does, or one that is just starting would be hit.
        let reserved = UdpSocket::bind("127.0.0.1:15432").ok();
        let ours = reserved.and_then(|reserved| Some((TcpListener::bind("127.0.0.1:15432").ok()?, reserved)));
        let demo = TestDemo::start(&[]);
        (demo.address("orders-db").port() != 15432).then_some((ours, demo))
    });
    let output = demo.output();
    let note = output.lines().find(|line| line.starts_with("port 15432 is held by ")).unwrap_or_default();
    assert!(ours.is_none() || note.contains(&format!("` (pid {}): ", std::process::id())), "{output}");
    assert!(note.ends_with(&format!("orders-db takes {}", demo.address("orders-db").port())), "{output}");
    assert_eq!(demo.psql("select 1").expect_success().stdout.trim(), "1");
}

#[test]
fn demos_that_start_together_take_ports_of_their_own() {
    let demos = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..3).map(|_| scope.spawn(|| TestDemo::start(&[]))).collect();
        starting.into_iter().map(|demo| demo.join().unwrap()).collect::<Vec<_>>()
    });
    let ports: BTreeSet<_> = demos.iter().flat_map(|demo| TUNNELS.map(|name| demo.address(name))).collect();
    assert_eq!(ports.len(), 9, "{ports:?}");
    for demo in &demos {
        assert_eq!(demo.psql("select 1").expect_success().stdout.trim(), "1");
    }
}

#[test]
fn it_starts_whatever_the_umask_lets_others_do() {
    for umask in ["000", "002", "077"] {
        let demo = TestDemo::start_with_umask(umask);
        assert_eq!(demo.psql("select 1").expect_success().stdout.trim(), "1", "{umask}");
    }
}

#[test]
fn what_it_says_to_type_works() {
    let demo = TestDemo::start(&[]);
    let output = demo.output();
    let typed = |part: &str| {
        let line = output.lines().find(|line| line.starts_with("  ") && line.contains(part));
        let line = line.unwrap_or_else(|| panic!("no {part} in:\n{output}"));
        demo.paste(line, &[("TUNNELS_CONFIG", "/nope"), ("TUNNELS_RUNTIME_DIR", "/nope")]).expect_success().stdout
    };
    let list = typed(" ls");
    assert!(TUNNELS.iter().all(|name| list.contains(name)), "{list}");
    assert!(typed("psql ").contains("(1 row)"));
    assert!(typed("/_sim/cut").contains('3'));
}

#[test]
fn what_the_user_has_does_not_matter() {
    let folder = TempDir::with_prefix("tunnels-").unwrap();
    for name in ["home", "home/.aws", "tmp"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for name in ["config", "credentials"] {
        fs::write(folder.path().join("home/.aws").join(name), "this is [no file of AWS\n= x").unwrap();
    }
    let nowhere = "http://127.0.0.1:1";
    let demo = TestDemo::start_in(
        folder,
        &[
            ("AWS_PROFILE", "nope"),
            ("AWS_REGION", "nowhere-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDREAL"),
            ("AWS_SECRET_ACCESS_KEY", "real"),
            ("AWS_CA_BUNDLE", "/nope"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("AWS_ENDPOINT_URL", nowhere),
            ("AWS_ENDPOINT_URL_SSM", nowhere),
            ("AWS_ENDPOINT_URL_SSMMESSAGES", nowhere),
            ("HTTPS_PROXY", nowhere),
            ("HTTP_PROXY", nowhere),
            ("http_proxy", nowhere),
            ("ALL_PROXY", nowhere),
            ("TUNNELS_CONFIG", "/nope"),
            ("TUNNELS_RUNTIME_DIR", "/nope"),
            ("TUNNELS_STATE_DIR", "/nope"),
            ("XDG_RUNTIME_DIR", "/nope"),
        ],
    );
    assert_eq!(demo.psql("select 1").expect_success().stdout.trim(), "1");
    let calls = demo.sessions().to_string();
    assert!(!calls.contains("AKIDREAL"), "{calls}");
}

#[test]
fn a_daemon_of_the_users_is_left_alone() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("mine", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let pid = user.daemon_pid();
    let places: Vec<(String, String)> = user
        .command(&[])
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())))
        .filter(|(name, _)| name.starts_with("TUNNELS_") && name != "TUNNELS_LOG")
        .collect();
    let places: Vec<(&str, &str)> = places.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut demo = TestDemo::start(&places);
    assert_ne!(demo.run(&["version", "--json"]).json()["daemon"]["pid"].as_u64(), pid.map(u64::from));
    demo.signal("INT");
    wait_until("the demo to end", DEADLINE, || demo.ended());
    assert_eq!(user.daemon_pid(), pid);
    assert_eq!(user.status("mine")["state"], "ready");
}

#[test]
fn where_no_folder_can_be_made_it_says_so() {
    let home = TempDir::with_prefix("tunnels-").unwrap();
    let mut command = Command::new(tunnels_program());
    command.args(["demo", "--no-tui"]).env("HOME", home.path()).env("TMPDIR", home.path().join("nope"));
    let ended = finish(&mut command).expect_code(1);
    assert!(ended.stderr.contains("cannot make a folder in") && ended.stderr.contains("TMPDIR"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_reader_that_hangs_up_ends_it() {
    let folder = TempDir::with_prefix("tunnels-").unwrap();
    let mut shell = Command::new("sh");
    let script = "set -e; \"$PROGRAM\" demo | head -1; find \"$TMPDIR\" -mindepth 1";
    shell.args(["-c", script]).env("PROGRAM", tunnels_program()).env("TMPDIR", folder.path());
    let ended = finish(&mut shell).expect_success();
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it() {
    let folder = TempDir::with_prefix("tunnels-").unwrap();
    let mut shell = Command::new("sh");
    let script = "set -e; \"$PROGRAM\" demo | grep -m1 Ctrl-C; find \"$TMPDIR\" -mindepth 1";
    shell.args(["-c", script]).env("PROGRAM", tunnels_program()).env("TMPDIR", folder.path());
    let ended = finish(&mut shell).expect_success();
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
}
