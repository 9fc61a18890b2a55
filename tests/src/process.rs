//! Child processes: the program under test, servers, and commands that run to their end.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::wait::wait_until;

/// How long a process may take to end after it was asked to.
const END_DEADLINE: Duration = Duration::from_secs(20);
/// How much of a log a failing test shows.
const LOG_LINES_SHOWN: usize = 60;

/// The `tunnels` program under test: `TUNNELS_BIN`, else the newest build in this target folder.
pub fn tunnels_program() -> PathBuf {
    if let Some(path) = env::var_os("TUNNELS_BIN") {
        return PathBuf::from(path);
    }
    // …/target/<profile>/deps/<this test>, or …/target/<profile>/<this program>
    let this = env::current_exe().expect("a program knows its own path");
    let built = |path: PathBuf| Some((path.metadata().ok()?.modified().ok()?, path));
    let newest_in =
        |folder: &Path| ["release", "debug"].into_iter().filter_map(|p| built(folder.join(p).join("tunnels"))).max();
    let Some((_, path)) = this.ancestors().skip(1).find_map(newest_in) else {
        panic!(
            "no tunnels program above {}: use tests/run, or cargo build --release -p tunnels, or set TUNNELS_BIN",
            this.display()
        )
    };
    path
}

/// Whether this process may change users and mount namespaces.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A running child with its output in a file; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    _folder: TempDir,
}

impl Process {
    /// Starts `command`; both its output streams go to one log.
    #[track_caller]
    pub fn start(name: &str, command: &mut Command) -> Self {
        let folder = TempDir::with_prefix("tunnels-log-").expect("a temporary folder");
        let log = folder.path().join("log");
        let out = File::create(&log).expect("a log file");
        let err = out.try_clone().expect("a second handle of the log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} ({command:?}) does not start: {e}"));
        Self { name: name.to_owned(), child, log, _folder: folder }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The exit status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be waited for")
    }

    /// Sends the signal by its short name (`TERM`, `INT`, `KILL`, …).
    pub fn signal(&self, signal: &str) {
        send_signal(self.pid(), signal);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        wait_until(format!("{name} to end"), END_DEADLINE, || self.ended())
    }

    /// Number of open file descriptors.
    pub fn open_files(&self) -> usize {
        open_files(self.pid())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        resident_bytes(self.pid())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("--- last output of {}:\n{}\n---", self.name, shown.join("\n"));
        }
    }
}

/// Number of a process's open file descriptors.
pub fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// A process's resident memory in bytes.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    kib.and_then(|text| text.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()).map_or(0, |n| n * 1024)
}

/// Sends a signal to one process of ours.
pub fn send_signal(pid: u32, signal: &str) {
    assert!(pid > 1, "{pid} is no process of a test");
    let command = format!("kill -{signal} {pid}");
    let _ = Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status();
}

/// Whether a process with this id exists.
pub(crate) fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// A command that has run to its end.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// From its start to its end.
    pub took: Duration,
    command: String,
}

impl Finished {
    /// Panics with both outputs unless the exit code is `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "{} ended with {:?}, not {code}\nstdout:\n{}\nstderr:\n{}",
            self.command,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Panics with both outputs unless it succeeded.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        self.expect_code(0)
    }

    /// Standard output as the one JSON value that it must be.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| {
            panic!("{} printed no JSON ({e}):\n{}\nstderr:\n{}", self.command, self.stdout, self.stderr)
        })
    }
}

/// Runs a command to its end.
///
/// Its output goes to files, not pipes: a daemon that it leaves behind may hold them open.
#[track_caller]
pub fn finish(command: &mut Command) -> Finished {
    let folder = TempDir::with_prefix("tunnels-out-").expect("a temporary folder");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let file = |path: &Path| -> io::Result<Stdio> { Ok(File::create(path)?.into()) };
    command
        .stdin(Stdio::null())
        .stdout(file(&out).expect("an output file"))
        .stderr(file(&err).expect("an output file"));
    let started = Instant::now();
    let status = command.status().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    let took = started.elapsed();
    let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    Finished { code: status.code(), stdout: text(&out), stderr: text(&err), took, command: format!("{command:?}") }
}
