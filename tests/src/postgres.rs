//! A real PostgreSQL server in a temporary folder.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::authority::Identity;
use crate::ports::free_port;
use crate::process::{Finished, Process, finish, is_root};
use crate::wait::wait_until;

const START_DEADLINE: Duration = Duration::from_mins(1);
/// The role that `initdb` makes; it may log in from loopback without a password.
const ROLE: &str = "postgres";

/// A running server, as an unprivileged user: PostgreSQL refuses to run as root.
#[derive(Debug)]
pub struct Postgres {
    _process: Process,
    port: u16,
    programs: PathBuf,
    _folder: TempDir,
}

impl Postgres {
    /// Makes a cluster and starts a server on a free port.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_as(None)
    }

    /// The same, with TLS for whoever wants it.
    #[track_caller]
    pub fn with_tls(identity: &Identity) -> Self {
        Self::start_as(Some(identity))
    }

    #[track_caller]
    fn start_as(identity: Option<&Identity>) -> Self {
        let programs = programs_folder();
        let account = is_root().then(unprivileged_account);
        let folder = TempDir::with_prefix("tunnels-pg-").expect("a temporary folder");
        let data = folder.path().join("data");
        if let Some(account) = &account {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("our own folder");
            chown(folder.path(), Some(account.uid), Some(account.gid)).expect("root may give folders away");
        }
        let command = |program: &str| {
            let path = programs.join(program);
            let mut command = match &account {
                None => Command::new(path),
                Some(account) => {
                    let mut command = Command::new("setpriv");
                    command.arg(format!("--reuid={}", account.uid)).arg(format!("--regid={}", account.gid));
                    command.args(["--clear-groups", "--"]).arg(path);
                    command
                }
            };
            command.current_dir(folder.path()).env("HOME", folder.path()).env("LC_ALL", "C.UTF-8");
            command
        };
        finish(command("initdb").arg("--pgdata").arg(&data).args([
            "--username",
            ROLE,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--no-sync",
        ]))
        .expect_success();

        let port = free_port();
        let mut server = command("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
        server.arg("-k").arg(folder.path()).args(["-c", "fsync=off", "-c", "max_connections=200"]);
        if let Some(identity) = identity {
            identity.write(folder.path());
            for (setting, name) in [("ssl_cert_file", "cert.pem"), ("ssl_key_file", "key.pem")] {
                let path = folder.path().join(name);
                // The server refuses a key that others may read, or own.
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
                if let Some(account) = &account {
                    chown(&path, Some(account.uid), Some(account.gid)).expect("root may give files away");
                }
                server.args(["-c", &format!("{setting}={}", path.display())]);
            }
            server.args(["-c", "ssl=on"]);
        }
        let process = Process::start("postgres", &mut server);
        let postgres = Self { _process: process, port, programs, _folder: folder };
        wait_until("PostgreSQL to accept connections", START_DEADLINE, || {
            (postgres.psql(port, "select 1").code == Some(0)).then_some(())
        });
        postgres
    }

    /// The server's own port, beside any tunnel.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` for a tunnel's `remote`.
    pub fn remote(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs one statement with psql through `port`.
    #[track_caller]
    pub fn psql(&self, port: u16, statement: &str) -> Finished {
        finish(
            self.client("psql", port)
                .args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname", ROLE])
                .args(["--command", statement]),
        )
    }

    /// Runs pgbench with these arguments through `port`.
    #[track_caller]
    pub fn pgbench(&self, port: u16, arguments: &[&str]) -> Finished {
        finish(self.client("pgbench", port).args(arguments).arg(ROLE))
    }

    /// Starts pgbench with these arguments through `port`, and lets it go on.
    #[track_caller]
    pub fn start_pgbench(&self, port: u16, arguments: &[&str]) -> Process {
        Process::start("pgbench", self.client("pgbench", port).args(arguments).arg(ROLE))
    }

    fn client(&self, program: &str, port: u16) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--username", ROLE]);
        command.env("PGCONNECT_TIMEOUT", "30").env("PGSSLMODE", "disable");
        command
    }
}

/// Debian keeps the server's programs out of PATH, one folder a version.
fn programs_folder() -> PathBuf {
    let in_path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(env::split_paths(&in_path));
    let complete = |folder: &PathBuf| {
        ["initdb", "postgres", "psql", "pgbench"].iter().all(|program| folder.join(program).is_file())
    };
    folders.into_iter().find(complete).expect("PostgreSQL with pgbench is installed (tests/run does it)")
}

struct Account {
    uid: u32,
    gid: u32,
}

fn unprivileged_account() -> Account {
    let accounts = fs::read_to_string(Path::new("/etc/passwd")).expect("a list of accounts");
    let find = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(Account { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).expect("an account named postgres or nobody")
}
