//! Twelve tunnels in every state: a simulator, servers, a user with a daemon, and somebody who uses a tunnel.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tunnels_tests::{NODE, SimOptions, TestDaemon, TestSim, free_port};

/// A node that is never there.
const OFFLINE: &str = "i-0ffffffffffffffff";

/// The profile whose login has expired.
const AWS_CONFIG: &str = "[profile ops]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = ops\n\
    region = us-east-1\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.invalid/start\n";

/// All of it, gone when dropped.
#[derive(Debug)]
pub(crate) struct Scene {
    user: TestDaemon,
    _sim: TestSim,
    _taken: TcpListener,
}

impl Scene {
    pub(crate) fn set() -> Self {
        let sim = TestSim::start_with(&SimOptions {
            arguments: vec!["--node".into(), format!("{OFFLINE}=reporting")],
            ..SimOptions::default()
        });
        sim.faults(&json!({ "offline": [OFFLINE], "latency_ms": 6, "jitter_ms": 3 }));
        let (database, cache, web) = (echo(), echo(), echo());
        let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let tunnel = |remote: SocketAddr, probe: &str, group: &str, more: &str| {
            (remote.to_string(), format!("probe = \"{probe}\"\ngroups = [\"{group}\"]\n{more}"))
        };
        let tunnels = [
            ("orders-db", tunnel(database, "postgres", "db", "")),
            ("billing-db", tunnel(database, "postgres", "db", "protected = true")),
            ("inventory-db", tunnel(database, "tcp", "db", "")),
            ("reporting-db", tunnel(database, "postgres", "db", &format!("target = \"{OFFLINE}\""))),
            ("ledger-db", tunnel(database, "postgres", "db", "profile = \"ops\"")),
            ("payroll-db", tunnel(database, "postgres", "db", "protected = true\nauto = false")),
            ("sessions-cache", tunnel(cache, "redis", "cache", "")),
            ("carts-cache", tunnel(cache, "redis", "cache", "open = \"on-demand\"")),
            ("queue-cache", tunnel(nobody, "redis", "cache", "")),
            ("internal-api", tunnel(web, "http", "web", "")),
            ("search", tunnel(web, "http", "web", "")),
            ("metrics", tunnel(web, "http", "web", "auto = false")),
        ];
        let mut user = TestDaemon::with_target(&sim, NODE);
        for (name, (remote, keys)) in &tunnels {
            user = user.tunnel_with(name, remote, keys);
        }
        user.write_aws_config(AWS_CONFIG);
        let taken = TcpListener::bind(("127.0.0.1", user.port("search"))).expect("nobody has the port yet");
        user.run(&["up", "--yes"]);
        user.wait_for("orders-db", "ready");
        use_it(SocketAddr::from(([127, 0, 0, 1], user.port("orders-db"))));
        sim.cut("client", "bye");
        user.wait_for("orders-db", "ready");
        user.wait_for("queue-cache", "degraded");
        Self { user, _sim: sim, _taken: taken }
    }

    /// The dashboard, in colour.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.user.command(&[]);
        command.env("COLORTERM", "truecolor").env("COLORFGBG", "15;0").env("TZ", "UTC");
        command
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

/// Somebody who asks much, now more and now less.
fn use_it(tunnel: SocketAddr) {
    for size in [4096, 65_536] {
        thread::spawn(move || {
            let mut stream = TcpStream::connect(tunnel).expect("the tunnel is ready");
            let (question, mut answer) = (vec![7; size], vec![0; size]);
            for round in 0_u32.. {
                if stream.write_all(&question).and_then(|()| stream.read_exact(&mut answer)).is_err() {
                    return;
                }
                let pause = 10 + u64::from((round / 40) % 7) * 12;
                thread::sleep(Duration::from_millis(pause));
            }
        });
    }
}
