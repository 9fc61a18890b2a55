//! A second user whose daemon is killed now and then, with no chance to say goodbye.

use std::cell::RefCell;

use tunnels_tests::{TestDaemon, TestRemote, TestSim, echo_once};

/// Its tunnels.
pub(crate) const VICTIMS: [&str; 2] = ["killed-1", "killed-2"];

pub(crate) struct Victim {
    /// One thread alone kills and starts it; the others know its ports.
    user: RefCell<TestDaemon>,
    _remote: TestRemote,
}

impl Victim {
    /// Starts it, on a node of the simulator, and waits until it is ready.
    pub(crate) fn start(sim: &TestSim, node: &str) -> Self {
        let remote = TestRemote::start();
        let mut user = TestDaemon::with_target(sim, node);
        for name in VICTIMS {
            user = user.tunnel_with(name, &remote.address().to_string(), "hold = \"5m\"");
        }
        user.start();
        user.run(&["up", "--wait=60s"]).expect_success();
        Self { user: RefCell::new(user), _remote: remote }
    }

    pub(crate) fn ports(&self) -> impl Iterator<Item = (&'static str, u16)> {
        VICTIMS.map(|name| (name, self.user.borrow().port(name))).into_iter()
    }

    /// Ends its daemon between two instructions, and starts the next.
    pub(crate) fn kill_and_start(&self) {
        let mut user = self.user.borrow_mut();
        user.process().signal("KILL");
        user.process().wait();
        user.start();
    }

    pub(crate) fn streams(&self) -> u64 {
        let list = self.user.borrow().get("/v1/tunnels");
        let tunnels = list["tunnels"].as_array().expect("a list of tunnels");
        tunnels.iter().filter_map(|status| status["streams"].as_u64()).sum()
    }

    /// Whether a new connection gets through each tunnel.
    pub(crate) fn carries(&self) -> bool {
        self.ports().all(|(_, port)| echo_once(port, 100, 1).is_ok())
    }

    pub(crate) fn stop(&self) {
        let mut user = self.user.borrow_mut();
        user.run(&["stop"]).expect_success();
        user.process().wait();
    }
}
