//! The official agent as a process in namespaces of its own.
//!
//! It reads and writes fixed folders below `/etc`, `/var/lib` and `/var/log`; `official-agent.sh`
//! gives it private ones, so that nothing of it stays on the machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Process;
use crate::sim::{SimOptions, TestSim};
use crate::wait::wait_until;

const SCRIPT: &str = include_str!("official-agent.sh");

/// The instance id under which the agent registers; its kind needs no instance metadata service.
pub(crate) const AGENT_NODE: &str = "mi-0123456789abcdef0";

const ONLINE_DEADLINE: Duration = Duration::from_mins(1);

/// A running official agent, online at a simulator of its own.
#[derive(Debug)]
pub struct OfficialAgent {
    process: Process,
    sim: TestSim,
    folder: TempDir,
}

impl OfficialAgent {
    /// Starts a simulator and the agent whose programs lie in `programs`, and waits until it is online.
    #[track_caller]
    pub fn start(programs: &Path) -> Self {
        let options = SimOptions { external_agent: true, node: Some(AGENT_NODE.to_owned()), ..SimOptions::default() };
        let sim = TestSim::start_with(&options);
        let folder = TempDir::with_prefix("tunnels-agent-").expect("a temporary folder");
        let script = folder.path().join("official-agent.sh");
        fs::write(&script, SCRIPT).expect("our own folder can be written");

        // Killing unshare kills the agent's whole process tree, whatever it has started.
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL", "bash"]);
        command.arg(&script);
        command
            .env("AGENT_PROGRAMS", programs)
            .env("AGENT_LOG", folder.path())
            .env("AGENT_NODE", AGENT_NODE)
            .env("GATEWAY_URL", sim.agent_url())
            .env("GATEWAY_CA", sim.agent_ca())
            .env("API_URL", sim.url());
        let mut process = Process::start("amazon-ssm-agent", &mut command);
        wait_until("the official agent to be online", ONLINE_DEADLINE, || {
            let ended = process.ended();
            assert!(ended.is_none(), "the official agent ended: {}", process.output());
            let status = sim.api("GetConnectionStatus", &serde_json::json!({ "Target": AGENT_NODE }));
            (status.status == 200 && status.json()["Status"] == "connected").then_some(())
        });
        Self { process, sim, folder }
    }

    /// The simulated AWS side that it is connected to.
    pub fn sim(&self) -> &TestSim {
        &self.sim
    }

    /// The node's name.
    pub fn node(&self) -> &'static str {
        AGENT_NODE
    }

    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Drop for OfficialAgent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("errors.log")).unwrap_or_default();
            eprintln!("--- errors.log of the official agent:\n{log}---");
        }
    }
}
