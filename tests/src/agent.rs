//! The official agent as a process in namespaces of its own.
//!
//! It reads and writes fixed folders below `/etc`, `/var/lib` and `/var/log`; `official-agent.sh`
//! gives it private ones, so that nothing of it stays on the machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, send_signal};
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

    /// All processes that belong to it.
    pub fn processes(&self) -> Vec<u32> {
        descendants(self.process.pid())
    }

    /// Kills the processes that serve its sessions; how many there were.
    pub fn kill_session_workers(&self) -> usize {
        let workers: Vec<u32> = self
            .processes()
            .into_iter()
            .filter(|pid| {
                let program = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                program.split('\0').next().is_some_and(|program| program.ends_with("ssm-session-worker"))
            })
            .collect();
        for pid in &workers {
            send_signal(*pid, "KILL");
        }
        workers.len()
    }
}

/// All processes below this one.
fn descendants(ancestor: u32) -> Vec<u32> {
    let parent_of = |pid: u32| -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
    };
    let processes = fs::read_dir("/proc").expect("Linux has it");
    let all: Vec<(u32, u32)> = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

impl Drop for OfficialAgent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("errors.log")).unwrap_or_default();
            eprintln!("--- errors.log of the official agent:\n{log}---");
        }
    }
}
