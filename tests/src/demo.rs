//! `tunnels demo` as a user starts it: an empty home folder, and a folder for temporary files that is its own.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{HttpAnswer, request};
use crate::process::{Finished, Process, finish, tunnels_program};
use crate::wait::wait_until;

const READY_DEADLINE: Duration = Duration::from_mins(1);
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// A running demo and its user's folders.
#[derive(Debug)]
pub struct TestDemo {
    process: Process,
    folder: TempDir,
}

impl TestDemo {
    /// Starts it and waits until it says that all is ready. `variables` are what else its environment has.
    #[track_caller]
    pub fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_in(Self::folders(), variables)
    }

    /// The same for a user who has a home folder already: `home` in `folder`, beside `tmp`.
    #[track_caller]
    pub fn start_in(folder: TempDir, variables: &[(&str, &str)]) -> Self {
        let mut command = Self::command(folder.path(), &["demo", "--no-tui"]);
        command.envs(variables.iter().copied());
        Self::start_as(folder, command)
    }

    /// Starts it with this umask, in octal digits.
    #[track_caller]
    pub fn start_with_umask(umask: &str) -> Self {
        let folder = Self::folders();
        let mut command = Command::new("sh");
        Self::prepare(folder.path(), &mut command);
        command.args(["-c", &format!("umask {umask}; exec \"$0\" demo --no-tui")]).arg(tunnels_program());
        Self::start_as(folder, command)
    }

    #[track_caller]
    fn start_as(folder: TempDir, mut command: Command) -> Self {
        // Of its own, so that it can be seen whether anything of it is left.
        command.process_group(0);
        let mut demo = Self { process: Process::start("tunnels demo", &mut command), folder };
        wait_until("the demo to be ready", READY_DEADLINE, || {
            let ended = demo.process.ended();
            assert!(ended.is_none(), "tunnels demo ended: {}", demo.output());
            demo.output().contains("In another terminal:").then_some(())
        });
        demo
    }

    fn command(folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(tunnels_program());
        Self::prepare(folder, &mut command);
        command.args(arguments);
        command
    }

    fn folders() -> TempDir {
        let folder = TempDir::with_prefix("tunnels-").expect("a temporary folder");
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("a folder of our own");
        }
        folder
    }

    fn prepare(folder: &Path, command: &mut Command) {
        command.current_dir(folder.join("home")).env_clear();
        for name in ["PATH", "RUST_BACKTRACE", "TUNNELS_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", folder.join("home")).env("TMPDIR", folder.join("tmp"));
    }

    /// Runs a line of its output as a shell in another terminal would, whose environment has `variables`, too.
    #[track_caller]
    pub fn paste(&self, line: &str, variables: &[(&str, &str)]) -> Finished {
        let mut shell = Command::new("sh");
        Self::prepare(self.folder.path(), &mut shell);
        finish(shell.envs(variables.iter().copied()).args(["-c", line]))
    }

    /// Processes that it started and that are left, itself included. One that has ended and was not waited for
    /// counts, too.
    pub fn processes(&self) -> Vec<u32> {
        let group = |stat: &str| stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse::<u32>().ok();
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_ours = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            group(&stat) == Some(self.pid())
        };
        pids.filter(is_ours).collect()
    }

    /// Everything that it has printed so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where a tunnel listens, as it says.
    #[track_caller]
    pub fn address(&self, tunnel: &str) -> SocketAddr {
        let output = self.output();
        let fields = output.lines().rev().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut addresses = fields.filter_map(|fields| match fields.as_slice() {
            [name, "ready", address] if *name == tunnel => address.parse().ok(),
            _ => None,
        });
        addresses.next().unwrap_or_else(|| panic!("no address of {tunnel} in:\n{output}"))
    }

    /// The simulator's address, as it says.
    #[track_caller]
    pub fn aws(&self) -> SocketAddr {
        let output = self.output();
        let url = output.split_whitespace().find_map(|word| word.strip_suffix("/_sim/cut"));
        let address = url.and_then(|url| url.strip_prefix("http://")?.parse().ok());
        address.unwrap_or_else(|| panic!("no address of the simulator in:\n{output}"))
    }

    /// The folder of its daemon's socket, as it says.
    #[track_caller]
    pub fn runtime_dir(&self) -> PathBuf {
        let output = self.output();
        let folder = output.split_whitespace().find_map(|word| word.strip_prefix("TUNNELS_RUNTIME_DIR="));
        folder.unwrap_or_else(|| panic!("no line for `tunnels ls` in:\n{output}")).into()
    }

    /// Runs the program in another terminal of the same user, about the demo's daemon.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        finish(Self::command(self.folder.path(), arguments).env("TUNNELS_RUNTIME_DIR", self.runtime_dir()))
    }

    /// One statement through psql and the tunnel, as it says that one should.
    #[track_caller]
    pub fn psql(&self, statement: &str) -> Finished {
        let port = self.address("orders-db").port();
        let mut command = Command::new("psql");
        command.arg(format!("host=127.0.0.1 port={port} user=demo dbname=demo"));
        command.args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", statement]);
        finish(&mut command)
    }

    /// A page through the tunnel.
    #[track_caller]
    pub fn get(&self, path: &str) -> HttpAnswer {
        request(self.address("internal-api"), "GET", path, &[], None).expect("the web server answers")
    }

    /// Cuts the daemon's websockets; how many there were.
    #[track_caller]
    pub fn cut(&self) -> u64 {
        let cut = json!({"side": "client", "how": "bye"});
        let answer = request(self.aws(), "POST", "/_sim/cut", &[], Some(&cut)).expect("the simulator answers");
        answer.json()["cut"].as_u64().expect("a count")
    }

    /// The state of every session that AWS's side knows.
    #[track_caller]
    pub fn sessions(&self) -> Value {
        request(self.aws(), "GET", "/_sim/sessions", &[], None).expect("the simulator answers").json()
    }

    pub fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Everything in the user's folders.
    pub fn files(&self) -> Vec<PathBuf> {
        fn all(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                found.push(entry.path());
                all(&entry.path(), found);
            }
        }
        let mut found = Vec::new();
        for name in ["home", "tmp"] {
            all(&self.folder.path().join(name), &mut found);
        }
        found
    }
}

/// Sends `request` on an open connection and reads until what came ends with `end`.
pub fn exchange(stream: &mut TcpStream, request: &[u8], end: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(end) {
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
    Ok(answer)
}
