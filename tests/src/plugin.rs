//! The official `session-manager-plugin` as a process, started as the AWS CLI starts it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::ports::free_port;
use crate::process::Process;
use crate::sim::{NODE, TestSim};
use crate::wait::wait_until;

const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running plugin with one open session.
#[derive(Debug)]
pub struct OfficialPlugin {
    process: Process,
    port: u16,
}

impl OfficialPlugin {
    /// Starts a session to `remote` through the simulator's node and lets the plugin serve it on a free port.
    #[track_caller]
    pub fn start(program: &Path, sim: &TestSim, remote: SocketAddr) -> Self {
        Self::start_at(program, sim, NODE, remote)
    }

    /// The same through another node.
    #[track_caller]
    pub fn start_at(program: &Path, sim: &TestSim, node: &str, remote: SocketAddr) -> Self {
        let port = free_port();
        let request = json!({
            "Target": node,
            "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
            "Parameters": {
                "host": [remote.ip().to_string()],
                "portNumber": [remote.port().to_string()],
                "localPortNumber": [port.to_string()],
            },
        });
        let session = sim.api("StartSession", &request);
        assert_eq!(session.status, 200, "{}", session.body);

        // docs/protocol.md §1.7: response, region, operation, profile, request, endpoint.
        let mut command = Command::new(program);
        command.args([&session.body, "us-east-1", "StartSession", "", &request.to_string(), &sim.url()]);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE0000000000")
            .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        let mut process = Process::start("session-manager-plugin", &mut command);
        wait_until("the official plugin to wait for connections", START_DEADLINE, || {
            let ended = process.ended();
            assert!(ended.is_none(), "the official plugin ended: {}", process.output());
            process.output().contains("Waiting for connections").then_some(())
        });
        Self { process, port }
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}
