//! `tunnels sim`: the simulated AWS side, alone, until it is interrupted.

use super::{block_on_all_cores, interrupted};
use crate::exit::Exit;
use crate::{logging, open_files, output};
use clap::{Args, ValueEnum};
use serde_json::Value;
use ssm_sim::{
    AgentKind, AgentPace, DEFAULT_AGENT_PORT, DEFAULT_NODE, DEFAULT_PORT, Faults, Node, Scenario, SigningCredentials,
    SimConfig, SimHandle, Simulator, StartError,
};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_daemon::chain;

/// What the AWS SDK has to have; the simulator believes everybody unless it is strict.
const ACCESS_KEY: &str = "SIMULATED";
const SECRET_KEY: &str = "simulated";

const EXAMPLES: &str = "\
Examples:
  tunnels sim
  tunnels sim --node i-0123456789abcdef0=bastion,Role=jump --faults '{\"latency_ms\": 25}'
  tunnels sim --scenario docs/scenarios/bad-morning.toml";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Sim {
    /// Where the API, the gateway and /_sim listen: a port or an address with one; 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value_t = local(DEFAULT_PORT), value_parser = address)]
    listen: SocketAddr,
    /// A managed node, again for each: its id, a name, and tags
    #[arg(long = "node", value_name = "ID[=NAME[,KEY=VALUE…]]", default_value = "i-0123456789abcdef0=demo-bastion")]
    nodes: Vec<Node>,
    /// A further port session document of the account, again for each
    #[arg(long = "document", value_name = "NAME")]
    documents: Vec<String>,
    /// A host that the built-in agents find at this address without asking DNS, again for each
    #[arg(long = "resolve", value_name = "NAME=IP", value_parser = resolution)]
    names: Vec<(String, IpAddr)>,
    /// Who plays the agent: the built-in one, or the official one that connects to --agent-listen
    #[arg(long, value_name = "WHO", default_value = "builtin")]
    agent: Agent,
    /// How fast the built-in agent sends: as slowly as the official one, or without its pauses
    #[arg(long, value_name = "PACE", default_value = "real")]
    agent_pace: AgentPace,
    /// Where the TLS port for the official agent listens
    #[arg(long, value_name = "ADDR", default_value_t = local(DEFAULT_AGENT_PORT), value_parser = address)]
    agent_listen: SocketAddr,
    /// Where to write the certificate authority that the official agent has to trust (PEM)
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// Verify the signatures of API calls and websocket upgrades
    #[arg(long)]
    strict: bool,
    /// The region whose signatures are accepted
    #[arg(long, default_value_t = SimConfig::default().region)]
    region: String,
    /// Makes all random choices repeatable
    #[arg(long)]
    seed: Option<u64>,
    /// Faults in force from the start, as PUT /_sim/faults takes them: '{"latency_ms": 25}'
    #[arg(long, value_name = "JSON", value_parser = faults)]
    faults: Option<Value>,
    /// What goes wrong when: a TOML file (docs/simulator.md). --faults goes before its [faults], --seed before its seed
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Agent {
    Builtin,
    External,
}

impl Sim {
    pub(crate) fn run(self) -> Result<Exit, ApiError> {
        let _log = logging::init(if self.scenario.is_some() { "info" } else { "warn" });
        open_files::raise_limit();
        block_on_all_cores(async {
            if !self.listen.ip().is_loopback() {
                output::say("warning: everybody who reaches this address can open connections through this machine");
            }
            let (agent, region) = (self.agent, self.region.clone());
            let node = self.nodes.first().map_or_else(|| DEFAULT_NODE.to_owned(), |node| node.id.clone());
            let sim = Simulator::start(self.config()?).await.map_err(|error| refused(&error))?;
            output::print(&guide(&sim, agent, &region, &node))?;
            interrupted().await;
            sim.shutdown().await;
            Ok(Exit::Done)
        })
    }

    fn config(self) -> Result<SimConfig, ApiError> {
        let mut scenario = self.scenario.as_deref().map(read_scenario).transpose()?;
        let mut faults = scenario.as_ref().map_or_else(Faults::default, |scenario| scenario.faults.clone());
        if let Some(patch) = &self.faults {
            faults = faults.patched(patch).map_err(|error| ApiError::new(ErrorCode::Usage, chain(&error)))?;
        }
        if let Some(scenario) = &mut scenario {
            scenario.faults = faults.clone();
        }
        Ok(SimConfig {
            listen: self.listen,
            nodes: self.nodes,
            documents: self.documents,
            names: self.names.into_iter().collect(),
            agent: match self.agent {
                Agent::Builtin => AgentKind::BuiltIn(self.agent_pace),
                Agent::External => AgentKind::External { listen: self.agent_listen, ca_out: self.ca_out },
            },
            strict: self.strict.then(|| SigningCredentials::new(ACCESS_KEY, SECRET_KEY, None::<String>)),
            region: self.region,
            seed: self.seed,
            faults,
            scenario,
        })
    }
}

fn read_scenario(file: &Path) -> Result<Scenario, ApiError> {
    let refused = |cause: String| ApiError::new(ErrorCode::Usage, format!("{}: {cause}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    Scenario::parse(&text).map_err(|error| refused(chain(&error)).with_hint("docs/simulator.md explains the form"))
}

/// What to do now, in a form that a shell can read: comments, and exports.
fn guide(sim: &SimHandle, agent: Agent, region: &str, node: &str) -> String {
    let endpoint = sim.endpoint();
    let mut text = format!(
        "\
# The simulated AWS side listens on {endpoint} (seed {seed}); ctrl-C ends it.
# In the shell that runs `tunnels up`:
export AWS_ENDPOINT_URL_SSM={endpoint}
export AWS_REGION={region}
export AWS_ACCESS_KEY_ID={ACCESS_KEY}
export AWS_SECRET_ACCESS_KEY={SECRET_KEY}
# In the configuration: target = \"{node}\"
# What happens here:    curl -s {endpoint}/_sim/sessions
# Make things go wrong: curl -s -X PUT {endpoint}/_sim/faults -d '{{\"latency_ms\": 25}}'
",
        seed = sim.seed(),
    );
    let plan = sim.plan();
    if !plan.is_empty() {
        let _ = writeln!(text, "# What will go wrong, and when:");
        for act in plan {
            let _ = writeln!(text, "#{act}");
        }
    }
    if let (Agent::External, Some(address)) = (agent, sim.agent_address()) {
        let _ = writeln!(text, "# The official agent's port: https://{address}");
    }
    text
}

fn refused(error: &StartError) -> ApiError {
    let error_for_user = ApiError::new(ErrorCode::Failed, chain(error));
    match error {
        StartError::Listen { .. } => error_for_user
            .with_hint("another simulator may run there; --listen and --agent-listen take other addresses, port 0 picks a free one"),
        _ => error_for_user,
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// `127.0.0.1:8129`, `[::1]:8129`, or a bare port of the loopback address.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse::<u16>()
        .map(local)
        .or_else(|_| text.parse())
        .map_err(|_| "write a port, or an address such as 127.0.0.1:8129".to_owned())
}

/// `orders.rds.example=127.0.0.1`.
fn resolution(text: &str) -> Result<(String, IpAddr), String> {
    let (name, ip) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=IP")?;
    let ip = ip.parse().map_err(|_| format!("`{ip}` is no address"))?;
    Ok((name.to_ascii_lowercase(), ip))
}

/// A change of faults that makes sense by itself.
fn faults(text: &str) -> Result<Value, String> {
    let patch = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Faults::default().patched(&patch).map_err(|error| chain(&error))?;
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(address("8129"), Ok(local(8129)));
        assert_eq!(address("[::1]:1"), Ok("[::1]:1".parse().unwrap()));
        assert!(address("localhost:8129").is_err());
    }

    #[test]
    fn names_are_given_addresses() {
        assert_eq!(resolution("DB.example=::1"), Ok(("db.example".to_owned(), "::1".parse().unwrap())));
        for text in ["db.example", "=127.0.0.1", "db=x"] {
            assert!(resolution(text).is_err(), "{text}");
        }
    }

    #[test]
    fn faults_are_checked_at_once() {
        assert_eq!(faults(r#"{"latency_ms": 25}"#).unwrap()["latency_ms"], 25);
        assert!(faults(r#"{"latencyms": 25}"#).is_err());
        assert!(faults("25").is_err());
    }
}
