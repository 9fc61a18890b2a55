//! Twelve tunnels in every state: simulators, servers, a user with a daemon, and somebody who uses tunnels.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tunnels_tests::{NODE, SimOptions, TestDaemon, TestSim, free_port};

/// A node that is never there.
const OFFLINE: &str = "i-0ffffffffffffffff";
/// A node that is not ours.
const DENIED: &str = "i-0dddddddddddddddd";

/// The profile whose login has expired.
const AWS_CONFIG: &str = "[profile ops]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = ops\n\
    region = us-east-1\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.invalid/start\n";

/// What the terminal says that it can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Dark,
    Light,
    Sixteen,
    NoColor,
}

/// All of it, gone when dropped.
#[derive(Debug)]
pub(crate) struct Scene {
    user: TestDaemon,
    _sims: [TestSim; 2],
    _taken: TcpListener,
}

impl Scene {
    pub(crate) fn set() -> Self {
        let sim = TestSim::start_with(&SimOptions {
            arguments: [OFFLINE, DENIED]
                .iter()
                .flat_map(|node| ["--node".to_owned(), format!("{node}=node")])
                .collect(),
            ..SimOptions::default()
        });
        sim.faults(&json!({ "offline": [OFFLINE], "access_denied": [DENIED], "latency_ms": 6, "jitter_ms": 3 }));
        // Where sessions are lost and not to be resumed.
        let other_sim = TestSim::start();
        let (database, cache, web) = (echo(), echo(), echo());
        let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let tunnel = |remote: SocketAddr, probe: &str, group: &str, profile: &str, more: &str| {
            let keys = format!("probe = \"{probe}\"\ngroups = [\"{group}\"]\nprofile = \"{profile}\"\n{more}");
            (remote.to_string(), keys)
        };
        let offline = format!("target = \"{OFFLINE}\"");
        let denied = format!("target = \"{DENIED}\"");
        let elsewhere = format!("endpoints = {{ ssm = \"{}\" }}", other_sim.url());
        let tunnels = [
            ("orders-db", tunnel(database, "postgres", "db", "dev", "")),
            ("billing-db", tunnel(database, "postgres", "db", "prod", "protected = true")),
            ("inventory-db", tunnel(database, "postgres", "db", "dev", "park_after = \"1s\"")),
            ("reporting-db", tunnel(database, "mysql", "db", "dev", &offline)),
            ("ledger-db", tunnel(database, "postgres", "db", "ops", "")),
            ("payroll-db", tunnel(database, "postgres", "db", "prod", "protected = true\nauto = false")),
            ("sessions-cache", tunnel(cache, "redis", "cache", "dev", "")),
            ("carts-cache", tunnel(cache, "redis", "cache", "dev", "open = \"on-demand\"")),
            ("feeds-cache", tunnel(cache, "redis", "cache", "prod", &elsewhere)),
            ("queue-cache", tunnel(nobody, "redis", "cache", "dev", "")),
            ("internal-api", tunnel(web, "http", "web", "dev", &denied)),
            ("search", tunnel(web, "http", "web", "dev", "")),
        ];
        let mut user = TestDaemon::with_target(&sim, NODE);
        for (name, (remote, keys)) in &tunnels {
            user = user.tunnel_with(name, remote, keys);
        }
        user.write_aws_config(AWS_CONFIG);
        let taken = TcpListener::bind(("127.0.0.1", user.port("search"))).expect("nobody has the port yet");
        user.run(&["up", "--yes"]);
        user.wait_for("feeds-cache", "ready");
        other_sim.faults(&json!({ "resume_refusals": 1_000_000_000, "start_refusals": 1_000_000_000 }));
        other_sim.cut("client", "bye");
        user.wait_for("orders-db", "ready");
        use_it(SocketAddr::from(([127, 0, 0, 1], user.port("orders-db"))), 4096, 10);
        use_it(SocketAddr::from(([127, 0, 0, 1], user.port("orders-db"))), 65_536, 10);
        use_it(SocketAddr::from(([127, 0, 0, 1], user.port("sessions-cache"))), 700, 25);
        sim.cut("client", "bye");
        user.wait_for("orders-db", "ready");
        user.wait_for("queue-cache", "degraded");
        user.wait_for("internal-api", "failed");
        user.wait_for("inventory-db", "listening");
        Self { user, _sims: [sim, other_sim], _taken: taken }
    }

    /// The dashboard for a terminal that can show so much.
    pub(crate) fn command(&self, look: Look) -> Command {
        let mut command = self.user.command(&[]);
        command.env("TZ", "UTC");
        match look {
            Look::Dark => command.env("COLORTERM", "truecolor").env("COLORFGBG", "15;0"),
            Look::Light => command.env("COLORTERM", "truecolor").env("COLORFGBG", "0;15"),
            Look::Sixteen => &mut command,
            Look::NoColor => command.env("NO_COLOR", "1"),
        };
        command
    }

    /// The dashboard on the terminal of this process, with what that says of itself.
    pub(crate) fn on_this_terminal(&self) -> Command {
        let mut command = self.user.command(&[]);
        for name in ["TERM", "COLORTERM", "COLORFGBG", "NO_COLOR", "TMUX", "LANG"] {
            command.envs(env::var_os(name).map(|value| (name, value)));
        }
        command
    }

    /// Ends the daemon; what is left has no tunnels.
    pub(crate) fn stop_and_forget(self) -> Self {
        self.user.run(&["stop", "--drain", "0s"]).expect_success();
        self.user.overwrite_config("");
        self
    }
}

/// A server that sends back what it gets.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of our own");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut bytes = [0; 16 * 1024];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// Somebody who asks so many bytes at once, now more and now less often.
fn use_it(tunnel: SocketAddr, size: usize, pause_ms: u64) {
    thread::spawn(move || {
        let mut stream = TcpStream::connect(tunnel).expect("the tunnel is ready");
        let (question, mut answer) = (vec![7; size], vec![0; size]);
        for round in 0_u32.. {
            if stream.write_all(&question).and_then(|()| stream.read_exact(&mut answer)).is_err() {
                return;
            }
            let pause = pause_ms + u64::from((round / 40) % 7) * 12;
            thread::sleep(Duration::from_millis(pause));
        }
    });
}
