//! Starting and stopping: [`Simulator`] binds the ports and hands out a [`SimHandle`].

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;

use crate::config::{AgentKind, SimConfig};
use crate::dice::Dice;
use crate::external::{ControlChannels, TlsError, TlsIdentity};
use crate::faults::{FaultBoard, FaultError, Faults};
use crate::http;
use crate::scenario::{self, Moment};
use crate::service::{Agents, Parts, Service};
use crate::sim_api::{self, Cut, SessionsReport};
use crate::strict::Guard;

/// Starts simulators.
#[derive(Debug)]
pub struct Simulator;

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port could not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate authority's file could not be written.
    #[error("cannot write {}", path.display())]
    WriteCa {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The agent's port has no TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A running simulator; dropping it stops it.
#[derive(Debug)]
pub struct SimHandle {
    service: Arc<Service>,
    agent_address: Option<SocketAddr>,
    seed: u64,
    plan: Vec<Moment>,
}

impl Simulator {
    /// Binds the ports and starts to serve; returns when both ports accept connections.
    ///
    /// # Errors
    /// [`StartError`]: a port is taken, or the authority's file cannot be written.
    pub async fn start(config: SimConfig) -> Result<SimHandle, StartError> {
        let scenario = config.scenario;
        let (faults, its_seed) =
            scenario.as_ref().map_or((config.faults, None), |scenario| (scenario.faults.clone(), scenario.seed));
        let seed = config.seed.or(its_seed).unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { address: config.listen, source })?;
        let (agents, agent_port) = match config.agent {
            AgentKind::BuiltIn(pace) => (Agents::BuiltIn(pace), None),
            AgentKind::External { listen: wanted, ca_out } => {
                let agent_listener = listen(wanted).await?;
                let identity = TlsIdentity::generate(wanted.ip())?;
                if let Some(path) = ca_out {
                    std::fs::write(&path, &identity.ca_pem).map_err(|source| StartError::WriteCa { path, source })?;
                }
                let channels = ControlChannels::new();
                (Agents::External(channels), Some((agent_listener, identity.acceptor)))
            }
        };
        let service = Arc::new(Service::new(
            address,
            Parts {
                documents: config.documents,
                names: config.names,
                agents,
                faults: FaultBoard::new(faults),
                dice: Dice::new(seed),
                guard: Guard::new(config.strict, config.region),
                nodes: config.nodes,
            },
        ));
        let plan = scenario.as_ref().map_or_else(Vec::new, |scenario| scenario.plan(&service.dice));
        if let Some(scenario) = scenario {
            service.tasks.spawn(scenario::play(Arc::clone(&service), scenario, plan.clone()));
        }
        let mut agent_address = None;
        if let Some((agent_listener, acceptor)) = agent_port {
            agent_address = agent_listener.local_addr().ok();
            let routes = http::agent_routes(&service);
            let serving = http::serve(Arc::clone(&service), agent_listener, Some(acceptor), routes);
            service.tasks.spawn(serving);
        }
        let routes = http::client_routes(&service);
        service.tasks.spawn(http::serve(Arc::clone(&service), listener, None, routes));
        tracing::info!(%address, seed, "simulator started");
        Ok(SimHandle { service, agent_address, seed, plan })
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

impl SimHandle {
    /// Where the API, the gateway and `/_sim` listen.
    pub fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// The same as a URL, for `AWS_ENDPOINT_URL_SSM` and the like.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.service.address)
    }

    /// The TLS port for an external agent, if there is one.
    pub fn agent_address(&self) -> Option<SocketAddr> {
        self.agent_address
    }

    /// The seed of all random choices.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What the scenario, if there is one, will do when: a line for each act.
    pub fn plan(&self) -> Vec<String> {
        self.plan.iter().map(Moment::to_string).collect()
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        Faults::clone(&self.service.faults.get())
    }

    /// Changes some faults, as `PUT /_sim/faults` does.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn set_faults(&self, patch: &Value) -> Result<Faults, FaultError> {
        sim_api::patch_faults(&self.service, patch)
    }

    /// Back to no faults.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Cuts open data channels, as `POST /_sim/cut` does; the number of channels hit.
    pub fn cut(&self, cut: &Cut) -> usize {
        sim_api::cut(&self.service, cut)
    }

    /// Ends all agents as a restart of their program does.
    pub fn restart_agents(&self) {
        self.service.restart_agents(None);
    }

    /// Kills the agent's worker of one session, of which nobody is told; 0: there is no such session.
    pub fn kill_worker(&self, id: &str) -> usize {
        self.service.restart_agents(Some(id))
    }

    /// Ends a session with a text for its user; false: there is none with that id.
    pub fn close_session(&self, id: &str, output: &str) -> bool {
        sim_api::close(&self.service, id, output.to_owned())
    }

    /// Sessions and API calls, as `GET /_sim/sessions` shows them.
    pub fn sessions(&self) -> SessionsReport {
        sim_api::report(&self.service)
    }

    /// Stops: every websocket is closed, every task has ended when this returns.
    pub async fn shutdown(self) {
        self.service.shutdown.cancel();
        self.service.tasks.close();
        self.service.tasks.wait().await;
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        self.service.shutdown.cancel();
    }
}
