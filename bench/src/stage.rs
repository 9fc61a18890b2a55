//! The scene of a row: AWS's side with an agent, a user with tunnels, the official plugin, and what they lead to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tunnels_tests::{NODE, OfficialAgent, OfficialPlugin, SimOptions, TestDaemon, TestSim};

use crate::report::{PLUGIN, TUNNELS};
use crate::setting::Setting;

/// The tunnel of a row that needs one.
const TUNNEL: &str = "bench";
/// How often sessions are counted while more are expected.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Which agent serves a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agent {
    /// The simulator's own, without pauses: what we cost ourselves.
    Fast,
    /// The official one, or, where it is not at hand, the simulator's own at its pace.
    Official,
}

/// The simulated AWS side with its agent.
#[derive(Debug)]
pub(crate) enum Aws {
    BuiltIn(TestSim),
    Official(OfficialAgent),
}

impl Aws {
    pub(crate) fn start(setting: &Setting, agent: Agent) -> Self {
        match (agent, &setting.agent) {
            (Agent::Official, Some(programs)) => Self::Official(OfficialAgent::start(programs)),
            (agent, _) => {
                let real_pace = agent == Agent::Official;
                Self::BuiltIn(TestSim::start_with(&SimOptions { real_pace, ..SimOptions::default() }))
            }
        }
    }

    pub(crate) fn sim(&self) -> &TestSim {
        match self {
            Self::BuiltIn(sim) => sim,
            Self::Official(agent) => agent.sim(),
        }
    }

    pub(crate) fn node(&self) -> &str {
        match self {
            Self::BuiltIn(_) => NODE,
            Self::Official(agent) => agent.node(),
        }
    }

    /// Processes of the simulator, and of the agent if it has its own.
    pub(crate) fn processes(&self) -> (Vec<u32>, Vec<u32>) {
        let agents = match self {
            Self::BuiltIn(_) => Vec::new(),
            Self::Official(agent) => agent.processes(),
        };
        (vec![self.sim().process().pid()], agents)
    }

    /// A user without tunnels yet, whose target is the node.
    pub(crate) fn user(&self) -> TestDaemon {
        TestDaemon::with_target(self.sim(), self.node())
    }

    /// The official plugin with a session of its own, if it is at hand.
    pub(crate) fn plugin(&self, setting: &Setting, remote: SocketAddr) -> Option<OfficialPlugin> {
        let program = setting.plugin.as_ref()?;
        Some(OfficialPlugin::start_at(program, self.sim(), self.node(), remote))
    }

    /// Sessions whose data channel is open, whoever asked for them.
    pub(crate) fn open_sessions(&self) -> usize {
        self.sim().session_states().iter().filter(|state| *state == "connected").count()
    }

    /// Waits until so many sessions are open, but not longer than `time`: a pool may see no need.
    pub(crate) fn await_sessions(&self, count: usize, time: Duration) {
        let started = Instant::now();
        while self.open_sessions() < count && started.elapsed() < time {
            sleep(LOOK_EVERY);
        }
    }

    /// Messages that the gateway has seen from the agent of each open session so far.
    pub(crate) fn messages_by_session(&self) -> BTreeMap<String, u64> {
        let open = self.sim().sessions().into_iter().filter(|session| session["state"] == "connected");
        open.filter_map(|session| Some((session["id"].as_str()?.to_owned(), session["down"]["messages"].as_u64()?)))
            .collect()
    }
}

/// A user with one ready tunnel, and the plugin.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) user: TestDaemon,
    pub(crate) plugin: Option<OfficialPlugin>,
}

/// A local port that leads to the remote, and the process behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) who: &'static str,
    pub(crate) port: u16,
    pub(crate) pid: u32,
}

impl Clients {
    /// A tunnel to `remote` with these keys, and a plugin with a session of its own, if it is at hand.
    pub(crate) fn start(setting: &Setting, aws: &Aws, remote: SocketAddr, keys: &str) -> Self {
        let mut user = aws.user().tunnel_with(TUNNEL, &remote.to_string(), keys);
        user.start();
        user.run(&["up", "--wait=60s"]).expect_success();
        Self { user, plugin: aws.plugin(setting, remote) }
    }

    /// What is compared, in the order of every run.
    pub(crate) fn ways(&mut self) -> Vec<Way> {
        let pid = self.user.process().pid();
        let mut ways = vec![Way { who: TUNNELS, port: self.user.port(TUNNEL), pid }];
        if let Some(plugin) = &self.plugin {
            ways.push(Way { who: PLUGIN, port: plugin.port(), pid: plugin.process().pid() });
        }
        ways
    }
}

/// Everything for a row with one tunnel, ended in this order.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) clients: Clients,
    pub(crate) aws: Aws,
}

impl Stage {
    /// A ready tunnel with these keys, and the plugin beside it.
    pub(crate) fn new(setting: &Setting, agent: Agent, remote: SocketAddr, keys: &str) -> Self {
        let aws = Aws::start(setting, agent);
        Self { clients: Clients::start(setting, &aws, remote, keys), aws }
    }

    pub(crate) fn ways(&mut self) -> Vec<Way> {
        self.clients.ways()
    }

    /// One of the gateway's counts of one direction, `up` or `down`, over the sessions of one way alone: what the other one has left
    /// behind goes on for a while, and is sent again by rules of its own.
    pub(crate) fn count_of(&self, way: Way, direction: &str, counter: &str) -> u64 {
        let answer = self.clients.user.get(&format!("/v1/tunnels/{TUNNEL}/sessions"));
        let ours: Vec<&Value> = answer["sessions"].as_array().expect("a list").iter().map(|one| &one["id"]).collect();
        let sessions = self.aws.sim().sessions();
        let of_way = sessions.iter().filter(|session| ours.contains(&&session["id"]) == (way.who == TUNNELS));
        of_way.filter_map(|session| session[direction][counter].as_u64()).sum()
    }
}

/// A user with so many tunnels to `remote`, each with these keys. No daemon runs yet.
pub(crate) fn with_tunnels(aws: &Aws, count: usize, remote: SocketAddr, keys: &str) -> TestDaemon {
    let remote = remote.to_string();
    (0..count).fold(aws.user(), |user, number| user.tunnel_with(&tunnel_name(number), &remote, keys))
}

/// The name of one of many tunnels.
pub(crate) fn tunnel_name(number: usize) -> String {
    format!("bench-{number:04}")
}
