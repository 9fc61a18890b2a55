//! A real Redis (or Valkey) server in a temporary folder, and its own client programs.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::authority::Identity;
use crate::ports::free_port;
use crate::process::{Finished, Process, finish};
use crate::wait::wait_until;

const START_DEADLINE: Duration = Duration::from_secs(30);
/// The same programs under two names.
const FAMILIES: [&str; 2] = ["redis", "valkey"];

/// A running server that keeps nothing.
#[derive(Debug)]
pub struct Redis {
    _process: Process,
    port: u16,
    folder: TempDir,
    password: Option<&'static str>,
    tls: bool,
}

impl Redis {
    /// Starts a server that anybody on loopback may use.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_as(None, false)
    }

    /// Starts one that wants a password before anything else.
    #[track_caller]
    pub fn with_password(password: &'static str) -> Self {
        Self::start_as(Some(password), false)
    }

    /// Starts one that speaks nothing but TLS.
    #[track_caller]
    pub fn with_tls() -> Self {
        Self::start_as(None, true)
    }

    /// The same, with this certificate.
    #[track_caller]
    pub fn with_identity(identity: &Identity) -> Self {
        Self::start_with(None, Some(&|folder| identity.write(folder)))
    }

    #[track_caller]
    fn start_as(password: Option<&'static str>, tls: bool) -> Self {
        Self::start_with(password, tls.then_some(&make_certificate))
    }

    /// `certify` writes `cert.pem` and `key.pem`.
    #[track_caller]
    fn start_with(password: Option<&'static str>, certify: Option<&dyn Fn(&Path)>) -> Self {
        let tls = certify.is_some();
        let folder = TempDir::with_prefix("tunnels-redis-").expect("a temporary folder");
        let port = free_port();
        let plain_port = if tls { 0 } else { port };
        let mut server = Command::new(program("server"));
        server.current_dir(folder.path());
        server.args(["--bind", "127.0.0.1", "--port", &plain_port.to_string()]);
        server.args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"]).arg(folder.path());
        if let Some(password) = password {
            server.args(["--requirepass", password]);
        }
        if let Some(certify) = certify {
            certify(folder.path());
            server.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
            server.args(["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "cert.pem"]);
        }
        let process = Process::start("redis-server", &mut server);
        let redis = Self { _process: process, port, folder, password, tls };
        wait_until("Redis to answer", START_DEADLINE, || {
            (redis.cli(port, &["ping"]).stdout.trim() == "PONG").then_some(())
        });
        redis
    }

    /// The server's own port, beside any tunnel.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` for a tunnel's `remote`.
    pub fn remote(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs one command with redis-cli through `port`.
    #[track_caller]
    pub fn cli(&self, port: u16, command: &[&str]) -> Finished {
        finish(self.client("cli", port).args(command))
    }

    /// Feeds `commands` to `redis-cli --pipe`, which sends them all before it waits for the last reply.
    #[track_caller]
    pub fn pipe(&self, port: u16, commands: &[u8]) -> Finished {
        let input = self.folder.path().join("commands");
        fs::write(&input, commands).expect("our own folder can be written");
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"exec "$@" < "$INPUT""#, "sh"]).env("INPUT", input);
        let client = self.client("cli", port);
        shell.arg(client.get_program()).args(client.get_args()).args(["--pipe", "--pipe-timeout", "30"]);
        shell.envs(client.get_envs().filter_map(|(name, value)| Some((name, value?))));
        finish(&mut shell)
    }

    /// Runs redis-benchmark with these arguments through `port`.
    #[track_caller]
    pub fn benchmark(&self, port: u16, arguments: &[&str]) -> Finished {
        finish(self.client("benchmark", port).args(arguments))
    }

    /// Starts redis-cli with a command that goes on, such as `subscribe`.
    #[track_caller]
    pub fn follow(&self, port: u16, command: &[&str]) -> Process {
        Process::start("redis-cli", self.client("cli", port).args(command))
    }

    fn client(&self, name: &str, port: u16) -> Command {
        let mut command = Command::new(program(name));
        command.args(["-h", "127.0.0.1", "-p", &port.to_string()]).env("HOME", self.folder.path());
        if let Some(password) = self.password {
            command.env("REDISCLI_AUTH", password);
        }
        if self.tls {
            // Whether it answers is the question here, not whose it is.
            command.args(["--tls", "--insecure"]);
        }
        command
    }
}

/// `redis-server` or `valkey-server`, and so on.
fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let find = |family: &str| {
        let file = format!("{family}-{name}");
        env::split_paths(&path).map(|folder| folder.join(&file)).find(|path| path.is_file())
    };
    FAMILIES.iter().find_map(|family| find(family)).expect("Redis or Valkey is installed (tests/run does it)")
}

/// A certificate for the server that is its own authority.
#[track_caller]
fn make_certificate(folder: &Path) {
    let words = "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=127.0.0.1 \
                 -addext subjectAltName=IP:127.0.0.1";
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder).args(words.split_whitespace().map(OsStr::new));
    finish(&mut openssl).expect_success();
}
