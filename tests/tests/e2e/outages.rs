//! Many tunnels lose AWS together, and it comes back.
//!
//! `TUNNELS_TEST_TUNNELS` and `TUNNELS_TEST_OUTAGE_SECONDS` make it as large as one likes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tunnels_tests::{SimOptions, TestDaemon, TestRemote, TestSim, open_echo, outage_time, tunnel_count, wait_until};

const DEADLINE: Duration = Duration::from_mins(2);
/// All are ready so soon after the network's return: a second or two, and what a machine adds that stands still now and then.
const BOUND: Duration = Duration::from_secs(20);

/// A user with so many tunnels, all of them ready, and one open connection through each.
fn many_ready(sim: &TestSim, remote: &TestRemote) -> (TestDaemon, Vec<TcpStream>) {
    let remote = remote.address().to_string();
    let name = |number| format!("t{number}");
    // Those that wait for the end of the outage are not to give up before it.
    let with = |user: TestDaemon, number| user.tunnel_with(&name(number), &remote, "hold = \"5m\"");
    let mut user = (0..tunnel_count()).fold(TestDaemon::new(sim), with);
    user.start();
    user.run(&["up", "--wait=60s"]).expect_success();
    let held = (0..tunnel_count()).map(|number| open_echo(user.port(&name(number))).expect("a ready tunnel")).collect();
    (user, held)
}

fn states(user: &TestDaemon) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for tunnel in user.get("/v1/tunnels")["tunnels"].as_array().expect("a list of tunnels") {
        *states.entry(tunnel["state"].as_str().expect("a state").to_owned()).or_default() += 1;
    }
    states
}

/// Waits until all are ready, within the bound; how long it took.
#[track_caller]
fn all_are_ready_soon(user: &TestDaemon, since: Instant) -> Duration {
    let ready = wait_until("all to be ready", DEADLINE, || {
        (states(user).get("ready") == Some(&tunnel_count())).then(|| since.elapsed())
    });
    println!("{} tunnels were ready {:.2} s after the return", tunnel_count(), ready.as_secs_f64());
    assert!(ready < BOUND, "it took {ready:?}");
    ready
}

fn echoes(connection: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    connection.write_all(bytes)?;
    let mut answer = vec![0; bytes.len()];
    connection.read_exact(&mut answer)?;
    assert_eq!(answer, bytes);
    Ok(())
}

/// The ids of the sessions that AWS has.
fn open_sessions(sim: &TestSim) -> BTreeSet<String> {
    let sessions = sim.sessions();
    let open = sessions.iter().filter(|session| session["state"] != "terminated");
    open.map(|session| session["id"].as_str().expect("an id").to_owned()).collect()
}

/// Calls of an operation that the simulator carried out or refused, by session.
fn calls_by_session(sim: &TestSim, operation: &str) -> BTreeMap<String, usize> {
    let answer = sim.control("GET", "/_sim/sessions", None);
    let mut calls = BTreeMap::new();
    for call in answer["calls"].as_array().expect("a list of calls") {
        if call["operation"] == operation {
            *calls.entry(call["session"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    calls
}

/// API and gateway cannot be reached for a while; what was open goes on behind that.
#[track_caller]
fn everything_lives_through(reach: &str) {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let (user, mut held) = many_ready(&sim, &remote);
    for connection in &mut held {
        echoes(connection, b"before").expect("a ready tunnel");
    }
    let before = open_sessions(&sim);

    sim.faults(&json!({ "api": reach, "gateway": reach }));
    // Written into the silence, and neither lost nor doubled.
    for connection in &mut held {
        connection.write_all(b"meanwhile").expect("the port is there");
    }
    // The length of the outage is what is tested, and no condition.
    thread::sleep(outage_time());
    println!("during the outage: {:?}", states(&user));
    sim.faults(&json!({ "api": "up", "gateway": "up" }));
    all_are_ready_soon(&user, Instant::now());

    for connection in &mut held {
        let mut answer = [0; 9];
        connection.read_exact(&mut answer).expect("the connection lives");
        assert_eq!(&answer, b"meanwhile");
        echoes(connection, b"after").expect("the connection lives");
    }
    assert!(before.is_subset(&open_sessions(&sim)), "every session lives on");
    // Until AWS answers, silence may be a dead agent's: another session is asked for beside it, once.
    let started = sim.calls("StartSession");
    println!("{} sessions were started beside those that were there", started - tunnel_count());
    assert!(started <= 2 * tunnel_count(), "{started}");
    let resumes = calls_by_session(&sim, "ResumeSession");
    let most = resumes.values().max().copied().unwrap_or_default();
    println!("{} sessions were resumed, none with more than {most} calls that got through", resumes.len());
    // One may have been under way when the network went, and one that comes too early makes another.
    assert!(most <= 3, "{resumes:?}");
}

#[test]
fn many_tunnels_live_through_a_network_that_is_silent() {
    everything_lives_through("silent");
}

#[test]
fn many_tunnels_live_through_a_network_that_refuses() {
    everything_lives_through("closed");
}

/// Takes the place of what has gone: hangs up on everybody, and counts the calls that were made.
struct Refusal {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
    address: SocketAddr,
}

impl Refusal {
    #[track_caller]
    fn start(address: SocketAddr) -> Self {
        let listener = wait_until("the port to be free", DEADLINE, || TcpListener::bind(address).ok());
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeMap::new())));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&calls));
        let thread = thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let counted = Arc::clone(&counted);
                thread::spawn(move || {
                    if let Some(call) = called(&connection) {
                        *counted.lock().expect("no holder panics").entry(call).or_default() += 1;
                    }
                });
            }
        });
        Self { stop, thread, calls, address }
    }

    /// How often each operation was called.
    fn finish(self) -> BTreeMap<String, usize> {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.join().expect("it only accepts");
        std::mem::take(&mut self.calls.lock().expect("no holder panics"))
    }
}

/// The operation of the call that somebody makes on this connection.
fn called(connection: &TcpStream) -> Option<String> {
    connection.set_read_timeout(Some(DEADLINE)).ok()?;
    let lines = BufReader::new(connection).lines().map_while(Result::ok);
    let operation = |line: String| line.to_lowercase().starts_with("x-amz-target:").then_some(line);
    let line = lines.take_while(|line| !line.is_empty()).find_map(operation)?;
    Some(line.rsplit('.').next()?.to_owned())
}

/// Tries in so much time if every pause is as short as it may be: 200 ms, doubled up to 5 s, of which half is
/// random.
fn most_tries(time: Duration) -> usize {
    let (mut at, mut pause, mut tries) = (Duration::ZERO, Duration::from_millis(200), 1);
    while at < time {
        at += pause / 2;
        pause = (pause * 2).min(Duration::from_secs(5));
        tries += 1;
    }
    tries
}

#[test]
fn many_tunnels_outlive_the_end_of_their_sessions() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let (user, mut held) = many_ready(&sim, &remote);
    for connection in &mut held {
        echoes(connection, b"before").expect("a ready tunnel");
    }

    let address = sim.address();
    drop(sim);
    let refusal = Refusal::start(address);
    let started = Instant::now();
    thread::sleep(outage_time());
    println!("during the outage: {:?}", states(&user));
    let tries = refusal.finish();
    let lasted = started.elapsed();
    let sim = TestSim::start_with(&SimOptions { port: Some(address.port()), ..SimOptions::default() });
    all_are_ready_soon(&user, Instant::now());

    let each = most_tries(lasted);
    println!("calls of {} tunnels in {lasted:?}: {tries:?}; at most {each} of each session", tunnel_count());
    assert!(tries.values().all(|&calls| calls <= tunnel_count() * each), "{tries:?}, more than {each} a tunnel");
    assert_eq!(sim.calls("StartSession"), tunnel_count(), "one new session each");
    let resumes = calls_by_session(&sim, "ResumeSession");
    assert!(resumes.values().all(|&calls| calls == 1), "each learns once that its session is gone: {resumes:?}");
    for connection in &mut held {
        let ended = echoes(connection, b"after").expect_err("its session is gone");
        assert!(matches!(ended.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "a reset: {ended}");
    }
    for number in 0..tunnel_count() {
        let history = user.get(&format!("/v1/tunnels/t{number}/history"));
        let lost: u64 = history["changes"]
            .as_array()
            .expect("a list of changes")
            .iter()
            .filter_map(|change: &Value| change["connections"]["lost"].as_u64())
            .sum();
        assert_eq!(lost, 1, "{history:#}");
        let mut connection = open_echo(user.port(&format!("t{number}"))).expect("it is ready");
        echoes(&mut connection, b"new").expect("it is ready");
    }
}
