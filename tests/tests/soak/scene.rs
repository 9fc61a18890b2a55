//! What the soak runs on: two simulated accounts, a PostgreSQL, servers that check bytes, one daemon with its tunnels, and
//! another that is killed.

use std::time::Duration;

use serde_json::{Value, json};
use tunnels_tests::{
    Postgres, SimOptions, TestDaemon, TestRemote, TestSim, echo_once, open_files, resident_bytes, send_signal,
};

use crate::resources::Resources;
use crate::victim::{VICTIMS, Victim};

/// The node of the mortal tunnels.
pub(crate) const OTHER_NODE: &str = "i-0bbbbbbbbbbbbbbbb";

/// Through these the bytes are checked, and they are listened to.
pub(crate) const LASTING: [&str; 3] = ["files-1", "files-2", "files-3"];
pub(crate) const MORTAL: [&str; 2] = ["mortal-1", "mortal-2"];
pub(crate) const DATABASE: &str = "database";
/// Is used all the time, in an account whose sessions live a minute.
const SHORT_LIVED: &str = "short-lived";
/// Is hardly ever used, in the same account.
const QUIET: &str = "quiet";
/// What that account allows, in seconds.
const LONGEST_LIFE: u32 = 60;

/// Which tunnels a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// All, and the sessions live on.
    Lasting,
    /// Those whose sessions it may end.
    Mortal,
}

impl Group {
    pub(crate) fn tunnels(self) -> Vec<&'static str> {
        match self {
            Self::Lasting => LASTING.into_iter().chain([DATABASE]).collect(),
            Self::Mortal => MORTAL.into_iter().chain([SHORT_LIVED, QUIET]).collect(),
        }
    }
}

pub(crate) struct Scene {
    pub(crate) sim: TestSim,
    /// Another account, with policies of its own.
    pub(crate) strict_sim: TestSim,
    pub(crate) user: TestDaemon,
    pub(crate) victim: Victim,
    pub(crate) postgres: Postgres,
    mortal_port: u16,
    daemon: u32,
    _remotes: [TestRemote; 2],
}

impl Scene {
    /// Starts everything and waits until all tunnels are ready.
    pub(crate) fn set(seed: u64) -> Self {
        let arguments = ["--node", OTHER_NODE, "--seed", &seed.to_string()].map(str::to_owned).to_vec();
        let sim = TestSim::start_with(&SimOptions { arguments, ..SimOptions::default() });
        let strict_sim = TestSim::start();
        strict_sim.faults(&json!({ "max_duration_s": LONGEST_LIFE }));
        let postgres = Postgres::start();
        postgres.pgbench(postgres.port(), &["--initialize", "--quiet"]).expect_success();
        let remotes = [TestRemote::start(), TestRemote::start()];
        let [files, mortal] = [0, 1].map(|which: usize| remotes[which].address());
        // Faults may last longer than a usual user waits, and nobody is to give up before they are over.
        let mut user = TestDaemon::new(&sim).tunnel_with(DATABASE, &postgres.remote(), "hold = \"5m\"");
        for name in LASTING {
            user = user.tunnel_with(name, &files.to_string(), "hold = \"5m\"");
        }
        for name in MORTAL {
            let keys = format!("target = \"{OTHER_NODE}\"\npatience = \"8s\"");
            user = user.tunnel_with(name, &mortal.to_string(), &keys);
        }
        for name in [SHORT_LIVED, QUIET] {
            let keys = format!("endpoints = {{ ssm = \"{}\" }}\npark_after = \"24h\"", strict_sim.url());
            user = user.tunnel_with(name, &mortal.to_string(), &keys);
        }
        let daemon = user.start().pid();
        user.run(&["up", "--wait=60s"]).expect_success();
        let victim = Victim::start(&sim, OTHER_NODE);
        Self { sim, strict_sim, user, victim, postgres, mortal_port: mortal.port(), daemon, _remotes: remotes }
    }

    /// Where connections are opened that may be reset.
    pub(crate) fn mortal_ports(&self) -> Vec<(&'static str, u16)> {
        let ours = MORTAL.into_iter().chain([SHORT_LIVED]).map(|name| (name, self.user.port(name)));
        ours.chain(self.victim.ports()).collect()
    }

    /// The daemon's process id.
    pub(crate) fn daemon(&self) -> u32 {
        self.daemon
    }

    pub(crate) fn resources(&self) -> Resources {
        Resources { memory: resident_bytes(self.daemon), files: open_files(self.daemon) }
    }

    fn statuses(&self) -> Vec<Value> {
        self.user.get("/v1/tunnels")["tunnels"].as_array().expect("a list of tunnels").clone()
    }

    /// Of both daemons.
    pub(crate) fn tunnels(&self) -> usize {
        self.statuses().len() + VICTIMS.len()
    }

    /// Connections that are open through a group's tunnels.
    pub(crate) fn connections(&self, group: Group) -> u64 {
        let is_in = |status: &&Value| group.tunnels().iter().any(|name| status["name"] == *name);
        let ours: u64 = self.statuses().iter().filter(is_in).filter_map(|status| status["streams"].as_u64()).sum();
        ours + if group == Group::Mortal { self.victim.streams() } else { 0 }
    }

    pub(crate) fn streams(&self) -> u64 {
        let ours: u64 = self.statuses().iter().filter_map(|status| status["streams"].as_u64()).sum();
        ours + self.victim.streams()
    }

    /// Whether every tunnel is ready, or would be with the next connection.
    pub(crate) fn is_well(&self) -> bool {
        let waits = |status: &Value| status["name"] == QUIET && status["state"] == "listening";
        self.statuses().iter().all(|status| status["state"] == "ready" || waits(status))
    }

    /// Whether a new connection gets through each tunnel whose session has been ended.
    pub(crate) fn mortal_ones_carry(&self) -> bool {
        Group::Mortal.tunnels().into_iter().all(|name| echo_once(self.user.port(name), 100, 1).is_ok())
            && self.victim.carries()
    }

    /// Sessions that AWS still has, in both accounts.
    pub(crate) fn open_sessions(&self) -> usize {
        [&self.sim, &self.strict_sim].into_iter().map(|sim| open_sessions(sim).len()).sum()
    }

    /// How many sessions the strict account has seen.
    pub(crate) fn strict_sessions(&self) -> usize {
        self.strict_sim.sessions().len()
    }

    /// Cuts every data channel of one side; a black hole or half-open connection is over after `time`.
    pub(crate) fn cut(&self, side: &str, how: &str, time: Option<Duration>) {
        let seconds = time.map(|time| time.as_secs_f64());
        // None may be there when a fault follows on the heels of another.
        self.sim.control("POST", "/_sim/cut", Some(&json!({ "side": side, "how": how, "for_s": seconds })));
    }

    /// The ids of the mortal tunnels' open sessions in the first account.
    pub(crate) fn mortal_sessions(&self) -> Vec<String> {
        let mut sessions = open_sessions(&self.sim);
        sessions.retain(|session| session["port"] == self.mortal_port);
        sessions.iter().map(id).collect()
    }

    pub(crate) fn close_mortal_sessions(&self) {
        for session in self.mortal_sessions() {
            close(&self.sim, &session);
        }
    }

    pub(crate) fn close_strict_sessions(&self) {
        for session in open_sessions(&self.strict_sim) {
            close(&self.strict_sim, &id(&session));
        }
    }

    pub(crate) fn signal_daemon(&self, signal: &str) {
        send_signal(self.daemon, signal);
    }

    /// Ends the daemons as users do.
    pub(crate) fn stop(&mut self) {
        self.victim.stop();
        self.user.run(&["stop"]).expect_success();
        self.user.process().wait();
    }
}

fn open_sessions(sim: &TestSim) -> Vec<Value> {
    sim.sessions().into_iter().filter(|session| session["state"] != "terminated").collect()
}

fn id(session: &Value) -> String {
    session["id"].as_str().expect("an id").to_owned()
}

fn close(sim: &TestSim, session: &str) {
    let path = format!("/_sim/sessions/{session}/close");
    sim.control("POST", &path, Some(&json!({ "output": "closed by the soak" })));
}
