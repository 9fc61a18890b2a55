//! The broken set-ups, each with the cause that is to stand first.

mod credentials;
mod machine;
mod session;
mod target;
mod way;

use std::any::Any;

use serde_json::json;
use tunnels_tests::{NODE, ProxyAnswer, SimOptions, TestDaemon, TestProxy, TestRemote, TestSim};

const OFFLINE: &str = "i-0000000000000000a";
const DENIED: &str = "i-0000000000000000b";
const UNCONNECTED: &str = "i-0000000000000000c";
const TWIN: &str = "i-0000000000000000d";
const OTHER_TWIN: &str = "i-0000000000000000e";
const EXPIRED_KEY: &str = "AKIDEXPIRED000000000";
const DOCUMENT: &str = "Team-Forward";

/// One way in which a set-up can be broken.
pub(super) struct Broken {
    pub(super) name: &'static str,
    /// The finding that has to come first, and how bad it is.
    pub(super) check: &'static str,
    pub(super) verdict: &'static str,
    /// Words of its text, evidence, next step or policy.
    pub(super) says: &'static [&'static str],
    pub(super) code: i32,
    pub(super) make: fn(&World) -> Scene,
}

impl Broken {
    const fn new(
        name: &'static str,
        check: &'static str,
        says: &'static [&'static str],
        make: fn(&World) -> Scene,
    ) -> Self {
        Self { name, check, verdict: "fail", says, code: 1, make }
    }

    const fn code(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// It works, and something about it is worth a word.
    const fn warns(self) -> Self {
        Self { verdict: "warn", code: 0, ..self }
    }
}

/// What set-ups share: faults that are about one node, key or document only.
pub(super) struct World {
    pub(super) sim: TestSim,
    strict: TestSim,
    remote: TestRemote,
}

impl World {
    pub(super) fn new() -> Self {
        let nodes = [
            format!("{OFFLINE}=lost,Name=lost"),
            DENIED.to_owned(),
            UNCONNECTED.to_owned(),
            format!("{TWIN}=twin,Name=twin"),
            format!("{OTHER_TWIN}=twin,Name=twin"),
        ];
        let sim = with_arguments(nodes.iter().flat_map(|node| ["--node", node.as_str()]));
        sim.faults(&json!({
            "offline": [OFFLINE],
            "access_denied": [DENIED],
            "unconnected": [UNCONNECTED],
            "missing_documents": [DOCUMENT],
            "expired_keys": [EXPIRED_KEY],
            "denied_roles": ["arn:aws:iam::111122223333:role/denied"],
        }));
        Self { sim, strict: with_arguments(["--strict"]), remote: TestRemote::start() }
    }

    /// A user with one tunnel through `target`.
    fn user(&self, target: &str) -> TestDaemon {
        TestDaemon::with_target(&self.sim, target).tunnel("db", self.remote.address())
    }

    /// A user whose tunnel has these keys, too, and a target of their own if they name one.
    fn user_with(&self, keys: &str) -> TestDaemon {
        let target = if keys.contains("target =") { String::new() } else { format!("target = \"{NODE}\"\n") };
        let remote = self.remote.address().to_string();
        TestDaemon::with_defaults(&format!("{}{target}", self.sim.scope())).tunnel_with("db", &remote, keys)
    }

    /// A user with these profiles, one of which is the tunnel's.
    fn with_profile(&self, name: &str, config: &str) -> TestDaemon {
        let user = self.user_with(&format!("profile = \"{name}\""));
        // Every service that gives credentials is the simulator.
        ["STS", "SSO", "SSO_OIDC"]
            .iter()
            .fold(user, |user, service| user.with_variable(&format!("AWS_ENDPOINT_URL_{service}"), self.sim.url()))
            .with_keys("", "")
            .with_home_file(".aws/config", config)
    }

    /// A user of a simulator of their own, which behaves like this.
    fn alone(&self, faults: &serde_json::Value) -> Scene {
        let sim = TestSim::start();
        sim.faults(faults);
        let user = TestDaemon::new(&sim).tunnel("db", self.remote.address());
        Scene::from(user).with(sim)
    }

    /// A user behind a proxy, to which AWS is known by other names.
    fn proxied(&self, answer: ProxyAnswer, trusts_it: bool) -> Scene {
        let proxy = TestProxy::start(&self.sim, answer);
        let mut user = self.user_with(&proxy.endpoints()).with_variable("HTTPS_PROXY", proxy.url(""));
        if trusts_it {
            user = user.with_variable("AWS_CA_BUNDLE", proxy.ca().display().to_string());
        }
        Scene::from(user).with(proxy)
    }
}

fn with_arguments<'a>(arguments: impl IntoIterator<Item = &'a str>) -> TestSim {
    let arguments = arguments.into_iter().map(str::to_owned).collect();
    TestSim::start_with(&SimOptions { arguments, ..SimOptions::default() })
}

/// A user, and what has to stay for as long as they are looked at.
pub(super) struct Scene {
    pub(super) user: TestDaemon,
    held: Vec<Box<dyn Any>>,
}

impl From<TestDaemon> for Scene {
    fn from(user: TestDaemon) -> Self {
        Self { user, held: Vec::new() }
    }
}

impl Scene {
    fn with(mut self, held: impl Any) -> Self {
        self.held.push(Box::new(held));
        self
    }
}

/// All of them.
pub(super) fn all() -> Vec<&'static Broken> {
    [machine::SETUPS, way::SETUPS, credentials::SETUPS, target::SETUPS, session::SETUPS].into_iter().flatten().collect()
}
