//! The simulated AWS side as a user starts it: `tunnels sim` on a free port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{self, HttpAnswer};
use crate::ports::free_port;
use crate::process::{Process, tunnels_program};
use crate::wait::wait_until;

const CUT_DEADLINE: Duration = Duration::from_secs(30);

/// The managed node that every test uses.
pub const NODE: &str = "i-0123456789abcdef0";

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

const START_DEADLINE: Duration = Duration::from_secs(20);

/// How the simulator is started.
#[derive(Debug, Clone, Default)]
pub struct SimOptions {
    /// Instead of `fast`: the official agent's own pace.
    pub real_pace: bool,
    /// The agent is another program, which connects to the TLS port.
    pub external_agent: bool,
    /// The node's name instead of [`NODE`].
    pub node: Option<String>,
    /// The port it listens on instead of a free one.
    pub port: Option<u16>,
    /// Further arguments as they are.
    pub arguments: Vec<String>,
}

/// A running simulator.
#[derive(Debug)]
pub struct TestSim {
    process: Process,
    address: SocketAddr,
    agent_port: u16,
    folder: TempDir,
}

impl TestSim {
    /// Starts one with a built-in agent that sends as fast as it can.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&SimOptions::default())
    }

    #[track_caller]
    pub fn start_with(options: &SimOptions) -> Self {
        let folder = TempDir::with_prefix("tunnels-sim-").expect("a temporary folder");
        let address = SocketAddr::from(([127, 0, 0, 1], options.port.unwrap_or_else(free_port)));
        let agent_port = free_port();
        let mut command = Command::new(tunnels_program());
        command.args(["sim", "--listen", &address.to_string()]);
        command.args(["--node", options.node.as_deref().unwrap_or(NODE)]);
        if options.external_agent {
            let agent_listen = format!("127.0.0.1:{agent_port}");
            command.args(["--agent", "external", "--agent-listen", &agent_listen]);
            command.arg("--ca-out").arg(folder.path().join("ca.pem"));
        } else {
            command.args(["--agent-pace", if options.real_pace { "real" } else { "fast" }]);
        }
        command.args(&options.arguments);
        let mut process = Process::start("tunnels sim", &mut command);
        wait_until("the simulator to answer", START_DEADLINE, || {
            let ended = process.ended();
            assert!(ended.is_none(), "tunnels sim ended: {}", process.output());
            http::request(address, "GET", "/_sim/sessions", &[], None).ok()
        });
        Self { process, address, agent_port, folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What goes into `endpoints.ssm`, `AWS_ENDPOINT_URL_SSM` or `--endpoint-url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The keys of a configuration that lead here, a line each.
    pub fn scope(&self) -> String {
        format!("region = \"us-east-1\"\nendpoints = {{ ssm = \"{}\" }}\n", self.url())
    }

    /// Where an external agent finds the gateway.
    pub fn agent_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.agent_port)
    }

    /// The certificate authority that an external agent has to trust.
    pub fn agent_ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// One request to `/_sim/…`; panics unless it is answered with success.
    #[track_caller]
    pub fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = http::request(self.address, method, path, &JSON, body)
            .unwrap_or_else(|e| panic!("{method} {path} failed: {e}"));
        assert!((200..300).contains(&answer.status), "{method} {path}: HTTP {} {}", answer.status, answer.body);
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// Sets some behaviour switches; the others stay.
    #[track_caller]
    pub fn faults(&self, switches: &Value) -> Value {
        self.control("PUT", "/_sim/faults", Some(switches))
    }

    /// Back to good behaviour.
    #[track_caller]
    pub fn clear_faults(&self) {
        self.control("DELETE", "/_sim/faults", None);
    }

    /// Cuts the data channels of one side: `client` or `agent`, by `reset`, `bye` or `blackhole`.
    #[track_caller]
    pub fn cut(&self, side: &str, how: &str) {
        let cut = json!({ "side": side, "how": how });
        // A machine that stood still for a while may have cost a websocket by itself, and the next is on its way.
        wait_until(format!("a socket of the {side} to be cut"), CUT_DEADLINE, || {
            (self.control("POST", "/_sim/cut", Some(&cut))["cut"].as_u64() >= Some(1)).then_some(())
        });
    }

    /// The sessions, oldest first as the simulator lists them.
    #[track_caller]
    pub fn sessions(&self) -> Vec<Value> {
        let answer = self.control("GET", "/_sim/sessions", None);
        answer["sessions"].as_array().expect("a list of sessions").clone()
    }

    /// The states of all sessions.
    #[track_caller]
    pub fn session_states(&self) -> Vec<String> {
        let text = |session: &Value| session["state"].as_str().expect("a state").to_owned();
        self.sessions().iter().map(text).collect()
    }

    /// How many calls of one operation of the API have been made.
    #[track_caller]
    pub fn calls(&self, operation: &str) -> usize {
        self.all_calls().iter().filter(|call| call.to_string().contains(operation)).count()
    }

    /// The last calls of the API, oldest first.
    #[track_caller]
    pub fn all_calls(&self) -> Vec<Value> {
        let answer = self.control("GET", "/_sim/sessions", None);
        answer["calls"].as_array().expect("a list of calls").clone()
    }

    /// One call of the SSM JSON API, unsigned.
    #[track_caller]
    pub fn api(&self, operation: &str, body: &Value) -> HttpAnswer {
        let target = format!("AmazonSSM.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        http::request(self.address, "POST", "/", &headers, Some(body))
            .unwrap_or_else(|e| panic!("{operation} failed: {e}"))
    }
}
