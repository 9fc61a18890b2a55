//! One user of `tunnels`: a home folder, a configuration, and the daemon that serves them.
//!
//! Nothing of the account that runs the tests is visible to the program: folders, credentials and
//! region are the test's own, the API endpoint is the simulator's.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::http;
use crate::ports::free_port;
use crate::process::{Finished, Process, finish, is_alive, send_signal, tunnels_program};
use crate::sim::{NODE, TestSim};
use crate::wait::wait_until;

const START_DEADLINE: Duration = Duration::from_secs(20);
const STATE_DEADLINE: Duration = Duration::from_mins(1);
const END_DEADLINE: Duration = Duration::from_secs(20);
/// Without a byte for so long a transfer stands still; at the fast pace it moves every millisecond.
const STANDSTILL: Duration = Duration::from_millis(500);

/// What AWS's documentation uses; the simulator believes any, unless it is strict.
const KEYS: (&str, &str) = ("AKIDEXAMPLE0000000000", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00");

/// A user's folders, configuration and daemon; everything ends with it.
#[derive(Debug)]
pub struct TestDaemon {
    folder: TempDir,
    defaults: String,
    tunnels: String,
    ports: Vec<(String, u16)>,
    foreground: Option<Process>,
    /// Access key and secret key.
    keys: (&'static str, &'static str),
    variables: Vec<(String, String)>,
}

impl TestDaemon {
    /// A user whose tunnels go through this simulator's node. No daemon runs yet.
    #[track_caller]
    pub fn new(sim: &TestSim) -> Self {
        Self::with_target(sim, NODE)
    }

    #[track_caller]
    pub fn with_target(sim: &TestSim, target: &str) -> Self {
        Self::with_defaults(&format!("{}target = \"{target}\"\n", sim.scope()))
    }

    /// A user whose tunnels say everything themselves, but for these keys.
    #[track_caller]
    pub fn with_defaults(keys: &str) -> Self {
        let folder = TempDir::with_prefix("tunnels-").expect("a temporary folder");
        for name in ["home", "run", "state", "config"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).expect("a folder of our own");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("our own folder");
        }
        let defaults = format!("[defaults]\n{keys}");
        let user = Self {
            folder,
            defaults,
            tunnels: String::new(),
            ports: Vec::new(),
            foreground: None,
            keys: KEYS,
            variables: Vec::new(),
        };
        user.write_config();
        user
    }

    /// Adds a tunnel to `remote` on a free local port; `keys` are further lines of its table.
    #[must_use]
    pub fn tunnel_with(mut self, name: &str, remote: &str, keys: &str) -> Self {
        let port = free_port();
        let table = format!("\n[tunnels.{name}]\nremote = \"{remote}\"\nlocal = {port}\n{keys}\n");
        self.tunnels.push_str(&table);
        self.ports.push((name.to_owned(), port));
        self.write_config();
        self
    }

    #[must_use]
    pub fn tunnel(self, name: &str, remote: SocketAddr) -> Self {
        self.tunnel_with(name, &remote.to_string(), "")
    }

    /// Adds a tunnel that never has a second session: for what is about the fate of one.
    #[must_use]
    pub fn tunnel_of_one(self, name: &str, remote: SocketAddr) -> Self {
        self.tunnel_with(name, &remote.to_string(), "max_sessions = 1")
    }

    /// Uses these keys instead of the usual ones.
    #[must_use]
    pub fn with_keys(mut self, access: &'static str, secret: &'static str) -> Self {
        self.keys = (access, secret);
        self
    }

    /// Sets a variable of this user's shell.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Writes a file below the home folder, executable as scripts are.
    #[must_use]
    pub fn with_home_file(self, path: &str, content: &str) -> Self {
        let path = self.home().join(path);
        fs::create_dir_all(path.parent().expect("below the home folder")).expect("our own folder");
        fs::write(&path, content).expect("our own folder can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("our own file");
        self
    }

    fn write_config(&self) {
        let text = format!("{}{}", self.defaults, self.tunnels);
        self.overwrite_config(&text);
    }

    /// Writes the user's `~/.aws/config`.
    pub fn write_aws_config(&self, text: &str) {
        let folder = self.home().join(".aws");
        fs::create_dir_all(&folder).expect("our own folder can be written");
        fs::write(folder.join("config"), text).expect("our own folder can be written");
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Replaces the whole configuration file.
    pub fn overwrite_config(&self, text: &str) {
        fs::write(self.config(), text).expect("our own folder can be written");
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config/config.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/daemon.sock")
    }

    /// The local port of a tunnel.
    #[track_caller]
    pub fn port(&self, name: &str) -> u16 {
        let found = self.ports.iter().find(|(tunnel, _)| tunnel == name);
        found.unwrap_or_else(|| panic!("no tunnel named {name} in this test")).1
    }

    /// The program with these arguments, in this user's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(tunnels_program());
        command.args(arguments).current_dir(path("home")).env_clear();
        for name in ["PATH", "RUST_BACKTRACE", "TUNNELS_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", path("home"))
            .env("TUNNELS_CONFIG", self.config())
            .env("TUNNELS_RUNTIME_DIR", path("run"))
            .env("TUNNELS_STATE_DIR", path("state"))
            .env("AWS_ACCESS_KEY_ID", self.keys.0)
            .env("AWS_SECRET_ACCESS_KEY", self.keys.1)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        finish(&mut self.command(arguments))
    }

    /// Starts the daemon as a child of the test, so that it can be watched and signalled.
    #[track_caller]
    pub fn start(&mut self) -> &Process {
        let process = Process::start("tunnels daemon", &mut self.command(&["daemon", "--foreground"]));
        let process = self.foreground.insert(process);
        let socket = self.folder.path().join("run/daemon.sock");
        wait_until("the daemon to listen on its socket", START_DEADLINE, || {
            let ended = process.ended();
            assert!(ended.is_none(), "tunnels daemon ended: {}", process.output());
            UnixStream::connect(&socket).ok()
        });
        process
    }

    /// The daemon that [`Self::start`] started.
    #[track_caller]
    pub fn process(&mut self) -> &mut Process {
        self.foreground.as_mut().expect("the daemon was started by the test")
    }

    /// What the daemon answers to a `GET`, without a command in between.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let answer = http::request_at(&self.socket(), "GET", path).unwrap_or_else(|e| panic!("GET {path} failed: {e}"));
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer.json()
    }

    /// The answer of `ls --json`.
    #[track_caller]
    pub fn ls(&self) -> Value {
        self.run(&["ls", "--json"]).expect_success().json()
    }

    /// One tunnel's entry in `ls --json`.
    #[track_caller]
    pub fn status(&self, name: &str) -> Value {
        let list = self.ls();
        let tunnels = list["tunnels"].as_array().expect("a list of tunnels");
        let found = tunnels.iter().find(|tunnel| tunnel["name"] == name);
        found.unwrap_or_else(|| panic!("no tunnel named {name} in {list}")).clone()
    }

    /// Waits until `ls` shows this state and returns the entry.
    #[track_caller]
    pub fn wait_for(&self, name: &str, state: &str) -> Value {
        let mut seen = Seen(Vec::new());
        wait_until(format!("{name} to be {state}"), STATE_DEADLINE, || {
            let status = self.status(name);
            if seen.0.last().is_none_or(|last| last["state"] != status["state"]) {
                seen.0.push(status.clone());
            }
            (status["state"] == state).then_some(status)
        })
    }

    /// Waits until `ls` shows this state for this kind of cause, and returns the entry.
    #[track_caller]
    pub fn wait_for_cause(&self, name: &str, state: &str, kind: &str) -> Value {
        wait_until(format!("{name} to be {state} because of {kind}"), STATE_DEADLINE, || {
            let status = self.status(name);
            (status["state"] == state && status["cause"]["kind"] == kind).then_some(status)
        })
    }

    /// Waits until a tunnel takes in nothing more and returns how many bytes it had taken in.
    #[track_caller]
    pub fn wait_for_bytes_to_stop(&self, name: &str) -> u64 {
        let bytes_in = || self.status(name)["bytes_in"].as_u64().expect("a count");
        let mut last = (bytes_in(), Instant::now());
        wait_until(format!("{name} to stop taking bytes in"), STATE_DEADLINE, || {
            let now = bytes_in();
            if now != last.0 {
                last = (now, Instant::now());
            }
            (now > 0 && last.1.elapsed() >= STANDSTILL).then_some(now)
        })
    }

    /// Follows the daemon's news from now on.
    #[track_caller]
    pub fn events(&self) -> EventLog {
        EventLog::follow(&self.socket())
    }

    /// Where the daemon logs to.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("state/daemon.log")
    }

    /// The text of every file that the daemon keeps in its state folder.
    pub fn state_files(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path().join("state")).expect("our own folder");
        let text = |path: PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        files.flatten().map(|file| text(file.path())).collect()
    }

    /// Process id of whatever daemon serves this user.
    pub fn daemon_pid(&self) -> Option<u32> {
        let version = self.run(&["version", "--json"]);
        let version: Value = serde_json::from_str(&version.stdout).ok()?;
        version["daemon"]["pid"].as_u64()?.try_into().ok()
    }

    /// Whether this process was started for this user's runtime folder, and is not one that a test only pretends.
    fn is_ours(&self, pid: u32) -> bool {
        let ours = format!("TUNNELS_RUNTIME_DIR={}", self.folder.path().join("run").display());
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        pid > 1 && environment.split(|byte| *byte == 0).any(|variable| variable == ours.as_bytes())
    }
}

impl Drop for TestDaemon {
    /// Ends the daemon, also one that `up` started in the background.
    fn drop(&mut self) {
        if self.foreground.take().is_some() || !self.socket().exists() {
            return;
        }
        let Some(pid) = self.daemon_pid().filter(|pid| self.is_ours(*pid)) else { return };
        if std::thread::panicking() {
            for log in fs::read_dir(self.folder.path().join("state")).into_iter().flatten().flatten() {
                if log.path().extension().is_some_and(|extension| extension == "log") {
                    eprintln!("--- {}:\n{}", log.path().display(), fs::read_to_string(log.path()).unwrap_or_default());
                }
            }
        }
        send_signal(pid, "KILL");
        wait_until("the background daemon to end", END_DEADLINE, || (!is_alive(pid)).then_some(()));
    }
}

/// What was seen of a tunnel, for whoever waits for something else in vain.
struct Seen(Vec<Value>);

impl Drop for Seen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for status in &self.0 {
                eprintln!("seen: {status}");
            }
        }
    }
}

/// The news that the daemon has sent since the log was opened.
#[derive(Debug)]
pub struct EventLog {
    events: Arc<Mutex<Vec<Value>>>,
}

impl EventLog {
    #[track_caller]
    fn follow(socket: &std::path::Path) -> Self {
        let mut stream = UnixStream::connect(socket).expect("the daemon listens");
        stream
            .write_all(b"GET /v1/events HTTP/1.1\r\nhost: daemon\r\naccept: text/event-stream\r\n\r\n")
            .expect("the daemon reads");
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&events);
        thread::spawn(move || {
            // Chunk lengths and event names are lines of their own and are passed over.
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some(event) = line.strip_prefix("data:").and_then(|data| serde_json::from_str(data).ok()) {
                    log.lock().expect("no holder panics").push(event);
                }
            }
        });
        let log = Self { events };
        wait_until("the first event", START_DEADLINE, || log.all().first().cloned());
        log
    }

    /// All events so far.
    pub fn all(&self) -> Vec<Value> {
        self.events.lock().expect("no holder panics").clone()
    }

    /// The states that a tunnel has gone through, each named once in a row.
    pub fn states(&self, name: &str) -> Vec<String> {
        let mut states: Vec<String> = Vec::new();
        for event in self.all() {
            let one = event.get("tunnel").cloned();
            let several = event.get("tunnels").and_then(Value::as_array).cloned();
            for tunnel in one.into_iter().chain(several.into_iter().flatten()) {
                let Some(state) = tunnel["state"].as_str() else {
                    continue;
                };
                if tunnel["name"] == name && states.last().is_none_or(|last| last != state) {
                    states.push(state.to_owned());
                }
            }
        }
        states
    }

    /// Waits until the tunnel has gone through these states, others may lie between.
    #[track_caller]
    pub fn wait_for_sequence(&self, name: &str, wanted: &[&str]) {
        wait_until(format!("{name} to go through {wanted:?}"), STATE_DEADLINE, || {
            let states = self.states(name);
            let mut seen = states.iter();
            wanted.iter().all(|state| seen.any(|other| other == state)).then_some(())
        });
    }
}
